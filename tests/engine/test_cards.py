"""The account cards: what is known, what cannot be known, and how the account is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from scripted_provider import ENDPOINTS, EVENTS, FOUR, Scripted, failure, page

from payops import config
from payops.domain.abilities import CANNOT
from payops.domain.events import Facts, FeedPage
from payops.domain.feeds import SIGHT
from payops.domain.payments import Attempt
from payops.engine.board import AccountCard
from payops.engine.boards import build
from payops.engine.cards import card, noticed
from payops.engine.documents import status_document
from payops.engine.polls import StepPolls
from payops.signals import read
from payops.store import Store

MINUTE = timedelta(minutes=1)
KEYS = {
    "stripe": {"api_key": "env:A"},
    "braintree": {"merchant_id": "env:A", "public_key": "env:B", "private_key": "env:C"},
    "paypal": {"client_id": "env:A", "client_secret": "env:B"},
}


def of(provider: str) -> config.Settings:
    return config.parse(
        {
            "schema": config.SCHEMA,
            "accounts": [
                {"name": f"{provider}-live", "provider": provider, "mode": "live", **KEYS[provider]}
            ],
        },
        base=Path(),
        source="test",
    )


def shown(store: Store, provider: str, now: datetime) -> AccountCard:
    settings = of(provider)
    return card(store, settings, settings.accounts[0], read(store, settings, now), now)


def sell(store: Store, provider: str, now: datetime, payments: int = 100, failed: int = 0) -> None:
    account = f"{provider}-live"
    made = tuple(
        Attempt(
            account,
            f"c_{n}",
            now - (n + 1) * timedelta(seconds=2),
            "failed" if n < failed else "succeeded",
            now,
        )
        for n in range(payments)
    )
    feed = SIGHT[provider].payments_feed  # type: ignore[index]
    store.facts.apply_page(account, FeedPage(feed, payments, 1, facts=Facts(attempts=made)), now)


def test_completions_of_a_feed_that_hides_declines_have_a_count_and_no_rate(
    store: Store, now: datetime
) -> None:
    sell(store, "paypal", now, failed=1)
    seen = shown(store, "paypal", now)
    for window in seen.success.values():
        assert (window.rate, window.low, window.high) == (None, None, None)
    assert (seen.success["24h"].n, seen.success["24h"].succeeded) == (100, 99)
    assert seen.declines_visible is False
    assert seen.expected is None
    assert set(seen.spark) == {None}
    assert sum(seen.spark_n) == 100
    assert "wallet declines not visible" in seen.sees
    with_rate = shown_after_sales(store, "braintree", now)
    assert with_rate.success["24h"].rate == 0.99


def shown_after_sales(store: Store, provider: str, now: datetime) -> AccountCard:
    sell(store, provider, now, failed=1)
    return shown(store, provider, now)


@pytest.mark.parametrize("provider", ["stripe", "braintree", "paypal"])
def test_what_the_provider_cannot_do_is_listed_with_its_reason(
    store: Store, now: datetime, provider: str
) -> None:
    assert dict(shown(store, provider, now).cannot) == CANNOT[provider]  # type: ignore[index]


def stepped(store: Store, provider: Scripted, now: datetime, minutes: int) -> None:
    polls = StepPolls(store, {provider.account: provider})  # type: ignore[dict-item]
    for step in range(minutes * 6 + 1):
        polls.run(now + step * timedelta(seconds=10))


def test_a_card_tells_of_each_feed_how_fresh_it_is_what_it_sees_and_when_it_is_next(
    store: Store, now: datetime
) -> None:
    sell(store, "stripe", now, 3_000)
    provider = Scripted(feeds=FOUR, answer=lambda feed, at: page(feed=feed, data_as_of=at))
    stepped(store, provider, now, 1)
    later = now + MINUTE
    seen = shown(store, "stripe", later)
    assert [row.feed for row in seen.feeds] == ["events", "credential", "endpoints", "undelivered"]
    events, *_, undelivered = seen.feeds
    assert (events.sees, events.delay_s, events.error) == (EVENTS.sees, EVENTS.delay_s, "")
    assert events.data_as_of is not None
    assert later - events.data_as_of <= timedelta(seconds=30)
    assert all(row.next_at is not None and row.next_at > later - timedelta(seconds=10) for row in seen.feeds)
    assert undelivered.delay_s == 60
    assert seen.next_read_at == min(row.next_at for row in seen.feeds if row.next_at)
    assert (seen.breaker, seen.state, seen.problem) == ("closed", "live", "")
    assert seen.reads_month == len(provider.asked)
    assert seen.reads_forecast is not None
    assert seen.reads_month < seen.reads_forecast < seen.reads_allowed


def test_a_side_feed_that_fails_is_a_problem_but_the_payments_are_still_seen(
    store: Store, now: datetime
) -> None:
    provider = Scripted(
        feeds=(EVENTS, ENDPOINTS),
        answer=lambda feed, at: page(feed=feed) if feed == "events" else failure("permission"),
    )
    stepped(store, provider, now, 1)
    seen = shown(store, "stripe", now + MINUTE)
    assert (seen.state, seen.problem) == ("live", "endpoints: permission: it failed")
    assert seen.retry_at is not None


def test_an_account_that_cannot_be_reached_says_so_since_when_and_when_it_is_tried(
    store: Store, now: datetime
) -> None:
    provider = Scripted(feeds=FOUR, answer=lambda feed, at: failure("network"))
    stepped(store, provider, now, 3)
    seen = shown(store, "stripe", now + 3 * MINUTE)
    kept = store.facts.breaker("stripe-live")
    assert seen.state == "failed"
    assert seen.breaker in ("open", "half-open")
    assert (seen.breaker_since, seen.next_read_at) == (kept.opened_at, kept.probe_at)
    assert {row.next_at for row in seen.feeds} == {kept.probe_at}


def test_the_status_document_shows_budget_breaker_and_feeds(store: Store, now: datetime) -> None:
    settings = of("stripe")
    stepped(store, Scripted(feeds=FOUR), now, 0)
    board = build(store, settings, read(store, settings, now), now, operator=None, holder="", receiver="")
    (account,) = status_document(store, board)["accounts"]
    assert {
        name: account["budget"][name] for name in ("reads_30d", "allowed_30d", "breaker", "breaker_since")
    } == {
        "reads_30d": 4,
        "allowed_30d": 2_500,
        "breaker": "closed",
        "breaker_since": None,
    }
    assert account["budget"]["forecast_30d"] >= 4
    assert account["budget"]["next_read"]["feed"] == "events"
    assert [feed["feed"] for feed in account["feeds"]] == ["events", "credential", "endpoints", "undelivered"]
    assert account["detection"]["families"]["acceptance"]["standing"] is None
    assert account["stages_24h"]["attempts"]["n"] == 0
    assert account["expected"] is None
    assert account["cannot"] == {}
    assert account["declines_visible"] is True
    assert any(item["what"] == "read events of stripe-live" for item in status_document(store, board)["next"])


def test_the_card_says_what_runs_and_what_is_on_watch() -> None:
    at = datetime(2026, 1, 15, 14, 30, tzinfo=UTC)
    running = {
        "alarm": True,
        "watch": True,
        "slice": "card brand visa",
        "n_since": 240,
        "failed_since": 61,
        "expected_since": 12.2,
        "since_s": 1680,
    }
    assert noticed(running, at) == ("alarm since 14:02 UTC: 61 of 240 failed, 12 expected, card brand visa")
    assert noticed({"alarm": False, "watch": True, "slice": "country US"}, at) == (
        "watch: more failures than usual, country US; not enough for an alarm"
    )
    assert noticed({"alarm": False, "watch": False}, at) == ""
    assert noticed({"alarm": None, "watch": None}, at) == ""
