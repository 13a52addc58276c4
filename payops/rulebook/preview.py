"""What another rule set would do at this instant, before anything is swapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from payops.domain.incidents import Incident
from payops.signals.schema import SignalSet
from payops.store.rules import RuleState

from .evaluate import evaluate
from .loader import RuleSet
from .templates import render
from .verdict import Verdict


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One group of one rule, and what would become of it."""

    rule: str
    title: str
    account: str
    when: datetime
    """Now, or when the rule's `for` is over if its condition goes on."""
    incident: str = ""
    """The open incident it is about; empty for one that would be opened."""


@dataclass(frozen=True, slots=True)
class Preview:
    """How two rule sets differ, by rule id, and what the new one would do now.

    `outgrown` are open incidents that the new rules would not open, or would close: each keeps the rule it opened with
    until that rule's own condition closes it.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    opens: tuple[Foreseen, ...]
    pending: tuple[Foreseen, ...]
    outgrown: tuple[Foreseen, ...]

    @property
    def differs(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def preview(
    old: RuleSet,
    new: RuleSet,
    signals: SignalSet,
    states: Mapping[tuple[str, str], RuleState],
    open_incidents: Sequence[Incident],
    now: datetime,
) -> Preview:
    """The difference between `old` and `new` at `now`; nothing is changed by it."""

    def judged(rules: RuleSet, incidents: Sequence[Incident]) -> dict[tuple[str, str], Verdict]:
        found = evaluate(rules, signals, states, incidents, now, first_tick=False).verdicts
        return {(each.rule.id, each.key): each for each in found}

    before, after = judged(old, open_incidents), judged(new, open_incidents)
    alone = judged(new, ())
    fresh = [
        verdict
        for place, verdict in after.items()
        if verdict.incident is None
        and verdict.rule.status == "stable"
        and not _same(before.get(place), verdict)
    ]
    outgrown = [
        Foreseen(incident.rule, incident.title, incident.account, now, incident.id)
        for incident in open_incidents
        if not _would_stay(alone.get((incident.rule, incident.dedup_key)))
    ]
    return Preview(
        added=tuple(rule for rule in new.ids if rule not in old),
        removed=tuple(rule for rule in old.ids if rule not in new),
        changed=tuple(rule for rule in new.ids if rule in old and new[rule].hash != old[rule].hash),
        opens=tuple(_foreseen(each, now) for each in fresh if each.outcome == "fire"),
        pending=tuple(_foreseen(each, now) for each in fresh if each.outcome == "pending"),
        outgrown=tuple(outgrown),
    )


def _same(old: Verdict | None, new: Verdict) -> bool:
    return old is not None and (old.outcome, old.rule.status) == (new.outcome, new.rule.status)


def _would_stay(verdict: Verdict | None) -> bool:
    """Unknown tells nothing against it."""
    return verdict is not None and verdict.outcome != "clear" and verdict.rule.status == "stable"


def _foreseen(verdict: Verdict, now: datetime) -> Foreseen:
    rule, since = verdict.rule, verdict.firing_since or now
    return Foreseen(
        rule.id,
        render(rule.title, verdict.labels),
        verdict.labels.get("account", ""),
        max(now, since + rule.fire.for_),
    )
