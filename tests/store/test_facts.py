from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from payops.domain.errors import ProviderError
from payops.domain.events import ApiCall, CredentialProof, Endpoint, Facts, FeedPage, WebhookEvent
from payops.domain.money import Money
from payops.domain.payments import Attempt, Refund
from payops.store import Slice, Store, Window

ACCOUNT = "stripe-live"
MINUTE = timedelta(minutes=1)


def attempt(name: str, at: datetime, status: str = "succeeded", **more) -> Attempt:
    return Attempt(ACCOUNT, name, at, status, at, **more)


def endpoint(name: str, status: str = "enabled", **more) -> Endpoint:
    return Endpoint(
        ACCOUNT, name, f"https://shop.example/{name}", status, ("charge.failed", "*"), True, **more
    )


def page(feed: str = "events", **more) -> FeedPage:
    return FeedPage(feed, more.pop("read", 0), more.pop("requests", 1), **more)


def test_page_is_applied_whole_or_not_at_all(store: Store, now: datetime):
    bad = Refund(ACCOUNT, "re_1", None, now, "failed", None, "EUR")  # type: ignore[arg-type]
    facts = Facts(attempts=(attempt("a", now),), refunds=(bad,))
    with pytest.raises(Exception, match="NOT NULL"):
        store.facts.apply_page(ACCOUNT, page(cursor="next", facts=facts), now)
    assert store.facts.attempts_count(ACCOUNT) == 0
    assert store.facts.feed(ACCOUNT, "events") is None


def test_feed_keeps_its_place_and_counts_what_it_costs(store: Store, now: datetime):
    facts = Facts(attempts=(attempt("a", now),))
    store.facts.apply_page(
        ACCOUNT,
        page(read=2, requests=2, cursor="c1", more=True, progress=0.5, data_as_of=now, facts=facts),
        now,
    )
    store.facts.apply_page(ACCOUNT, page(read=1, cursor=None), now + MINUTE)
    feed = store.facts.feed(ACCOUNT, "events")
    assert feed is not None
    assert (feed.cursor, feed.read, feed.new, feed.requests) == ("c1", 3, 1, 3)
    assert (feed.ok_at, feed.data_as_of, feed.progress, feed.more) == (now + MINUTE, now, None, False)
    assert store.facts.feeds() == [feed]


def test_failed_poll_keeps_cursor_and_data_and_the_next_success_clears_it(store: Store, now: datetime):
    store.facts.apply_page(ACCOUNT, page(cursor="c1", data_as_of=now), now)
    error = ProviderError(
        "auth",
        "key sk_live_51HxAbCdEfGhIjKl4f2a expired",
        provider="stripe",
        account=ACCOUNT,
        code="api_key_expired",
        request_id="req_1",
    )
    for n in (1, 2):
        store.facts.feed_error(ACCOUNT, "events", error, now + n * MINUTE)
    feed = store.facts.feed(ACCOUNT, "events")
    assert feed is not None
    assert (feed.cursor, feed.ok_at, feed.data_as_of, feed.tried_at) == ("c1", now, now, now + 2 * MINUTE)
    assert (feed.failures, feed.error_bucket, feed.error_code, feed.error_request_id, feed.error_at) == (
        2,
        "auth",
        "api_key_expired",
        "req_1",
        now + 2 * MINUTE,
    )
    assert feed.error_message == "key sk_live_…4f2a expired"
    assert feed.requests == 3
    store.facts.apply_page(ACCOUNT, page(cursor="c2"), now + 3 * MINUTE)
    feed = store.facts.feed(ACCOUNT, "events")
    assert feed is not None
    assert (feed.failures, feed.error_bucket, feed.error_message, feed.error_at) == (0, None, None, None)


def test_first_poll_that_fails_is_a_feed_too(store: Store, now: datetime):
    store.facts.feed_error(
        ACCOUNT, "events", ProviderError("network", "x", provider="stripe", account=ACCOUNT), now
    )
    feed = store.facts.feed(ACCOUNT, "events")
    assert feed is not None
    assert (feed.failures, feed.ok_at, feed.tried_at) == (1, None, now)


def call(bucket: str | None = None, taken_ms: int = 100, provider_at: datetime | None = None) -> ApiCall:
    return ApiCall("/v1/events", taken_ms, bucket, None if bucket == "network" else 200, provider_at)


def test_requests_are_counted_by_the_hour_for_a_month_and_a_day(store: Store, now: datetime):
    store.facts.record_calls(ACCOUNT, (call(),) * 5, now - timedelta(days=32))
    store.facts.record_calls(ACCOUNT, (call(),) * 3, now - timedelta(days=2))
    store.facts.record_calls(ACCOUNT, (call(),) * 2, now)
    store.facts.record_calls("other", (call(),) * 9, now)
    assert store.facts.reads_since(ACCOUNT, now) == 2
    assert store.facts.reads_since(ACCOUNT, now - timedelta(days=40)) == 5
    assert store.facts.first_call_at(ACCOUNT, now - timedelta(days=30)) == now - timedelta(days=2)
    assert store.facts.first_call_at("nobody", now) is None


def test_windows_count_to_the_second_at_any_second_of_the_minute(store: Store, now: datetime):
    minutes = [now - timedelta(seconds=7 * step) for step in range(1200)]
    facts = Facts(
        attempts=tuple(
            attempt(f"ch_{step}", at, "failed" if step % 3 == 0 else "succeeded")
            for step, at in enumerate(minutes)
        )
    )
    store.facts.apply_facts(ACCOUNT, facts, now)
    for late in (0, 1, 29, 30, 59, 60, 61, 150):
        here = now + timedelta(seconds=late)
        for span, window in zip(
            (60, 300, 3600), store.facts.windows(ACCOUNT, here, (60, 300, 3600)), strict=True
        ):
            inside = [
                step for step, at in enumerate(minutes) if timedelta() <= here - at < timedelta(seconds=span)
            ]
            assert window == Window(len(inside), sum(step % 3 != 0 for step in inside)), (late, span)
    assert store.facts.windows("nobody", now) == (Window(0, 0),) * 3


def test_neighbouring_windows_share_no_attempt(store: Store, now: datetime):
    store.facts.apply_facts(
        ACCOUNT,
        Facts(attempts=tuple(attempt(f"a{n}", now + n * timedelta(seconds=20)) for n in range(30))),
        now,
    )
    middle, end = now + 4 * MINUTE, now + 10 * MINUTE
    both = store.facts.window(ACCOUNT, now, middle).n + store.facts.window(ACCOUNT, middle, end).n
    assert both == store.facts.window(ACCOUNT, now, end).n == 30


def test_minutes_are_those_with_attempts_oldest_first(store: Store, now: datetime):
    facts = Facts(
        attempts=(attempt("a", now), attempt("b", now + 2 * MINUTE, "failed"), attempt("c", now + 2 * MINUTE))
    )
    store.facts.apply_facts(ACCOUNT, facts, now)
    assert store.facts.minutes(ACCOUNT, now, now + 5 * MINUTE) == [(now, 1, 1), (now + 2 * MINUTE, 2, 1)]


def test_first_attempts_are_the_newest_in_order_without_retries(store: Store, now: datetime):
    attempts = [attempt(f"a{n}", now + n * MINUTE, payment_id=f"p{n}") for n in range(5)]
    attempts += [attempt("f", now, "failed", payment_id="p9", decline_code="expired_card", card_brand="visa")]
    attempts += [attempt("r", now + 9 * MINUTE, "failed", payment_id="p9")]
    store.facts.apply_facts(ACCOUNT, Facts(attempts=tuple(attempts)), now)
    newest = store.facts.first_attempts(ACCOUNT, now, 2)
    assert [one.payment_id for one in newest] == ["p3", "p4"]
    every = store.facts.first_attempts(ACCOUNT, now, 100)
    assert [one.payment_id for one in every] == ["p0", "p9", "p1", "p2", "p3", "p4"]
    assert (every[1].succeeded, every[1].decline_code, every[1].card_brand) == (False, "expired_card", "visa")
    assert len(store.facts.first_attempts(ACCOUNT, now + MINUTE, 100)) == 4


def test_declines_slices_and_money_count_failed_first_attempts_only(store: Store, now: datetime):
    def failed(
        name: str, code: str | None, brand: str | None, amount: int, currency: str, payment: str
    ) -> Attempt:
        return attempt(
            name,
            now,
            "failed",
            decline_code=code,
            card_brand=brand,
            amount_minor=amount,
            currency=currency,
            payment_id=payment,
        )

    facts = Facts(
        attempts=(
            failed("a", "do_not_honor", "visa", 100, "EUR", "p1"),
            failed("b", "do_not_honor", "visa", 999, "EUR", "p1"),  # a retry
            failed("c", "expired_card", "visa", 50, "eur", "p2"),
            failed("d", None, None, 70, "JPY", "p3"),
            failed("e", "do_not_honor", "amex", 1, "EUR", "p4"),
            attempt("f", now, card_brand="visa", amount_minor=5000, currency="EUR"),
        )
    )
    store.facts.apply_facts(ACCOUNT, facts, now)
    assert store.facts.decline_codes(ACCOUNT, now) == [
        ("do_not_honor", 2),
        ("expired_card", 1),
        ("unknown", 1),
    ]
    assert store.facts.slices(ACCOUNT, now, now + MINUTE, "card_brand") == [
        Slice("visa", 3, 2),
        Slice(None, 1, 1),
        Slice("amex", 1, 1),
    ]
    assert set(store.facts.failed_money(ACCOUNT, now)) == {Money(151, "EUR"), Money(70, "JPY")}
    assert store.facts.failed_money(ACCOUNT, now + MINUTE) == ()
    with pytest.raises(ValueError):
        store.facts.slices(ACCOUNT, now, now, "1; DROP TABLE attempts")  # type: ignore[arg-type]


def test_counts_and_first_sight_of_an_account(store: Store, now: datetime):
    assert store.facts.first_seen_at(ACCOUNT) is None
    store.facts.apply_facts(ACCOUNT, Facts(attempts=(attempt("b", now),)), now)
    store.facts.apply_facts(
        ACCOUNT, Facts(attempts=(attempt("a", now - MINUTE), attempt("c", now + MINUTE))), now
    )
    assert store.facts.attempts_count(ACCOUNT) == 3
    assert store.facts.first_seen_at(ACCOUNT) == now - MINUTE


def test_customer_given_as_address_is_stored_as_a_hash(store: Store, now: datetime):
    store.facts.apply_facts(ACCOUNT, Facts(attempts=(attempt("a", now, customer="ann@example.com"),)), now)
    (first,) = store.facts.first_attempts(ACCOUNT, now, 1)
    assert first.customer is not None and first.customer.startswith("[email ")


def event(name: str, now: datetime, **more) -> WebhookEvent:
    return WebhookEvent(
        ACCOUNT, name, more.pop("type", "charge.failed"), now, more.pop("livemode", True), **more
    )


def test_event_listed_again_is_not_new_but_its_delivery_state_follows(store: Store, now: datetime):
    first = event("evt_1", now, pending_webhooks=2)
    assert store.facts.apply_facts(ACCOUNT, Facts(events=(first,)), now).new_events == 1
    again = event("evt_1", now, pending_webhooks=0)
    assert store.facts.apply_facts(ACCOUNT, Facts(events=(again, event("evt_2", now))), now).new_events == 1
    found = store.facts.event(ACCOUNT, "evt_1")
    assert found is not None and found.pending_webhooks == 0


def test_money_of_missing_events_counts_each_object_once(store: Store, now: datetime):
    events = (
        event("evt_1", now, object_id="ch_1", amount_minor=100, currency="eur"),
        event("evt_2", now, object_id="ch_1", amount_minor=100, currency="eur", type="charge.updated"),
        event("evt_3", now, object_id="ch_2", amount_minor=7, currency="usd"),
        event("evt_4", now),
    )
    store.facts.apply_facts(ACCOUNT, Facts(events=events), now)
    types = ["charge.failed", "charge.updated"]
    assert store.facts.missing_money(ACCOUNT, types, now, now) == (Money(100, "EUR"), Money(7, "USD"))


def test_events_of_the_other_mode_are_quarantined_once_and_enter_nothing_else(store: Store, now: datetime):
    wrong = (event("evt_1", now, livemode=False), event("evt_2", now - 90 * MINUTE, livemode=False))
    applied = store.facts.apply_page(ACCOUNT, page(facts=Facts(wrong_mode=wrong)), now)
    assert applied.wrong_mode == 2
    assert store.facts.apply_page(ACCOUNT, page(facts=Facts(wrong_mode=wrong)), now).wrong_mode == 0
    assert store.facts.wrong_mode_count(ACCOUNT, now - 60 * MINUTE) == 1
    assert [one.event_id for one in store.facts.quarantined(ACCOUNT)] == ["evt_1", "evt_2"]
    assert store.facts.count_missing(ACCOUNT, ["charge.failed"], now - 99 * MINUTE, now) == (0, None)


def test_endpoints_are_replaced_and_their_changes_kept(store: Store, now: datetime):
    assert store.facts.endpoints_seen_at(ACCOUNT) is None
    created = endpoint("we_1", api_version="2026-10-28", created_at=now)
    store.facts.apply_page(ACCOUNT, page("endpoints", endpoints=(created, endpoint("we_2"))), now)
    assert store.facts.endpoints(ACCOUNT) == [created, endpoint("we_2")]
    store.facts.apply_page(ACCOUNT, page("endpoints", endpoints=(endpoint("we_1"),)), now + MINUTE)
    disabled = endpoint("we_1", "disabled", disabled_reason="user")
    store.facts.apply_page(ACCOUNT, page("endpoints", endpoints=(disabled,)), now + 2 * MINUTE)
    assert store.facts.endpoints(ACCOUNT) == [disabled]
    assert store.facts.endpoint_changes(ACCOUNT, "we_1") == [(now, "enabled"), (now + 2 * MINUTE, "disabled")]
    assert store.facts.endpoint_changes(ACCOUNT, "we_2") == [(now, "enabled"), (now + MINUTE, "removed")]
    assert store.facts.endpoints_seen_at(ACCOUNT) == now + 2 * MINUTE
    store.facts.save_endpoint(endpoint("we_1"), now + 3 * MINUTE)
    assert store.facts.endpoints(ACCOUNT) == [endpoint("we_1")]
    assert store.facts.endpoint_changes(ACCOUNT, "we_1")[-1] == (now + 3 * MINUTE, "enabled")


def test_no_endpoints_and_endpoints_not_asked_for_differ(store: Store, now: datetime):
    store.facts.apply_page(ACCOUNT, page("endpoints", endpoints=(endpoint("we_1"),)), now)
    store.facts.apply_page(ACCOUNT, page("events"), now)
    assert len(store.facts.endpoints(ACCOUNT)) == 1
    store.facts.apply_page(ACCOUNT, page("endpoints", endpoints=()), now)
    assert store.facts.endpoints(ACCOUNT) == []


def test_undelivered_events_are_those_of_the_last_list(store: Store, now: datetime):
    assert store.facts.undelivered_seen_at(ACCOUNT) is None
    events = (event("evt_2", now), event("evt_1", now - MINUTE, pending_webhooks=1))
    store.facts.apply_page(ACCOUNT, page("undelivered", undelivered=events), now)
    assert store.facts.undelivered(ACCOUNT) == [events[1], events[0]]
    assert store.facts.undelivered_count(ACCOUNT) == (2, now - MINUTE)
    store.facts.apply_page(ACCOUNT, page("undelivered", undelivered=()), now + MINUTE)
    assert store.facts.undelivered_count(ACCOUNT) == (0, None)
    assert store.facts.undelivered_seen_at(ACCOUNT) == now + MINUTE


def proof(now: datetime, slot: int = 0, **more) -> CredentialProof:
    return CredentialProof(ACCOUNT, slot, "sk_live_…4f2a", now, **{"ok": True, "mode": "live", **more})


def test_proof_is_the_latest_of_the_slot_in_use(store: Store, now: datetime):
    assert store.facts.proof(ACCOUNT) is None
    store.facts.apply_page(ACCOUNT, page("credential", proof=proof(now)), now)
    store.facts.save_proof(proof(now - MINUTE, ok=False))
    store.facts.save_proof(proof(now, slot=1, identity="acct_1"))
    assert store.facts.proof(ACCOUNT) == proof(now)
    assert store.facts.proof(ACCOUNT, 1) == proof(now, slot=1, identity="acct_1")
    store.facts.set_active_slot(ACCOUNT, 1, now)
    assert store.facts.active_slot(ACCOUNT) == 1
    assert store.facts.proof(ACCOUNT) == proof(now, slot=1, identity="acct_1")
    assert store.audit.rows()[-1].what == "use credential"


@pytest.mark.parametrize("first", ["failed", "succeeded", "pending"])
def test_refund_ends_the_same_whatever_arrives_first(store: Store, now: datetime, first: str):
    statuses = [first, *(s for s in ("pending", "succeeded", "failed") if s != first)]
    for status in statuses:
        reason = "lost_or_stolen_card" if status == "failed" else None
        refund = Refund(ACCOUNT, "re_1", "pi_1", now, status, 100, "EUR", reason)
        store.facts.apply_facts(ACCOUNT, Facts(refunds=(refund,)), now)
    with store.read() as db:
        row = db.execute("SELECT status, failure_reason FROM refunds").fetchone()
    assert tuple(row) == ("failed", "lost_or_stolen_card")


HOT = {
    "windows": lambda store, now: store.facts.windows(ACCOUNT, now, (300, 900, 3600, 86400)),
    "window": lambda store, now: store.facts.window(ACCOUNT, now - timedelta(hours=26), now),
    "minutes": lambda store, now: store.facts.minutes(ACCOUNT, now - timedelta(hours=1), now),
    "count_missing": lambda store, now: store.facts.count_missing(
        ACCOUNT, ["charge.failed"], now - timedelta(days=1), now
    ),
    "undelivered_count": lambda store, now: store.facts.undelivered_count(ACCOUNT),
    "counts": lambda store, now: store.inbox.counts(ACCOUNT, now),
    "received_since": lambda store, now: store.inbox.received_since(ACCOUNT, now - timedelta(minutes=15)),
    "first_verified_at": lambda store, now: store.inbox.first_verified_at(ACCOUNT),
    "attempts_count": lambda store, now: store.facts.attempts_count(ACCOUNT),
    "first_seen_at": lambda store, now: store.facts.first_seen_at(ACCOUNT),
    "first_attempts": lambda store, now: store.facts.first_attempts(ACCOUNT, now - timedelta(hours=1), 200),
    "decline_codes": lambda store, now: store.facts.decline_codes(ACCOUNT, now - timedelta(minutes=15)),
    "failed_money": lambda store, now: store.facts.failed_money(ACCOUNT, now - timedelta(minutes=15)),
    "wrong_mode_count": lambda store, now: store.facts.wrong_mode_count(ACCOUNT, now - timedelta(hours=1)),
    "due": lambda store, now: store.incidents.due(now),
    "open_ones": lambda store, now: store.incidents.open_ones(),
    "unfinished_attempts": lambda store, now: store.incidents.unfinished_attempts(),
    "pending": lambda store, now: store.inbox.pending(100, now),
}


@pytest.fixture(scope="module")
def week() -> Store:
    """A week: 20,000 payments, each with a delivered and processed event."""
    now = datetime.fromisoformat("2026-01-15T09:00:00+00:00")
    store = Store.in_memory(now)
    step = timedelta(days=7) / 20_000
    attempts = tuple(
        attempt(f"ch_{n}", now - n * step, "failed" if n % 20 == 0 else "succeeded", payment_id=f"pi_{n}")
        for n in range(20_000)
    )
    events = tuple(event(f"evt_{n}", now - n * step) for n in range(20_000))
    store.inbox.import_seen(ACCOUNT, events[::2], now)  # half of them reached us before they were listed
    store.facts.apply_facts(ACCOUNT, Facts(attempts=attempts, events=events), now)
    store.inbox.import_seen(ACCOUNT, events[1::2], now)
    return store


@pytest.mark.parametrize("name", HOT)
def test_what_a_tick_asks_reads_no_raw_history(week: Store, now: datetime, name: str):
    """Judged by the steps SQLite's machine takes, which no load changes; all of history is over 400,000."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with week.read() as db:
        db.set_progress_handler(count, 1000)
        HOT[name](week, now)
        db.set_progress_handler(None, 0)
    assert steps <= 60, f"{name} took {steps} thousand steps"
