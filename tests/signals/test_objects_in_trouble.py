"""Refunds, disputes, payouts, subscriptions and charges that went wrong: counted while they stand, and no longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payops.config import Settings
from payops.domain.events import Facts
from payops.domain.incidents import Incident
from payops.domain.payments import Attempt, Dispute, Invoice, Payout, Refund, Subscription
from payops.signals import authorizations, disputes, duplicates, payouts, refunds, subscriptions
from payops.store import Store

from .conftest import ACCOUNT, NOW

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def charge(name: str = "ch_1", ago: timedelta = HOUR, **rest: Any) -> Attempt:
    whole = {"customer": "cus_1", "order_id": "order-1", "payment_id": name, "captured": True} | rest
    return Attempt(
        ACCOUNT,
        name,
        NOW - ago,
        whole.pop("status", "succeeded"),
        NOW - ago,
        amount_minor=1000,
        currency="eur",
        **whole,
    )


def refund(
    name: str, status: str = "succeeded", ago: timedelta = HOUR, amount: int = 1000, **rest: Any
) -> Refund:
    at = NOW - ago
    return Refund(ACCOUNT, name, "pi_1", at, status, amount, "eur", attempt_id="ch_1", changed_at=at, **rest)


def owing(name: str, ago: timedelta, **rest: Any) -> Subscription:
    at = NOW - ago
    return Subscription(
        ACCOUNT, name, at - 30 * DAY, at, rest.pop("status", "past_due"), owing_since=at, **rest
    )


def learn(store: Store, **facts: Any) -> None:
    store.facts.apply_facts(ACCOUNT, Facts(**facts), NOW)


def values(row: Any, store: Store, settings: Settings, now: datetime = NOW) -> dict[str, Any]:
    return dict(row(store, settings.accounts[0], now).values)


def closed_by_a_person(store: Store, rule: str, at: datetime) -> None:
    draft = Incident(
        id="", version=0, rule=rule, challenge="refund_fail", provider="stripe", account=ACCOUNT, mode="live",
        title="t", severity="sev3", state="open", level=1, dedup_key=rule, labels={}, opened_at=at, updated_at=at,
    )  # fmt: skip
    opened = store.incidents.open(draft, "opened", at)
    assert opened is not None
    store.incidents.change(
        opened,
        at,
        who="ana",
        entry="",
        kind="resolved",
        state="resolved",
        resolved_at=at,
        ended_as="false_alarm",
    )


def test_a_failed_refund_stands_until_a_later_one_goes_through(store: Store, settings: Settings):
    learn(store, attempts=(charge(),), refunds=(refund("re_1", "failed", failure_reason="declined"),))
    assert values(refunds.failed_row, store, settings) == {
        "count": 1, "count_24h": 1, "usual_24h": 0.0, "reissuable": 1, "oldest_s": 3600,
    }  # fmt: skip
    learn(store, refunds=(refund("re_2", "failed", 30 * MINUTE),))
    assert values(refunds.failed_row, store, settings)["count"] == 2
    learn(store, refunds=(refund("re_3", "pending", 10 * MINUTE),))
    assert values(refunds.failed_row, store, settings)["count"] == 0


def test_an_earlier_part_that_went_back_makes_no_later_failure_good(store: Store, settings: Settings):
    parts = (refund("re_1", "succeeded", 3 * HOUR, 400), refund("re_2", "failed", HOUR, 600))
    learn(store, attempts=(charge(ago=4 * HOUR),), refunds=parts)
    assert values(refunds.failed_row, store, settings)["count"] == 1


@pytest.mark.parametrize(
    "reason", ["lost_or_stolen_card", "expired_or_canceled_card", "charge_for_pending_refund_disputed"]
)
def test_a_refund_that_would_fail_again_is_not_called_reissuable(
    reason: str, store: Store, settings: Settings
):
    learn(store, attempts=(charge(),), refunds=(refund("re_1", "failed", failure_reason=reason),))
    found = values(refunds.failed_row, store, settings)
    assert (found["count"], found["reissuable"]) == (1, 0)


def test_a_refund_beyond_what_is_left_is_over_its_limit_and_no_failure(store: Store, settings: Settings):
    parts = (refund("re_1", "succeeded", 3 * HOUR, 400), refund("re_2", "failed", HOUR, 601))
    learn(store, attempts=(charge(ago=4 * HOUR),), refunds=parts)
    assert values(refunds.failed_row, store, settings)["count"] == 0
    assert values(refunds.excess_row, store, settings) == {"count": 1, "given_back": 0, "oldest_s": 3600}


def test_more_given_back_than_came_in_is_over_its_limit(store: Store, settings: Settings):
    back = (refund("re_1", "succeeded", 3 * HOUR), refund("re_2", "succeeded", HOUR))
    learn(store, attempts=(charge(ago=4 * HOUR, amount_refunded_minor=2000),), refunds=back)
    found = values(refunds.excess_row, store, settings)
    assert (found["count"], found["given_back"]) == (1, 1)


def test_paypal_gives_nothing_back_after_180_days(store: Store, settings: Settings):
    old = replace(charge(), at=NOW - 190 * DAY, changed_at=NOW - 190 * DAY)
    learn(store, attempts=(old,), refunds=(refund("re_1", "FAILED"),))
    paypal = replace_provider(settings, "paypal")
    assert values(refunds.excess_row, store, paypal)["count"] == 1
    assert values(refunds.failed_row, store, paypal)["count"] == 0
    assert values(refunds.excess_row, store, settings)["count"] == 0, "Stripe names no such limit"


def replace_provider(settings: Settings, provider: str) -> Settings:
    """The same account at another provider: what is stored is asked for by the account's name."""
    return settings.model_copy(
        update={"accounts": (settings.accounts[0].model_copy(update={"provider": provider}),)}
    )


@pytest.mark.parametrize(
    ("provider", "status", "reason", "shown_after", "over_after"),
    [
        ("stripe", "pending", "insufficient_funds", 5 * MINUTE, 7 * DAY),
        ("stripe", "pending", "processing", 2 * DAY, 10 * DAY),
        ("stripe", "requires_action", None, 5 * MINUTE, 30 * DAY),
        ("braintree", "settlement_pending", None, 5 * MINUTE, 3 * DAY),
        ("braintree", "submitted_for_settlement", None, 2 * DAY, 3 * DAY),
        ("paypal", "PENDING", "ECHECK", 5 * MINUTE, 8 * DAY),
    ],
)
def test_a_waiting_refund_shows_when_due_and_says_how_long_waiting_is_right(
    provider: str, status: str, reason: str | None, shown_after: timedelta, over_after: timedelta,
    store: Store, settings: Settings,
):  # fmt: skip
    settings = replace_provider(settings, provider)
    learn(store, refunds=(refund("re_1", status, timedelta(0), pending_reason=reason),))

    def at(after: timedelta) -> dict[str, Any]:
        return values(refunds.stuck_row, store, settings, NOW + after)

    assert at(shown_after - MINUTE)["count"] == 0
    shown = at(shown_after)
    assert (shown["count"], shown["overdue"]) == (1, 0)
    assert shown["wait_s"] == (over_after - shown_after).total_seconds()
    assert shown["why"]
    assert at(over_after)["overdue"] == 1
    learn(store, refunds=(replace(refund("re_1", "succeeded", timedelta(0)), changed_at=NOW + MINUTE),))
    assert at(shown_after)["count"] == 0


def test_the_second_success_of_an_order_is_a_proven_duplicate_until_one_is_given_back(
    store: Store, settings: Settings
):
    learn(store, attempts=(charge("ch_1", 50 * MINUTE), charge("ch_2", 40 * MINUTE)))
    (found,) = duplicates.listed(store, settings.accounts[0], NOW)
    assert (found.first.attempt_id, found.second.attempt_id, found.proven) == ("ch_1", "ch_2", True)
    back = replace(refund("re_1", "succeeded", MINUTE), attempt_id="ch_2")
    learn(store, refunds=(replace(back, status="failed"),))
    assert values(duplicates.row, store, settings)["count"] == 1, "a failed refund gave nothing back"
    learn(store, refunds=(replace(back, refund_id="re_2"),))
    assert values(duplicates.row, store, settings)["count"] == 0


@pytest.mark.parametrize(
    "other",
    [
        charge("ch_2", 40 * MINUTE, order_id="order-2"),
        charge("ch_2", 40 * MINUTE, customer="cus_2"),
        charge("ch_2", 40 * MINUTE, status="failed"),
        charge("ch_2", 91 * MINUTE),
        replace(charge("ch_2", 40 * MINUTE), amount_minor=1001),
        replace(charge("ch_2", 40 * MINUTE), currency="usd"),
    ],
    ids=[
        "another order",
        "another customer",
        "refused",
        "31 minutes apart",
        "another amount",
        "another currency",
    ],
)
def test_what_differs_is_no_duplicate(other: Attempt, store: Store, settings: Settings):
    learn(store, attempts=(charge("ch_1", HOUR), other))
    found = values(duplicates.row, store, settings)
    assert (found["count"], found["suspected_1h"]) == (0, 0)


def test_a_guest_is_known_by_the_order_and_a_customer_without_order_only_suspected(
    store: Store, settings: Settings
):
    learn(store, attempts=tuple(charge(f"g_{n}", (40 - n) * MINUTE, customer=None) for n in range(2)))
    learn(store, attempts=tuple(charge(f"c_{n}", (30 - n) * MINUTE, order_id=None) for n in range(2)))
    found = values(duplicates.row, store, settings)
    assert (found["count"], found["suspected_1h"], found["suspected_usual"]) == (1, 1, 0.0)


@given(order=st.permutations(range(3)))
def test_the_order_of_arrival_decides_nothing_about_duplicates(order: list[int]):
    rows = [charge(f"ch_{n}", (50 - n) * MINUTE) for n in range(3)]
    with Store.in_memory(NOW) as store:
        for number in order:
            learn(store, attempts=(rows[number],))
        found = store.facts.doubles(ACCOUNT, NOW - DAY)
    assert {pair.second.attempt_id for pair in found} == {"ch_1", "ch_2"}


def test_an_authorization_shows_in_its_last_day_until_it_is_captured(store: Store, settings: Settings):
    held = charge("ch_1", captured=False, capture_before=NOW + 30 * HOUR)
    learn(store, attempts=(held,))
    assert values(authorizations.row, store, settings)["count"] == 0
    later = NOW + 7 * HOUR
    assert values(authorizations.row, store, settings, later) == {
        "count": 1, "next_s": 23 * 3600, "lapsed_7d": 0, "unguaranteed": None,
    }  # fmt: skip
    assert values(authorizations.row, store, settings, NOW + 31 * HOUR)["lapsed_7d"] == 1
    learn(store, attempts=(replace(held, captured=True, capture_before=None, changed_at=NOW),))
    assert values(authorizations.row, store, settings, later)["count"] == 0


def test_paypal_money_past_its_three_days_is_told(store: Store, settings: Settings):
    learn(store, attempts=(charge("a_1", 4 * DAY, captured=False, capture_before=NOW + 20 * DAY),))
    found = values(authorizations.row, store, replace_provider(settings, "paypal"))
    assert (found["count"], found["unguaranteed"]) == (0, 1)


def dispute(
    status: str = "needs_response", due: timedelta | None = 3 * DAY, changed: timedelta = HOUR
) -> Dispute:
    reply_by = None if due is None else NOW + due
    return Dispute(ACCOUNT, "dp_1", NOW - DAY, NOW - changed, status, 1000, "eur", reply_by=reply_by)  # type: ignore[arg-type]


def test_a_dispute_waits_until_it_is_answered_and_one_missed_says_so(store: Store, settings: Settings):
    learn(store, disputes=(dispute(),))
    assert values(disputes.row, store, settings) == {
        "count": 1, "due_s": 3 * 86_400, "due_24h": 0, "without_deadline": 0, "missed_7d": 0, "new_24h": 0, "usual_24h": 0.0,
    }  # fmt: skip
    assert values(disputes.row, store, settings, NOW + 50 * HOUR)["due_24h"] == 1
    learn(store, disputes=(dispute("under_review", changed=MINUTE),))
    assert values(disputes.row, store, settings)["count"] == 0


def test_a_dispute_lost_right_after_its_deadline_was_missed(store: Store, settings: Settings):
    learn(store, disputes=(dispute("lost", due=-HOUR, changed=MINUTE),))
    found = values(disputes.row, store, settings)
    assert (found["count"], found["missed_7d"]) == (0, 1)


def test_a_closed_dispute_comes_back_on_its_last_day(store: Store, settings: Settings):
    learn(store, disputes=(dispute(due=30 * HOUR),))
    closed_by_a_person(store, "dispute-deadline", NOW)
    assert values(disputes.row, store, settings)["count"] == 0
    assert values(disputes.row, store, settings, NOW + 7 * HOUR)["count"] == 1


def payout(name: str, status: str, ago: timedelta, **rest: Any) -> Payout:
    return Payout(ACCOUNT, name, NOW - ago, NOW - ago, status, 5000, rest.pop("currency", "eur"), **rest)


def test_a_failed_payout_stands_until_a_later_one_in_its_currency_goes_out(store: Store, settings: Settings):
    learn(store, payouts=(payout("po_1", "failed", 2 * HOUR, failure_code="account_closed"),))
    assert values(payouts.row, store, settings) == {"count": 1, "oldest_s": 7200, "code": "account_closed"}
    learn(store, payouts=(payout("po_2", "paid", HOUR, currency="usd"),))
    assert values(payouts.row, store, settings)["count"] == 1
    learn(store, payouts=(payout("po_3", "in_transit", HOUR),))
    assert values(payouts.row, store, settings)["count"] == 0


def test_where_payouts_and_invoices_and_methods_are_not_shown_they_are_unknown(
    store: Store, settings: Settings
):
    paypal = replace_provider(settings, "paypal")
    for row in (payouts.row, subscriptions.stuck_row, subscriptions.unpayable_row):
        assert values(row, store, paypal)["count"] is None
    assert values(payouts.row, store, replace_provider(settings, "braintree"))["count"] is None


def test_subscriptions_that_owe_are_counted_from_when_they_came_to_owe(store: Store, settings: Settings):
    renewed = tuple(
        charge(f"ch_{n}", 30 * MINUTE, initiated_by="renewal", order_id=None, customer=None) for n in range(3)
    )
    older = tuple(
        charge(f"old_{n}", 3 * DAY, initiated_by="renewal", order_id=None, customer=None,
               status="failed" if n < 1 else "succeeded") for n in range(10)
    )  # fmt: skip
    learn(
        store,
        attempts=(*renewed, *older),
        subscriptions=(
            owing("sub_1", 20 * MINUTE),
            owing("sub_2", 5 * HOUR),
            owing("sub_3", 5 * DAY),
            owing("sub_4", 20 * MINUTE, has_payment_method=False),
            owing("sub_5", 20 * MINUTE, status="suspended", outstanding_minor=0),
            owing("sub_6", 20 * MINUTE, status="active"),
        ),
    )
    assert values(subscriptions.past_due_row, store, settings) == {
        "count": 3, "count_1h": 1, "collected_1h": 3, "share_1h": 0.25,
        "count_24h": 2, "collected_24h": 3, "share_24h": 0.4, "usual": 0.1, "usual_n": 10,
    }  # fmt: skip
    assert values(subscriptions.unpayable_row, store, settings) == {
        "count": 1,
        "count_1h": 1,
        "oldest_s": 1200,
    }


def test_an_invoice_that_cannot_be_finalized_is_stuck_until_it_is_paid(store: Store, settings: Settings):
    stuck = Invoice(
        ACCOUNT, "in_1", NOW - HOUR, NOW - HOUR, "draft", 1000, "eur", finalization_error="customer_tax_location_invalid"
    )  # fmt: skip
    learn(store, invoices=(stuck, replace(stuck, invoice_id="in_2", finalization_error=None)))
    assert values(subscriptions.stuck_row, store, settings) == {
        "count": 1, "oldest_s": 3600, "code": "customer_tax_location_invalid",
    }  # fmt: skip
    learn(store, invoices=(replace(stuck, status="paid", changed_at=NOW, finalization_error=None),))
    assert values(subscriptions.stuck_row, store, settings)["count"] == 0


def test_what_a_person_closed_is_counted_no_more_and_what_came_later_is(store: Store, settings: Settings):
    learn(
        store,
        attempts=(charge("ch_1", 50 * MINUTE), charge("ch_2", 40 * MINUTE)),
        refunds=(refund("re_1", "failed", HOUR),),
        subscriptions=(owing("sub_1", HOUR),),
    )
    rows = {
        "refund-failed": refunds.failed_row,
        "duplicate-payment": duplicates.row,
        "subscription-past-due": subscriptions.past_due_row,
    }
    for rule, row in rows.items():
        assert values(row, store, settings)["count"] == 1
        closed_by_a_person(store, rule, NOW - 20 * MINUTE)
        assert values(row, store, settings)["count"] == 0
    learn(
        store,
        attempts=(
            charge("ch_3", 10 * MINUTE, order_id="order-3"),
            charge("ch_4", 9 * MINUTE, order_id="order-3"),
        ),
        refunds=(refund("re_2", "failed", MINUTE),),
        subscriptions=(owing("sub_2", MINUTE),),
    )
    assert [values(row, store, settings)["count"] for row in rows.values()] == [1, 1, 1]


def test_a_day_is_compared_with_the_month_before_whatever_became_of_it(store: Store, settings: Settings):
    failed = tuple(refund(f"re_{n}", "failed", n * DAY + HOUR) for n in range(1, 16))
    later = refund("re_20", "succeeded", timedelta(0))
    cases = tuple(
        replace(dispute("won"), dispute_id=f"dp_{n}", at=NOW - n * DAY - HOUR) for n in range(1, 31)
    )
    learn(store, attempts=(charge(ago=20 * DAY),), refunds=(*failed, later), disputes=cases)
    assert values(refunds.failed_row, store, settings)["usual_24h"] == 0.5
    assert values(disputes.row, store, settings)["usual_24h"] == 1.0


def test_two_renewals_of_one_price_at_once_are_not_suspected(store: Store, settings: Settings):
    both = tuple(
        charge(f"ch_{n}", 30 * MINUTE, order_id=None, initiated_by=who)
        for n, who in enumerate(("renewal",) * 2)
    )
    learn(store, attempts=both)
    assert values(duplicates.row, store, settings)["suspected_1h"] == 0
