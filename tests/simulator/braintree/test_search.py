"""Search in two steps: what matches, in which order, how much of it, and what slips through between the steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import braintree
import pytest
from braintree.exceptions.unexpected_error import UnexpectedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.simulator.braintree import calls
from payops.simulator.braintree.search import Criteria, transaction_fields, transactions
from payops.simulator.braintree.transactions import Transaction
from payops.simulator.braintree.xml import Typed
from payops.simulator.world import World

from .conftest import Live, Open, make_scenario

S = braintree.TransactionSearch
T0 = datetime(2026, 1, 15, 9, tzinfo=UTC)


def rows(world: Live, *criteria: object) -> list[braintree.Transaction]:
    return list(world.gateway.transaction.search(*criteria).items)


def ids(world: Live, *criteria: object) -> list[str]:
    found: list[str] = world.gateway.transaction.search(*criteria).ids
    return found


def test_everything_is_found_once_newest_first(live: Open) -> None:
    world = live(rate=3)
    world.after(minutes=10)
    search = world.gateway.transaction.search(S.created_at >= world.world.start - timedelta(hours=1))
    assert search.ids == [row.id for row in world.account.book.newest()]
    assert len(search.ids) > 2 * 50
    assert [row.id for row in search.items] == search.ids


def test_a_search_never_tells_of_more_than_its_cap(live: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_TRANSACTIONS", 20)
    monkeypatch.setattr(calls, "MOST_OTHERS", 3)
    world = live()
    newest = [row.id for row, _ in zip(world.account.book.newest(), range(20), strict=False)]
    assert world.gateway.transaction.search(S.type == "sale").ids == newest
    everything = braintree.SubscriptionSearch.status.in_list(["Active", "Past Due", "Canceled"])
    assert len(world.gateway.subscription.search(everything).ids) == 3


def test_upper_bound_holds_for_one_minute_more_and_seconds_do_not_count(live: Open) -> None:
    world = live(rate=20, warmup="1m")
    world.after(minutes=6)
    low, high = T0 + timedelta(minutes=2, seconds=40), T0 + timedelta(minutes=4, seconds=10)
    found = {row.id for row in rows(world, S.created_at.between(low, high))}
    first, before = (T0 + timedelta(minutes=m) for m in (2, 5))
    wanted = {
        row.id
        for row in world.account.book.log.rows
        if first.timestamp() * 1000 <= row.at_ms < before.timestamp() * 1000
    }
    assert found == wanted
    seconds = {row.created_at.replace(tzinfo=UTC) for row in rows(world, S.created_at.between(low, high))}
    assert min(seconds) < low and max(seconds) > high + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("processor_declined_at", "processor_declined"),
        ("gateway_rejected_at", "gateway_rejected"),
        ("authorized_at", "authorized"),
        ("submitted_for_settlement_at", "submitted_for_settlement"),
        ("settled_at", "settled"),
        ("voided_at", "voided"),
        ("failed_at", "failed"),
    ],
)
def test_each_change_is_found_by_its_own_time(live: Open, field: str, status: str) -> None:
    world = live(
        warmup="5h",
        success=0.7,
        faults="[{kind: gateway_rejections, provider: braintree, at: 1m, until: 2m, share: 0.9},"
        "{kind: decline_surge, provider: braintree, at: 3m, until: 5m, decline: issuer_not_available}]",
    )
    world.after(minutes=6)
    world.gateway.transaction.void(world.newest("submitted_for_settlement").id)
    world.later(minutes=1)
    since = T0 - timedelta(hours=5) if status != "voided" else T0
    found = ids(world, getattr(S, field) >= since)
    wanted = [row.id for row in world.account.book.newest() if row.reached(status) is not None]
    assert found == wanted and found
    assert not ids(world, getattr(S, field).between(T0 + timedelta(days=2), T0 + timedelta(days=3)))


def test_a_settled_transaction_is_found_by_settlement_and_not_by_creation(live: Open) -> None:
    world = live(warmup="5h")
    window = (T0 - timedelta(minutes=10), T0)
    settled = rows(world, S.settled_at.between(*window))
    assert settled and {row.status for row in settled} == {"settled"}
    assert not {row.id for row in settled} & set(ids(world, S.created_at.between(*window)))


def test_texts_are_compared_as_asked(live: Open) -> None:
    world = live()
    one = world.newest("submitted_for_settlement")
    order = one.order
    assert order is not None
    assert [row.id for row in rows(world, S.id == one.id)] == [one.id]
    for criterion in (
        S.order_id == order,
        S.order_id.starts_with(order),
        S.order_id.ends_with(order[3:]),
        S.order_id.contains(order[2:-1] + order[-1]),
    ):
        found = rows(world, criterion)
        assert one.id in {row.id for row in found}
        assert {row.order_id for row in found} == {order}
    others = rows(world, S.order_id != order)
    assert others and order not in {row.order_id for row in others}
    customer = one.charge.payment.buyer.customer
    assert {row.customer_details.id for row in rows(world, S.customer_id == customer)} == {customer}
    by_token = rows(world, S.payment_method_token == one.token)
    assert {row.credit_card_details.token for row in by_token} == {one.token}


def test_lists_and_flags_narrow(live: Open) -> None:
    world = live(faults="[{kind: refund_failed, provider: braintree, at: 1m, count: 2}]")
    world.after(minutes=2)
    failed = rows(world, S.type == "credit", S.status.in_list(["processor_declined", "failed"]))
    assert len(failed) == 2 and all(row.refunded_transaction_id for row in failed)
    everything = world.gateway.transaction.search(S.created_at >= T0 - timedelta(days=1)).ids
    credits = world.gateway.transaction.search(S.refund == True).ids  # noqa: E712 - the SDK's way
    sales = world.gateway.transaction.search(S.refund == False).ids  # noqa: E712
    assert sorted(credits + sales) == sorted(everything) and credits
    assert rows(world, S.amount >= 10_000_000) == []
    assert {row.currency_iso_code for row in rows(world, S.merchant_account_id == "shop_eur")} == {"EUR"}
    assert rows(world, S.payment_instrument_type == "paypal_account") == []
    assert rows(world, S.source == "recurring") == []
    assert rows(world, S.user == "nobody") == []


def test_what_changes_between_the_steps_is_left_out_silently(live: Open) -> None:
    world = live()
    search = world.gateway.transaction.search(S.status == "submitted_for_settlement")
    gone = world.newest("submitted_for_settlement").id
    assert gone in search.ids
    assert world.gateway.transaction.void(gone).is_success
    found = [row.id for row in search.items]
    assert gone not in found
    assert found == [each for each in search.ids if each != gone]


@pytest.mark.parametrize(
    "criteria",
    [
        {"updated_at": {"min": T0}},
        {"created_at": {"after": T0}},
        {"created_at": {"min": "yesterday"}},
        {"created_at": "2026-01-15"},
        {"status": "settled"},
        {"order_id": {"like": "x"}},
        {"amount": {"min": "much"}},
        {"refund": "maybe"},
    ],
)
def test_unknown_or_malformed_criterion_is_refused_by_name(live: Open, criteria: dict[str, object]) -> None:
    world = live(rate=0)
    config = world.gateway.config
    path = f"{config.base_merchant_path()}/transactions/advanced_search_ids"
    answer = config.http().post(path, {"search": criteria})
    (name,) = criteria
    assert name in answer["api_error_response"]["message"]
    with pytest.raises(UnexpectedError):
        braintree.ResourceCollection([], answer, None)


def test_subscriptions_are_found_by_what_they_owe(live: Open) -> None:
    world = live(faults="[{kind: subscription_past_due, provider: braintree, at: 1m, count: 3}]")
    world.after(minutes=10)
    search, by = world.gateway.subscription.search, braintree.SubscriptionSearch
    past_due = search(by.status == "Past Due").ids
    assert len(past_due) == 3
    assert sorted(search(by.days_past_due >= 1).ids) == sorted(past_due)
    assert search(by.days_past_due >= 2).ids == []
    one = next(iter(search(by.id == past_due[0]).items))
    assert search(by.transaction_id == one.transactions[0].id).ids == [one.id]
    active = search(by.status == "Active").ids
    assert not set(active) & set(past_due) and len(active) > 10
    assert len(list(search(by.plan_id.in_list(["monthly"])).items)) == len(active) + 3


@pytest.fixture(scope="module")
def world() -> World:
    made = World(make_scenario(warmup="6h", rate=6, success=0.7))
    made.advance(made.start + timedelta(minutes=30))
    return made


_FIELDS = {
    "created_at": lambda row: row.at_ms,
    "settled_at": lambda row: row.reached("settled"),
    "processor_declined_at": lambda row: row.reached("processor_declined"),
}


@given(
    field=st.sampled_from(sorted(_FIELDS)),
    first=st.integers(-360 * 60, 30 * 60),
    length=st.integers(0, 120 * 60),
    kind=st.sampled_from([None, "sale", "credit"]),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_short_ways_to_the_rows_find_what_reading_all_would(
    world: World, field: str, first: int, length: int, kind: str | None
) -> None:
    (account,) = world.accounts.values()
    low = T0 + timedelta(seconds=first)
    high = low + timedelta(seconds=length)
    raw: dict[str, object] = {
        field: {
            "min": Typed("datetime", low.strftime("%Y-%m-%dT%H:%M:%SZ")),
            "max": Typed("datetime", high.strftime("%Y-%m-%dT%H:%M:%SZ")),
        }
    }
    if kind is not None:
        raw["type"] = [kind]
    found = transactions(account, Criteria(raw, transaction_fields(account)), 20_000)
    begin = low.replace(second=0).timestamp() * 1000
    end = high.replace(second=0).timestamp() * 1000 + 60_000

    def matches(row: Transaction) -> bool:
        at = _FIELDS[field](row)
        return at is not None and begin <= at < end and kind in (None, row.type)

    assert found == [row for row in account.book.newest() if matches(row)]
