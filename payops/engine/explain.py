"""`payops rules explain INCIDENT`: each term of the rule an incident froze, its values, and since when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from payops.clock import iso, iso_or_none
from payops.config import Settings
from payops.domain.errors import NotPossible
from payops.domain.incidents import Incident, Value
from payops.expressions import Term, format_duration
from payops.rulebook import Rule
from payops.rulebook.checks import signal_terms
from payops.signals import SignalSet, read
from payops.signals.history import recorded
from payops.signals.rows import known_values, row_for
from payops.store import Store

BEFORE = timedelta(hours=24)
LONGEST = timedelta(days=14)
"""So much of the past is looked through for since when a term has been what it is."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a term was at an instant: true, false or unknown (None), with the values behind it.

    `since` is the first recorded minute of an unbroken run; `or_earlier` when the record does not reach further back.
    """

    result: bool | None
    values: Mapping[str, Value | None]
    since: datetime | None
    or_earlier: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """One term. `then` is at the opening, `now` at present, or when the incident was resolved."""

    part: str
    """`fire`, `resolve`, or `sev2` for a step of severity."""
    term: str
    then: Held
    now: Held


@dataclass(frozen=True, slots=True)
class Explanation:
    incident: Incident
    rule: Rule
    at: datetime
    """When `now` is."""
    terms: tuple[Explained, ...]


@dataclass(slots=True)
class _Run:
    """The present run of one term while the record is walked through."""

    term: Term
    result: bool | None = None
    values: Mapping[str, Value | None] = field(default_factory=dict)
    since: datetime | None = None
    broken: bool = False

    def see(self, at: datetime, values: Mapping[str, Value | None]) -> None:
        result = self.term.evaluate(values) if values else None
        if self.since is None or result is not self.result:
            self.broken = self.since is not None
            self.since = at
        self.result = result
        self.values = {name: values.get(name) for name in self.term.names}

    def held(self) -> Held:
        return Held(self.result, self.values, self.since, self.since is not None and not self.broken)


def explain(store: Store, settings: Settings, incident_id: str, now: datetime) -> Explanation:
    """The incident's terms at its opening and now; `UsageError` for an unknown id."""
    incident = store.incidents.get(incident_id)
    try:
        rule = Rule.from_policy(incident.policy)
    except ValueError as error:
        raise NotPossible(
            f"{incident_id}: the rule it opened with cannot be read; see payops incidents show"
        ) from error
    end = incident.resolved_at or now
    source = rule.signal.source
    compiler = signal_terms(source)
    parts = _parts(rule)
    runs = [_Run(compiler.compile(term)) for _, term in parts]
    then: list[Held] | None = None

    def see(at: datetime, signals: SignalSet) -> None:
        values = known_values(row_for(signals, source, incident.labels), source, at)
        for run in runs:
            run.see(at, values)

    begin = max(incident.opened_at - BEFORE, end - LONGEST)
    for at, signals in recorded(store, begin, end):
        if then is None and at > incident.opened_at:
            then = [run.held() for run in runs]
        see(at, signals)
    if incident.resolved_at is None:
        see(now, read(store, settings, now))
    before = _told(incident, runs)
    if then is not None:
        before = [_opened(told, each) for told, each in zip(before, then, strict=True)]
    terms = tuple(
        Explained(part, term, told, run.held())
        for (part, term), told, run in zip(parts, before, runs, strict=True)
    )
    return Explanation(incident, rule, end, terms)


def _parts(rule: Rule) -> list[tuple[str, str]]:
    return [
        *(("fire", term) for term in rule.fire.when),
        *((step.to, term) for step in rule.fire.severity_up for term in step.when),
        *(("resolve", term) for term in rule.resolve.when),
    ]


def _told(incident: Incident, runs: Sequence[_Run]) -> list[Held]:
    """What the incident itself kept of its opening."""
    kept = {why.term: why.value for why in incident.why}
    told = []
    for run in runs:
        values = {name: kept[name] for name in run.term.names if name in kept}
        told.append(Held(run.term.evaluate(values), values, None, False))
    return told


def _opened(told: Held, seen: Held) -> Held:
    """The incident's own word for what was judged, the record's for since when."""
    if not told.values:
        return seen
    agrees = told.result is seen.result
    return Held(told.result, told.values, seen.since if agrees else None, agrees and seen.or_earlier)


def explanation_document(found: Explanation) -> dict[str, Any]:
    """The answer of `rules explain --json`."""
    incident, rule = found.incident, found.rule
    return {
        "incident": incident.id,
        "rule": rule.id,
        "rule_hash": incident.rule_hash,
        "state": incident.state,
        "opened_at": iso(incident.opened_at),
        "at": iso(found.at),
        "fire_for": format_duration(rule.fire.for_),
        "resolve_for": format_duration(rule.resolve.for_),
        "terms": [
            {"part": each.part, "term": each.term, "then": _held(each.then), "now": _held(each.now)}
            for each in found.terms
        ],
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "result": held.result,
        "values": dict(held.values),
        "since": iso_or_none(held.since),
        "or_earlier": held.or_earlier,
    }
