from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

import pytest
from scripted_provider import ACCOUNT, EVENTS, FOUR, KEYS, Scripted, failure, page

from payops.domain.errors import ProviderError
from payops.domain.events import ApiCall, CredentialProof, Facts, FeedPage
from payops.domain.payments import Attempt
from payops.engine.polls import LivePolls, StepPolls, read_feed
from payops.store import Store

SECOND = timedelta(seconds=1)


def stepped(store: Store, provider: Scripted) -> StepPolls:
    return StepPolls(store, {provider.account: provider})  # type: ignore[dict-item]


def busy(store: Store, now: datetime, payments: int = 3_000) -> None:
    """A day of successful payments: enough that no budget stretches anything."""
    made = tuple(
        Attempt(ACCOUNT, f"ch_{n}", now - timedelta(hours=24) * n / payments, "succeeded", now)
        for n in range(payments)
    )
    store.facts.apply_facts(ACCOUNT, Facts(attempts=made), now)


def run_until(polls: StepPolls, now: datetime, end: datetime, step: timedelta = 10 * SECOND) -> None:
    while now <= end:
        polls.run(now)
        now += step


def test_each_page_is_stored_before_the_next_is_asked_for(store: Store, now: datetime) -> None:
    provider = Scripted([page("one", more=True), page("two", more=True), page("three")])
    report = read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    assert provider.cursors == [None, "one", "two"]
    assert (report.ok, report.read, report.requests) == (True, 3, 3)


def test_an_error_keeps_the_cursor_and_names_its_bucket(store: Store, now: datetime) -> None:
    provider = Scripted([page("one", more=True), failure("rate_limit"), page("two")])
    report = read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    assert not report.ok
    state = store.facts.feed(ACCOUNT, "events")
    assert state is not None
    assert (state.cursor, state.error_bucket, state.failures) == ("one", "rate_limit", 1)
    read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    assert provider.cursors[-1] == "one"
    after = store.facts.feed(ACCOUNT, "events")
    assert after is not None
    assert after.failures == 0


def test_each_request_is_metered_whether_its_poll_succeeded_or_not(store: Store, now: datetime) -> None:
    provider = Scripted([page("one", more=True), failure("outage")])
    read_feed(store, provider, "events", lambda: now, lambda: True)  # type: ignore[arg-type]
    stats = store.facts.call_stats(ACCOUNT, now - SECOND, now)
    assert (stats.n, stats.answered, stats.outage, stats.p50_ms, stats.skew_s) == (2, 1, 1, 50, 0)
    assert store.facts.reads_since(ACCOUNT, now) == 2


def test_requests_made_outside_a_feed_are_metered_too(store: Store, now: datetime) -> None:
    provider = Scripted()
    polls = stepped(store, provider)
    polls.run(now)
    before = store.facts.reads_since(ACCOUNT, now)
    provider.made.append(ApiCall("POST /v1/refunds", 80, None, 200, now))
    polls.run(now + SECOND)
    assert store.facts.reads_since(ACCOUNT, now) == before + 1


def times(provider: Scripted, feed: str = "events") -> list[datetime]:
    return [at for at, name in provider.asked if name == feed]


def test_a_first_failure_is_probed_at_once_and_later_ones_wait_longer_and_longer(
    store: Store, now: datetime
) -> None:
    busy(store, now)
    provider = Scripted(answer=lambda feed, at: failure("invalid_request"))
    run_until(stepped(store, provider), now, now + timedelta(hours=3))
    waits = [(b - a).total_seconds() for a, b in zip(times(provider), times(provider)[1:], strict=False)]
    assert waits[0] == 10
    assert 20 <= waits[1] <= 50
    assert waits[1] < waits[3] < waits[5] <= 300 * 1.25 + 10
    assert waits[-1] > 1_300, "what fails for hours is a state and not an accident"


def test_retry_after_is_waited_out_in_full_even_over_a_restart(store: Store, now: datetime) -> None:
    busy(store, now)
    provider = Scripted(answer=lambda feed, at: failure("rate_limit", 600))
    run_until(stepped(store, provider), now, now + 300 * SECOND)
    run_until(stepped(store, provider), now + 310 * SECOND, now + 700 * SECOND)
    assert times(provider) == [now, now + 600 * SECOND]


def test_a_restart_asks_for_nothing_that_is_fresh_and_soon_for_what_failed(
    store: Store, now: datetime
) -> None:
    busy(store, now)
    slow = Scripted(
        feeds=FOUR, answer=lambda feed, at: page(feed=feed) if feed != "credential" else failure("auth")
    )
    run_until(stepped(store, slow), now, now + timedelta(minutes=30))
    last = max(times(slow, "credential"))
    again = Scripted(feeds=FOUR)
    polls = stepped(store, again)
    polls.run(last + 5 * SECOND)
    assert times(again, "credential") == []
    polls.run(last + 60 * SECOND)
    assert times(again, "credential") == [last + 60 * SECOND]
    fresh = Scripted(feeds=FOUR)
    stepped(store, fresh).run(last + 61 * SECOND)
    assert fresh.asked == []


def test_a_history_cut_off_by_a_kill_goes_on_at_once(store: Store, now: datetime) -> None:
    busy(store, now)
    stepped(store, Scripted()).run(now)
    killed = Scripted([page("one", more=True)])
    stopped = iter([False])
    read_feed(store, killed, "events", lambda: now, lambda: next(stopped))  # type: ignore[arg-type]
    provider = Scripted([page("two")])
    stepped(store, provider).run(now + SECOND)
    assert provider.cursors == ["one"]


def test_a_clock_that_went_back_silences_nothing(store: Store, now: datetime) -> None:
    provider = Scripted([])
    polls = stepped(store, provider)
    polls.run(now)
    asked = len(provider.cursors)
    polls.run(now - timedelta(days=30))
    assert len(provider.cursors) == asked + 1


def proof(at: datetime, ok: bool) -> CredentialProof:
    return CredentialProof(ACCOUNT, 0, "rk_live_…", at, ok, error=None if ok else "auth")


def test_a_lasting_401_is_not_hammered_and_a_good_proof_ends_the_wait(store: Store, now: datetime) -> None:
    busy(store, now)
    mended = now + timedelta(hours=8)

    def answer(feed: str, at: datetime) -> FeedPage | ProviderError:
        if feed == "credential":
            return FeedPage(feed, 1, 1, proof=proof(at, at >= mended))
        return page() if at >= mended else failure("auth")

    provider = Scripted(feeds=(EVENTS, KEYS), answer=answer)
    run_until(stepped(store, provider), now, mended + timedelta(minutes=5), timedelta(seconds=30))
    refused = [at for at in times(provider) if at < mended]
    assert len(refused) <= 40, "eight hours"
    first = min(at for at in times(provider) if at >= mended)
    assert first - mended <= timedelta(minutes=2)


def test_silent_webhooks_send_one_probe_per_feed_at_once(store: Store, now: datetime) -> None:
    from payops.domain.events import Delivery, WebhookEvent

    polls_from = now - timedelta(minutes=30)
    deliveries = [
        Delivery(
            ACCOUNT,
            WebhookEvent(ACCOUNT, f"evt_{n}", "charge.succeeded", polls_from + n * 60 * SECOND, True),
            polls_from + n * 60 * SECOND,
            "{}",
            "",
            "verified",
        )
        for n in range(30)
    ]
    store.inbox.receive(deliveries)
    slow = FOUR
    provider = Scripted(feeds=slow)
    polls = stepped(store, provider)
    run_until(polls, now, now + timedelta(hours=1))
    last = deliveries[-1].received_at
    silent = last + timedelta(minutes=10)
    for feed in slow:
        asked = [
            at
            for at in times(provider, feed.name)
            if silent <= at <= silent + timedelta(minutes=1, seconds=10)
        ]
        assert asked, f"{feed.name} was not probed when webhooks fell silent"


UNREACHABLE = pytest.mark.parametrize("bucket", ["network", "outage"])


@UNREACHABLE
def test_an_account_that_cannot_be_reached_is_asked_one_thing_at_a_time_until_it_answers(
    store: Store, now: datetime, bucket: Any
) -> None:
    busy(store, now)
    back = now + timedelta(minutes=30)
    provider = Scripted(
        feeds=FOUR, answer=lambda feed, at: page(feed=feed) if at >= back else failure(bucket)
    )
    polls = stepped(store, provider)
    run_until(polls, now, back + timedelta(minutes=5))
    during = [at for at, _ in provider.asked if at < back]
    opened = during[4]
    probes = [at for at in during if at > opened]
    assert len(probes) == len(set(probes)), "one feed at a time"
    assert 30 * 60 / 160 <= len(probes) <= 30 * 60 / 22
    assert {feed for at, feed in provider.asked if opened < at < back} == {feed.name for feed in FOUR}
    after = [(at, feed) for at, feed in provider.asked if at >= back]
    assert {feed for _, feed in after} == {feed.name for feed in FOUR}
    assert after[0][0] - back <= timedelta(seconds=160)
    assert store.facts.breaker(ACCOUNT).opened_at is None


def test_a_restart_finds_the_breaker_as_it_was(store: Store, now: datetime) -> None:
    busy(store, now)
    down = Scripted(feeds=FOUR, answer=lambda feed, at: failure("network"))
    run_until(stepped(store, down), now, now + timedelta(minutes=2))
    assert store.facts.breaker(ACCOUNT).opened_at is not None
    probe_at = store.facts.breaker(ACCOUNT).probe_at
    assert probe_at is not None
    again = Scripted(feeds=FOUR)
    polls = stepped(store, again)
    polls.run(probe_at - SECOND)
    assert again.asked == []
    polls.run(probe_at)
    assert len(again.asked) == 1


def test_another_account_is_read_while_one_cannot_be_reached(store: Store, now: datetime) -> None:
    down = Scripted(feeds=FOUR, answer=lambda feed, at: failure("network"))
    well = Scripted(feeds=FOUR, account="stripe-two")
    polls = StepPolls(store, {ACCOUNT: down, "stripe-two": well})  # type: ignore[dict-item]
    polls.run(now)
    assert len(well.asked) == 4


Job = Callable[[], object]


def test_a_hung_provider_never_holds_up_a_tick(store: Store, now: datetime) -> None:
    asked: list[str] = []

    def never(account: str, job: Job) -> Future[object]:
        asked.append(account)
        return Future()

    polls = LivePolls(store, {ACCOUNT: Scripted([])}, lambda: now, never)  # type: ignore[dict-item, arg-type]
    finished = threading.Event()

    def ticks() -> None:
        for step in range(20):
            assert polls.run(now + timedelta(minutes=step)) is False
        finished.set()

    thread = threading.Thread(target=ticks, daemon=True)
    thread.start()
    assert finished.wait(10)
    assert asked == [ACCOUNT], "a feed under way is not asked for again"


def test_a_poll_that_breaks_unexpectedly_is_tried_again_but_not_at_every_tick(
    store: Store, now: datetime
) -> None:
    futures: list[Future[object]] = []

    def submit(account: str, job: Job) -> Future[object]:
        futures.append(Future())
        return futures[-1]

    polls = LivePolls(store, {ACCOUNT: Scripted([])}, lambda: now, submit)  # type: ignore[dict-item, arg-type]
    polls.run(now)
    futures[0].set_exception(RuntimeError("bug"))
    for tick in range(10):
        polls.run(now + 2 * tick * SECOND)
    assert len(futures) == 1
    polls.run(now + timedelta(minutes=10))
    assert len(futures) == 2


def at_once(account: str, job: Job) -> Future[object]:
    done: Future[object] = Future()
    done.set_result(job())
    return done


def test_after_a_restart_what_is_fresh_counts_as_answered(store: Store, now: datetime) -> None:
    busy(store, now)
    first = LivePolls(store, {ACCOUNT: Scripted(feeds=FOUR)}, lambda: now, at_once)  # type: ignore[dict-item, arg-type]
    assert first.run(now) is False
    assert first.run(now + SECOND) is True
    again = Scripted(feeds=FOUR)
    second = LivePolls(store, {ACCOUNT: again}, lambda: now + 2 * SECOND, at_once)  # type: ignore[dict-item, arg-type]
    assert second.run(now + 2 * SECOND) is True
    assert again.asked == []
