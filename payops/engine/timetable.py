"""When each feed is next worth reading. What it decides from is in the store, so a restart asks for nothing early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.domain.errors import ProviderError
from payops.domain.feeds import SIGHT
from payops.providers.port import FeedSpec, Provider
from payops.store import FeedState, ReadPlan, Store

from . import breaker
from .budget import MONTH_S, Wish, allowance, factors, pace, planned
from .meter import transactions

Key = tuple[str, str]
PROBE_S = 10.0
"""After a first failure the feed is asked once more at the next chance: most failures are over by then."""
MAX_BACKOFF_S = 300.0
PATIENT_AFTER = 12
"""So many failures in a row, about an hour, are a state and not an accident."""
PATIENT_S = 1800.0
MAX_RETRY_AFTER_S = 3600.0
RESTART_S = 60.0
"""After a restart a feed that failed waits no longer than this: somebody may have put it right."""
RESERVE = 0.1
"""The last of a budget is for the payments feed alone."""
PLAN_S = 60
COUNT_S = 600
SILENT_S, SILENT_GAPS = 120.0, 10.0
"""Webhooks are silent when nothing came for two minutes and for ten times the usual gap."""


@dataclass(frozen=True, slots=True)
class FeedReport:
    """What one pass over one feed did."""

    account: str
    feed: str
    ok: bool
    read: int
    new: int
    requests: int
    error: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    stored: ReadPlan
    used: int
    silent_since: datetime | None


def next_read(state: FeedState, factor: float) -> datetime | None:
    """When a feed that was tried is due: its wait, stretched by `factor`. None = never planned.

    A failure is not stretched, only one that lasts; and that never comes back sooner for a rich budget.
    """
    if state.tried_at is None or state.wait_s is None:
        return None
    if state.failures:
        factor = max(1.0, factor) if state.failures > PATIENT_AFTER else 1.0
    return state.tried_at + timedelta(seconds=state.wait_s * factor)


def wait_after(spec: FeedSpec, report: FeedReport, failures: int) -> float:
    """Seconds to wait after a poll, before any stretching."""
    if report.ok:
        return float(spec.interval_s)
    longest = MAX_BACKOFF_S if failures <= PATIENT_AFTER else PATIENT_S
    who = (report.account, report.feed)
    if report.error is not None and report.error.bucket == "rate_limit":
        wait = breaker.backoff(spec.interval_s, failures, longest, *who)
    elif failures <= 1:
        wait = min(spec.interval_s, PROBE_S)
    else:
        wait = breaker.backoff(spec.interval_s, failures - 1, longest, *who)
    return max(wait, _told(report.error))


def _told(error: ProviderError | None) -> float:
    """How long the provider asked to be left alone, within reason."""
    return min((error.retry_after_s if error else None) or 0.0, MAX_RETRY_AFTER_S)


class Timetable:
    """Plans the feeds of all accounts within their budgets and breakers. Used from one thread."""

    def __init__(self, store: Store, providers: Mapping[str, Provider]) -> None:
        self._store = store
        self._providers = providers
        self._plans: dict[str, _Plan] = {}
        self._counts: dict[str, tuple[datetime, float]] = {}
        self._soon: set[Key] = set()
        self._held: dict[Key, datetime] = {}
        self._started: datetime | None = None

    def due(self, now: datetime, running: Iterable[Key] = ()) -> list[tuple[Provider, FeedSpec]]:
        """Feeds whose time has come: by account, the payments feed first, for a short budget is its own first."""
        self._started = self._started or now
        busy = set(running)
        states = self._states()
        ready: list[tuple[Provider, FeedSpec]] = []
        for account in sorted(self._providers):
            provider = self._providers[account]
            plan = self.plan(account, now)
            left = plan.stored.allowed - plan.used
            shut = self._store.facts.breaker(account)
            if shut.opened_at is not None:
                asked = any(key[0] == account for key in busy)
                if not asked and left > 0 and breaker.state(shut, now) == "half-open":
                    ready.append((provider, self._probe(provider, states)))
                continue
            for spec in self._ordered(provider):
                key = account, spec.name
                if key in busy or not self._is_due(key, spec, states.get(key), now):
                    continue
                cost = _cost(spec, states.get(key))
                if left - cost < (0 if _is_main(provider, spec) else plan.stored.allowed * RESERVE):
                    break
                left -= cost
                ready.append((provider, spec))
        return ready

    def tried(self) -> set[Key]:
        """Feeds that were ever asked, by this process or an earlier one."""
        return {key for key, state in self._states().items() if state.tried_at is not None}

    def is_shut(self, account: str) -> bool:
        """Whether the account's breaker is open: nothing but a probe is asked."""
        return self._store.facts.breaker(account).opened_at is not None

    def done(self, provider: Provider, spec: FeedSpec, report: FeedReport, now: datetime) -> None:
        """Plan the feed's next reading after this report."""
        account, key = provider.account, (provider.account, spec.name)
        self._soon.discard(key)
        self._held.pop(key, None)
        state = self._store.facts.feed(account, spec.name)
        failures = state.failures if state else 1
        cost = _cost(spec, state)
        if report.ok and not _is_main(provider, spec):
            # A snapshot of many pages costs as much every time; a history is read once.
            cost = max(report.requests, (3 * cost + report.requests) // 4)
        self._store.facts.plan_feed(
            account,
            spec.name,
            wait_s=round(wait_after(spec, report, failures)),
            cost=cost,
            delay_s=spec.delay_s,
            sees=spec.sees,
        )
        if report.ok or report.error is not None:
            self._meet(provider, report, now)
        known = self._counts.get(account)
        if report.new and known is not None and not known[1]:
            # The first history tells the volume, and so the budget.
            self._counts.pop(account)
            self._plans.pop(account, None)
        elif account in self._plans:
            plan = self._plans[account]
            self._plans[account] = _Plan(plan.stored, plan.used + report.requests, plan.silent_since)

    def hold(self, provider: Provider, spec: FeedSpec, now: datetime) -> None:
        """Wait for the feed's interval without the store: it could not even say that the poll failed."""
        self._held[provider.account, spec.name] = now + timedelta(seconds=max(30, min(spec.interval_s, 600)))

    def soon(self, account: str) -> None:
        """Read the account's feeds at the next tick: something there just changed."""
        self._soon.update((account, spec.name) for spec in self._providers[account].feeds)

    def plan(self, account: str, now: datetime) -> _Plan:
        """The account's plan, made anew every minute."""
        known = self._plans.get(account)
        if known is None or not timedelta() <= now - known.stored.at <= timedelta(seconds=PLAN_S):
            known = self._made(account, now)
            before = self._store.facts.read_plan(account)
            if before is None or (before.allowed, before.planned) != (
                known.stored.allowed,
                known.stored.planned,
            ):
                self._store.facts.save_read_plan(known.stored)
            self._plans[account] = known
        return known

    def _made(self, account: str, now: datetime) -> _Plan:
        provider = self._providers[account]
        counted = self._counts.get(account)
        if (
            counted is None
            or not counted[1]
            or not timedelta() <= now - counted[0] <= timedelta(seconds=COUNT_S)
        ):
            counted = self._counts[account] = now, transactions(self._store, account, now)
        allowed = allowance(provider.provider, counted[1])
        used = self._store.facts.reads_since(account, now - timedelta(seconds=MONTH_S))
        silent = self._silent_since(account, now)
        states = self._states()
        known = [states.get((account, spec.name)) for spec in provider.feeds]
        # What fails for long is a state: hurrying would only use the budget up.
        failing = any(state is not None and 0 < state.failures <= PATIENT_AFTER for state in known)
        wishes = [
            Wish(spec.interval_s, _cost(spec, states.get((account, spec.name))), _is_main(provider, spec))
            for spec in provider.feeds
        ]
        main, rest = factors(wishes, pace(allowed, used, urgent=failing or silent is not None))
        stored = ReadPlan(account, now, allowed, planned(wishes, main, rest), main, rest)
        return _Plan(stored, used, silent)

    def _silent_since(self, account: str, now: datetime) -> datetime | None:
        """Since when webhooks are to be called silent; None while they are not, or never came."""
        rhythm = self._store.inbox.rhythm(account)
        if rhythm is None:
            return None
        last, gap_s = rhythm
        since = last + timedelta(seconds=max(SILENT_S, SILENT_GAPS * gap_s))
        return since if now >= since else None

    def _is_due(self, key: Key, spec: FeedSpec, state: FeedState | None, now: datetime) -> bool:
        held = self._held.get(key)
        if held is not None and held - timedelta(hours=1) < now < held:
            return False
        if state is None or state.tried_at is None or key in self._soon:
            return True
        # A clock that went back must not silence a feed until the old time comes again.
        if state.tried_at > now + timedelta(minutes=1):
            return True
        if state.failures:
            return self._waited(key, spec, state, now)
        silent = self.plan(key[0], now).silent_since
        missed = silent is not None and state.tried_at < silent
        # `more`: a history that was being read when we ended.
        return missed or state.more or self._waited(key, spec, state, now)

    def _waited(self, key: Key, spec: FeedSpec, state: FeedState, now: datetime) -> bool:
        at = next_read(state, self._factor(key[0], spec, now))
        if at is None or now >= at:
            return True
        if not state.failures or state.tried_at is None or state.error_bucket == "rate_limit":
            return False
        if state.error_bucket == "auth" and self._accepted_since(key[0], state):
            return True
        restarted = self._started is not None and state.tried_at < self._started
        return restarted and now >= state.tried_at + timedelta(seconds=RESTART_S)

    def _accepted_since(self, account: str, state: FeedState) -> bool:
        """The credential was refused here, and has been accepted after that."""
        proof = self._store.facts.proof(account)
        return proof is not None and proof.ok and state.error_at is not None and proof.at > state.error_at

    def _meet(self, provider: Provider, report: FeedReport, now: datetime) -> None:
        account, error = provider.account, report.error
        known = self._store.facts.breaker(account)
        main = min((spec.interval_s for spec in provider.feeds if _is_main(provider, spec)), default=0)
        met = breaker.after(
            known,
            account,
            error.bucket if error else None,
            now,
            patient_s=main * self.plan(account, now).stored.main,
            told_s=_told(error),
        )
        if met != known:
            self._store.facts.save_breaker(account, met)

    def _probe(self, provider: Provider, states: Mapping[Key, FeedState]) -> FeedSpec:
        """The feed that was not asked for longest, so that one broken for good does not stand for all."""

        def tried(spec: FeedSpec) -> tuple[float, str]:
            state = states.get((provider.account, spec.name))
            return (state.tried_at.timestamp() if state and state.tried_at else 0.0, spec.name)

        return min(provider.feeds, key=tried)

    def _factor(self, account: str, spec: FeedSpec, now: datetime) -> float:
        plan = self.plan(account, now).stored
        return plan.main if _is_main(self._providers[account], spec) else plan.rest

    def _ordered(self, provider: Provider) -> list[FeedSpec]:
        return sorted(provider.feeds, key=lambda spec: (not _is_main(provider, spec), spec.name))

    def _states(self) -> dict[Key, FeedState]:
        return {(state.account, state.feed): state for state in self._store.facts.feeds()}


def _is_main(provider: Provider, spec: FeedSpec) -> bool:
    return spec.name == SIGHT[provider.provider].payments_feed


def _cost(spec: FeedSpec, state: FeedState | None) -> int:
    return max(spec.requests, (state.cost if state else None) or 0)
