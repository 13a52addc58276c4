"""Money held, captured, asked back and paid out at the simulated Stripe, read and moved by the real SDK."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe

from payops.simulator.objects import Charge
from payops.simulator.stripe.account import of_stripe
from payops.simulator.stripe.declines import HARD

from .conftest import Live

Open = Callable[..., Live]


def types_of(world: Live, object_id: str) -> list[str]:
    """The types of the events about an object, oldest first."""
    shapes = of_stripe(world.account).shapes
    told = (shapes.event(event) for event in world.account.events.rows[-300:])
    return [event["type"] for event in told if event["data"]["object"]["id"] == object_id]


def error_of(caught: pytest.ExceptionInfo[stripe.StripeError]) -> dict[str, object]:
    body = caught.value.json_body
    assert isinstance(body, dict)
    return dict(body["error"])


# Authorizations


def held(live: Open) -> tuple[Live, stripe.Charge]:
    world = live(faults="[{kind: authorization_expiring, provider: stripe, at: 1m}]", rate=2)
    world.after(minutes=2)
    charge = next(c for c in world.client.v1.charges.list({"limit": 100}).data if not c.captured and c.paid)
    return world, charge


def test_held_money_says_until_when(live: Open) -> None:
    world, charge = held(live)
    intent = world.client.v1.payment_intents.retrieve(charge.payment_intent)
    assert (intent.status, intent.capture_method) == ("requires_capture", "manual")
    assert (intent.amount_capturable, intent.amount_received) == (charge.amount, 0)
    assert (charge.amount_captured, charge.status) == (0, "succeeded")
    assert charge.payment_method_details.card["capture_before"] == charge.created + 12 * 3600
    assert types_of(world, intent.id) == ["payment_intent.amount_capturable_updated"]


def test_capture_takes_all_or_part_once(live: Open) -> None:
    world, charge = held(live)
    intents = world.client.v1.payment_intents
    intent = charge.payment_intent
    with pytest.raises(stripe.InvalidRequestError, match="greater than the amount capturable"):
        intents.capture(intent, {"amount_to_capture": charge.amount + 1})
    done = intents.capture(intent, {"amount_to_capture": charge.amount - 100})
    assert (done.status, done.amount_received, done.amount_capturable) == (
        "succeeded",
        charge.amount - 100,
        0,
    )
    again = world.client.v1.charges.retrieve(charge.id)
    assert (again.captured, again.amount_captured) == (True, charge.amount - 100)
    assert types_of(world, charge.id) == ["charge.succeeded", "charge.captured", "charge.updated"]
    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded") as caught:
        intents.capture(intent)
    assert error_of(caught)["code"] == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        world.client.v1.refunds.create({"charge": charge.id, "amount": charge.amount})
    assert world.client.v1.refunds.create({"charge": charge.id}).amount == charge.amount - 100


def test_held_money_is_gone_when_its_time_is_over(live: Open) -> None:
    world, charge = held(live)
    world.after(hours=12, minutes=2)
    intent = world.client.v1.payment_intents.retrieve(charge.payment_intent)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "automatic")
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        world.client.v1.payment_intents.capture(charge.payment_intent)


def test_an_event_shows_the_charge_as_it_was_before_the_capture(live: Open) -> None:
    world, charge = held(live)
    world.client.v1.payment_intents.capture(charge.payment_intent)
    event = next(e for e in world.account.events.rows if getattr(e.subject, "id", "") == charge.id)
    assert world.client.v1.events.retrieve(event.id).data.object["captured"] is False


# Confirming again


def failed(world: Live, fit: Callable[[Charge], bool]) -> Charge:
    """The newest refused charge of a purchase nobody has paid since."""
    for payment in reversed(world.account.payments.rows):
        charge = payment.charges[-1]
        if charge.decline is not None and payment.subscription is None and fit(charge):
            return charge
    raise AssertionError("no such payment in this world")


def confirm(world: Live, charge: Charge, key: str, **params: object) -> stripe.PaymentIntent:
    return world.client.v1.payment_intents.confirm(
        charge.payment.id,
        {"payment_method": charge.payment.buyer.payment_method, "off_session": True, **params},  # type: ignore[typeddict-item]
        {"idempotency_key": key},
    )


def test_a_soft_decline_may_pass_and_a_hard_one_never_does(live: Open) -> None:
    world = live(rate=20, warmup="3h", success=0.6)
    known = [
        p.charges[-1]
        for p in world.account.payments.rows
        if p.buyer.customer and p.charges[-1].decline is not None and p.subscription is None
    ]
    outcomes: dict[bool, list[bool]] = {True: [], False: []}
    for number, charge in enumerate(known[-60:]):
        assert charge.decline is not None
        hard = charge.decline.code in HARD
        try:
            assert confirm(world, charge, f"c{number}", error_on_requires_action=True).status == "succeeded"
            outcomes[hard].append(True)
        except stripe.CardError as error:
            body = error.json_body["error"]  # type: ignore[index]
            assert (error.http_status, body["type"]) == (402, "card_error")
            assert body["payment_intent"]["status"] == "requires_payment_method"
            assert body["charge"] == charge.payment.charges[-1].id == body["payment_intent"]["latest_charge"]
            outcomes[hard].append(False)
    assert outcomes[True] and not any(outcomes[True])
    assert 0.25 < sum(outcomes[False]) / len(outcomes[False]) < 0.85


def test_a_stored_decline_is_given_again_and_takes_nothing_more(live: Open) -> None:
    world = live(rate=20, success=0.6)
    charge = failed(world, lambda c: c.decline.code in HARD and c.payment.buyer.customer is not None)
    said = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            confirm(world, charge, "same")
        said.append((caught.value.code, error_of(caught)["charge"]))
    assert said[0] == said[1] and len(charge.payment.charges) >= 2
    assert [c.id for c in charge.payment.charges].index(said[0][1]) == len(charge.payment.charges) - 1


def test_what_cannot_be_confirmed_is_refused(live: Open) -> None:
    world = live(rate=20, warmup="2h", success=0.6)
    guest = failed(world, lambda c: c.payment.buyer.customer is None)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        confirm(world, guest, "1")
    known = failed(world, lambda c: c.payment.buyer.customer is not None)
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod: 'pm_no'"):
        world.client.v1.payment_intents.confirm(known.payment.id, {"payment_method": "pm_no"})
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        world.client.v1.payment_intents.confirm(known.payment.id)
    other = next(b for b in world.account.buyers if b.customer not in (None, known.payment.buyer.customer))
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        world.client.v1.payment_intents.confirm(known.payment.id, {"payment_method": other.payment_method})
    paid = next(p for p in world.account.payments.rows if p.paid)
    with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as caught:
        confirm(world, paid.charges[-1], "2")
    assert error_of(caught)["payment_intent"]["status"] == "succeeded"  # type: ignore[index]


def test_a_buyer_who_meant_to_try_again_does_not_pay_twice(live: Open) -> None:
    world = live(rate=30, success=0.5)
    world.after(minutes=5)
    confirmed = []
    for payment in world.account.payments.rows[-80:]:
        if payment.paid is None and payment.buyer.customer and payment.subscription is None:
            try:
                confirm(world, payment.charges[-1], payment.id)
                confirmed.append(payment)
            except stripe.CardError:
                continue
    assert len(confirmed) > 5
    world.after(minutes=30)
    assert all(sum(c.decline is None for c in payment.charges) == 1 for payment in confirmed)


# Refunds


@pytest.mark.parametrize(
    ("fault", "status", "field", "reason"),
    [
        ("refund_failed", "failed", "failure_reason", "declined"),
        ("refund_stuck", "pending", "pending_reason", "insufficient_funds"),
        ("refund_over_limit", "failed", "failure_reason", "unknown"),
    ],
)
def test_a_refund_says_what_is_the_matter_with_it(
    live: Open, fault: str, status: str, field: str, reason: str
) -> None:
    world = live(faults=f"[{{kind: {fault}, provider: stripe, at: 1m, count: 2}}]", rate=10)
    world.after(minutes=2)
    refunds = [
        r
        for r in world.client.v1.refunds.list({"limit": 50}).data
        if r.created >= world.world.start_ms // 1000
    ]
    assert [(r.status, r[field]) for r in refunds] == [(status, reason)] * 2
    charge = world.client.v1.charges.retrieve(refunds[0].charge)
    gone = refunds[0].amount if status == "pending" else 0
    assert charge.amount_refunded == gone
    if fault == "refund_over_limit":
        assert refunds[0].amount > charge.amount
    told = types_of(world, refunds[0].id)
    assert ("refund.failed" in told) is (status == "failed")
    assert told[0] == "refund.created"


def test_a_refund_failed_after_it_was_accepted(live: Open) -> None:
    world = live(faults="[{kind: refund_failed, provider: stripe, at: 1m, count: 1}]", rate=10)
    world.after(minutes=2)
    told = {e.type: e for e in world.client.v1.events.list({"type": "refund.*", "limit": 100}).data}
    assert told["refund.created"].data.object["status"] == "pending"
    assert "failure_reason" not in told["refund.created"].data.object
    assert told["refund.failed"].data.object["status"] == "failed"


def test_refunds_of_a_charge_carry_the_metadata_they_were_given(live: Open) -> None:
    world = live(rate=5)
    charge = next(c for c in reversed(world.account.charges.rows) if c.decline is None and not c.refunds)
    made = world.client.v1.refunds.create(
        {"charge": charge.id, "amount": 7, "metadata": {"payops_attempt": "inc-1/1"}}
    )
    found = world.client.v1.refunds.list({"charge": charge.id}).data
    assert [(r.id, r.metadata["payops_attempt"]) for r in found if r.metadata] == [(made.id, "inc-1/1")]
    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded"):
        world.client.v1.refunds.cancel(made.id)


def test_a_contested_charge_is_not_refunded(live: Open) -> None:
    world = live(faults="[{kind: dispute_opened, provider: stripe, at: 1m}]", rate=10)
    world.after(minutes=2)
    dispute = world.client.v1.disputes.list().data[0]
    with pytest.raises(stripe.InvalidRequestError, match="charged back") as caught:
        world.client.v1.refunds.create({"charge": dispute.charge})
    assert error_of(caught)["code"] == "charge_disputed"


# Disputes and payouts


def test_a_dispute_waits_for_an_answer_and_is_lost_without_one(live: Open) -> None:
    world = live(faults="[{kind: dispute_opened, provider: stripe, at: 1m}]", rate=0.5, warmup="2h")
    world.after(minutes=2)
    dispute = world.client.v1.disputes.list({"expand": ["data.charge"]}).data[0]
    assert dispute.status == "needs_response"
    assert dispute.evidence_details.due_by == dispute.created + 3 * 24 * 3600
    assert dispute.charge.disputed is True
    by_charge = world.client.v1.disputes.list({"charge": dispute.charge.id}).data
    assert [d.id for d in by_charge] == [dispute.id]
    made = next(e for e in world.account.events.rows if e.subject is world.account.disputes.rows[0].charge)
    assert world.client.v1.events.retrieve(made.id).data.object["disputed"] is False
    world.after(days=3, minutes=2)
    assert world.client.v1.disputes.retrieve(dispute.id).status == "lost"
    assert types_of(world, dispute.id)[-1] == "charge.dispute.closed"


def test_a_failed_payout_names_its_cause(live: Open) -> None:
    world = live(faults="[{kind: payout_failed, provider: stripe, at: 1m}]", rate=5)
    world.after(minutes=2)
    payout = world.client.v1.payouts.list({"status": "failed"}).data[0]
    assert (payout.failure_code, payout.failure_message) == (
        "account_closed",
        "The bank account has been closed.",
    )
    assert types_of(world, payout.id) == ["payout.created", "payout.failed"]
    assert world.client.v1.payouts.list({"status": "paid"}).data == []


# What the shop writes beside a purchase


@pytest.mark.parametrize(
    ("fault", "key", "value"),
    [("pan_in_metadata", "note", "card 4242 4242 4242 4242"), ("cvv_in_webhook", "cvv", "123")],
)
def test_card_data_stands_in_the_metadata_of_the_next_purchases(
    live: Open, fault: str, key: str, value: str
) -> None:
    world = live(faults=f"[{{kind: {fault}, provider: stripe, at: 1m, count: 2}}]", rate=10)
    world.after(minutes=5)
    for plural in (world.client.v1.charges, world.client.v1.payment_intents):
        found = [row.metadata.to_dict() for row in plural.list({"limit": 50}).data]
        assert sum(metadata.get(key) == value for metadata in found) == 2


def test_a_double_charge_has_the_order_customer_and_amount_of_the_first(live: Open) -> None:
    world = live(faults="[{kind: duplicate_charge, provider: stripe, at: 1m}]", rate=10)
    world.after(minutes=2)
    double = next(p for p in world.account.payments.rows if p.doubles)
    assert double.doubles is not None
    first, second = (world.client.v1.payment_intents.retrieve(p.id) for p in (double.doubles, double))
    for field in ("amount", "currency", "customer"):
        assert first[field] == second[field]
    assert first.metadata["order_id"] == second.metadata["order_id"]
    assert (first.status, second.status) == ("succeeded", "succeeded") and first.id != second.id
