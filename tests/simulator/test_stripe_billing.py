"""Subscriptions and their bills at the simulated Stripe: owed, stuck, without a card, and paid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe

from payops.simulator.stripe.account import of_stripe

from .conftest import Live

Open = Callable[..., Live]
PAST_DUE = "[{kind: subscription_past_due, provider: stripe, at: 1m, count: 2}]"
NO_CARD = "[{kind: subscription_missing_payment_method, provider: stripe, at: 1m, count: 1}]"
STUCK = "[{kind: subscription_invoice_stuck, provider: stripe, at: 1m, count: 1}]"


def owing(live: Open, faults: str = PAST_DUE) -> Live:
    world = live(faults=faults, rate=0.5)
    world.after(minutes=3)
    return world


def past_due(world: Live) -> stripe.Subscription:
    params = {"status": "past_due", "expand": ["data.latest_invoice", "data.customer"]}
    return world.client.v1.subscriptions.list(params).data[0]  # type: ignore[arg-type]


def told(world: Live, since_ms: int) -> list[str]:
    events = world.account.events.rows
    return [e.type for e in events if e.at_ms >= since_ms and e.type.split(".")[0] in ("invoice", "customer")]


def test_what_is_owed_is_on_the_subscription_and_its_latest_invoice(live: Open) -> None:
    world = owing(live)
    assert len(world.client.v1.subscriptions.list({"status": "past_due"}).data) == 2
    subscription = past_due(world)
    invoice, customer = subscription.latest_invoice, subscription.customer
    assert (invoice.status, invoice.attempted, invoice.attempt_count) == ("open", True, 1)
    assert invoice.amount_remaining == invoice.amount_due == subscription["items"].data[0].price.unit_amount
    assert invoice.next_payment_attempt - invoice.created == 3 * 24 * 3600
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert customer.delinquent is True
    assert subscription.default_payment_method == customer.invoice_settings.default_payment_method
    period = subscription["items"].data[0]
    assert period.current_period_start == invoice.created
    listed = world.client.v1.invoices.list({"subscription": subscription.id, "status": "open"}).data
    assert [each.id for each in listed] == [invoice.id]
    assert (
        told(world, world.world.start_ms) == ["invoice.payment_failed", "customer.subscription.updated"] * 2
    )


def test_paying_the_invoice_makes_the_subscription_active_once(live: Open) -> None:
    world = owing(live)
    subscription = past_due(world)
    before = world.world.now_ms
    world.world.advance_ms(before + 1000)
    invoice = world.client.v1.invoices.pay(
        subscription.latest_invoice.id, {"off_session": True, "expand": ["payments"]}
    )
    assert (invoice.status, invoice.amount_remaining, invoice.next_payment_attempt) == ("paid", 0, None)
    paid_by = invoice.payments.data[0].payment.payment_intent
    assert world.client.v1.payment_intents.retrieve(paid_by).status == "succeeded"
    by_intent = world.client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": paid_by}}
    )
    assert [each.invoice for each in by_intent.data] == [invoice.id]
    assert world.client.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert told(world, before + 1) == [
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        world.client.v1.invoices.pay(invoice.id)
    world.after(days=4)
    tries = of_stripe(world.account).payments.get(paid_by).charges  # type: ignore[union-attr]
    assert [charge.decline is None for charge in tries] == [False, True], (
        "the planned try found nothing to do"
    )


def test_tries_at_one_bill_are_charges_of_one_payment(live: Open) -> None:
    world = owing(live)
    subscription = past_due(world)
    world.after(days=3, minutes=3)
    bill = next(i for i in world.account.invoices.rows if i.id == subscription.latest_invoice.id)
    assert bill.payment is not None and len(bill.payment.charges) == 2 and bill.tries == 2


def test_a_card_that_must_not_be_tried_is_refused_and_the_schedule_stays(live: Open) -> None:
    world = owing(live)
    account = of_stripe(world.account)
    invoice = past_due(world).latest_invoice
    bill = account.invoices.get(invoice.id)
    assert bill is not None and bill.payment is not None
    bill.payment.charges[-1].decline = account.decline("stolen_card")
    with pytest.raises(stripe.CardError) as caught:
        world.client.v1.invoices.pay(invoice.id)
    assert caught.value.json_body["error"]["decline_code"] == "stolen_card"  # type: ignore[index]
    again = world.client.v1.invoices.retrieve(invoice.id)
    assert (again.status, again.attempt_count) == ("open", 1)
    assert again.next_payment_attempt == invoice.next_payment_attempt


def test_without_a_card_no_charge_is_made_until_one_is_chosen(live: Open) -> None:
    world = owing(live, NO_CARD)
    subscription = past_due(world)
    customer = subscription.customer
    assert subscription.default_payment_method is None
    assert customer.invoice_settings.default_payment_method is None
    assert world.client.v1.invoice_payments.list({"invoice": subscription.latest_invoice.id}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="no `default_payment_method`"):
        world.client.v1.invoices.pay(subscription.latest_invoice.id)
    method = world.client.v1.customers.payment_methods.list(customer.id).data[0]
    assert method.customer == customer.id
    foreign = next(b for b in world.account.buyers if b.customer not in (None, customer.id))
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        world.client.v1.subscriptions.update(
            subscription.id, {"default_payment_method": foreign.payment_method}
        )
    done = world.client.v1.subscriptions.update(subscription.id, {"default_payment_method": method.id})
    assert done.default_payment_method == method.id
    assert world.client.v1.invoices.pay(subscription.latest_invoice.id).status == "paid"


def test_a_card_chosen_for_the_customer_serves_its_subscriptions(live: Open) -> None:
    world = owing(live, NO_CARD)
    subscription = past_due(world)
    customer = subscription.customer.id
    method = world.client.v1.customers.payment_methods.list(customer).data[0].id
    changed = world.client.v1.customers.update(
        customer, {"invoice_settings": {"default_payment_method": method}, "metadata": {"seen": "1"}}
    )
    assert changed.invoice_settings.default_payment_method == method
    assert world.client.v1.customers.retrieve(customer).metadata["seen"] == "1"
    assert world.client.v1.subscriptions.retrieve(subscription.id).default_payment_method is None
    assert world.client.v1.invoices.pay(subscription.latest_invoice.id).status == "paid"


def test_a_stuck_draft_says_why_and_nobody_tries_it(live: Open) -> None:
    world = owing(live, STUCK)
    draft = world.client.v1.invoices.list({"status": "draft"}).data[0]
    assert draft.last_finalization_error.code == "customer_tax_location_invalid"
    assert (draft.next_payment_attempt, draft.number) == (None, None)
    assert "invoice.finalization_failed" in told(world, world.world.start_ms)
    with pytest.raises(stripe.InvalidRequestError, match="finalize it first"):
        world.client.v1.invoices.pay(draft.id)
    world.after(days=5)
    assert world.client.v1.invoices.retrieve(draft.id).status == "draft"


@pytest.mark.parametrize(("advance", "later"), [(True, "paid"), (False, "open")])
def test_a_finalized_bill_is_collected_by_itself_where_it_may(live: Open, advance: bool, later: str) -> None:
    world = owing(live, STUCK)
    draft = world.client.v1.invoices.list({"status": "draft"}).data[0]
    done = world.client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": advance})
    assert (done.status, done.last_finalization_error) == ("open", None)
    assert (done.next_payment_attempt is not None) is advance
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        world.client.v1.invoices.finalize_invoice(draft.id)
    world.after(hours=2)
    assert world.client.v1.invoices.retrieve(draft.id).status == later


@pytest.mark.parametrize(
    ("status", "count"), [("active", 38), ("all", 40), ("past_due", 2), ("canceled", 0), ("ended", 0)]
)
def test_subscriptions_are_listed_by_status(live: Open, status: str, count: int) -> None:
    world = owing(live)
    listed = world.client.v1.subscriptions.list({"status": status, "limit": 100}).data  # type: ignore[typeddict-item]
    assert len(listed) == count


def test_unknown_status_is_refused(live: Open) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid status: must be one of"):
        live(rate=0.5).client.v1.subscriptions.list({"status": "late"})  # type: ignore[typeddict-item]
