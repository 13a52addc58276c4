"""What ended the incidents that resembled this one: what fixed them, how often, how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from payops.domain.incidents import FixAttempt, Incident
from payops.store import Store

MOST = 20


@dataclass(frozen=True, slots=True)
class Past:
    """One past incident: why it counts as similar, what fixed it, and how long it lasted."""

    incident: Incident
    because: str
    fixed_by: str
    lasted: timedelta


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing that ended `times` of the `of` similar incidents; the median of how long these lasted."""

    what: str
    times: int
    of: int
    median: timedelta


@dataclass(frozen=True, slots=True)
class Track:
    """How a remedy of this incident's rule has fared: `verified` of `tried` finished attempts."""

    remedy: str
    verified: int
    tried: int


@dataclass(frozen=True, slots=True)
class Likeness:
    past: tuple[Past, ...]
    fixes: tuple[Fix, ...]
    remedies: tuple[Track, ...]


def similar(store: Store, incident: Incident) -> Likeness:
    """Those of the same rule and place first, then those with the same words."""
    words = " ".join(
        (incident.title, *(str(why.value) for why in incident.why if isinstance(why.value, str)))
    )
    with store.read():
        same = store.incidents.same_rule(incident, incident.opened_at, MOST)
        like = (
            store.incidents.same_words(incident, words, incident.opened_at, MOST - len(same))
            if len(same) < MOST
            else []
        )
        attempts = {each.id: store.incidents.attempts(each.id) for each in (*same, *like)}
    past = tuple(
        Past(each, because, _fixed_by(each, attempts[each.id]), _lasted(each))
        for because, found in (("the same rule", same), ("the same words", like))
        for each in found
    )
    real = [each for each in past if each.incident.ended_as != "false_alarm"]
    return Likeness(past, _fixes(real), _tracks([found for each in same for found in attempts[each.id]]))


def _fixed_by(incident: Incident, attempts: Sequence[FixAttempt]) -> str:
    if incident.ended_as == "false_alarm":
        return "it was a false alarm"
    cure = next((each for each in attempts if each.cured), None)
    if cure is not None:
        return f"{cure.remedy} by {'payops' if cure.by == 'payops' else 'an operator'}"
    if incident.ended_as == "self_healed":
        return "it healed by itself"
    return incident.fixed or "not kept"


def _lasted(incident: Incident) -> timedelta:
    return (incident.resolved_at or incident.updated_at) - incident.opened_at


def _fixes(past: Sequence[Past]) -> tuple[Fix, ...]:
    found: dict[str, list[timedelta]] = {}
    for each in past:
        found.setdefault(each.fixed_by, []).append(each.lasted)
    made = [
        Fix(what, len(spans), len(past), sorted(spans)[(len(spans) - 1) // 2])
        for what, spans in found.items()
    ]
    return tuple(sorted(made, key=lambda fix: (-fix.times, fix.what)))


def _tracks(attempts: Sequence[FixAttempt]) -> tuple[Track, ...]:
    done = [each for each in attempts if each.phase == "done" and each.effect != "read"]
    return tuple(
        Track(remedy, sum(bool(each.verified) for each in mine), len(mine))
        for remedy in sorted({each.remedy for each in done})
        for mine in ([each for each in done if each.remedy == remedy],)
    )
