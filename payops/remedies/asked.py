"""What operators ask of Level 1: look at the plan, run it, approve it, hold it, skip it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from payops.domain.approvals import Approval
from payops.domain.errors import NotPossible
from payops.domain.incidents import Incident
from payops.domain.plans import Plan, Refusal, plan_hash, plan_of
from payops.signals import SignalSet
from payops.store import Store

from . import approving, driving, gates, planning
from .case import Case
from .planning import Asking, Blocked, Choice, Ready


class DryRun(NamedTuple):
    """What an operator's key press would do now."""

    plan: Plan | Refusal
    would_act: bool
    why_not: str
    plan_hash: str


class Asked:
    """A part of `Runner`: everything here is begun by a person."""

    _store: Store
    _want_read: Callable[[Case], None]

    def _case(self, incident: Incident, now: datetime) -> Case | None:
        raise NotImplementedError

    def dry_run(self, incident_id: str, signals: SignalSet, now: datetime) -> DryRun:
        """What pressing `fix` would do now; reads only."""
        case = self._asked(incident_id, now)
        choice = planning.for_operator(case) if isinstance(case, Case) else case
        match choice:
            case Ready(_, plan):
                return DryRun(plan, True, "", plan_hash(plan))
            case Asking(_, plan):
                return DryRun(plan, True, _alone(choice), plan_hash(plan))
            case Blocked(_, plan, obstacle):
                return DryRun(plan, False, obstacle.reason, plan_hash(plan))
            case Refusal(reason):
                return DryRun(choice, False, reason, "")

    def request_fix(
        self, incident_id: str, operator: str, signals: SignalSet, now: datetime, *, seen: str = ""
    ) -> str:
        """Run the next remedy because `operator` asked; the key press is the approval an external effect needs.

        What moves money takes the press as the first approval. `seen` is the `plan_hash` the operator was shown.
        `NotPossible` says what stands against it.
        """
        let_go = self._let_go(incident_id, operator, now)
        if let_go:
            return let_go
        case = self._asked(incident_id, now)
        if isinstance(case, Refusal):
            raise NotPossible(f"{incident_id}: {case.reason}")
        choice = _possible(incident_id, planning.for_operator(case))
        _as_seen(incident_id, choice, seen)
        case.store.incidents.release(incident_id, choice.remedy.id, operator, now)
        if isinstance(choice, Asking):
            return self._approved(case, choice, operator, signals)
        return self._started(case, choice, operator, signals)

    def approve(
        self, incident_id: str, operator: str, signals: SignalSet, now: datetime, *, seen: str = ""
    ) -> str:
        """`operator` approves what waits: the plan is made again and must be the one that was shown.

        `NotPossible` when nothing waits, its time is over, the plan has changed, or it takes another person.
        """
        waiting = self._store.incidents.waiting_approval(incident_id)
        if waiting is None or self._store.incidents.get(incident_id).state == "resolved":
            raise NotPossible(f"{incident_id}: nothing waits for an approval")
        if now >= waiting.expires_at:
            raise NotPossible(
                f"{incident_id}: the time to approve {waiting.remedy} was over at {waiting.expires_at:%H:%M:%S} UTC"
            )
        case = self._asked(incident_id, now)
        if isinstance(case, Refusal):
            raise NotPossible(f"{incident_id}: {case.reason}")
        choice = _possible(incident_id, planning.for_operator(case, waiting.remedy))
        shown = plan_of(waiting.plan)
        if not approving.covers(choice.plan, shown):
            if isinstance(choice, Asking):
                approving.ask(case, choice)
            raise NotPossible(
                f"{incident_id}: the plan has changed since it was asked to be approved, it is "
                f"{plan_hash(choice.plan)} now; look at it again"
            )
        # What came besides is not what was seen: it is left for another approval.
        choice = replace(choice, plan=shown)
        _as_seen(incident_id, choice, seen)
        case.store.incidents.release(incident_id, choice.remedy.id, operator, now)
        if isinstance(choice, Asking):
            return self._approved(case, choice, operator, signals)
        # Only being unattended stood against it, and now somebody attends.
        asked = Asking(
            choice.remedy, choice.plan, gates.Consent("", waiting.role, waiting.people, timedelta())
        )
        return self._approved(case, asked, operator, signals)

    def hold(self, incident_id: str, operator: str, reason: str, now: datetime) -> str:
        """Keep the next remedy from acting by itself; `fix` or `approve` lets it go. Level 1's time runs on."""
        case, remedy = self._next(incident_id, now)
        said = reason or "no reason given"
        self._store.incidents.set_aside(incident_id, remedy, "held", operator, said, now)
        case.change(f"Level 1: {operator} holds {remedy}: {said}", who=operator)
        return f"{incident_id}: {remedy} is held until somebody presses fix; Level 1's time runs on"

    def skip(self, incident_id: str, operator: str, reason: str, now: datetime) -> str:
        """Go on without the next remedy, for this incident; with none left Level 1 is over at the next tick."""
        case, remedy = self._next(incident_id, now)
        if case.unfinished is not None:
            raise NotPossible(
                f"{incident_id}: {remedy} is {case.unfinished.phase} already: hold it, or wait for its end"
            )
        said = reason or "no reason given"
        self._store.incidents.set_aside(incident_id, remedy, "skipped", operator, said, now)
        self._store.incidents.end_approval(incident_id, "withdrawn", now)
        case.change(
            f"Level 1: {operator} skips {remedy}: {said}",
            who=operator,
            l1_reason="",
            l1_blocked="",
            next_action="plan what is left",
            next_action_at=now,
        )
        return f"{incident_id}: goes on without {remedy}"

    def _let_go(self, incident_id: str, operator: str, now: datetime) -> str:
        """Release an attempt under way that somebody holds; empty when there is none."""
        incident = self._store.incidents.get(incident_id)
        case = self._case(incident, now) if incident.state != "resolved" else None
        current = case.unfinished if case is not None else None
        if current is None or not self._store.incidents.release(incident_id, current.remedy, operator, now):
            return ""
        return f"{incident_id}: {current.remedy}, attempt {current.n}, goes on"

    def _next(self, incident_id: str, now: datetime) -> tuple[Case, str]:
        """The remedy under way, that waits for an approval, or that comes next; costs no read at the provider."""
        incident = self._store.incidents.get(incident_id)
        case = self._case(incident, now) if incident.state != "resolved" else None
        if case is None:
            raise NotPossible(f"{incident_id}: nothing is left to do at Level 1")
        if case.unfinished is not None:
            return case, case.unfinished.remedy
        waiting = self._store.incidents.waiting_approval(incident_id)
        if waiting is not None:
            return case, waiting.remedy
        coming = case.eligible()
        if incident.l1_exhausted_at is not None or not coming:
            raise NotPossible(f"{incident_id}: Level 1 is over, nothing comes next by itself")
        return case, coming[0].id

    def _approved(self, case: Case, choice: Asking, operator: str, signals: SignalSet) -> str:
        request = approving.ask(case, choice, who=operator)
        given = approving.approve(case, request, choice, operator)
        if given.lacking:
            return (
                f"{case.incident.id}: {operator} approved {choice.remedy.id}, plan {given.plan_hash}; another operator "
                f"must approve it by {given.expires_at:%H:%M:%S} UTC"
            )
        return self._started(case, Ready(choice.remedy, choice.plan), operator, signals, given)

    def _started(
        self, case: Case, choice: Ready, operator: str, signals: SignalSet, approval: Approval | None = None
    ) -> str:
        attempt = driving.start(case, choice.remedy, choice.plan, by=operator, approval=approval)
        driving.go_on(case, attempt, signals, self._want_read)
        made = self._store.incidents.attempts(case.incident.id)[-1]
        said = made.detail or "; ".join(choice.plan.steps)
        return f"{case.incident.id}: {made.remedy}, attempt {made.n} of {case.policy.attempts}: {said}"

    def _asked(self, incident_id: str, now: datetime) -> Case | Refusal:
        """The case an operator asks about, or why nothing can be started there."""
        incident = self._store.incidents.get(incident_id)
        if incident.state == "resolved":
            return Refusal(f"it was resolved as {incident.ended_as}")
        case = self._case(incident, now)
        if case is None:
            return Refusal(f"the configuration has no account {incident.account} any more")
        current = case.unfinished
        if current is not None:
            doing = current.detail or "wait for it"
            return Refusal(f"{current.remedy}, attempt {current.n}, is {current.phase}: {doing}")
        if not case.wanted():
            return Refusal(
                "every remedy of its rule is skipped: escalate it"
                if case.policy.remedies
                else "its rule has no Level 1 remedy: escalate it"
            )
        used = gates.used_up(case.attempts, case.policy.attempts)
        return Refusal(used) if used else case


def _possible(incident_id: str, choice: Choice) -> Ready | Asking:
    if isinstance(choice, Refusal):
        raise NotPossible(f"{incident_id}: {choice.reason}")
    if isinstance(choice, Blocked):
        raise NotPossible(f"{incident_id}: {choice.obstacle.reason}")
    return choice


def _as_seen(incident_id: str, choice: Ready | Asking, seen: str) -> None:
    if seen and seen != plan_hash(choice.plan):
        raise NotPossible(f"{incident_id}: the plan has changed since you saw it; look at it again")


def _alone(choice: Asking) -> str:
    """What one press alone does not do."""
    if choice.consent.people == 1:
        return ""
    return f"{choice.consent.why}: your press is the first of {choice.consent.people} approvals it takes"
