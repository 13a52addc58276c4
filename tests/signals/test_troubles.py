"""What a person is told of single objects: ids, money per currency, deadlines, and who is hurt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from payops.config import Settings
from payops.domain.incidents import Incident, Why
from payops.domain.money import Money
from payops.domain.payments import Dispute
from payops.signals import SOURCES
from payops.signals.impact import impact
from payops.signals.object_sources import OBJECT_SOURCES
from payops.signals.troubles import account_of, deadlines, troubles
from payops.store import Store

from .conftest import ACCOUNT, NOW
from .test_objects_in_trouble import DAY, HOUR, MINUTE, charge, learn, owing, refund


def told(store: Store, settings: Settings, source: str) -> str:
    found = troubles(store, settings.accounts[0], source, NOW)
    assert found is not None
    return account_of(source, found)


def incident(rule: str, source: str, challenge: str = "refund_fail") -> Incident:
    return Incident(
        id="inc-1", version=1, rule=rule, challenge=challenge, provider="stripe", account=ACCOUNT, mode="live",
        title="t", severity="sev3", state="open", level=1, dedup_key="k", labels={}, opened_at=NOW, updated_at=NOW,
        why=(Why("count >= 1", True), Why("count", 2)),
        policy=f'{{"challenge": "{challenge}", "signal": {{"source": "{source}"}}}}',
    )  # type: ignore[arg-type]  # fmt: skip


def test_every_signal_of_objects_can_name_them_and_no_other_can(store: Store, settings: Settings):
    named = {name for name in SOURCES if troubles(store, settings.accounts[0], name, NOW) is not None}
    assert named == {source.name for source in OBJECT_SOURCES}
    assert all("stands any more" in told(store, settings, name) for name in named)


def test_a_failed_refund_is_named_with_its_money_its_charge_and_what_its_reason_means(
    store: Store, settings: Settings
):
    learn(
        store,
        attempts=(charge(),),
        refunds=(refund("re_1", "failed", failure_reason="expired_or_canceled_card"),),
    )
    assert told(store, settings, "failed_refunds").startswith(
        "1 failed refund worth 10.00 EUR: re_1 (10.00 EUR, of ch_1, failed: expired_or_canceled_card, "
        "pay it another way)."
    )


def test_a_waiting_refund_says_until_when_waiting_is_right(store: Store, settings: Settings):
    learn(store, refunds=(refund("re_1", "pending", HOUR, pending_reason="insufficient_funds"),))
    until = NOW - HOUR + 7 * DAY
    said = told(store, settings, "stuck_refunds")
    assert f"waiting is right, until {until:%Y-%m-%d %H:%M} UTC" in said
    assert "The balance is too small: top it up and Stripe sends the refund by itself" in said


def test_a_dispute_is_named_with_its_deadline(store: Store, settings: Settings):
    due = NOW + 3 * DAY
    one = Dispute(ACCOUNT, "dp_1", NOW, NOW, "needs_response", 1000, "usd", "fraudulent", "ch_1", due)
    learn(store, disputes=(one, replace(one, dispute_id="dp_2", reply_by=None)))
    said = told(store, settings, "disputes")
    assert "2 disputes worth 20.00 USD" in said
    assert f"dp_1 (10.00 USD, fraudulent, of ch_1, no reply yet, until {due:%Y-%m-%d %H:%M} UTC)" in said
    assert "dp_2 (10.00 USD, fraudulent, of ch_1, no reply yet, deadline not told)" in said
    assert "No reply in time is lost" in said


def test_a_second_charge_is_named_with_the_first_and_the_order(store: Store, settings: Settings):
    learn(store, attempts=(charge("ch_1", 50 * MINUTE), charge("ch_2", 40 * MINUTE)))
    assert "ch_2 (10.00 EUR, paid again 10 min after ch_1, order order-1)" in told(
        store, settings, "duplicates"
    )
    hurt = impact(store, incident("duplicate-payment", "duplicates", "transaction_fail"), NOW)
    assert (hurt.payments, hurt.customers, hurt.money) == (1, 1, (Money(1000, "EUR"),))
    assert "ch_2" in hurt.method


def test_many_are_counted_and_the_first_named(store: Store, settings: Settings):
    many = tuple(
        owing(f"sub_{n}", n * MINUTE, amount_minor=500, currency="eur" if n % 2 else "usd", failed_payments=1)
        for n in range(9)
    )
    learn(store, subscriptions=many)
    said = told(store, settings, "past_due_subscriptions")
    assert said.startswith(
        "9 unpaid subscriptions worth 25.00 USD and 20.00 EUR: sub_0 (5.00 USD, 1 refusal in a row)"
    )
    assert "and 3 more" in said


def test_impact_names_the_objects_and_says_so_when_none_stands_any_more(store: Store, settings: Settings):
    learn(store, attempts=(charge(),), refunds=(refund("re_1", "failed"), refund("re_2", "failed")))
    hurt = impact(store, incident("refund-failed", "failed_refunds"), NOW)
    assert (hurt.payments, hurt.money, hurt.since) == (2, (Money(2000, "EUR"),), NOW - HOUR)
    learn(store, refunds=(refund("re_3", "succeeded", timedelta(0)),))
    over = impact(store, incident("refund-failed", "failed_refunds"), NOW)
    assert (over.payments, over.money) == (0, ())
    assert over.method == "none of the objects it is about stands any more; 2 did at the opening"


def test_deadlines_ahead_are_told_by_the_soonest_of_each_kind(store: Store, settings: Settings):
    due = NOW + 3 * DAY
    one = Dispute(ACCOUNT, "dp_1", NOW, NOW, "needs_response", 1000, "usd", "fraudulent", "ch_1", due)
    learn(
        store,
        attempts=(charge("ch_9", captured=False, capture_before=NOW + 12 * HOUR),),
        disputes=(
            one,
            replace(one, dispute_id="dp_2", reply_by=due + DAY),
            replace(one, dispute_id="dp_3", reply_by=NOW - MINUTE),
        ),
    )
    assert deadlines(store, settings.accounts[0], NOW) == (
        (due, "stripe-live: no reply by then loses dispute dp_1, 10.00 USD, 1 more later"),
        (NOW + 12 * HOUR, "stripe-live: the money is let go of authorization ch_9, 10.00 EUR"),
    )
