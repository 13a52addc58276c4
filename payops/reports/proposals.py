"""What the last weeks suggest to change in the rules, each with the numbers behind it. People decide; nothing changes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from payops.clock import iso
from payops.domain.incidents import Incident
from payops.signals.interval import wilson
from payops.store import Store
from payops.store.firings import Firing

Kind = Literal["retire", "remedy", "threshold", "advice", "promote", "keep_counting"]
LEAST = 5
"""Fewer cases say nothing."""
NOISY = 0.5
"""A rule whose precision is below this, by the upper end of its interval, wakes people for nothing."""
GOOD = 0.8


@dataclass(frozen=True, slots=True)
class Proposal:
    """`subject` is a rule or a remedy; `because` carries the numbers, `ids` the rows behind them."""

    kind: Kind
    subject: str
    what: str
    because: str
    ids: tuple[str, ...]


def proposals(store: Store, since: datetime, now: datetime) -> tuple[Proposal, ...]:
    """Of incidents and shadow firings since then, and of what coordinators answered and nobody has done yet."""
    with store.read():
        found = store.incidents.opened_between(since, now + timedelta(seconds=1))
        attempts = {each.id: store.incidents.attempts(each.id) for each in found}
        firings = store.rules.firings_since(since)
        advised = [
            (each, store.incidents.get(each.incident_id).rule)
            for each in store.followups.open_ones()
            if each.kind == "answer"
        ]
    made: list[Proposal] = []
    for rule in sorted({each.rule for each in found}):
        closed = [each for each in found if each.rule == rule and each.ended_as is not None]
        made += _of_rule(rule, closed)
    for rule in sorted({each.rule for each in firings}):
        made.append(_of_shadow(rule, [each for each in firings if each.rule == rule], found, now))
    tried: dict[str, list[tuple[str, bool]]] = {}
    for incident_id, mine in attempts.items():
        for each in mine:
            if each.phase == "done" and each.effect != "read":
                tried.setdefault(each.remedy, []).append((incident_id, bool(each.verified)))
    for remedy, results in sorted(tried.items()):
        made += _of_remedy(remedy, results)
    made += [
        Proposal(
            "advice",
            rule,
            each.what,
            f"answered by {each.made_by} on {each.incident_id}, with {each.owner}, not done yet",
            (each.incident_id,),
        )
        for each, rule in advised
    ]
    order: tuple[Kind, ...] = ("retire", "remedy", "threshold", "advice", "promote", "keep_counting")
    return tuple(sorted(made, key=lambda each: (order.index(each.kind), each.subject)))


def document(since: datetime, now: datetime, made: Sequence[Proposal]) -> dict[str, Any]:
    return {
        "at": iso(now),
        "since": iso(since),
        "proposals": [
            {
                "kind": each.kind,
                "subject": each.subject,
                "what": each.what,
                "because": each.because,
                "ids": list(each.ids),
            }
            for each in made
        ],
    }


def _of_rule(rule: str, closed: Sequence[Incident]) -> list[Proposal]:
    false = [each for each in closed if each.ended_as == "false_alarm"]
    if len(closed) < LEAST or not false:
        return []
    right = len(closed) - len(false)
    low, high = wilson(len(closed), right)
    said = f"{right} of {len(closed)} were real ({100 * low:.0f}–{100 * high:.0f} %)"
    ids = tuple(each.id for each in false)
    if high < NOISY:
        return [Proposal("retire", rule, f"retire or rework {rule}", said, ids)]
    if right / len(closed) >= GOOD:
        return []
    longest = max(_lasted(each) for each in false)
    real = sorted(_lasted(each) for each in closed if each.ended_as != "false_alarm")
    if real and longest < real[0]:
        minutes = int(longest.total_seconds()) // 60 + 1
        what = f"let {rule} wait {minutes} min longer (`for`) before it opens"
        why = f"{said}; every false alarm was over within {minutes} min, no real one was"
        return [Proposal("threshold", rule, what, why, ids)]
    return [
        Proposal(
            "threshold", rule, f"raise the threshold of {rule}; `payops rules backtest` tries it", said, ids
        )
    ]


def _of_shadow(rule: str, firings: Sequence[Firing], found: Sequence[Incident], now: datetime) -> Proposal:
    """A firing was right when a real incident was open on the same account meanwhile."""
    real = [each for each in found if each.ended_as != "false_alarm"]
    right = [each for each in firings if any(_beside(each, incident, now) for incident in real)]
    low, high = wilson(len(firings), len(right))
    said = (
        f"it would have opened {len(firings)} times; a real incident was open meanwhile {len(right)} times "
        f"({100 * low:.0f}–{100 * high:.0f} %)"
    )
    if len(firings) >= LEAST and low >= NOISY:
        return Proposal("promote", rule, f"make {rule} stable", said, ())
    return Proposal("keep_counting", rule, f"let {rule} count on", said, ())


def _of_remedy(remedy: str, results: Sequence[tuple[str, bool]]) -> list[Proposal]:
    good = sum(verified for _, verified in results)
    if len(results) < LEAST:
        return []
    low, high = wilson(len(results), good)
    if high >= NOISY:
        return []
    said = f"{good} of {len(results)} attempts were verified ({100 * low:.0f}–{100 * high:.0f} %)"
    ids = tuple(dict.fromkeys(incident_id for incident_id, verified in results if not verified))
    return [Proposal("remedy", remedy, f"stop trying {remedy} first, or mend it", said, ids)]


def _beside(firing: Firing, incident: Incident, now: datetime) -> bool:
    same = firing.labels.get("account") == incident.account
    return (
        same and incident.opened_at <= (firing.ended_at or now) and (incident.resolved_at or now) >= firing.at
    )


def _lasted(incident: Incident) -> timedelta:
    return (incident.resolved_at or incident.updated_at) - incident.opened_at
