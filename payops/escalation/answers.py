"""What comes back from above: a coordinator's answer, the user's decision, and an incident handed down again."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import Settings
from payops.domain.errors import NotPossible
from payops.domain.incidents import Handoff, Incident
from payops.domain.policy import Option, parse_policy
from payops.domain.protocol import ANSWERS, GOES_UP, Answer, Decision, Followup
from payops.signals import SignalSet
from payops.store import Store
from payops.text import did_you_mean, safe_line, safe_text

from .drafting import for_step, step_for
from .machine import send
from .people import ORIGIN, opened, required
from .timers import UPDATE_EVERY

REVIEW_AFTER = timedelta(hours=24)
"""When a decision is looked at again, unless it says otherwise."""
WITHIN = timedelta(days=7)
"""When what came of an answer is due, unless the coordinator names a date."""


def answer(
    store: Store,
    settings: Settings,
    incident_id: str,
    kind: str,
    text: str,
    owner: str,
    due_at: datetime | None,
    operator: str,
    signals: SignalSet,
    now: datetime,
) -> str:
    """Record what a coordinator answers to the handoff they accepted; it becomes a follow-up with owner and date.

    `provider_issue` and `architecture_change` go up to the next level with the answer as the reason.
    """
    incident = opened(store, incident_id, "answer")
    code = kind.strip().lower().replace("-", "_").replace(" ", "_")
    known = next((each for each in ANSWERS if each == code), None)
    if known is None:
        raise NotPossible(
            f"{incident_id}: unknown kind of answer {safe_line(kind, limit=40)!r}{did_you_mean(code, ANSWERS)}; "
            f"one of: {', '.join(ANSWERS)}"
        )
    said = required(incident_id, "the answer", text)
    last = _accepted(store, incident_id)
    who = safe_line(owner, limit=64).strip() or operator
    due = due_at or now + WITHIN
    words = ANSWERS[known]
    with store.write():
        incident = store.followups.answer(
            Answer(incident_id, last.seq, known, said, operator, now),
            incident,
            f"{operator} answers as {last.to}, {words}: {said}",
            next_action=f"{who} does what was answered ({words}{_again(store, incident)}) and gives an update",
            next_action_at=now + UPDATE_EVERY[incident.severity],
        )
        made = store.followups.add(
            Followup(0, incident_id, "answer", f"{words}: {said}", who, due, now, operator), "", origin=ORIGIN
        )
        if known in GOES_UP and last.level < 4:
            policy = parse_policy(incident.policy)
            step = step_for(policy, last.level + 1)
            why = f"{operator} escalated: {words.removeprefix('escalate: ')}; "
            send(
                store,
                incident,
                for_step(store, settings, incident, step, now),
                now,
                by=operator,
                why=why,
                cause="person",
                trigger="provider_api_change" if known == "provider_issue" else None,
                origin=ORIGIN,
            )
            return f"{incident_id}: {words}, handed to {step.role} (Level {step.level}); follow-up {made.id}"
    return f"{incident_id}: answer recorded; follow-up {made.id} with {who}, due {due:%Y-%m-%d}"


def decide(store: Store, incident_id: str, option: str, why: str, operator: str, now: datetime) -> str:
    """Record the user's decision at Level 4 with its reason; its executor gets a follow-up, and so does its check.

    Where the rule lists options one of them must be named; else `option` is the decision in words.
    """
    incident = opened(store, incident_id, "decide")
    handoffs = store.incidents.handoffs(incident_id)
    last = handoffs[-1] if handoffs else None
    if last is None or last.level != 4 or last.returned_at is not None:
        raise NotPossible(f"{incident_id} is not at Level 4: there is nothing for the user to decide yet")
    chosen = _chosen(incident, option)
    reason = required(incident_id, "why", why)
    if last.accepted_at is None:
        incident = store.incidents.accept_handoff(
            incident, operator, now, entry=f"accepted by {operator} as {last.to}", origin=ORIGIN
        )
    executor = chosen.executor or operator
    with store.write():
        store.followups.decide(
            Decision(incident_id, chosen.id, chosen.text, reason, executor, operator, now),
            incident,
            f"{operator} decides {chosen.id}: {chosen.text}, because {reason}; done by {executor}",
            next_action=f"{executor} carries out: {chosen.text}",
            next_action_at=now + UPDATE_EVERY[incident.severity],
        )
        todo = store.followups.add(
            Followup(0, incident_id, "decision", chosen.text, executor, now + REVIEW_AFTER, now, operator),
            "",
            origin=ORIGIN,
        )
        check = f"check what the decision {chosen.id} did: {chosen.consequence or 'as expected?'}"
        store.followups.add(
            Followup(0, incident_id, "decision", check, operator, now + REVIEW_AFTER, now, operator),
            "",
            origin=ORIGIN,
        )
    return f"{incident_id}: decided {chosen.id}; follow-up {todo.id} with {executor}"


def hand_down(
    store: Store, settings: Settings, incident_id: str, reason: str, operator: str, now: datetime
) -> str:
    """Hand an incident back to the level below, with a reason. The highest level it reached stays on record."""
    incident = opened(store, incident_id, "hand down")
    handoffs = store.incidents.handoffs(incident_id)
    last = handoffs[-1] if handoffs else None
    if last is None or last.level < 3:
        raise NotPossible(f"{incident_id} is not above Level 2: there is no level to hand it down to")
    said = required(incident_id, "the reason", reason)
    made = for_step(store, settings, incident, step_for(parse_policy(incident.policy), last.level - 1), now)
    why = f"{operator} handed it down from Level {last.level}, because {said}; "
    send(store, incident, made, now, by=operator, why=why, cause="down", origin=ORIGIN)
    return f"{incident_id}: handed down to {made.to} (Level {made.level})"


def _again(store: Store, incident: Incident) -> str:
    """An answer may be a Level 1 attempt, where one is left."""
    policy = parse_policy(incident.policy)
    left = policy.attempts - len(store.incidents.attempts(incident.id))
    fixes = any(remedy.effect != "read" for remedy in policy.remedies)
    return (
        f"; f tries Level 1 again, {left} of {policy.attempts} attempts are left"
        if fixes and left > 0
        else ""
    )


def _accepted(store: Store, incident_id: str) -> Handoff:
    handoffs = store.incidents.handoffs(incident_id)
    last = handoffs[-1] if handoffs else None
    if last is None or last.accepted_at is None or last.returned_at is not None:
        raise NotPossible(f"{incident_id}: nobody has accepted a handoff; accept it, then answer")
    return last


def _chosen(incident: Incident, option: str) -> Option:
    said = safe_text(option, limit=300).strip()
    options = [choice for step in parse_policy(incident.policy).at_level(4) for choice in step.options]
    known = next((choice for choice in options if choice.id == said), None)
    if known is not None:
        return known
    if options:
        ids = [choice.id for choice in options]
        raise NotPossible(
            f"{incident.id}: unknown option {safe_line(said, limit=40)!r}{did_you_mean(said, ids)}; "
            f"one of: {', '.join(ids)}"
        )
    return Option("other", required(incident.id, "the decision", said), "", "")
