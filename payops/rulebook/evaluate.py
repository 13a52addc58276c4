"""Judging every rule for every group at one instant: a pure function of rules, signals, timers and open incidents.

All rules are judged first, then inhibition is worked out, and only then does `apply` open or resolve anything.
Unknown never fires and never resolves: a running `for` of the fire condition waits through it, a running `for`
of the resolve condition starts over, because missing data must not look healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from payops.domain.incidents import SEVERITIES, Incident, Severity, Value, Why
from payops.expressions import Term, conjunction
from payops.signals.schema import SOURCES, SignalRow, SignalSet
from payops.store.rules import RuleState

from .checks import signal_terms
from .loader import RuleSet
from .model import Rule

Outcome = Literal["fire", "hold", "clear", "unknown", "pending", "inhibited"]
States = Mapping[tuple[str, str], RuleState]
JUDGED = ("stable", "shadow")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of one group now.

    Without an open incident: `fire` asks for one, `pending` waits for its `for`, `inhibited` would fire beside its
    cause, `clear` is healthy, `unknown` cannot tell. With one: `clear` asks for its end, `fire` and `hold` keep it.
    """

    rule: Rule
    key: str
    labels: Mapping[str, str]
    outcome: Outcome
    severity: Severity
    why: tuple[Why, ...]
    no_data: bool
    firing_since: datetime | None
    incident: Incident | None
    inhibited_by: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdicts of one instant, and where every judged rule's timers stand after it."""

    states: States
    verdicts: tuple[Verdict, ...]


def evaluate(
    ruleset: RuleSet,
    signals: SignalSet,
    states: States,
    open_incidents: Sequence[Incident],
    now: datetime,
    *,
    first_tick: bool,
    shadows: Sequence[Incident] = (),
) -> Evaluation:
    """Judge everything. In a first tick a rule with an inhibitor that is not known yet waits for it.

    `shadows` are what rules that only count would have open: judged as open ones, and inhibiting nothing.
    """
    verdicts, after = [], dict(states)
    for case in _cases(ruleset, signals, states, (*open_incidents, *shadows)):
        state = states.get((case.rule.id, case.key)) or RuleState(case.rule.id, case.key)
        verdict, state = _judge(case, replace(state, labels=dict(case.labels)), now)
        verdicts.append(verdict)
        after[(state.rule, state.key)] = state
    by_rule: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_rule.setdefault(verdict.rule.id, []).append(verdict)
    judged = tuple(_inhibit(verdict, by_rule, open_incidents, first_tick) for verdict in verdicts)
    return Evaluation(after, judged)


def dedup_key(rule: Rule, labels: Mapping[str, str]) -> str:
    """`v1:rule:values`: one open incident per key. Values are quoted, so that no two groups share one."""
    values = (quote(labels[label], safe="") for label in sorted(rule.incident.dedup_key))
    return ":".join(("v1", rule.id, *values))


@lru_cache(maxsize=512)
def _thawed(policy: str) -> Rule | None:
    try:
        return Rule.from_policy(policy)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Case:
    rule: Rule
    key: str
    labels: Mapping[str, str]
    row: SignalRow | None
    incident: Incident | None


def _cases(
    ruleset: RuleSet, signals: SignalSet, states: States, open_incidents: Sequence[Incident]
) -> Iterator[_Case]:
    """Each open incident under its own frozen rule; then each group that has a row; then each that had one."""
    seen: set[tuple[str, str]] = set()
    taken: set[tuple[str, tuple[str, ...]]] = set()
    for incident in open_incidents:
        rule = _thawed(incident.policy) or ruleset.get(incident.rule)
        if rule is None:
            continue
        row = _row(signals, rule, incident.labels)
        seen.add((incident.rule, incident.dedup_key))
        taken.add((incident.rule, _group(rule, incident.labels)))
        yield _Case(rule, incident.dedup_key, incident.labels, row, incident)
    for rule in ruleset:
        if rule.status not in JUDGED:
            continue
        for row in signals.get(rule.signal.source, ()):
            key = dedup_key(rule, row.labels)
            if (rule.id, key) not in seen and (rule.id, _group(rule, row.labels)) not in taken:
                seen.add((rule.id, key))
                yield _Case(rule, key, row.labels, row, None)
    for (rule_id, key), state in states.items():
        known = ruleset.get(rule_id)
        if known is None or known.status not in JUDGED or (rule_id, key) in seen:
            continue
        if not set(SOURCES[known.signal.source].labels) <= set(state.labels):
            continue
        if (rule_id, _group(known, state.labels)) not in taken:
            yield _Case(known, key, state.labels, None, None)


def _group(rule: Rule, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(label, "") for label in rule.signal.group_by)


def _row(signals: SignalSet, rule: Rule, labels: Mapping[str, str]) -> SignalRow | None:
    wanted = _group(rule, labels)
    return next(
        (row for row in signals.get(rule.signal.source, ()) if _group(rule, row.labels) == wanted), None
    )


def _judge(case: _Case, state: RuleState, now: datetime) -> tuple[Verdict, RuleState]:
    rule, row = case.rule, case.row
    fresh = row if row is not None and _is_fresh(rule, row, now) else None
    values: Mapping[str, Value | None] = fresh.values if fresh else {}
    fire_terms, resolve_terms = _terms(rule, rule.fire.when), _terms(rule, rule.resolve.when)
    fire, fire_why = _weigh(fire_terms, values, fresh is not None)
    resolve, resolve_why = _weigh(resolve_terms, values, fresh is not None)
    names = {name for term in (*fire_terms, *resolve_terms) for name in term.names}
    no_data = fresh is None or all(values.get(name) is None for name in names)
    if no_data and rule.signal.on_no_data != "hold":
        fire, resolve = rule.signal.on_no_data == "fire", rule.signal.on_no_data == "resolve"

    firing = state.pending_since
    if fire is True and firing is None:
        firing = now
    elif fire is False:
        firing = None
    last = fresh.as_of if fresh else state.last_row_at
    outcome: Outcome
    if case.incident is None:
        clearing = None
        outcome = "unknown" if fire is None else "clear"
        if fire and firing is not None:
            outcome = "fire" if now - firing >= rule.fire.for_ else "pending"
    else:
        clearing = (state.clear_since or now) if resolve else None
        outcome = "unknown" if resolve is None else "fire" if fire else "hold"
        if clearing is not None and now - clearing >= rule.resolve.for_ and not _held(state, now):
            outcome = "clear"
    severity = _severity(rule, values, case.incident.severity if case.incident else rule.fire.severity)
    why = resolve_why if case.incident and outcome == "clear" else fire_why
    verdict = Verdict(rule, case.key, case.labels, outcome, severity, why, no_data, firing, case.incident)
    return verdict, replace(state, pending_since=firing, clear_since=clearing, last_row_at=last)


def _is_fresh(rule: Rule, row: SignalRow, now: datetime) -> bool:
    limit = timedelta(seconds=SOURCES[rule.signal.source].stale_after_s)
    return row.as_of is not None and now - row.as_of <= limit


def _held(state: RuleState, now: datetime) -> bool:
    return state.held_until is not None and now < state.held_until


def _terms(rule: Rule, texts: Iterable[str]) -> tuple[Term, ...]:
    compiler = signal_terms(rule.signal.source)
    return tuple(compiler.compile(text) for text in texts)


def _weigh(
    terms: Sequence[Term], values: Mapping[str, Value | None], fresh: bool
) -> tuple[bool | None, tuple[Why, ...]]:
    """All terms together, and the value of each with those of the fields it names."""
    results = [term.evaluate(values) if fresh else None for term in terms]
    why = {term.text: Why(term.text, result) for term, result in zip(terms, results, strict=True)}
    for term in terms:
        for name in term.names:
            why.setdefault(name, Why(name, values.get(name)))
    return conjunction(results), tuple(why.values())


def _severity(rule: Rule, values: Mapping[str, Value | None], least: Severity) -> Severity:
    """The most severe of `least` and every step that holds: it only rises."""
    steps = [
        step.to
        for step in rule.fire.severity_up
        if conjunction(term.evaluate(values) for term in _terms(rule, step.when)) is True
    ]
    return min((least, *steps), key=SEVERITIES.index)


def _inhibit(
    verdict: Verdict,
    by_rule: Mapping[str, Sequence[Verdict]],
    open_incidents: Sequence[Incident],
    first_tick: bool,
) -> Verdict:
    """A rule about to fire beside its cause does not; its timer runs on."""
    if verdict.outcome != "fire" or verdict.incident is not None:
        return verdict
    for entry in verdict.rule.incident.inhibited_by:
        for incident in open_incidents:
            if incident.rule == entry.rule and _equal(entry.equal, verdict.labels, incident.labels):
                return replace(verdict, outcome="inhibited", inhibited_by=incident.id)
        for other in by_rule.get(entry.rule, ()):
            if other.rule.status != "stable" or not _equal(entry.equal, verdict.labels, other.labels):
                continue
            if other.outcome == "fire":
                return replace(verdict, outcome="inhibited", inhibited_by=entry.rule)
            if other.outcome == "unknown" and first_tick:
                return replace(verdict, outcome="pending", inhibited_by=entry.rule)
    return verdict


def _equal(labels: Iterable[str], one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(label in one and label in other and one[label] == other[label] for label in labels)


def after_opening(state: RuleState, rule: Rule, now: datetime) -> RuleState:
    """The timers once the incident is open; one change too many holds it open for a while."""
    changes = _changes(state, rule, now)
    flap = rule.flap
    flapping = flap is not None and len(changes) > flap.max_changes
    held = now + flap.hold if flap is not None and flapping else state.held_until
    return replace(state, changes=changes, held_until=held, clear_since=None)


def after_resolving(state: RuleState, rule: Rule, now: datetime) -> RuleState:
    """The timers once the incident's own condition has closed it: firing again takes a whole `for`."""
    return replace(
        state, changes=_changes(state, rule, now), pending_since=None, clear_since=None, held_until=None
    )


def _changes(state: RuleState, rule: Rule, now: datetime) -> tuple[datetime, ...]:
    since = now - (rule.flap.within if rule.flap else timedelta(0))
    return (*(at for at in state.changes if at > since), now)[-200:]
