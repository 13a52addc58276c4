"""One attempt from its row on disk to its outcome: applied step by step, read back, verified."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from payops.domain.approvals import Approval
from payops.domain.errors import ProviderError
from payops.domain.incidents import FixAttempt
from payops.domain.plans import Plan, plan_json, plan_of
from payops.domain.policy import RemedyPolicy
from payops.signals import SignalSet

from . import gates
from .case import Case, minutes
from .conditions import holds
from .journal import Journal
from .registry import REMEDIES
from .results import Applied, Ended, Halt, Remedy, Result, Unknown, Waiting

STEP = timedelta(seconds=5)
"""So long calls are made in one tick: polls, the lease and what people ask for wait for its end."""
SETTLES = timedelta(minutes=30)
"""After a verified attempt the incident's own condition has this long to clear."""
BACK = timedelta(minutes=1)
WantRead = Callable[[Case], None]
"""Told when a fresh read of the account's feeds would help."""


def start(
    case: Case, remedy: RemedyPolicy, plan: Plan, *, by: str, approval: Approval | None = None
) -> FixAttempt:
    """Put the attempt, with its key and what it was approved by, on the disk; nothing has been called yet."""
    now, policy = case.now, case.policy
    n = len(case.attempts) + 1
    started = case.incident.l1_started_at or now
    until = started + policy.timeout
    if by != "payops":
        # An operator's press has its own five minutes, or what the plan it approved needs. Waiting for an approval
        # is part of them.
        takes = plan.data.get("takes_s")
        needs = timedelta(seconds=2 * takes if isinstance(takes, int) else 0)
        own = now if approval is None else approval.requested_at if case.incident.l1_exhausted_at else started
        until = max(own + policy.timeout, now + needs if needs > policy.timeout else now)
    attempt = FixAttempt(
        incident_id=case.incident.id,
        n=n,
        remedy=remedy.id,
        action=remedy.action,
        effect=remedy.effect,
        by=by,
        idempotency_key=f"payops-{case.store.identity}-{case.incident.id}-{n}",
        plan=plan_json(plan),
        phase="applying",
        started_at=now,
        progress=Journal.fresh(until),
    )
    asked = "" if by == "payops" else f", asked for by {by}"
    if approval is not None:
        asked = f", plan {approval.plan_hash} approved by {' and '.join(approval.by)}"
    with case.store.write_durably():
        if approval is not None:
            case.store.incidents.give_approval(approval, n, now)
        else:
            case.store.incidents.end_approval(case.incident.id, "withdrawn", now)
        case.change(
            f"Level 1: {remedy.id} attempt {n} of {policy.attempts}{asked}: {'; '.join(plan.steps)}",
            who=by,
            l1_started_at=started,
            l1_reason="",
            l1_blocked="",
            next_action=f"{remedy.id}, attempt {n} of {policy.attempts}, is applied by then or given up",
            next_action_at=until,
        )
        case.store.incidents.start_attempt(attempt, now)
    case.reload()
    return attempt


def go_on(case: Case, attempt: FixAttempt, signals: SignalSet, want_read: WantRead) -> None:
    """Take an unfinished attempt one step further."""
    remedy, policy = REMEDIES.get(attempt.action), case.policy.remedy(attempt.remedy)
    if remedy is None or policy is None:
        _end(case, attempt, Ended("refused", f"payops knows no action {attempt.action}"))
    elif attempt.phase == "verifying":
        _verify(case, attempt, remedy, policy, signals, want_read)
    else:
        _apply(case, attempt, remedy, policy, want_read)


def why_over(case: Case, last: FixAttempt | None) -> str | None:
    """Why Level 1 is over; None while another attempt may be made. `last` is the last since the opening."""
    policy, started = case.policy, case.incident.l1_started_at
    if not policy.remedies:
        return "its rule has no Level 1 remedy"
    if last is not None and last.effect == "read" and last.outcome == "succeeded":
        return f"Level 1 diagnoses, a human decides: {last.detail}"
    used = gates.used_up(case.attempts, policy.attempts)
    if used is not None:
        return used
    if not case.wanted():
        skipped = case.store.incidents.aside(case.incident.id).values()
        return "; ".join(f"{each.remedy} is skipped by {each.who}: {each.reason}" for each in skipped)
    if not case.eligible():
        return f"{last.remedy} ended {last.outcome}: {last.detail}" if last else "no remedy is left"
    if started is not None and case.now >= started + policy.timeout:
        why = case.incident.l1_reason or (last.detail if last else "")
        return (
            f"{why.rstrip('.')}. Its {minutes(policy.timeout)} are over"
            if why
            else f"its {minutes(policy.timeout)} are over"
        )
    return None


def came_back(case: Case, last: FixAttempt, signals: SignalSet) -> bool:
    """Whether what a verified attempt had put right is wrong again, and has been for `BACK`: a new trouble of its kind."""
    policy = case.policy.remedy(last.remedy)
    if policy is None or not policy.verify_when:
        return False
    shown = holds(
        policy.verify_when,
        case.policy.source,
        case.incident,
        signals,
        last.applied_at or last.started_at,
        case.now,
    )
    journal = Journal(case.store, last, case.now)
    since = journal.at("back_since")
    if shown is not False:
        if since is not None:
            journal.keep(back_since=None)
        return False
    if since is None:
        journal.keep(back_since=case.now)
        return False
    return case.now - since >= BACK


def exhaust(case: Case, reason: str) -> None:
    """Level 1 is over: the next level is due now."""
    if case.incident.l1_exhausted_at is None:
        case.store.incidents.end_approval(case.incident.id, "withdrawn", case.now)
        case.change(
            f"Level 1 is over: {reason}",
            l1_started_at=case.incident.l1_started_at or case.now,
            l1_exhausted_at=case.now,
            l1_reason=reason,
            l1_blocked="",
            next_action="Level 2 handoff",
            next_action_at=case.now,
        )


def _apply(
    case: Case, attempt: FixAttempt, remedy: Remedy, policy: RemedyPolicy, want_read: WantRead
) -> None:
    journal = Journal(case.store, attempt, case.now)
    until = journal.at("apply_until")
    if until is None or case.now > until:
        _time_over(case, attempt, remedy, policy, journal)
        return

    began = case.clock() if case.clock is not None else None

    def permit() -> None:
        reason = (
            gates.stopped(case.store)
            or gates.held(case.store, case.incident, policy)
            or gates.not_armed(case.store, case.settings, case.account.name, policy)
            or _too_late(case, began, until)
        )
        if reason is not None:
            raise Halt(reason)

    result: Result
    try:
        result = remedy.advance(case.context(policy, permit), plan_of(attempt.plan), journal)
    except Halt as halt:
        result = Waiting(str(halt))
    except ProviderError as error:
        result = Waiting(f"a read was not answered: {error.bucket}, {error.message}")
    match result:
        case Applied(detail):
            _verifying(case, attempt, policy, detail, want_read)
        case Ended():
            _end(case, attempt, result)
        case Waiting(reason, reads):
            if reads:
                want_read(case)
            _progress(case, attempt, reason)
        case Unknown(reason):
            _progress(case, attempt, reason)


def _too_late(case: Case, began: datetime | None, until: datetime) -> str | None:
    """Why no further call may be made in this step: a slow provider outlasts the instant the tick began at."""
    if case.clock is None or began is None:
        return None
    at = case.clock()
    if at > until:
        return f"its {minutes(case.policy.timeout)} are over"
    if at - began > STEP:
        return f"the provider is slow: goes on at the next tick, until {until:%H:%M:%S} UTC"
    return None


def _time_over(
    case: Case, attempt: FixAttempt, remedy: Remedy, policy: RemedyPolicy, journal: Journal
) -> None:
    """Nothing is written any more. A call without an answer is read back until it is known what it did."""
    if journal.doing is not None:
        took = remedy.applied(case.context(policy), plan_of(attempt.plan), journal, journal.doing)
        if took is None:
            detail = f"unknown whether {journal.doing} took effect: nothing else acts until it is read back"
            if attempt.outcome != "unknown":
                case.store.incidents.update_attempt(
                    case.incident.id, attempt.n, case.now, outcome="unknown", detail=detail
                )
            exhaust(case, detail)
            return
        journal.finish(took_effect=True if took else journal.get("took_effect"))
    over = f"its {minutes(case.policy.timeout)} are over"
    if journal.get("took_effect"):
        so_far = f"{attempt.detail}; {over}" if attempt.detail else over
        _verifying(case, attempt, policy, so_far, lambda _: None)
        exhaust(case, f"{over}, what was applied is being verified")
    else:
        _end(case, attempt, Ended("not_verified", f"{over} before anything took effect"))


def _verifying(
    case: Case, attempt: FixAttempt, policy: RemedyPolicy, detail: str, want_read: WantRead
) -> None:
    until = case.now + policy.verify_within
    with case.store.write():
        case.store.incidents.update_attempt(
            case.incident.id,
            attempt.n,
            case.now,
            phase="verifying",
            outcome=None,
            applied_at=case.now,
            verify_until=until,
            detail=detail,
        )
        case.change(
            f"{_name(case, attempt)}: {detail}; verifying until {until:%H:%M:%S} UTC",
            next_action=f"{attempt.remedy} is verified by then, or Level 1 goes on without it",
            next_action_at=until,
        )
    want_read(case)


def _verify(
    case: Case,
    attempt: FixAttempt,
    remedy: Remedy,
    policy: RemedyPolicy,
    signals: SignalSet,
    want_read: WantRead,
) -> None:
    """The signal first, it costs nothing; then the provider."""
    since = attempt.applied_at or attempt.started_at
    shown = not policy.verify_when or holds(
        policy.verify_when, case.policy.source, case.incident, signals, since, case.now
    )
    said = "the signal is not known yet" if shown is None else "the signal does not show it"
    if shown:
        journal = Journal(case.store, attempt, case.now)
        try:
            checked = remedy.check(case.context(policy), plan_of(attempt.plan), journal)
        except ProviderError as error:
            said = f"the provider did not answer: {error.bucket}, {error.message}"
        else:
            if checked.ok:
                if not journal.get("took_effect"):
                    journal.keep(by_itself=True)
                detail = f"{attempt.detail}; verified: {checked.detail}"
                _end(case, attempt, Ended("succeeded", detail), news=checked.detail, verified=True)
                return
            said = checked.detail
    if attempt.verify_until is None or case.now >= attempt.verify_until:
        news = f"not verified in {minutes(policy.verify_within)}: {said}"
        _end(case, attempt, Ended("not_verified", f"{attempt.detail}; {news}"), news=news)
    else:
        want_read(case)


def _end(case: Case, attempt: FixAttempt, ended: Ended, *, news: str = "", verified: bool = False) -> None:
    """Close the attempt. `news` is what the timeline has not told yet, the whole detail when empty."""
    with case.store.write():
        fresh = next(a for a in case.store.incidents.attempts(case.incident.id) if a.n == attempt.n)
        Journal(case.store, fresh, case.now).keep(bucket=ended.bucket, retry_after_s=ended.retry_after_s)
        case.store.incidents.update_attempt(
            case.incident.id,
            attempt.n,
            case.now,
            phase="done",
            ended_at=case.now,
            outcome=ended.outcome,
            verified=verified,
            detail=ended.detail,
        )
        case.change(
            f"{_name(case, attempt)} {'verified' if verified else 'ended ' + ended.outcome}: {news or ended.detail}",
            next_action="resolves once its condition stays clear"
            if verified
            else "decide on the next attempt",
            next_action_at=case.now + SETTLES if verified else case.now,
        )
    case.reload()
    over = None if verified else why_over(case, case.attempts[-1])
    if over is not None:
        exhaust(case, over)


def _progress(case: Case, attempt: FixAttempt, detail: str) -> None:
    if detail != attempt.detail:
        case.store.incidents.update_attempt(case.incident.id, attempt.n, case.now, detail=detail)


def _name(case: Case, attempt: FixAttempt) -> str:
    return f"Level 1: {attempt.remedy} attempt {attempt.n} of {case.policy.attempts}"
