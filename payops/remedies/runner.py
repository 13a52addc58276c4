"""Drives Level 1 of every open incident: two attempts, five minutes, on disk before the call, verified or not done."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from payops.config import Settings
from payops.domain.errors import LostRace, NotPossible, ProviderError
from payops.domain.incidents import FixAttempt, Incident
from payops.domain.plans import Plan, Refusal, plan_hash, plan_json, plan_of
from payops.domain.policy import RemedyPolicy
from payops.providers.port import Provider
from payops.signals import SignalSet
from payops.store import Store

from . import gates
from .case import Case
from .conditions import holds
from .gates import Obstacle
from .journal import Journal
from .probe import UrlProbe
from .registry import REMEDIES
from .results import Applied, Ended, Halt, Remedy, Secrets, Unknown, Waiting
from .switch_credential import remember_identity

log = logging.getLogger(__name__)
LOOK_AGAIN = timedelta(seconds=30)
"""How often a target that does not answer, or a call that cannot be read back, is looked at again."""
PAUSE = timedelta(seconds=20)
"""Between two attempts; after a rate limit what the provider asks for, 30 s when it names nothing."""
RATE_PAUSE = timedelta(seconds=30)
SETTLES = timedelta(minutes=30)
"""After a verified attempt the incident's own condition has this long to clear."""


class DryRun(NamedTuple):
    """What an operator's key press would do now."""

    plan: Plan | Refusal
    would_act: bool
    why_not: str
    plan_hash: str


class Runner:
    """Level 1. State is in the store; what is kept here only saves looking twice."""

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, Provider],
        settings: Settings,
        probe: UrlProbe,
        secrets: Secrets,
    ) -> None:
        self._store = store
        self._providers = providers
        self._settings = settings
        self._probe = probe
        self._secrets = secrets
        self._looked: dict[str, tuple[tuple[str, ...], datetime]] = {}
        self._read_asked: dict[str, datetime] = {}
        self.wants_reads: frozenset[str] = frozenset()
        """Accounts whose feeds the last tick would have liked to be fresher: worth reading at once."""

    def remedy_ids(self) -> tuple[str, ...]:
        """Every remedy payops knows; the names `payops arm` takes."""
        return tuple(sorted(remedy.id for remedy in REMEDIES.values()))

    def tick(self, signals: SignalSet, now: datetime, *, may_act: bool) -> None:
        """Take every open incident's Level 1 one step further; without `may_act` nothing is written anywhere."""
        self.wants_reads = frozenset()
        for account in self._settings.accounts:
            remember_identity(self._store, account)
        if not may_act:
            return
        for incident in self._store.incidents.open_ones():
            case = self._case(incident, now)
            if case is None:
                continue
            try:
                self._drive(case, signals)
            except LostRace as lost:
                log.info("%s: %s", incident.id, lost)

    def dry_run(self, incident_id: str, signals: SignalSet, now: datetime) -> DryRun:
        """What pressing `fix` would do now: reads only, never raises for what a person can put right."""
        case = self._asked(incident_id, now)
        if isinstance(case, str):
            return DryRun(Refusal(case), False, case, "")
        remedy, plan, obstacle = self._next(case, by_operator=True)
        if isinstance(plan, Refusal):
            return DryRun(plan, False, plan.reason, "")
        return DryRun(plan, obstacle is None, obstacle.reason if obstacle else "", plan_hash(plan))

    def request_fix(
        self, incident_id: str, operator: str, signals: SignalSet, now: datetime, *, seen: str = ""
    ) -> str:
        """Run the next remedy because `operator` asked; the key press is the approval an external effect needs.

        `seen` is the `plan_hash` the operator was shown. `NotPossible` says what stands against it.
        """
        case = self._asked(incident_id, now)
        if isinstance(case, str):
            raise NotPossible(f"{incident_id}: {case}")
        remedy, plan, obstacle = self._next(case, by_operator=True)
        if isinstance(plan, Refusal) or remedy is None:
            raise NotPossible(
                f"{incident_id}: {plan.reason if isinstance(plan, Refusal) else 'nothing to do'}"
            )
        if obstacle is not None:
            raise NotPossible(f"{incident_id}: {obstacle.reason}")
        if seen and seen != plan_hash(plan):
            raise NotPossible(f"{incident_id}: the plan has changed since you saw it; look at it again")
        attempt = self._start(case, remedy, plan, by=operator)
        self._go_on(case, attempt, signals)
        made = self._store.incidents.attempts(incident_id)[-1]
        said = made.detail or "; ".join(plan.steps)
        return f"{incident_id}: {remedy.id}, attempt {made.n} of {case.policy.attempts}: {said}"

    # one incident

    def _case(self, incident: Incident, now: datetime) -> Case | None:
        provider = self._providers.get(incident.account)
        account = next((a for a in self._settings.accounts if a.name == incident.account), None)
        if provider is None or account is None:
            return None
        return Case(self._store, self._settings, provider, account, self._probe, self._secrets, incident, now)

    def _drive(self, case: Case, signals: SignalSet) -> None:
        current = next((attempt for attempt in case.attempts if attempt.phase != "done"), None)
        if current is not None:
            self._go_on(case, current, signals)
        elif case.incident.l1_exhausted_at is None:
            self._begin(case, signals)

    def _asked(self, incident_id: str, now: datetime) -> Case | str:
        """The case an operator asks about, or why nothing can be started there."""
        incident = self._store.incidents.get(incident_id)
        if incident.state == "resolved":
            return f"it was resolved as {incident.ended_as}"
        case = self._case(incident, now)
        if case is None:
            return f"the configuration has no account {incident.account} any more"
        current = next((attempt for attempt in case.attempts if attempt.phase != "done"), None)
        if current is not None:
            return f"{current.remedy}, attempt {current.n}, is {current.phase}: {current.detail or 'wait for it'}"
        if not case.policy.remedies:
            return "its rule has no Level 1 remedy: escalate it"
        return gates.used_up(case.attempts, case.policy.attempts) or case

    # from no attempt to the first call

    def _begin(self, case: Case, signals: SignalSet) -> None:
        incident, policy, now = case.incident, case.policy, case.now
        started = incident.l1_started_at
        mine = [a for a in case.attempts if started is not None and a.started_at >= started]
        last = mine[-1] if mine else None
        if last is not None and last.verified:
            if last.ended_at is not None and now - last.ended_at > SETTLES:
                self._exhaust(case, f"{last.remedy} was verified and the condition still holds")
            return
        over = self._why_over(case, last)
        if over is not None:
            self._exhaust(case, over)
            return
        if last is not None and now < _not_before(last):
            return
        found = tuple(self._standing(case, remedy, by_operator=False) for remedy in case.eligible())
        fingerprint = tuple(obstacle.reason if obstacle else "" for obstacle in found)
        known, until = self._looked.get(incident.id, ((), now))
        if known == fingerprint and now < until:
            return
        remedy, plan, obstacle = self._next(case, by_operator=False)
        self._looked[incident.id] = (fingerprint, now + LOOK_AGAIN)
        if isinstance(plan, Refusal):
            self._refused(case, plan)
        elif remedy is not None and obstacle is not None:
            self._looked[incident.id] = (fingerprint, (started or now) + policy.timeout)
            self._blocked(case, plan, obstacle)
        elif remedy is not None:
            self._looked.pop(incident.id, None)
            self._go_on(case, self._start(case, remedy, plan, by="payops"), signals)

    def _why_over(self, case: Case, last: FixAttempt | None) -> str | None:
        """Why Level 1 is over, None while it is not."""
        policy, started = case.policy, case.incident.l1_started_at
        if not policy.remedies:
            return "its rule has no Level 1 remedy"
        used = gates.used_up(case.attempts, policy.attempts)
        if used is not None:
            return used
        if last is not None and last.effect == "read" and last.outcome == "succeeded":
            return f"Level 1 diagnoses, a human decides: {last.detail}"
        if not case.eligible():
            return f"{last.remedy} ended {last.outcome}: {last.detail}" if last else "no remedy is left"
        if started is not None and case.now >= started + policy.timeout:
            why = case.incident.l1_reason or (last.detail if last else "")
            return f"its {_minutes(policy.timeout)} are over{f': {why}' if why else ''}"
        return None

    def _standing(self, case: Case, remedy: RemedyPolicy, *, by_operator: bool) -> Obstacle | None:
        """What stands against a remedy whatever its plan says."""
        account = case.account
        stop = gates.stopped(self._store)
        if stop is not None:
            return Obstacle(stop)
        observing = gates.not_armed(self._store, self._settings, account.name, remedy)
        if observing is not None:
            return Obstacle(observing)
        if remedy.effect == "money":
            return gates.unattended(remedy, None)
        if not by_operator:
            alone = gates.unattended(remedy, case.endpoint)
            if alone is not None:
                return alone
        return gates.limits(self._store, remedy, case.incident, account, case.now)

    def _next(
        self, case: Case, *, by_operator: bool
    ) -> tuple[RemedyPolicy | None, Plan | Refusal, Obstacle | None]:
        """The first remedy that has a plan and nothing against it; else the best there is to show."""
        blocked: list[tuple[RemedyPolicy, Plan, Obstacle]] = []
        refusals: list[Refusal] = []
        for policy in case.policy.remedies if by_operator else case.eligible():
            remedy = REMEDIES.get(policy.action)
            if remedy is None:
                refusals.append(Refusal(f"{policy.id}: payops knows no action {policy.action}"))
                continue
            plan = self._plan(case, remedy, policy)
            if isinstance(plan, Refusal):
                refusals.append(plan)
                continue
            obstacle = self._standing(case, policy, by_operator=by_operator) or gates.against_plan(
                policy, plan, case.policy.timeout, by_operator=by_operator
            )
            if obstacle is None:
                return policy, plan, None
            blocked.append((policy, plan, obstacle))
        if blocked:
            return min(blocked, key=lambda each: each[2].final)
        waiting = [refusal for refusal in refusals if refusal.waits]
        if waiting:
            return None, waiting[0], None
        return None, Refusal("; ".join(refusal.reason for refusal in refusals) or "nothing to do"), None

    def _plan(self, case: Case, remedy: Remedy, policy: RemedyPolicy) -> Plan | Refusal:
        try:
            return remedy.plan(case.context(policy))
        except ProviderError as error:
            said = ", ".join(each for each in (error.code, error.request_id) if each)
            return Refusal(
                f"{case.account.name}: {remedy.id} cannot be planned: {error.bucket}, {error.message}"
                f"{f' ({said})' if said else ''}"
            )

    def _refused(self, case: Case, refusal: Refusal) -> None:
        started = case.incident.l1_started_at
        if refusal.waits:
            reason = f"waits: {refusal.reason}"
            if case.incident.l1_reason != reason:
                case.change(
                    f"Level 1 {reason}; no time runs until it does",
                    l1_reason=reason,
                    next_action=f"look every {LOOK_AGAIN.seconds} s whether {refusal.reason.split(' does not')[0]} answers",
                    next_action_at=None if started is None else started + case.policy.timeout,
                )
            return
        self._exhaust(case, refusal.reason)

    def _blocked(self, case: Case, plan: Plan, obstacle: Obstacle) -> None:
        """Show what would be done; give it its five minutes unless waiting is pointless."""
        would = f"{obstacle.reason}. Would have done: {'; '.join(plan.steps)}"
        if obstacle.final:
            self._exhaust(case, would)
            return
        started = case.incident.l1_started_at or case.now
        if case.incident.l1_reason != would:
            case.change(
                f"Level 1, {would}",
                l1_started_at=started,
                l1_reason=would,
                next_action=f"Level 1 is over unless {plan.remedy} may act",
                next_action_at=started + case.policy.timeout,
            )

    def _exhaust(self, case: Case, reason: str) -> None:
        if case.incident.l1_exhausted_at is not None:
            return
        self._looked.pop(case.incident.id, None)
        case.change(
            f"Level 1 is over: {reason}",
            l1_started_at=case.incident.l1_started_at or case.now,
            l1_exhausted_at=case.now,
            l1_reason=reason,
            next_action="Level 2 handoff",
            next_action_at=case.now,
        )

    # one attempt

    def _start(self, case: Case, remedy: RemedyPolicy, plan: Plan, *, by: str) -> FixAttempt:
        """The attempt row, with its key, is on disk before anything is called."""
        now, policy = case.now, case.policy
        n = len(case.attempts) + 1
        started = case.incident.l1_started_at or now
        takes = plan.data.get("takes_s")
        until = started + policy.timeout
        if by != "payops":
            # An operator's press has its own five minutes, or what the plan it approved needs.
            until = now + max(policy.timeout, timedelta(seconds=2 * takes if isinstance(takes, int) else 0))
        attempt = FixAttempt(
            incident_id=case.incident.id,
            n=n,
            remedy=remedy.id,
            action=remedy.action,
            effect=remedy.effect,
            by=by,
            idempotency_key=f"payops-{self._store.identity}-{case.incident.id}-{n}",
            plan=plan_json(plan),
            phase="applying",
            started_at=now,
            progress=Journal.fresh(until),
        )
        with self._store.write_durably():
            self._store.incidents.start_attempt(attempt, now)
            case.change(
                f"Level 1: {remedy.id} attempt {n} of {policy.attempts}"
                f"{'' if by == 'payops' else f', asked for by {by}'}: {'; '.join(plan.steps)}",
                who=by,
                l1_started_at=started,
                l1_reason="",
                next_action=f"{remedy.id}, attempt {n} of {policy.attempts}, is applied by then or given up",
                next_action_at=until,
            )
        case.reload()
        return attempt

    def _go_on(self, case: Case, attempt: FixAttempt, signals: SignalSet) -> None:
        remedy, policy = REMEDIES.get(attempt.action), case.policy.remedy(attempt.remedy)
        if remedy is None or policy is None:
            self._end(case, attempt, Ended("refused", f"payops knows no action {attempt.action}"))
        elif attempt.phase == "verifying":
            self._verify(case, attempt, remedy, policy, signals)
        else:
            self._apply(case, attempt, remedy, policy)

    def _apply(self, case: Case, attempt: FixAttempt, remedy: Remedy, policy: RemedyPolicy) -> None:
        journal = Journal(self._store, attempt, case.now)
        plan = plan_of(attempt.plan)
        until = journal.at("apply_until")
        if until is None or case.now > until:
            self._time_over(case, attempt, remedy, policy, journal)
            return

        def permit() -> None:
            reason = gates.stopped(self._store)
            if reason is None:
                reason = gates.not_armed(self._store, self._settings, case.account.name, policy)
            if reason is not None:
                raise Halt(reason)

        result: Applied | Waiting | Unknown | Ended
        try:
            result = remedy.advance(case.context(policy, permit), plan, journal)
        except Halt as halt:
            result = Waiting(str(halt))
        except ProviderError as error:
            result = Waiting(f"a read was not answered: {error.bucket}, {error.message}")
        match result:
            case Applied(detail):
                self._verifying(case, attempt, policy, detail)
            case Ended():
                self._end(case, attempt, result)
            case Waiting(reason, reads):
                if reads:
                    self._want_read(case)
                self._progress(case, attempt, reason)
            case Unknown(reason):
                self._progress(case, attempt, reason)

    def _time_over(
        self, case: Case, attempt: FixAttempt, remedy: Remedy, policy: RemedyPolicy, journal: Journal
    ) -> None:
        """Nothing is written any more. An unanswered call is read back until it is known what it did."""
        if journal.doing is not None:
            took = remedy.applied(case.context(policy), plan_of(attempt.plan), journal, journal.doing)
            if took is None:
                detail = (
                    f"unknown whether {journal.doing} took effect: nothing else acts until it is read back"
                )
                if attempt.outcome != "unknown":
                    self._store.incidents.update_attempt(
                        case.incident.id, attempt.n, case.now, outcome="unknown", detail=detail
                    )
                self._exhaust(case, detail)
                return
            journal.finish(took_effect=True if took else journal.get("took_effect"))
        over = f"its {_minutes(case.policy.timeout)} are over"
        if journal.get("took_effect"):
            so_far = f"{attempt.detail}; {over}" if attempt.detail else over
            self._verifying(case, attempt, policy, so_far)
            self._exhaust(case, f"{over}, what was applied is being verified")
        else:
            self._end(case, attempt, Ended("not_verified", f"{over} before anything took effect"))

    def _verifying(self, case: Case, attempt: FixAttempt, policy: RemedyPolicy, detail: str) -> None:
        until = case.now + policy.verify_within
        with self._store.write():
            self._store.incidents.update_attempt(
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
                f"Level 1: {attempt.remedy} attempt {attempt.n} of {case.policy.attempts}: {detail}; "
                f"verifying until {until:%H:%M:%S} UTC",
                next_action=f"{attempt.remedy} is verified by then, or Level 1 goes on without it",
                next_action_at=until,
            )
        self._want_read(case)

    def _verify(
        self, case: Case, attempt: FixAttempt, remedy: Remedy, policy: RemedyPolicy, signals: SignalSet
    ) -> None:
        """The signal first, it costs nothing; then the provider."""
        journal = Journal(self._store, attempt, case.now)
        since = attempt.applied_at or attempt.started_at
        shown = (
            holds(policy.verify_when, case.policy.source, case.incident, signals, since, case.now)
            if policy.verify_when
            else True
        )
        said = {False: "the signal does not show it", None: "the signal is not known yet"}.get(shown, "")
        if shown:
            try:
                checked = remedy.check(case.context(policy), plan_of(attempt.plan), journal)
            except ProviderError as error:
                said = f"the provider did not answer: {error.bucket}, {error.message}"
            else:
                if checked.ok:
                    detail = f"{attempt.detail}; verified: {checked.detail}"
                    self._end(case, attempt, Ended("succeeded", detail), verified=True)
                    return
                said = checked.detail
        if attempt.verify_until is None or case.now >= attempt.verify_until:
            detail = f"{attempt.detail}; not verified in {_minutes(policy.verify_within)}: {said}"
            self._end(case, attempt, Ended("not_verified", detail))
        else:
            self._want_read(case)

    def _end(self, case: Case, attempt: FixAttempt, ended: Ended, *, verified: bool = False) -> None:
        with self._store.write():
            fresh = next(a for a in self._store.incidents.attempts(case.incident.id) if a.n == attempt.n)
            journal = Journal(self._store, fresh, case.now)
            journal.keep(bucket=ended.bucket, retry_after_s=ended.retry_after_s)
            self._store.incidents.update_attempt(
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
                f"Level 1: {attempt.remedy} attempt {attempt.n} of {case.policy.attempts} "
                f"{'verified' if verified else 'ended ' + ended.outcome}: {ended.detail}",
                next_action="resolves once its condition stays clear"
                if verified
                else "decide on the next attempt",
                next_action_at=None if verified else case.now,
            )
        case.reload()
        if not verified and case.incident.l1_exhausted_at is None:
            over = self._why_over(case, case.attempts[-1])
            if over is not None:
                self._exhaust(case, over)

    def _progress(self, case: Case, attempt: FixAttempt, detail: str) -> None:
        if detail != attempt.detail:
            self._store.incidents.update_attempt(case.incident.id, attempt.n, case.now, detail=detail)

    def _want_read(self, case: Case) -> None:
        account, now = case.account.name, case.now
        asked = self._read_asked.get(account)
        if asked is None or not timedelta() <= now - asked < LOOK_AGAIN:
            self._read_asked[account] = now
            self.wants_reads |= {account}


def _not_before(last: FixAttempt) -> datetime:
    """When the next attempt may start."""
    ended = last.ended_at or last.started_at
    if last.outcome != "rate_limited":
        return ended + PAUSE
    return ended + timedelta(seconds=Journal.retry_after_s(last) or RATE_PAUSE.total_seconds())


def _minutes(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
