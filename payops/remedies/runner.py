"""Level 1 of every open incident: two attempts, five minutes, on disk before the call, verified or not done."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from payops.clock import Now
from payops.config import AccountSettings, Settings
from payops.domain.errors import LostRace, PayopsError, StoreError
from payops.domain.incidents import HOUSE, FixAttempt, Incident
from payops.domain.plans import Refusal
from payops.providers.port import Provider
from payops.signals import SignalSet
from payops.signals.mode import short_hash, stored_webhook
from payops.signals.slots import webhook_slot
from payops.store import Store
from payops.text import safe_line

from . import approving, driving, planning, resending
from .asked import Asked
from .case import Case
from .journal import Journal
from .planning import Asking, Blocked, Ready
from .probe import UrlProbe
from .results import Secrets
from .switch_credential import remember_identity
from .update_url import remember_endpoints

log = logging.getLogger(__name__)
LOOK_AGAIN = timedelta(seconds=30)
"""How often a target that does not answer is looked at again."""
PAUSE = timedelta(seconds=20)
"""Between two attempts; after a rate limit what the provider asks for, or `RATE_PAUSE`."""
RATE_PAUSE = timedelta(seconds=30)


class Runner(Asked):
    """State is in the store; what is kept here only saves looking twice."""

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, Provider],
        settings: Settings,
        probe: UrlProbe,
        secrets: Secrets,
        clock: Now | None = None,
    ) -> None:
        """`clock` is real time, which passes during a tick; None in stepped time."""
        self._store = store
        self._providers = providers
        self._settings = settings
        self._probe = probe
        self._secrets = secrets
        self._clock = clock
        self._looked: dict[str, tuple[tuple[str, ...], datetime]] = {}
        self._read_asked: dict[str, datetime] = {}
        self._webhooks: dict[str, int] = {}
        self.wants_reads: frozenset[str] = frozenset()
        """Accounts whose feeds the last tick would have liked to be fresher: worth reading at once."""

    def tick(self, signals: SignalSet, now: datetime, *, may_act: bool) -> None:
        """Take every open incident's Level 1 one step further; without `may_act` nothing is tried.

        An incident whose step fails unexpectedly holds up no other and is handed to a person: the first such error
        is raised once all had their turn.
        """
        self.wants_reads = frozenset()
        for account in self._settings.accounts:
            remember_identity(self._store, account)
            remember_endpoints(self._store, account)
            self._remember_webhook(account)
        if not may_act:
            return
        failed: Exception | None = None
        for incident in self._store.incidents.open_ones():
            try:
                case = self._case(incident, now)
                if case is not None:
                    self._step(case, signals)
                elif incident.l1_exhausted_at is None:
                    self._orphaned(incident, now)
            except LostRace as lost:
                log.info("%s: %s", incident.id, lost)
            except StoreError:
                raise
            except Exception as error:
                error.add_note(f"at Level 1 of {incident.id}")
                failed = failed or error
        if failed is not None:
            raise failed

    def _remember_webhook(self, account: AccountSettings) -> None:
        """Keep which webhook the stored id names, hashed: signals read no secrets."""
        slot = webhook_slot(self._store, account)
        reference = account.credential(slot).webhook_id
        if reference is None or self._webhooks.get(account.name) == slot:
            return
        try:
            meant = short_hash(self._secrets(reference))
        except PayopsError as error:
            log.warning("%s: the webhook id cannot be read: %s", account.name, error)
            return
        self._store.switches.meta_set(stored_webhook(account.name), meant)
        self._webhooks[account.name] = slot

    def _orphaned(self, incident: Incident, now: datetime) -> None:
        """Nothing can be read or tried any more where the account is gone: a person must close it."""
        reason = (
            "what is wrong is payops's own: a person puts it right"
            if incident.account == HOUSE
            else f"the configuration has no account {incident.account} any more"
        )
        self._store.incidents.change(
            incident,
            now,
            who="payops",
            entry=f"Level 1 is over: {reason}",
            kind="level1",
            l1_started_at=incident.l1_started_at or now,
            l1_exhausted_at=now,
            l1_reason=reason,
            next_action="Level 2 handoff",
            next_action_at=now,
        )

    def go_on(self, incident_id: str, signals: SignalSet, now: datetime) -> None:
        """Take this incident's unfinished attempt one step further; no other is touched and none is begun."""
        case = self._case(self._store.incidents.get(incident_id), now)
        if case is not None and case.unfinished is not None:
            self._step(case, signals)

    def _step(self, case: Case, signals: SignalSet) -> None:
        try:
            self._drive(case, signals)
        except (LostRace, StoreError):
            raise
        except Exception as error:
            driving.exhaust(case, f"payops failed at it ({type(error).__name__}: {safe_line(error)})")
            raise

    def _case(self, incident: Incident, now: datetime) -> Case | None:
        provider = self._providers.get(incident.account)
        account = next((each for each in self._settings.accounts if each.name == incident.account), None)
        if provider is None or account is None:
            return None
        return Case(
            self._store,
            self._settings,
            provider,
            account,
            self._probe,
            self._secrets,
            incident,
            now,
            self._clock,
        )

    def _drive(self, case: Case, signals: SignalSet) -> None:
        current = case.unfinished
        if current is not None:
            driving.go_on(case, current, signals, self._want_read)
        elif case.incident.l1_exhausted_at is None and not case.incident.is_quiet(case.now):
            self._begin(case, signals)
        else:
            approving.lapse(case)

    def _begin(self, case: Case, signals: SignalSet) -> None:
        """No attempt is under way: make the next one, show what it would be, or say that Level 1 is over."""
        if approving.lapse(case):
            return
        now, started = case.now, case.incident.l1_started_at
        mine = case.since_opening()
        last = mine[-1] if mine else None
        if last is not None and last.verified and not driving.came_back(case, last, signals):
            if last.ended_at is not None and now - last.ended_at > driving.SETTLES:
                driving.exhaust(case, f"{last.remedy} was verified and the condition still holds")
            return
        over = driving.why_over(case, last)
        if over is not None:
            driving.exhaust(case, over)
            return
        if last is not None and now < _not_before(last):
            return
        obstacles = (planning.standing(case, each, by_operator=False) for each in case.eligible())
        fingerprint = tuple(obstacle.reason if obstacle else "" for obstacle in obstacles)
        asked = self._store.incidents.waiting_approval(case.incident.id)
        if asked is not None and planning.outdated(case, asked):
            fingerprint += ("outdated",)
        aside = self._store.incidents.aside(case.incident.id)
        fingerprint += tuple(f"{each.how} {each.remedy}" for each in aside.values())
        known, again_at = self._looked.pop(case.incident.id, ((), now))
        if known == fingerprint and now < again_at:
            self._looked[case.incident.id] = known, again_at
            return
        choice = planning.for_payops(case)
        match choice:
            case Ready(remedy, plan):
                attempt = driving.start(case, remedy, plan, by="payops")
                driving.go_on(case, attempt, signals, self._want_read)
            case Asking():
                self._looked[case.incident.id] = fingerprint, (started or now) + case.policy.timeout
                approving.ask(case, choice)
            case Blocked():
                self._looked[case.incident.id] = fingerprint, (started or now) + case.policy.timeout
                _show_blocked(case, choice)
            case Refusal(waits=True):
                self._looked[case.incident.id] = fingerprint, now + LOOK_AGAIN
                _show_waiting(case, choice)
            case Refusal(reason):
                driving.exhaust(case, reason)

    def _want_read(self, case: Case) -> None:
        account, now = case.account.name, case.now
        asked = self._read_asked.get(account)
        if asked is None or not timedelta() <= now - asked < LOOK_AGAIN:
            self._read_asked[account] = now
            self.wants_reads |= {account}


def _show_waiting(case: Case, refusal: Refusal) -> None:
    """The target cannot answer yet: no time runs until it does."""
    reason = f"waits: {refusal.reason}"
    started = case.incident.l1_started_at
    if case.incident.l1_reason != reason:
        case.change(
            f"Level 1 {reason}{'; no time runs until it does' if started is None else ''}",
            l1_reason=reason,
            l1_blocked="",
            next_action=f"look every {LOOK_AGAIN.seconds} s whether it answers: {refusal.reason}",
            next_action_at=None if started is None else started + case.policy.timeout,
        )


def _show_blocked(case: Case, choice: Blocked) -> None:
    """Show what would be done; give it its five minutes unless waiting is pointless."""
    would = f"{choice.obstacle.reason}. Would have done: {resending.without_counts(choice.plan.steps)}"
    if choice.obstacle.final:
        driving.exhaust(case, would)
        return
    started = case.incident.l1_started_at or case.now
    case.store.incidents.end_approval(case.incident.id, "withdrawn", case.now)
    if case.incident.l1_reason != would:
        case.change(
            f"Level 1, {would}",
            l1_started_at=started,
            l1_reason=would,
            l1_blocked=choice.obstacle.whose,
            next_action=f"Level 1 is over unless {choice.remedy.id} may act",
            next_action_at=started + case.policy.timeout,
        )


def _not_before(last: FixAttempt) -> datetime:
    """When the next attempt may start."""
    ended = last.ended_at or last.started_at
    if last.outcome != "rate_limited":
        return ended + PAUSE
    return ended + timedelta(seconds=Journal.retry_after_s(last) or RATE_PAUSE.total_seconds())
