"""Reading the feeds that are due: stepwise in order, or live in each provider's own threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from payops.clock import Now
from payops.domain.errors import ProviderError
from payops.providers.port import FeedSpec, Provider
from payops.store import Store

from .meter import within_budget
from .timetable import FeedReport, Key, Timetable

log = logging.getLogger(__name__)
MAX_PAGES = 100_000
"""A feed that claims more pages than any history holds is broken."""


def keep_calls(store: Store, provider: Provider, now: Now) -> None:
    """Count the requests made since the last time, whatever they were for."""
    calls = provider.calls()
    if calls:
        store.facts.record_calls(provider.account, calls, now())


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
            keep_calls(store, provider, now)
            store.facts.feed_error(provider.account, feed, error, at)
            log.warning("%s %s: %s: %s", provider.account, feed, error.bucket, error)
            return FeedReport(provider.account, feed, False, read, new, requests + 1, error)
        keep_calls(store, provider, now)
        applied = store.facts.apply_page(provider.account, page, at)
        read += page.read
        new += applied.new
        requests += page.requests
        if not page.more or not keep_going():
            break
    return FeedReport(provider.account, feed, True, read, new, requests)


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
        self._providers = providers

    def run(self, now: datetime) -> bool:
        for provider in self._providers.values():
            keep_calls(self._store, provider, lambda: now)
        shut: set[str] = set()
        for provider, spec in self.timetable.due(now):
            if provider.account in shut:
                continue
            room = partial(within_budget, self._store, provider.account, provider.provider, now)
            report = read_feed(self._store, provider, spec.name, lambda: now, room)
            self.timetable.done(provider, spec, report, now)
            if self.timetable.is_shut(provider.account):
                shut.add(provider.account)
        return True

    def close(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class _Finished:
    provider: Provider
    spec: FeedSpec
    report: FeedReport
    broke: bool
    """The poll ended before it could store how."""


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
        self._providers = providers
        self._now = now
        self._submit = submit
        self._running: set[Key] = set()
        self._finished: list[_Finished] = []
        self._answered: set[Key] = set()
        self._wanted = {
            (account, spec.name) for account, provider in providers.items() for spec in provider.feeds
        }
        self._open = True

    def run(self, now: datetime) -> bool:
        while self._finished:
            self._collect(self._finished.pop(0), now)
        for provider in self._providers.values():
            keep_calls(self._store, provider, self._now)
        due = self.timetable.due(now, self._running)
        # After a restart, what the store knows to be as new as it is meant to be need not be asked again.
        self._answered |= (
            self.timetable.tried() - {(at.account, spec.name) for at, spec in due} - self._running
        )
        for provider, spec in due:
            if self._open:
                self._running.add((provider.account, spec.name))
                self._read(provider, spec)
        return self._answered >= self._wanted

    def _collect(self, ended: _Finished, now: datetime) -> None:
        provider, spec, report = ended.provider, ended.spec, ended.report
        key = (provider.account, spec.name)
        self._running.discard(key)
        self._answered.add(key)
        if not ended.broke:
            self.timetable.done(provider, spec, report, now)
            return
        self.timetable.hold(provider, spec, now)
        if report.error is not None:
            self._store.facts.feed_error(provider.account, spec.name, report.error, now)

    def _read(self, provider: Provider, spec: FeedSpec) -> None:
        def keep_going() -> bool:
            return self._open and within_budget(self._store, provider.account, provider.provider, self._now())

        def job() -> FeedReport:
            return read_feed(self._store, provider, spec.name, self._now, keep_going)

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
            self._finished.append(_Finished(provider, spec, report, error is not None))

        self._submit(provider.account, job).add_done_callback(finished)

    def close(self) -> None:
        self._open = False
