"""Judging every rule for every group at one instant: a pure function of rules, signals, timers and open incidents.

All rules are judged first, then inhibition is worked out, and only then does `apply` open or resolve anything.
Unknown never fires and never resolves: a running `for` of the fire condition waits through it, a running `for`
of the resolve condition starts over, because missing data must not look healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from payops.domain.incidents import SEVERITIES, Incident, Severity, Value, Why
from payops.expressions import Term
from payops.signals.schema import SignalRow, SignalSet
from payops.store.rules import RuleState

from .loader import RuleSet
from .model import Rule
from .plan import Group, Plan, plan_of
from .verdict import Outcome, Verdict

States = Mapping[tuple[str, str], RuleState]
JUDGED = ("stable", "shadow")


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
    verdicts: list[Verdict] = []
    after = dict(states)
    seen: set[tuple[str, str]] = set()
    taken: dict[str, set[Group]] = {}
    for incident in (*open_incidents, *shadows):
        rule = _thawed(incident.policy) or ruleset.get(incident.rule)
        if rule is None:
            continue
        plan, place = plan_of(rule), (incident.rule, incident.dedup_key)
        seen.add(place)
        group = _group(rule, incident.labels)
        taken.setdefault(incident.rule, set()).add(group)
        row = next(
            (row for row in signals.get(rule.signal.source, ()) if _group(rule, row.labels) == group), None
        )
        verdict, after[place] = _judge_open(plan, incident, row, _state(states, place, incident.labels), now)
        verdicts.append(verdict)
    for rule in ruleset:
        if rule.status not in JUDGED:
            continue
        plan, rule_id = plan_of(rule), rule.id
        occupied = taken.get(rule_id)
        for row in signals.get(rule.signal.source, ()):
            labels = row.labels
            key = plan.key(labels)
            place = (rule_id, key)
            if place in seen or (occupied and plan.group(labels) in occupied):
                continue
            seen.add(place)
            state = _state(states, place, labels)
            verdict, after[place] = _judge_closed(plan, key, labels, row, state, now)
            verdicts.append(verdict)
    for place, state in states.items():
        if place in seen:
            continue
        known = ruleset.get(place[0])
        if known is None or known.status not in JUDGED:
            continue
        plan = plan_of(known)
        if plan.labels <= state.labels.keys() and _group(known, state.labels) not in taken.get(place[0], ()):
            verdict, after[place] = _judge_closed(plan, place[1], state.labels, None, state, now)
            verdicts.append(verdict)
    return Evaluation(after, _inhibited(verdicts, open_incidents, first_tick))


@lru_cache(maxsize=512)
def _thawed(policy: str) -> Rule | None:
    try:
        return Rule.from_policy(policy)
    except ValueError:
        return None


def _group(rule: Rule, labels: Mapping[str, str]) -> Group:
    return tuple(labels.get(label, "") for label in rule.signal.group_by)


def _state(states: States, place: tuple[str, str], labels: Mapping[str, str]) -> RuleState:
    """Where the rule stands for the group; the very same object while nothing about it changes."""
    state = states.get(place)
    if state is None:
        return RuleState(*place, dict(labels))
    return state if state.labels == labels else replace(state, labels=dict(labels))


def _judge_closed(
    plan: Plan, key: str, labels: Mapping[str, str], row: SignalRow | None, state: RuleState, now: datetime
) -> tuple[Verdict, RuleState]:
    """A group without an incident. Nearly every group is quiet nearly always: its verdict is made once and kept."""
    rule = plan.rule
    values = _fresh(plan, row, now)
    fire = _all(plan.fire, values)
    blind = values is None or plan.blind(values)
    if blind and rule.signal.on_no_data != "hold":
        fire = rule.signal.on_no_data == "fire"
    if fire is not True and state.pending_since is None and state.clear_since is None:
        return plan.quiet(key, labels, "unknown" if fire is None else "clear", blind), state
    firing = (state.pending_since or now) if fire else None if fire is False else state.pending_since
    outcome: Outcome = "unknown" if fire is None else "clear"
    if fire and firing is not None:
        outcome = "fire" if now - firing >= rule.fire.for_ else "pending"
    severity = _severity(plan, values or {}, rule.fire.severity)
    why = _why(plan.fire, values) if outcome == "fire" else ()
    verdict = Verdict(rule, key, labels, outcome, severity, why, blind, firing, None)
    return verdict, _moved(state, firing, None)


def _judge_open(
    plan: Plan, incident: Incident, row: SignalRow | None, state: RuleState, now: datetime
) -> tuple[Verdict, RuleState]:
    rule = plan.rule
    values = _fresh(plan, row, now)
    fire, resolve = _all(plan.fire, values), _all(plan.resolve, values)
    blind = values is None or plan.blind(values)
    if blind and rule.signal.on_no_data != "hold":
        fire, resolve = rule.signal.on_no_data == "fire", rule.signal.on_no_data == "resolve"
    firing = (state.pending_since or now) if fire else None if fire is False else state.pending_since
    clearing = (state.clear_since or now) if resolve else None
    outcome: Outcome = "unknown" if resolve is None else "fire" if fire else "hold"
    if clearing is not None and now - clearing >= rule.resolve.for_ and not _held(state, now):
        outcome = "clear"
    severity = _severity(plan, values or {}, incident.severity)
    why = _why(plan.resolve if outcome == "clear" else plan.fire, values)
    verdict = Verdict(
        rule, incident.dedup_key, incident.labels, outcome, severity, why, blind, firing, incident
    )
    return verdict, _moved(state, firing, clearing)


def _fresh(plan: Plan, row: SignalRow | None, now: datetime) -> Mapping[str, Value | None] | None:
    """The row's values; None when there is no row, or one too old to count."""
    if row is None or row.as_of is None or now - row.as_of > plan.stale_after:
        return None
    return row.values


def _moved(state: RuleState, firing: datetime | None, clearing: datetime | None) -> RuleState:
    if (state.pending_since, state.clear_since) == (firing, clearing):
        return state
    return replace(state, pending_since=firing, clear_since=clearing)


def _held(state: RuleState, now: datetime) -> bool:
    return state.held_until is not None and now < state.held_until


def _all(terms: Sequence[Term], values: Mapping[str, Value | None] | None) -> bool | None:
    """All terms together; unknown without values."""
    if values is None:
        return None
    unknown = False
    for term in terms:
        result = term.evaluate(values)
        if result is False:
            return False
        unknown = unknown or result is None
    return None if unknown else True


def _why(terms: Sequence[Term], values: Mapping[str, Value | None] | None) -> tuple[Why, ...]:
    """The value of each term, then those of the fields it names."""
    why = {term.text: Why(term.text, None if values is None else term.evaluate(values)) for term in terms}
    for term in terms:
        for name in term.names:
            why.setdefault(name, Why(name, None if values is None else values.get(name)))
    return tuple(why.values())


def _severity(plan: Plan, values: Mapping[str, Value | None], least: Severity) -> Severity:
    """The most severe of `least` and every step that holds: it only rises."""
    steps = [to for to, terms in plan.steps if _all(terms, values) is True]
    return min((least, *steps), key=SEVERITIES.index)


def _inhibited(
    verdicts: Sequence[Verdict], open_incidents: Sequence[Incident], first_tick: bool
) -> tuple[Verdict, ...]:
    """The verdicts after inhibition: a rule about to fire beside its cause does not."""
    causes = {
        entry.rule
        for verdict in verdicts
        if verdict.outcome == "fire" and verdict.incident is None
        for entry in verdict.rule.incident.inhibited_by
    }
    if not causes:
        return tuple(verdicts)
    by_rule: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.rule.id in causes:
            by_rule.setdefault(verdict.rule.id, []).append(verdict)
    return tuple(_inhibit(verdict, by_rule, open_incidents, first_tick) for verdict in verdicts)


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
