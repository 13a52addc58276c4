"""Money and what cannot be taken back wait for people: the request, each person's yes, and the time it runs out."""

from __future__ import annotations

from datetime import datetime

from payops.domain.approvals import APPROVING, Approval
from payops.domain.errors import NotPossible
from payops.domain.plans import Plan, plan_hash, plan_json
from payops.signals.words import plural

from . import driving, resending
from .case import Case
from .planning import Asking


def ask(case: Case, choice: Asking, *, who: str = "payops") -> Approval:
    """The request for this very plan: the one that waits already, or a new one.

    Its time lies inside Level 1's, which the first plan begins; after Level 1 is over an operator who asks gets
    the same time once more.
    """
    known, hashed = case.store.incidents.waiting_approval(case.incident.id), plan_hash(choice.plan)
    if known is not None and known.plan_hash == hashed and case.now < known.expires_at:
        return known
    consent, over = choice.consent, case.incident.l1_exhausted_at is not None
    started = case.now if over else case.incident.l1_started_at or case.now
    expires = min(case.now + consent.expires, started + case.policy.timeout)
    if expires <= case.now:
        raise NotPossible(f"{case.incident.id}: Level 1 has no time left to ask for an approval in")
    needed = "an operator" if consent.people == 1 else f"{consent.people} different operators"
    until = f"{expires:%H:%M:%S} UTC"
    steps = resending.without_counts(choice.plan.steps)
    with case.store.write():
        made = case.store.incidents.request_approval(
            case.incident.id,
            case.now,
            remedy=choice.remedy.id,
            role=consent.role,
            people=consent.people,
            plan=plan_json(choice.plan),
            plan_hash=hashed,
            expires_at=expires,
            who=who,
        )
        shown = {} if over else _shown(case, choice, needed, hashed, expires)
        case.change(
            f"Level 1 asks for an approval until {until}, plan {hashed}: {consent.why}; {needed} must approve. "
            f"Would do: {steps}",
            who=who,
            **shown,
        )
    return made


def _shown(case: Case, choice: Asking, needed: str, hashed: str, expires: datetime) -> dict[str, object]:
    """What the incident says while it waits; at a higher level that level has the say."""
    steps = resending.without_counts(choice.plan.steps)
    return {
        "l1_started_at": case.incident.l1_started_at or case.now,
        "l1_reason": f"{choice.consent.why}; {needed} must approve it by {expires:%H:%M:%S} UTC. Would do: {steps}",
        "l1_blocked": "operator",
        "next_action": f"{choice.remedy.id} waits for {needed} to approve it, plan {hashed}",
        "next_action_at": expires,
    }


def covers(now: Plan, shown: Plan) -> bool:
    """Whether the plan made now still does all that was shown, each thing exactly so."""
    if plan_hash(now) == plan_hash(shown):
        return True
    mine, theirs = now.data.get("targets"), shown.data.get("targets")
    same = (now.remedy, now.action, now.effect) == (shown.remedy, shown.action, shown.effect)
    return (
        same and isinstance(mine, list) and isinstance(theirs, list) and all(each in mine for each in theirs)
    )


def approve(case: Case, approval: Approval, choice: Asking, operator: str) -> Approval:
    """`operator` says yes to this plan; how it stands now. `NotPossible` says why it cannot count."""
    known = case.settings.operator(operator)
    roles = APPROVING[approval.role]
    if known is None or not set(known.roles) & set(roles):
        raise NotPossible(
            f"{case.incident.id}: {approval.remedy} is approved by the role {' or '.join(roles)}, not by {operator}"
        )
    given = case.store.incidents.approve(approval, operator, case.now)
    if given.lacking:
        again = (
            f"{choice.remedy.id} waits for another operator than {' and '.join(given.by)} to approve it, "
            f"plan {approval.plan_hash}"
        )
        case.change(
            f"Level 1: {operator} approved {approval.remedy}, plan {approval.plan_hash}; "
            f"{plural(given.lacking, 'other operator')} must approve it by {approval.expires_at:%H:%M:%S} UTC",
            who=operator,
            **({} if case.incident.l1_exhausted_at else {"next_action": again}),
        )
    return given


def lapse(case: Case) -> bool:
    """End a request that nobody granted in time: that spends Level 1. Whether one lapsed."""
    waiting = case.store.incidents.waiting_approval(case.incident.id)
    if waiting is None:
        return False
    started = case.incident.l1_started_at
    if started is None or waiting.requested_at < started:
        # It was asked before the incident was resolved and opened again: what it showed is no longer so.
        case.store.incidents.end_approval(case.incident.id, "withdrawn", case.now)
        return False
    if case.now < waiting.expires_at:
        return False
    given = f"{len(waiting.by)} of {waiting.people} approved it" if waiting.by else "Nobody approved it"
    asked = case.incident.l1_reason.rstrip(".") or f"{waiting.remedy} waited for an approval"
    with case.store.write():
        case.store.incidents.end_approval(case.incident.id, "expired", case.now)
        driving.exhaust(case, f"{asked}. {given} by {waiting.expires_at:%H:%M:%S} UTC")
    return True
