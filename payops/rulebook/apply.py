"""Opening, reopening, raising and ending incidents: one transaction for each tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from payops.clock import iso
from payops.domain.incidents import SEVERITIES, EndedAs, FixAttempt, Incident, Why
from payops.domain.payments import provider_named
from payops.domain.roles import LEVEL_NAMES
from payops.expressions import format_duration
from payops.signals.schema import SignalSet
from payops.store import Store
from payops.store.rules import RuleState

from .evaluate import after_opening, after_resolving, evaluate
from .loader import RuleSet
from .shadow import count, counting, is_shadow
from .templates import render
from .verdict import Verdict

QUIET = timedelta(minutes=30)
"""How long an incident that a person closed stays closed, at least, while its condition never stopped holding."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one tick did, by incident id, and every verdict behind it."""

    opened: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def apply(store: Store, ruleset: RuleSet, signals: SignalSet, now: datetime, *, may_act: bool) -> Applied:
    """Judge all rules and bring the incidents in line; `may_act` is False before the first full tick is over.

    A reopened incident counts as opened. An incident is judged by the rule it froze; what a rule whose status is
    `shadow` would open is counted and nothing else.
    """
    opened, resolved, changed = [], [], []
    with store.write():
        before = store.rules.states()
        evaluation = evaluate(
            ruleset,
            signals,
            before,
            store.incidents.open_ones(),
            now,
            first_tick=not may_act,
            shadows=counting(store, ruleset, now),
        )
        after = dict(evaluation.states)
        for verdict in evaluation.verdicts:
            if verdict.incident is None and verdict.outcome != "fire":
                continue
            place = (verdict.rule.id, verdict.key)
            if verdict.rule.status == "shadow" and (verdict.incident is None or is_shadow(verdict.incident)):
                after[place] = count(store, verdict, after[place], now)
            elif verdict.incident is not None:
                if verdict.outcome == "clear" and _resolve(store, verdict, verdict.incident, now):
                    resolved.append(verdict.incident.id)
                    after[place] = after_resolving(after[place], verdict.rule, now)
                elif _raise(store, verdict, verdict.incident, now):
                    changed.append(verdict.incident.id)
            else:
                incident = _open(store, verdict, now)
                if incident is not None:
                    opened.append(incident.id)
                    after[place] = after_opening(after[place], verdict.rule, now)
        _save(store, before, after)
    return Applied(tuple(opened), tuple(resolved), tuple(changed), evaluation.verdicts)


def _save(
    store: Store, before: dict[tuple[str, str], RuleState], after: dict[tuple[str, str], RuleState]
) -> None:
    moved = [
        state
        for place, state in after.items()
        if (known := before.get(place)) is not state and known != state
    ]
    if moved:
        store.rules.save_states(moved)


def _open(store: Store, verdict: Verdict, now: datetime) -> Incident | None:
    """The incident opened or reopened; None when a person closed it and the condition has not cleared since."""
    rule, labels = verdict.rule, verdict.labels
    reopen_within = rule.incident.reopen_within
    recent = store.incidents.find_recent(verdict.key, now - max(reopen_within, QUIET))
    if recent is not None and recent.resolved_at is not None:
        if verdict.firing_since is not None and verdict.firing_since < recent.resolved_at:
            return None
        if now - recent.resolved_at <= reopen_within:
            return _reopen(store, verdict, recent, now)
    first = rule.level1.remedies[0].id if rule.level1.remedies else None
    draft = Incident(
        id="",
        version=0,
        rule=rule.id,
        challenge=rule.challenge,
        provider=provider_named(labels.get("provider", "")),
        account=labels.get("account", ""),
        mode=labels.get("mode", ""),
        title=render(rule.title, labels),
        severity=verdict.severity,
        state="open",
        level=1,
        dedup_key=verdict.key,
        labels=dict(labels),
        opened_at=now,
        updated_at=now,
        why=verdict.why,
        next_action_at=now,
        next_action=f"plan {first}" if first else "Level 2 handoff",
        rule_hash=rule.hash,
        policy=rule.policy_json(),
    )
    return store.incidents.open(draft, f"opened: {_because(verdict)}", now)


def _reopen(store: Store, verdict: Verdict, recent: Incident, now: datetime) -> Incident:
    ended = iso(recent.resolved_at) if recent.resolved_at else "before"
    columns: dict[str, Any] = {
        "severity": min((recent.severity, verdict.severity), key=SEVERITIES.index),
        "why": verdict.why,
        "next_action_at": now,
        "next_action": "Level 2 handoff",
    }
    if recent.l1_exhausted_at is None:
        # Attempts are inherited, and so is what they used of the five minutes.
        used = _used(recent, store.incidents.attempts(recent.id))
        columns |= {
            "l1_started_at": now - used if used else None,
            "l1_reason": "",
            "next_action": "plan the next attempt",
        }
    return store.incidents.reopen(
        recent.id,
        recent.version,
        now,
        why_text=f"reopened, it had ended {ended} as {recent.ended_as}: {_because(verdict)}",
        **columns,
    )


def _used(incident: Incident, attempts: list[FixAttempt]) -> timedelta:
    """How long Level 1 was at it: from its first plan to its last apply."""
    if incident.l1_started_at is None:
        return timedelta()
    ends = [at for each in attempts if (at := each.applied_at or each.ended_at) is not None]
    return max((end - incident.l1_started_at for end in ends), default=timedelta())


def _resolve(store: Store, verdict: Verdict, incident: Incident, now: datetime) -> bool:
    """End the incident by its own condition; False while an attempt is under way that may still prove itself."""
    attempts = _since_opening(store, incident)
    if any(attempt.phase != "done" for attempt in attempts):
        return False
    ended_as, how = _ending(attempts)
    store.incidents.change(
        incident,
        now,
        who="payops",
        entry=f"resolved as {ended_as}: {how}; {_because(verdict)}",
        kind="resolved",
        state="resolved",
        resolved_at=now,
        ended_as=ended_as,
        next_action_at=None,
        next_action="",
    )
    return True


def _since_opening(store: Store, incident: Incident) -> list[FixAttempt]:
    """The attempts since the incident was opened or last reopened: earlier ones healed what came before."""
    since = store.incidents.reopened_at(incident.id) or incident.opened_at
    return [attempt for attempt in store.incidents.attempts(incident.id) if attempt.started_at >= since]


def _ending(attempts: list[FixAttempt]) -> tuple[EndedAs, str]:
    """Only what was applied and verified counts as fixed."""
    cures = [attempt for attempt in attempts if attempt.cured]
    if not cures:
        healed = any(attempt.verified and attempt.effect != "read" for attempt in attempts)
        return "self_healed", "nothing had been applied" if healed else "no attempt was verified"
    last = cures[-1]
    ended_as: EndedAs = "fixed_by_payops" if last.by == "payops" else "fixed_by_operator"
    return ended_as, f"{last.remedy} by {last.by} at {LEVEL_NAMES[1]}"


def _raise(store: Store, verdict: Verdict, incident: Incident, now: datetime) -> bool:
    """Raise the severity where the rule says so; it never falls while the incident is open."""
    if SEVERITIES.index(verdict.severity) >= SEVERITIES.index(incident.severity):
        return False
    store.incidents.change(
        incident,
        now,
        who="payops",
        entry=f"{incident.severity} → {verdict.severity}: {_because(verdict)}",
        kind="severity",
        severity=verdict.severity,
        why=verdict.why,
    )
    return True


def _because(verdict: Verdict) -> str:
    """The terms with the values of what they name: `missing >= 5 (missing 12)`."""
    if verdict.no_data:
        return f"no data, and the rule says {verdict.rule.signal.on_no_data}"
    rule = verdict.rule
    terms = rule.resolve.when if verdict.outcome == "clear" else rule.fire.when
    values = ", ".join(f"{why.term} {_shown(why)}" for why in verdict.why if why.term not in terms)
    waited = rule.fire.for_ if verdict.incident is None else timedelta(0)
    text = " and ".join(terms) + (f" for {format_duration(waited)}" if waited else "")
    return f"{text} ({values})" if values else text


def _shown(why: Why) -> str:
    if why.value is None:
        return "unknown"
    if isinstance(why.value, bool):
        return "yes" if why.value else "no"
    return f"{why.value:.3g}" if isinstance(why.value, float) else str(why.value)
