"""What people do with an incident. Who may is judged before; here only whether it fits the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from payops.config import Settings
from payops.domain.actions import CAUSES
from payops.domain.errors import NotPossible
from payops.domain.handoffs import FIELDS, HandoffField, fault_of
from payops.domain.incidents import EndedAs, FixAttempt, Incident
from payops.domain.policy import Step, parse_policy
from payops.domain.protocol import SECURITY, TRIGGERS, Trigger
from payops.domain.roles import HandoffRole
from payops.signals import SignalSet
from payops.signals.platform import forget_broken
from payops.store import Store
from payops.text import did_you_mean, safe_line, safe_text

from .conditions import DECISION
from .drafting import draft, for_step, step_for
from .learning import ask_to_learn
from .machine import send
from .timers import UPDATE_EVERY

MOST = 4_000
"""Characters of anything a person writes."""
FALSE_ALARM = "false alarm"
NOTHING = ("nothing", "self-healed", "it healed by itself")
"""What `fixed` says when nobody fixed anything."""
ORIGIN = "command"


def ack(store: Store, incident_id: str, operator: str, now: datetime) -> str:
    """`operator` has it: the clock of the handoff stands still until the acknowledgement expires."""
    incident = opened(store, incident_id, "acknowledge")
    if incident.acknowledged_by == operator:
        raise NotPossible(f"{incident_id} is acknowledged by you already")
    before = f", after {incident.acknowledged_by}" if incident.acknowledged_by else ""
    store.incidents.change(
        incident,
        now,
        who=operator,
        entry=f"acknowledged by {operator}{before}",
        kind="ack",
        origin=ORIGIN,
        state="acknowledged",
        acknowledged_at=now,
        acknowledged_by=operator,
        owner=incident.owner or operator,
    )
    return f"{incident_id}: acknowledged by {operator}"


def assign(store: Store, incident_id: str, to: str, operator: str, now: datetime) -> str:
    """Give the incident an owner."""
    incident = opened(store, incident_id, "assign")
    owner = safe_line(to, limit=64).strip()
    if not owner:
        raise NotPossible(f"{incident_id}: assign to whom? Name a person")
    if incident.owner == owner:
        raise NotPossible(f"{incident_id} is assigned to {owner} already")
    store.incidents.change(
        incident,
        now,
        who=operator,
        entry=f"assigned to {owner} by {operator}",
        kind="assign",
        origin=ORIGIN,
        owner=owner,
    )
    return f"{incident_id}: assigned to {owner}"


def note(store: Store, incident_id: str, text: str, operator: str, now: datetime) -> str:
    """Add a line to the timeline, resolved incidents included."""
    line = whole(incident_id, "the note", text)
    if not line:
        raise NotPossible(f"{incident_id}: the note is empty; say something")
    store.incidents.note(incident_id, operator, line, now, origin=ORIGIN)
    return f"{incident_id}: noted"


def escalate(
    store: Store,
    settings: Settings,
    incident_id: str,
    fields: Mapping[str, str],
    operator: str,
    signals: SignalSet,
    now: datetime,
) -> str:
    """Hand over to the next level, or answer a returned handoff at the same one.

    `fields` are the five as the person edited them; one that is not there keeps its prefilled text, a blank or
    empty-worded one is refused by name. A stated `trigger` among them goes straight to Level 3; `level` is the one the
    person was shown: when somebody was faster, nothing is sent.
    """
    incident = opened(store, incident_id, "escalate")
    handoffs = store.incidents.handoffs(incident_id)
    last = handoffs[-1] if handoffs else None
    skips = _trigger(incident_id, fields.get("trigger", ""))
    made = draft(store, settings, incident, signals, now)
    if skips is not None and made.level < 3:
        made = for_step(store, settings, incident, _skipping(incident, skips), now)
    if last is not None and last.level == 4 and last.returned_at is None:
        raise NotPossible(f"{incident_id} is at Level 4 already: the decision is the user's")
    seen = fields.get("level", "").strip()
    if seen and seen != str(made.level):
        last_by = f"; {last.sent_by} handed it to {last.to} at {last.sent_at:%H:%M:%S} UTC" if last else ""
        raise NotPossible(
            f"{incident_id} would go to Level {made.level} now, not to {seen}{last_by}; look again"
        )
    edited: dict[HandoffField, str] = {}
    for field in FIELDS:
        if field in fields:
            text = whole(incident_id, field, fields[field])
            fault = fault_of(field, text)
            if fault is not None:
                raise NotPossible(f"{incident_id}: {fault}")
            edited[field] = text
    made = made.edited(edited)
    why = (
        f"{operator} escalated{f', since {TRIGGERS[skips]}' if skips else ''}; "
        if incident.l1_exhausted_at
        else f"{operator} escalated before Level 1 was over{f', since {TRIGGERS[skips]}' if skips else ''}; "
    )
    answers = last is not None and last.returned_at is not None
    incident = send(
        store,
        incident,
        made,
        now,
        by=operator,
        cause="answer" if answers else "person",
        trigger=skips,
        why=why,
        origin=ORIGIN,
    )
    by = f"{incident.next_action_at:%H:%M:%S} UTC" if incident.next_action_at else "soon"
    return f"{incident_id}: handed to {made.to} (Level {made.level}), to be accepted by {by}"


def accept(store: Store, incident_id: str, operator: str, now: datetime) -> str:
    """Accept the handoff that waits: it is the operator's now."""
    incident = opened(store, incident_id, "accept")
    handoffs = store.incidents.handoffs(incident_id)
    to = handoffs[-1].to if handoffs else ""
    store.incidents.accept_handoff(
        incident,
        operator,
        now,
        entry=f"accepted by {operator} as {to}",
        origin=ORIGIN,
        next_action=f"{operator} has it as {to} and gives an update",
        next_action_at=now + UPDATE_EVERY[incident.severity],
    )
    return f"{incident_id}: accepted by {operator} as {to}"


def return_(store: Store, incident_id: str, question: str, operator: str, now: datetime) -> str:
    """Return the handoff with a question; who sent it answers with a new one.

    A Level 3 question that begins with `decision:` asks the user and opens the way to Level 4.
    """
    incident = opened(store, incident_id, "return")
    handoffs = store.incidents.handoffs(incident_id)
    if not handoffs or handoffs[-1].returned_at is not None:
        raise NotPossible(f"{incident_id}: no handoff waits that could be returned")
    asked = whole(incident_id, "the question", question)
    said = asked[len(DECISION) :] if asked.lower().startswith(DECISION) else asked
    if not any(ch.isalpha() for ch in said):
        raise NotPossible(f"{incident_id}: return it with a question: what is unclear?")
    store.incidents.return_handoff(
        incident,
        operator,
        asked,
        now,
        entry=f"returned by {operator}: {asked}",
        origin=ORIGIN,
        state="open",
        acknowledged_at=None,
        acknowledged_by=None,
        next_action=f"answer {operator}: {asked}",
        next_action_at=now + UPDATE_EVERY[incident.severity],
    )
    return f"{incident_id}: returned with a question"


def resolve(
    store: Store, incident_id: str, cause: str, fixed: str, note: str, operator: str, now: datetime
) -> str:
    """Close the incident with a cause code and what fixed it.

    It ends as `false_alarm` by that cause, as `level_N` at level N ≥ 2. At Level 1 it ends by whose verified
    attempt there is, else as `fixed_by_operator` since the person states what fixed it, or as `self_healed`
    when `fixed` says that nothing did.
    """
    incident = opened(store, incident_id, "resolve")
    code = cause.strip().lower()
    if code not in CAUSES:
        raise NotPossible(
            f"{incident_id}: unknown cause {safe_line(cause, limit=40)!r}{did_you_mean(code, CAUSES)}; "
            f"one of: {', '.join(CAUSES)}"
        )
    what = whole(incident_id, "what fixed it", fixed)
    if not what and code != FALSE_ALARM:
        raise NotPossible(
            f"{incident_id}: fixed is empty: say what fixed it, or `nothing` when it healed by itself"
        )
    attempts = store.incidents.attempts(incident_id)
    running = next((a for a in attempts if a.phase == "applying" and a.outcome != "unknown"), None)
    if running is not None:
        raise NotPossible(
            f"{incident_id}: {running.remedy}, attempt {running.n}, is being applied: wait until it is read back"
        )
    ended = _ended_as(incident, code, what, attempts)
    said = whole(incident_id, "the note", note)
    with store.write():
        for attempt in attempts:
            if attempt.phase != "done":
                _close(store, attempt, operator, now)
        store.incidents.change(
            incident,
            now,
            who=operator,
            entry=f"resolved by {operator}: cause {code}; fixed by: {what or 'nothing to fix'}{f'; {said}' if said else ''}",
            kind="resolve",
            origin=ORIGIN,
            state="resolved",
            resolved_at=now,
            ended_as=ended,
            cause=code,
            fixed=what or None,
            next_action="",
            next_action_at=None,
        )
        source = parse_policy(incident.policy).source
        if source == "platform":
            forget_broken(store)
        if source == "api_version":
            store.facts.accept_api_version(incident.account, now)
        if source == "card_data":
            store.findings.review(incident.account, now, false_alarm=code == FALSE_ALARM)
        told = ask_to_learn(store, incident, operator, now)
    return f"{incident_id}: resolved as {ended}{told}"


def whole(incident_id: str, what: str, text: str) -> str:
    """The words, safe to show; `NotPossible` when they are more than can be kept, so that nothing is cut off."""
    said = safe_text(text, limit=len(text) + 1).strip()
    if len(said) > MOST:
        raise NotPossible(f"{incident_id}: {what} has {len(said):,} characters; at most {MOST:,} are kept")
    return said


def required(incident_id: str, what: str, text: str) -> str:
    """The words somebody must give; `NotPossible` when there are none."""
    said = whole(incident_id, what, text)
    if not any(ch.isalpha() for ch in said):
        raise NotPossible(f"{incident_id}: {what} is missing: say it in a sentence")
    return said


def opened(store: Store, incident_id: str, doing: str) -> Incident:
    """The incident, unless it is resolved already."""
    incident = store.incidents.get(incident_id)
    if incident.state == "resolved":
        raise NotPossible(f"cannot {doing} {incident_id}: it was resolved as {incident.ended_as}")
    return incident


def _trigger(incident_id: str, text: str) -> Trigger | None:
    said = text.strip().lower().replace("-", "_").replace(" ", "_")
    if not said:
        return None
    found = next((trigger for trigger in TRIGGERS if trigger == said), None)
    if found is None:
        raise NotPossible(
            f"{incident_id}: unknown trigger {safe_line(text, limit=40)!r}{did_you_mean(said, TRIGGERS)}; "
            f"one of: {', '.join(TRIGGERS)}"
        )
    return found


def _skipping(incident: Incident, trigger: Trigger) -> Step:
    """Level 3 at once: the rule's own step for that trigger, else whoever the protocol names for it."""
    policy = parse_policy(incident.policy)
    own = next((step for step in policy.at_level(3) if step.trigger == trigger), None)
    if own is not None:
        return own
    step = step_for(policy, 3)
    role: HandoffRole = "security-coordinator" if trigger in SECURITY else "tech-lead-orchestrator"
    return replace(step, role=role, trigger=trigger)


def _ended_as(incident: Incident, cause: str, fixed: str, attempts: list[FixAttempt]) -> EndedAs:
    if cause == FALSE_ALARM:
        return "false_alarm"
    if incident.level >= 2:
        levels: dict[int, EndedAs] = {2: "level_2", 3: "level_3", 4: "level_4"}
        return levels[incident.level]
    cure = next((attempt for attempt in attempts if attempt.cured), None)
    if cure is not None:
        return "fixed_by_payops" if cure.by == "payops" else "fixed_by_operator"
    return "self_healed" if fixed.lower().rstrip(".") in NOTHING else "fixed_by_operator"


def _close(store: Store, attempt: FixAttempt, operator: str, now: datetime) -> None:
    """An attempt that was not proved before a person closed the incident stays unproved."""
    store.incidents.update_attempt(
        attempt.incident_id,
        attempt.n,
        now,
        phase="done",
        ended_at=now,
        outcome=attempt.outcome or "not_verified",
        verified=False,
        detail=f"{attempt.detail}; resolved by {operator} before it was verified".lstrip("; "),
    )
