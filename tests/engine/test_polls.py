from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from payops.domain.errors import ProviderError
from payops.domain.events import FeedPage
from payops.engine.budget import FASTEST, MONTH_S, SHARE, budget
from payops.engine.polls import LivePolls, StepPolls, read_feed
from payops.providers.port import FeedSpec
from payops.store import Store

EVENTS = FeedSpec("events", 30, 1, "", 60)
KEYS = FeedSpec("credential", 60, 2, "", 0)


@dataclass
class Scripted:
    """A provider whose pages and errors are given; behind the port."""

    pages: list[FeedPage | ProviderError]
    account: str = "stripe-live"
    provider: str = "stripe"
    mode: str = "live"
    feeds: tuple[FeedSpec, ...] = (EVENTS,)
    retention_s: int = 0
    cursors: list[str | None] = field(default_factory=list)

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        self.cursors.append(cursor)
        answer = self.pages.pop(0) if self.pages else page()
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def close(self) -> None: ...


def page(cursor: str = "c", more: bool = False) -> FeedPage:
    return FeedPage("events", 1, 1, cursor=cursor, more=more)


def refused(retry_after_s: float | None = None) -> ProviderError:
    return ProviderError(
        "rate_limit", "slow down", provider="stripe", account="stripe-live", retry_after_s=retry_after_s
    )


def test_each_page_is_stored_before_the_next_is_asked_for(store: Store, now: datetime) -> None:
    provider = Scripted([page("one", more=True), page("two", more=True), page("three")])
    report = read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    assert provider.cursors == [None, "one", "two"]
    assert (report.ok, report.read, report.requests) == (True, 3, 3)


def test_an_error_keeps_the_cursor_and_names_its_bucket(store: Store, now: datetime) -> None:
    provider = Scripted([page("one", more=True), refused(), page("two")])
    report = read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    assert not report.ok
    state = store.facts.feed("stripe-live", "events")
    assert state is not None
    assert (state.cursor, state.error_bucket, state.failures) == ("one", "rate_limit", 1)
    read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    assert provider.cursors[-1] == "one"
    after = store.facts.feed("stripe-live", "events")
    assert after is not None
    assert after.failures == 0


def test_failures_back_off_and_retry_after_is_kept(store: Store, now: datetime) -> None:
    provider = Scripted([refused(), refused(), refused(600)])
    polls = StepPolls(store, {"stripe-live": provider})  # type: ignore[dict-item]
    waits = []
    at = now
    for _ in range(3):
        polls.run(at)
        ((due, _, _),) = polls.timetable.next_reads(at)
        waits.append((due - at).total_seconds())
        at = due
    assert waits == [30, 60, 600]


def test_a_clock_that_went_back_silences_nothing(store: Store, now: datetime) -> None:
    provider = Scripted([])
    polls = StepPolls(store, {"stripe-live": provider})  # type: ignore[dict-item]
    polls.run(now)
    asked = len(provider.cursors)
    polls.run(now - timedelta(days=30))
    assert len(provider.cursors) == asked + 1


def test_reads_stay_within_a_quarter_of_the_allowance_at_any_volume() -> None:
    feeds = (EVENTS, KEYS)
    for attempts in (0, 10, 100, 1_000, 100_000):
        planned = budget(feeds, attempts)
        reads = sum(MONTH_S / (feed.interval_s * planned.stretch) * feed.requests for feed in feeds)
        assert reads <= max(10_000, 500 * attempts * 30) * SHARE + 1e-6 or planned.stretch == FASTEST
        assert planned.stretch >= FASTEST
    assert budget(feeds, 0).stretch > 50
    assert budget(feeds, 100_000).stretch == FASTEST


UNDELIVERED = FeedSpec("undelivered", 60, 1, "", 60)


def reads_in_30_days(store: Store, now: datetime, answer: FeedPage | ProviderError) -> int:
    provider = Scripted([], feeds=(UNDELIVERED,))
    provider.poll = lambda feed, cursor, at: _raised(answer)  # type: ignore[method-assign]
    polls = StepPolls(store, {"stripe-live": provider})  # type: ignore[dict-item]
    for minute in range(0, 30 * 24 * 60, 5):
        polls.run(now + timedelta(minutes=minute))
    return store.facts.reads_since("stripe-live", now)


def _raised(answer: FeedPage | ProviderError) -> FeedPage:
    if isinstance(answer, ProviderError):
        raise answer
    return answer


def test_a_list_of_many_pages_costs_no_more_than_the_budget(store: Store, now: datetime) -> None:
    twenty = FeedPage("undelivered", 2_000, 20, data_as_of=now, undelivered=())
    assert reads_in_30_days(store, now, twenty) <= budget((UNDELIVERED,), 0).allowed + 20


def test_a_feed_that_is_refused_for_weeks_does_not_eat_the_budget(store: Store, now: datetime) -> None:
    denied = ProviderError("permission", "not allowed", provider="stripe", account="stripe-live")
    assert reads_in_30_days(store, now, denied) <= budget((UNDELIVERED,), 0).allowed + 101


def test_a_hung_provider_never_holds_up_a_tick(store: Store, now: datetime) -> None:
    asked: list[str] = []

    def never(account: str, job: Callable[[], object]) -> Future[object]:
        asked.append(account)
        return Future()

    polls = LivePolls(store, {"stripe-live": Scripted([])}, lambda: now, never)  # type: ignore[dict-item, arg-type]
    finished = threading.Event()

    def ticks() -> None:
        for step in range(20):
            assert polls.run(now + timedelta(minutes=step)) is False
        finished.set()

    thread = threading.Thread(target=ticks, daemon=True)
    thread.start()
    assert finished.wait(10)
    assert asked == ["stripe-live"], "a feed under way is not asked for again"


def test_a_poll_that_breaks_unexpectedly_is_tried_again(store: Store, now: datetime) -> None:
    futures: list[Future[object]] = []

    def submit(account: str, job: Callable[[], object]) -> Future[object]:
        futures.append(Future())
        return futures[-1]

    polls = LivePolls(store, {"stripe-live": Scripted([])}, lambda: now, submit)  # type: ignore[dict-item, arg-type]
    polls.run(now)
    futures[0].set_exception(RuntimeError("bug"))
    polls.run(now + timedelta(minutes=10))
    polls.run(now + timedelta(minutes=20))
    assert len(futures) == 2
