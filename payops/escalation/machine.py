"""The engine's side of the protocol: sends what is due, raises what nobody accepted, keeps the next step true."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from payops.config import Settings
from payops.domain.errors import LostRace, StoreError
from payops.domain.handoffs import Draft
from payops.domain.incidents import FixAttempt, Handoff, Incident
from payops.domain.policy import Policy, Step, parse_policy
from payops.domain.protocol import TRIGGERS, HandoffCause, Trigger
from payops.domain.roles import LEVEL_NAMES, NEVER_QUIET
from payops.signals import SignalSet
from payops.store import Store

from .conditions import due, values_of, waiting
from .drafting import for_step, step_for
from .timers import TARGET_ANSWERS, UPDATE_EVERY, ack_ends_at, next_action

log = logging.getLogger(__name__)
LONGEST_CALL = timedelta(hours=24)
MOST_PATIENCE = 1024
"""Calls go on for months; doubling without a bound would outgrow what a duration can hold."""


def tick(store: Store, settings: Settings, signals: SignalSet, now: datetime) -> list[str]:
    """Send every handoff that is due; returns the ids of the incidents handed over.

    An incident that cannot be judged holds up no other: the first such error is raised once all had their turn.
    """
    sent = []
    failed: Exception | None = None
    for incident in store.incidents.open_ones():
        try:
            if _step(store, settings, signals, incident, now):
                sent.append(incident.id)
        except LostRace as lost:
            log.info("%s: %s", incident.id, lost)
        except StoreError:
            raise
        except Exception as error:
            error.add_note(f"while handing over {incident.id}")
            failed = failed or error
    if failed is not None:
        raise failed
    return sent


def send(
    store: Store,
    incident: Incident,
    made: Draft,
    now: datetime,
    *,
    by: str,
    cause: HandoffCause,
    trigger: Trigger | None = None,
    why: str = "",
    origin: str = "engine",
    patience: int = 1,
) -> Incident:
    """Put one handoff on its way. `patience` multiplies the time to accept it, for repeated calls."""
    handoffs = store.incidents.handoffs(incident.id)
    if incident.state == "acknowledged" and handoffs and handoffs[-1].accepted_at is not None:
        # Whoever had it has it no more: the new one must be accepted.
        taken: dict[str, object] = {"state": "open", "acknowledged_at": None, "acknowledged_by": None}
    else:
        taken = {}
    accept_by = now + min(made.ack_within * patience, max(LONGEST_CALL, made.ack_within))
    handoff = Handoff(
        incident_id=incident.id,
        seq=0,
        level=made.level,
        to=made.to,
        problem=made.problem,
        attempted=made.attempted,
        impact=made.impact,
        gateway=made.gateway,
        request=made.request,
        sent_at=now,
        sent_by=by,
        accept_by=accept_by,
        cause=cause,
        trigger=trigger,
    )
    return store.incidents.add_handoff(
        handoff,
        incident,
        now,
        entry=f"{LEVEL_NAMES[made.level]}: {why}handed to {made.to}, to be accepted by {accept_by:%H:%M:%S} UTC",
        origin=origin,
        next_action=f"{made.to} accepts",
        next_action_at=accept_by,
        **taken,
    )


def _step(store: Store, settings: Settings, signals: SignalSet, incident: Incident, now: datetime) -> bool:
    policy = parse_policy(incident.policy)
    attempts = store.incidents.attempts(incident.id)
    handoffs = _since_opening(store, incident)
    last_word = store.incidents.last_word_at(incident.id)
    held = incident
    if not incident.is_quiet(now):
        incident = _expire_ack(store, incident, handoffs, last_word, now)
    values = values_of(policy, incident, attempts, handoffs, signals, now)
    # What was handed over before it was reopened was about what had ended: its level is called again.
    reached = incident.level if handoffs else incident.level - 1
    quiet = incident.is_quiet(now)
    step = _due_step(
        policy, reached, lambda each: not (quiet and each.role != NEVER_QUIET) and due(each, policy, values)
    )
    if step is not None:
        skips = step.level > max(reached, 1) + 1
        send(
            store,
            incident,
            for_step(store, settings, incident, step, now),
            now,
            by="payops",
            cause="trigger" if skips else "rule",
            trigger=step.trigger,
            why=f"at once, since {TRIGGERS[step.trigger]}; " if skips and step.trigger else "",
        )
        return True
    if held.state == "acknowledged" and incident.state == "open" and handoffs:
        _call_again(store, settings, policy, incident, handoffs, held, now)
        return True
    if _unanswered(incident, handoffs, now) and not (quiet and handoffs[-1].to != NEVER_QUIET):
        _raise_again(store, settings, policy, incident, handoffs, now)
        return True
    _keep_next_action(store, incident, attempts, handoffs, last_word, now)
    return False


def _due_step(policy: Policy, reached: int, holds: Callable[[Step], bool]) -> Step | None:
    """The step to take now: one that a stated trigger lets skip Level 2, else the next level's; Level 4 after Level 3."""
    above = [step for step in policy.steps if step.level > reached]
    skipping = [step for step in above if step.level == 3 and step.trigger]
    climbing = [step for step in above if step.level <= max(reached, 1) + 1]
    return next((step for step in (*skipping, *climbing) if holds(step)), None)


def _since_opening(store: Store, incident: Incident) -> list[Handoff]:
    """The handoffs since the incident was opened or last reopened."""
    handoffs = store.incidents.handoffs(incident.id)
    if not handoffs:
        return []
    entries = store.incidents.timeline(incident.id)
    since = max((entry.at for entry in entries if entry.kind == "reopened"), default=incident.opened_at)
    return [handoff for handoff in handoffs if handoff.sent_at >= since]


def _unanswered(incident: Incident, handoffs: Sequence[Handoff], now: datetime) -> bool:
    last = handoffs[-1] if handoffs else None
    if last is None or last.accepted_at is not None or last.returned_at is not None:
        return False
    if last.accept_by is None or now < last.accept_by:
        return False
    taken = incident.acknowledged_at
    return taken is None or taken < last.sent_at


def _raise_again(
    store: Store,
    settings: Settings,
    policy: Policy,
    incident: Incident,
    handoffs: Sequence[Handoff],
    now: datetime,
) -> None:
    """Nobody accepted in time: first the backup of the same role, then up, but to Level 4 never by timer alone."""
    last = handoffs[-1]
    calls = 0
    for handoff in reversed(handoffs):
        if handoff.level != last.level or handoff.accepted_at is not None or handoff.returned_at is not None:
            break
        calls += 1
    silent = f"not accepted by {last.to} until {last.accept_by:%H:%M:%S} UTC"
    if last.level == 2 and calls >= 2:
        step = step_for(policy, 3)
        why = f"escalated by silence, {silent} ({calls} calls); "
    else:
        step = _same_step(policy, last)
        why = f"{silent}; call {calls + 1}, for the role's backup too: "
    made = for_step(store, settings, incident, step, now)
    patience = min(2 ** max(0, calls - 1), MOST_PATIENCE) if last.level > 2 else 1
    send(store, incident, made, now, by="payops", cause="silence", why=why, patience=patience)


def _same_step(policy: Policy, last: Handoff) -> Step:
    steps = policy.at_level(last.level)
    return next((step for step in steps if step.role == last.to), step_for(policy, last.level))


def _expire_ack(
    store: Store, incident: Incident, handoffs: Sequence[Handoff], last_word: datetime | None, now: datetime
) -> Incident:
    """Nobody holds an incident for ever without a word about it."""
    ends_at = ack_ends_at(incident, handoffs, last_word)
    if ends_at is None or now < ends_at:
        return incident
    return store.incidents.change(
        incident,
        now,
        who="payops",
        entry=f"the acknowledgement of {incident.acknowledged_by} expired: the incident is open again",
        kind="ack_expired",
        state="open",
        acknowledged_at=None,
        acknowledged_by=None,
    )


def _call_again(
    store: Store,
    settings: Settings,
    policy: Policy,
    incident: Incident,
    handoffs: Sequence[Handoff],
    held: Incident,
    now: datetime,
) -> None:
    """Who had it said nothing for too long: the same role is asked again."""
    last = handoffs[-1]
    made = for_step(store, settings, incident, _same_step(policy, last), now)
    why = f"{held.acknowledged_by} gave no update; "
    send(store, incident, made, now, by="payops", cause="lapsed", why=why)


def _keep_next_action(
    store: Store,
    incident: Incident,
    attempts: Sequence[FixAttempt],
    handoffs: Sequence[Handoff],
    last_word: datetime | None,
    now: datetime,
) -> None:
    """While Level 1 works its own line stands; afterwards the line says who is waited for. Each has a time."""
    if waiting(incident) and not handoffs:
        if incident.next_action_at is None:
            _say_next(store, incident, incident.next_action, incident.opened_at + TARGET_ANSWERS, now)
        return
    busy = any(attempt.phase != "done" for attempt in attempts)
    over = incident.l1_exhausted_at is not None
    if not busy and (over or handoffs):
        silent = last_word is None or now - last_word >= UPDATE_EVERY[incident.severity]
        what, at = next_action(incident, handoffs, last_word, now)
        if silent and incident.state == "acknowledged" and what == incident.next_action:
            _remind(store, incident, at, now)
        else:
            _say_next(store, incident, what, at, now)


def _say_next(store: Store, incident: Incident, what: str, at: datetime, now: datetime) -> None:
    if (what, at) != (incident.next_action, incident.next_action_at):
        store.incidents.change(
            incident, now, who="payops", entry="", kind="next_action", next_action=what, next_action_at=at
        )


def _remind(store: Store, incident: Incident, at: datetime, now: datetime) -> None:
    """Its holder owes an update since `next_action_at`; the next one is due `at`."""
    due = incident.next_action_at
    if due is not None and due <= now:
        store.incidents.change(
            incident,
            now,
            who="payops",
            entry=f"no update by {incident.acknowledged_by} until {due:%H:%M} UTC; the next is due at {at:%H:%M}",
            kind="update_overdue",
            next_action_at=at,
        )
