"""Which feeds are due, and reading them: stepwise in order, or live in each provider's own threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from payops.clock import Now
from payops.domain.errors import ProviderError
from payops.domain.feeds import SIGHT
from payops.providers.port import FeedSpec, Provider
from payops.store import Store

from .budget import Budget, budget

log = logging.getLogger(__name__)
MAX_BACKOFF = timedelta(minutes=5)
PROBES = 100
"""So many failures in a row, a working day, are probed beside the budget; what fails on is a state, and waits its turn."""
MAX_PAGES = 100_000
"""A feed that claims more pages than any history holds is broken."""


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


def read_feed(
    store: Store, provider: Provider, feed: str, now: Now, keep_going: Callable[[], bool]
) -> FeedReport:
    """Read a feed page by page until it has no more; each page is stored before the next is asked for."""
    read = new = requests = 0
    for _ in range(MAX_PAGES):
        at = now()
        state = store.facts.feed(provider.account, feed)
        try:
            page = provider.poll(feed, state.cursor if state else None, at)
        except ProviderError as error:
            store.facts.feed_error(provider.account, feed, error, at)
            log.warning("%s %s: %s: %s", provider.account, feed, error.bucket, error)
            return FeedReport(provider.account, feed, False, read, new, requests + 1, error)
        applied = store.facts.apply_page(provider.account, page, at)
        read += page.read
        new += applied.new_events
        requests += page.requests
        if not page.more or not keep_going():
            break
    return FeedReport(provider.account, feed, True, read, new, requests)


class Timetable:
    """When each feed is next worth reading; kept in memory, everything it needs to restart is in the store."""

    def __init__(self, store: Store, providers: Mapping[str, Provider]) -> None:
        self._store = store
        self._providers = providers
        self._read: dict[tuple[str, str], tuple[datetime, timedelta, bool]] = {}
        """(account, feed) → when it was read, what to wait, and whether the budget may stretch that."""
        self._budgets: dict[str, tuple[datetime, Budget]] = {}

    def budget(self, account: str, now: datetime) -> Budget:
        """The account's read budget, worked out anew every ten minutes and after each read of its events."""
        known = self._budgets.get(account)
        if known is None or not timedelta() <= now - known[0] <= timedelta(minutes=10):
            day = self._store.facts.windows(account, now, (86_400,))[0]
            known = (now, budget(self._providers[account].feeds, day.n))
            self._budgets[account] = known
        return known[1]

    def due(self, now: datetime) -> list[tuple[Provider, FeedSpec]]:
        """Feeds whose time has come, in (account, feed) order."""
        ready = []
        for account in sorted(self._providers):
            provider = self._providers[account]
            for spec in sorted(provider.feeds, key=lambda feed: feed.name):
                at = self._next(account, spec.name, now)
                # A clock that went back must not silence a feed until the old time comes again.
                if at is None or now >= at or at - now > timedelta(days=1):
                    ready.append((provider, spec))
        return ready

    def _next(self, account: str, feed: str, now: datetime) -> datetime | None:
        known = self._read.get((account, feed))
        if known is None:
            return None
        at, wait, stretches = known
        return at + wait * self.budget(account, now).stretch if stretches else at + wait

    def done(self, provider: Provider, spec: FeedSpec, report: FeedReport, now: datetime) -> None:
        """Plan the feed's next reading after this report."""
        wait = timedelta(seconds=spec.interval_s)
        if report.ok:
            if spec.name == SIGHT[provider.provider].payments_feed:
                self._budgets.pop(provider.account, None)
            else:
                # A snapshot of many pages costs as many reads every time; a history is read once.
                wait *= max(1.0, report.requests / spec.requests)
        else:
            state = self._store.facts.feed(provider.account, spec.name)
            failures = min(state.failures if state else 1, 8)
            wait = min(MAX_BACKOFF, wait * 2 ** max(0, failures - 1))
            if state is not None and state.failures > PROBES:
                wait = max(
                    wait, timedelta(seconds=spec.interval_s) * self.budget(provider.account, now).stretch
                )
            if report.error and report.error.retry_after_s:
                wait = max(wait, timedelta(seconds=min(report.error.retry_after_s, 3600)))
        self._read[provider.account, spec.name] = (now, wait, report.ok)

    def soon(self, account: str) -> None:
        """Read the account's feeds at the next tick: something there just changed."""
        for key in [key for key in self._read if key[0] == account]:
            del self._read[key]

    def next_reads(self, now: datetime) -> list[tuple[datetime, str, str]]:
        """(when, account, feed), soonest first."""
        planned = [(self._next(account, feed, now), account, feed) for account, feed in self._read]
        return sorted((at, account, feed) for at, account, feed in planned if at is not None)


class Polls(Protocol):
    """How due feeds are read."""

    timetable: Timetable

    def run(self, now: datetime) -> bool:
        """Read what is due; True when every feed has answered once since the start."""

    def close(self) -> None: ...


class StepPolls:
    """Stepped time: one feed after the other in order, each awaited to its last page."""

    def __init__(self, store: Store, providers: Mapping[str, Provider]) -> None:
        self.timetable = Timetable(store, providers)
        self._store = store

    def run(self, now: datetime) -> bool:
        for provider, spec in self.timetable.due(now):
            report = read_feed(self._store, provider, spec.name, lambda: now, lambda: True)
            self.timetable.done(provider, spec, report, now)
        return True

    def close(self) -> None:
        return


class LivePolls:
    """Real time: each provider's feeds run in its own threads, and a tick only collects what has finished."""

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, Provider],
        now: Now,
        submit: Callable[[str, Callable[[], FeedReport]], Future[FeedReport]],
    ) -> None:
        self.timetable = Timetable(store, providers)
        self._store = store
        self._now = now
        self._submit = submit
        self._running: set[tuple[str, str]] = set()
        self._finished: list[tuple[Provider, FeedSpec, FeedReport]] = []
        self._answered: set[tuple[str, str]] = set()
        self._wanted = {
            (account, spec.name) for account, provider in providers.items() for spec in provider.feeds
        }
        self._open = True

    def run(self, now: datetime) -> bool:
        while self._finished:
            provider, spec, report = self._finished.pop(0)
            self._running.discard((provider.account, spec.name))
            self._answered.add((provider.account, spec.name))
            self.timetable.done(provider, spec, report, now)
        for provider, spec in self.timetable.due(now):
            key = (provider.account, spec.name)
            if key not in self._running and self._open:
                self._running.add(key)
                self._read(provider, spec)
        return self._answered >= self._wanted

    def _read(self, provider: Provider, spec: FeedSpec) -> None:
        def job() -> FeedReport:
            return read_feed(self._store, provider, spec.name, self._now, lambda: self._open)

        def finished(future: Future[FeedReport]) -> None:
            # Whatever went wrong, the feed must be read again: a feed stuck as running is silent for ever.
            error = future.exception()
            if error is None:
                report = future.result()
            else:
                known = error if isinstance(error, ProviderError) else None
                if self._open:
                    said = "%s %s: the poll failed: %s"
                    log.error(said, provider.account, spec.name, error, exc_info=None if known else error)
                report = FeedReport(provider.account, spec.name, False, 0, 0, 0, known)
            self._finished.append((provider, spec, report))

        self._submit(provider.account, job).add_done_callback(finished)

    def close(self) -> None:
        self._open = False
