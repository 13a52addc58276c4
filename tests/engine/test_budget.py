from __future__ import annotations

import logging
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_provider import ACCOUNT, EVENTS, FOUR, Scripted, failure, page

from payops.domain.events import ApiCall, Facts
from payops.domain.payments import Attempt
from payops.engine import breaker
from payops.engine.budget import (
    FASTEST,
    MONTH_S,
    NEVER,
    Wish,
    allowance,
    factors,
    pace,
    planned,
    reckoned,
)
from payops.engine.meter import read_meter, transactions
from payops.engine.polls import StepPolls
from payops.store import Breaker, Store

START = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WISHES = tuple(Wish(spec.interval_s, spec.requests, spec is EVENTS) for spec in FOUR)


@pytest.fixture(scope="module")
def quiet():
    """Thousands of failures are meant: their warnings say nothing."""
    log = logging.getLogger("payops.engine.polls")
    log.disabled = True
    yield
    log.disabled = False


def test_the_allowance_is_a_quarter_of_what_the_provider_publishes() -> None:
    assert allowance("stripe", 0) == allowance("stripe", 20) == 2_500
    assert allowance("stripe", 1_000) == 125_000
    assert allowance("braintree", 5) == allowance("paypal", 1e6) == 648_000
    assert "500 per payment" in reckoned("stripe")
    assert "our assumption" in reckoned("paypal")


def test_what_is_planned_is_within_the_allowance_at_any_volume() -> None:
    for payments in (0, 10, 100, 1_000, 100_000, 10_000_000):
        allowed = allowance("stripe", payments)
        main, rest = factors(WISHES, pace(allowed, 0, urgent=False))
        assert planned(WISHES, main, rest) <= allowed
        assert main >= FASTEST
    assert factors(WISHES, pace(allowance("stripe", 1e6), 0, urgent=False)) == (FASTEST, FASTEST)


def test_where_the_budget_is_short_the_payments_feed_has_half_and_the_others_wait() -> None:
    per_s = pace(allowance("stripe", 0), 0, urgent=False)
    costly = (*WISHES, Wish(60, 20, main=False))
    main, rest = factors(costly, per_s)
    assert rest > main
    assert EVENTS.requests / (EVENTS.interval_s * main) == pytest.approx(per_s / 2)


WISHED = st.lists(
    st.builds(Wish, st.floats(10, 3600), st.floats(1, 50), st.booleans()), min_size=1, max_size=9
)


@settings(max_examples=200, deadline=None)
@given(WISHED, st.floats(1e-6, 100))
def test_factors_spend_the_pace_and_no_more(wishes: list[Wish], per_s: float) -> None:
    main, rest = factors(wishes, per_s)
    spent = sum(wish.per_s / (main if wish.main else rest) for wish in wishes)
    assert spent <= per_s * (1 + 1e-9) or NEVER in (main, rest)
    if sum(wish.per_s for wish in wishes if wish.main) and sum(
        wish.per_s for wish in wishes if not wish.main
    ):
        assert main <= rest * (1 + 1e-9), "the payments feed never waits for the others"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 2_000_000), min_size=1, max_size=8),
    WISHED,
    st.integers(0, 2**32),
)
def test_no_hour_of_two_months_spends_beyond_the_allowance_of_that_hour(
    volumes: list[int], wishes: list[Wish], seed: int
) -> None:
    """The pace alone, hour by hour, at volumes that jump and with needs that come and go."""
    rng = random.Random(seed)
    spent: list[float] = []
    used = 0.0
    for hour in range(60 * 24):
        allowed = allowance("stripe", volumes[hour * len(volumes) // (60 * 24)])
        used -= spent[hour - 720] if hour >= 720 else 0.0
        per_s = pace(allowed, round(used), urgent=rng.random() < 0.3)
        main, rest = factors(wishes, per_s)
        now = sum(3600 * wish.per_s / (main if wish.main else rest) for wish in wishes)
        spent.append(now)
        used += now
        assert now <= max(0.0, allowed - used + now) + 3600 * sum(wish.per_s for wish in wishes) / NEVER + 1


@pytest.mark.usefixtures("quiet")
@settings(max_examples=4, deadline=None)
@given(
    st.integers(0, 8),
    st.sampled_from([0.0, 0.02, 0.5, 1.0]),
    st.integers(1, 30),
    st.integers(0, 2**32),
)
def test_a_month_of_polls_failures_and_restarts_stays_within_the_budget(
    payments_a_day: int, failing: float, cost: int, seed: int
) -> None:
    rng = random.Random(seed)
    with Store.in_memory(START) as store:

        def answer(feed: str, at: datetime):
            if rng.random() < failing:
                return failure(rng.choice(["outage", "network", "auth", "rate_limit", "permission"]))
            return page(feed=feed) if feed == "events" else pages(feed, rng.randint(1, cost))

        provider = Scripted(feeds=FOUR, answer=answer)
        polls = StepPolls(store, {ACCOUNT: provider})  # type: ignore[dict-item]
        now, paid = START, 0
        for hour in range(31 * 24):
            now = START + hour * HOUR
            while paid < payments_a_day * hour / 24:
                store.facts.apply_facts(
                    ACCOUNT, Facts(attempts=(Attempt(ACCOUNT, f"ch_{paid}", now, "succeeded", now),)), now
                )
                paid += 1
            if rng.random() < 0.05:
                polls = StepPolls(store, {ACCOUNT: provider})  # type: ignore[dict-item]
            polls.run(now)
            used = store.facts.reads_since(ACCOUNT, now - timedelta(seconds=MONTH_S))
            # What a poll costs is known only afterwards: the one that used the budget up may end beyond it.
            assert used <= allowance("stripe", transactions(store, ACCOUNT, now)) + cost
        if not failing:
            asked = {feed for at, feed in provider.asked if at > now - 3 * DAY}
            assert asked == {spec.name for spec in FOUR}, "a short budget makes slow, not blind"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("sold", "probes_a_day"), [(0, (20, 60)), (3_000, (450, 1_000))])
def test_an_outage_of_days_is_probed_as_the_budget_bears(
    store: Store, now: datetime, sold: int, probes_a_day: tuple[int, int]
) -> None:
    made = tuple(Attempt(ACCOUNT, f"ch_{n}", now - DAY * n / sold, "succeeded", now) for n in range(sold))
    store.facts.apply_facts(ACCOUNT, Facts(attempts=made), now)
    provider = Scripted(feeds=FOUR, answer=lambda feed, at: failure("network"))
    polls = StepPolls(store, {ACCOUNT: provider})  # type: ignore[dict-item]
    for step in range(2 * 24 * 60):
        polls.run(now + step * timedelta(minutes=1))
    last_day = sum(at > now + DAY for at, _ in provider.asked)
    assert probes_a_day[0] <= last_day <= probes_a_day[1]


def test_a_breaker_waits_as_long_as_the_provider_asked(now: datetime) -> None:
    met = breaker.after(Breaker(9, now, now), ACCOUNT, "outage", now, told_s=900)
    assert met.probe_at == now + timedelta(seconds=900)


def pages(feed: str, requests: int):
    from payops.domain.events import FeedPage

    return FeedPage(feed, 1, requests)


def test_probes_and_dry_runs_count_and_slow_the_feeds_down(store: Store, now: datetime) -> None:
    def reads_of_a_day(extra: int) -> int:
        with Store.in_memory(now) as own:
            provider = Scripted(feeds=FOUR)
            own.facts.record_calls(ACCOUNT, (ApiCall("probe", 10, None, 200),) * extra, now)
            polls = StepPolls(own, {ACCOUNT: provider})  # type: ignore[dict-item]
            for step in range(24 * 12):
                polls.run(now + step * timedelta(minutes=5))
            return len(provider.asked)

    assert reads_of_a_day(2_400) < reads_of_a_day(0) / 2
    assert reads_of_a_day(2_500) == 0


def test_the_meter_says_used_allowed_and_what_the_month_will_come_to(store: Store, now: datetime) -> None:
    assert read_meter(store, ACCOUNT, "stripe", now).forecast is None
    store.facts.record_calls(ACCOUNT, (ApiCall("x", 10),) * 240, now - 2 * DAY)
    meter = read_meter(store, ACCOUNT, "stripe", now)
    assert (meter.used, meter.allowed) == (240, 2_500)
    assert meter.forecast == pytest.approx(240 * 15, rel=0.01)
    assert str(meter) == (
        f"payops's requests: 240 of 2,500 in 30 days, forecast {meter.forecast:,} (a quarter of Stripe's 500 per"
        " payment, at least 10,000 a month); the application's are unknown"
    )


@given(st.text(), st.text(), st.integers(1, 200), st.floats(1, 3600), st.floats(1, 7200))
@settings(max_examples=200, deadline=None)
def test_a_wait_is_jittered_within_its_bounds_and_the_same_for_the_same_who(
    account: str, feed: str, n: int, first_s: float, longest_s: float
) -> None:
    wait = breaker.backoff(first_s, n, longest_s, account, feed)
    middle = min(first_s * 2 ** min(n - 1, 30), longest_s)
    assert 0.75 * middle <= wait < 1.25 * middle * (1 + 1e-9)
    assert wait == breaker.backoff(first_s, n, longest_s, account, feed)


def test_jitter_spreads_accounts_and_feeds_apart() -> None:
    drawn = [breaker.jitter(account, feed, 3) for account in "abcdefgh" for feed in "vwxyz"]
    assert len(set(drawn)) == 40
    assert min(drawn) < 0.85
    assert max(drawn) > 1.15


BUCKETS = st.sampled_from(
    [None, "network", "outage", "network", "outage", "auth", "rate_limit", "permission", "invalid_request"]
)


@given(st.lists(st.tuples(BUCKETS, st.integers(1, 600)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_the_breaker_opens_after_failures_to_reach_in_a_row_and_closes_at_any_answer(met: list) -> None:
    now, known, row = START, Breaker(), 0
    for bucket, seconds in met:
        now += timedelta(seconds=seconds)
        before = known
        known = breaker.after(known, ACCOUNT, bucket, now)
        row = row + 1 if bucket in breaker.UNREACHABLE else 0
        assert known.failures == row
        assert (known.opened_at is not None) == (row >= breaker.OPENS_AFTER)
        if known.opened_at is None:
            assert breaker.state(known, now) == "closed"
            continue
        assert known.probe_at is not None
        assert breaker.state(known, now) == "open"
        assert breaker.state(known, known.probe_at) == "half-open"
        wait = (known.probe_at - now).total_seconds()
        assert breaker.PROBE_S * 0.75 - 1 <= wait <= breaker.LONGEST_PROBE_S * 1.25 + 1
        assert known.opened_at == (before.opened_at or now), "it has been open since the first time"


def test_a_clock_that_went_back_does_not_keep_the_breaker_open(now: datetime) -> None:
    open_ = Breaker(9, now, now + timedelta(seconds=60))
    assert breaker.state(open_, now - DAY) == "half-open"
