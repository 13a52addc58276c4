"""Events as facts: what counts, what is left out, and that nothing odd can break it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.clock import from_epoch
from payops.domain.events import Facts
from payops.domain.money import Money
from payops.providers.stripe import wire
from payops.providers.stripe.normalise import facts
from payops.providers.stripe.wire import Event, from_mapping

from .conftest import T0, charge_event


def read(event: dict, mode="live") -> Facts:
    by_feed, _ = wire.page(json.dumps({"data": [event]}).encode(), Event)
    from_feed = facts(by_feed, "a", mode)
    assert from_feed == facts((from_mapping(event, Event),), "a", mode), "feed and inbox must agree"
    return from_feed


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_charge_becomes_an_attempt_and_an_event():
    event = charge_event(1, T0) | {"created": T0 + 9, "pending_webhooks": 2}
    found = read(event)
    (attempt,) = found.attempts
    assert (attempt.attempt_id, attempt.payment_id, attempt.customer) == ("ch_1", "pi_1", "cus_1")
    assert (attempt.at, attempt.changed_at) == (at(T0), at(T0 + 9))
    assert (attempt.amount_minor, attempt.currency, attempt.status) == (1999, "EUR", "succeeded")
    assert (attempt.method, attempt.card_brand, attempt.country) == ("card", "visa", "DE")
    assert attempt.decline_code is None
    (webhook,) = found.events
    assert (webhook.event_id, webhook.type, webhook.created_at) == ("evt_1", "charge.succeeded", at(T0 + 9))
    assert (webhook.object_id, webhook.amount_minor, webhook.currency) == ("ch_1", 1999, "EUR")
    assert webhook.pending_webhooks == 2 and webhook.livemode is True


@pytest.mark.parametrize(
    ("charge", "code"),
    [
        (
            {
                "outcome": {"type": "issuer_declined", "reason": "do_not_honor"},
                "failure_code": "card_declined",
            },
            "do_not_honor",
        ),
        (
            {"outcome": {"type": "issuer_declined", "reason": None}, "failure_code": "card_declined"},
            "card_declined",
        ),
        ({"outcome": None, "failure_code": "expired_card"}, "expired_card"),
        ({"outcome": {"type": "blocked", "reason": "highest_risk_level"}}, "highest_risk_level"),
        ({"outcome": {"type": "blocked", "reason": "rule"}, "failure_code": "card_declined"}, "rule"),
        ({"outcome": {"type": "blocked", "reason": None}, "failure_code": "card_declined"}, "blocked"),
        ({}, None),
    ],
)
def test_decline_code_is_the_reason_else_the_failure_code(charge, code):
    assert read(charge_event(1, T0, status="failed", **charge)).attempts[0].decline_code == code


def test_a_success_has_no_decline_code():
    event = charge_event(1, T0, outcome={"type": "manual_review", "reason": "elevated_risk_level"})
    assert read(event).attempts[0].decline_code is None


def test_refund_becomes_a_refund():
    thing = {
        "id": "re_1",
        "object": "refund",
        "created": T0,
        "amount": 500,
        "currency": "jpy",
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "charge": "ch_1",
        "payment_intent": None,
    }
    event = charge_event(1, T0) | {"type": "refund.failed", "data": {"object": thing}}
    (refund,) = read(event).refunds
    assert (refund.refund_id, refund.payment_id, refund.status) == ("re_1", "ch_1", "failed")
    assert (refund.amount_minor, refund.currency) == (500, "JPY")
    assert refund.failure_reason == "lost_or_stolen_card"


def test_a_waiting_refund_says_what_it_waits_for():
    money = {"amount": 500, "currency": "eur", "charge": "ch_1"}
    waits = other("refund", status="pending", pending_reason="insufficient_funds", **money)
    (found,) = read(waits).refunds
    assert (found.status, found.pending_reason) == ("pending", "insufficient_funds")


def test_a_refund_names_its_attempt_and_when_it_changed():
    thing = {
        "id": "re_1",
        "object": "refund",
        "created": T0,
        "amount": 5,
        "currency": "eur",
        "status": "pending",
    }
    thing |= {"charge": {"id": "ch_1"}, "payment_intent": "pi_1"}
    event = charge_event(1, T0 + 60) | {"type": "refund.updated", "data": {"object": thing}}
    (refund,) = read(event).refunds
    assert (refund.attempt_id, refund.payment_id, refund.failure_reason) == ("ch_1", "pi_1", None)
    assert (refund.at, refund.changed_at) == (at(T0), at(T0 + 60))


@pytest.mark.parametrize(
    ("charge", "captured", "before", "back"),
    [
        ({"captured": True, "amount_refunded": 0}, True, None, 0),
        ({"captured": True, "amount_refunded": 700}, True, None, 700),
        ({"captured": False, "card": {"capture_before": T0 + 500}}, False, T0 + 500, None),
        ({"captured": False, "card": {"capture_before": T0 + 500}, "amount_refunded": 1999}, False, None, 1999),
        ({"captured": False, "status": "failed"}, None, None, None),
        ({"captured": False, "status": "pending"}, None, None, None),
        ({}, None, None, None),
    ],
)  # fmt: skip
def test_what_was_taken_and_what_went_back(charge, captured, before, back):
    card = charge.pop("card", {})
    event = charge_event(1, T0, payment_method_details={"type": "card", "card": card}, **charge)
    (attempt,) = read(event).attempts
    assert attempt.captured is captured and attempt.amount_refunded_minor == back
    assert attempt.capture_before == (None if before is None else at(before))


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"description": "Subscription update"}, "renewal"),
        ({"description": "Subscription creation"}, "customer"),
        ({"description": "Order 5"}, None),
        ({"three_d_secure": {"authentication_flow": "challenge"}}, "customer"),
        ({"three_d_secure": {"authentication_flow": None}}, None),
        ({}, None),
    ],
)
def test_who_began_an_attempt_is_said_only_where_it_is_told(fields, who):
    secure = fields.pop("three_d_secure", None)
    details = {"type": "card", "card": {"three_d_secure": secure}}
    (attempt,) = read(charge_event(1, T0, payment_method_details=details, **fields)).attempts
    assert attempt.initiated_by == who


def test_the_shop_s_order_is_kept():
    (attempt,) = read(charge_event(1, T0, metadata={"order_id": "A-17", "other": "x"})).attempts
    assert attempt.order_id == "A-17"
    assert read(charge_event(1, T0, metadata={})).attempts[0].order_id is None


def failed_intent(**error) -> dict:
    thing = {
        "id": "pi_1",
        "object": "payment_intent",
        "created": T0 - 900,
        "livemode": True,
        "amount": 1999,
        "currency": "eur",
        "customer": "cus_1",
        "metadata": {"order_id": "A-1"},
        "latest_charge": "ch_earlier",
        "last_payment_error": error,
    }
    return charge_event(1, T0) | {"type": "payment_intent.payment_failed", "data": {"object": thing}}


def test_a_failed_authentication_is_an_attempt_though_it_made_no_charge():
    card = {"type": "card", "card": {"brand": "visa", "country": "DE"}}
    event = failed_intent(
        type="invalid_request_error", code="payment_intent_authentication_failure", payment_method=card
    )
    (attempt,) = read(event).attempts
    assert (attempt.attempt_id, attempt.payment_id, attempt.order_id) == ("evt_1", "pi_1", "A-1")
    assert (attempt.status, attempt.at, attempt.changed_at) == ("failed", at(T0), at(T0))
    assert attempt.decline_code == "payment_intent_authentication_failure"
    assert (attempt.method, attempt.card_brand, attempt.country) == ("card", "visa", "DE")


@pytest.mark.parametrize("charge", ["ch_1", {"id": "ch_1"}])
def test_a_failure_with_a_charge_is_counted_by_its_charge_alone(charge):
    assert (
        read(failed_intent(code="card_declined", decline_code="do_not_honor", charge=charge)).attempts == ()
    )


def test_an_intent_that_failed_without_a_reason_is_no_attempt():
    event = failed_intent()
    event["data"]["object"]["last_payment_error"] = None
    assert read(event).attempts == ()


def other(kind: str, created=T0, **fields) -> dict:
    thing = {"id": "x_1", "object": kind, "created": T0 - 99, "livemode": True, "currency": "eur", **fields}
    family = {"subscription": "customer.", "dispute": "charge."}.get(kind, "")
    return charge_event(1, created) | {"type": f"{family}{kind}.updated", "data": {"object": thing}}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "active"}, "active"),
        ({"status": "incomplete_expired"}, "expired"),
        ({"status": "unpaid"}, "unpaid"),
        ({"status": "active", "pause_collection": {"behavior": "void"}}, "paused"),
        ({"status": "canceled", "pause_collection": {"behavior": "void"}}, "canceled"),
    ],
)
def test_a_subscription_has_its_status(fields, status):
    (found,) = read(other("subscription", **fields)).subscriptions
    assert (found.subscription_id, found.status, found.changed_at) == ("x_1", status, at(T0))


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ({}, None),
        ({"customer": "cus_1"}, None),
        ({"default_payment_method": "pm_1"}, True),
        ({"default_source": {"id": "card_1"}}, True),
        ({"customer": {"id": "cus_1"}}, False),
        ({"customer": {"id": "cus_1", "default_source": "card_1"}}, True),
        ({"customer": {"id": "cus_1", "invoice_settings": {"default_payment_method": "pm_1"}}}, True),
    ],
)
def test_whether_there_is_a_method_to_charge_is_unknown_unless_told(fields, method):
    (found,) = read(other("subscription", status="active", **fields)).subscriptions
    assert found.has_payment_method is method


@pytest.mark.parametrize(
    ("bill", "owed", "failures"),
    [
        ("in_1", None, None),
        ({"id": "in_1", "status": "open", "amount_remaining": 500, "attempt_count": 3}, 500, 3),
        ({"id": "in_1", "status": "paid", "amount_remaining": 0, "attempt_count": 3}, 0, 0),
    ],
)
def test_what_a_subscription_owes_is_unknown_unless_told(bill, owed, failures):
    (found,) = read(other("subscription", status="past_due", latest_invoice=bill)).subscriptions
    assert (found.outstanding_minor, found.failed_payments) == (owed, failures)


def test_a_subscription_owes_since_its_unpaid_bill_was_made():
    open_bill = {"id": "in_1", "status": "open", "amount_remaining": 500, "created": T0 - 600}
    (found,) = read(other("subscription", status="past_due", latest_invoice=open_bill)).subscriptions
    assert found.owing_since == from_epoch(T0 - 600)
    paid = {**open_bill, "status": "paid", "amount_remaining": 0}
    (found,) = read(other("subscription", status="active", latest_invoice=paid)).subscriptions
    assert found.owing_since is None


def test_a_subscription_without_a_fixed_price_has_no_amount():
    items = {"data": [{"price": {"unit_amount": 100}}, {"price": {"unit_amount": None}}]}
    (found,) = read(other("subscription", status="active", items=items)).subscriptions
    assert found.amount_minor is None


@pytest.mark.parametrize("field", ["cancel_at", "cancel_at_period_end"])
def test_a_subscription_that_is_to_end_says_so(field):
    value = T0 + 5 if field == "cancel_at" else True
    (found,) = read(other("subscription", status="active", **{field: value})).subscriptions
    assert found.cancel_at_period_end is True


@pytest.mark.parametrize(
    "belongs",
    [{"parent": {"subscription_details": {"subscription": "sub_1"}}}, {"subscription": "sub_1"}],
    ids=["now", "before 2025-03-31.basil"],
)
def test_an_invoice_says_what_it_asks_and_whether_it_is_asked_again(belongs):
    event = other(
        "invoice",
        status="open",
        amount_due=900,
        amount_remaining=400,
        attempt_count=2,
        next_payment_attempt=None,
        last_finalization_error={"type": "invalid_request_error", "code": "tax_missing"},
        **belongs,
    )
    (found,) = read(event).invoices
    assert (found.invoice_id, found.status, found.amount_due_minor) == ("x_1", "open", 400)
    assert (found.attempt_count, found.next_attempt_at, found.finalization_error) == (2, None, "tax_missing")
    assert found.subscription_id == "sub_1"


@pytest.mark.parametrize(
    ("said", "status"),
    [("warning_needs_response", "needs_response"), ("under_review", "under_review"), ("lost", "lost")],
)
def test_a_dispute_says_until_when_to_reply(said, status):
    event = other(
        "dispute",
        status=said,
        amount=700,
        charge="ch_1",
        reason="fraudulent",
        evidence_details={"due_by": T0 + 99},
    )
    (found,) = read(event).disputes
    assert (found.dispute_id, found.attempt_id, found.status) == ("x_1", "ch_1", status)
    assert (found.reply_by, found.reason, found.amount_minor) == (at(T0 + 99), "fraudulent", 700)


def test_a_payout_says_why_it_failed():
    event = other("payout", status="failed", amount=700, failure_code="account_closed", arrival_date=T0 + 9)
    (found,) = read(event).payouts
    assert (found.payout_id, found.status, found.failure_code) == ("x_1", "failed", "account_closed")
    assert found.arrives_at == at(T0 + 9)


@pytest.mark.parametrize("kind", ["subscription", "invoice", "dispute", "payout", "charge"])
def test_a_state_nobody_knows_teaches_nothing_but_its_event(kind):
    found = read(other(kind, status="of 2030", amount=5, amount_due=5))
    assert len(found.events) == 1
    assert Facts(events=found.events) == found


@pytest.mark.parametrize("kind", ["payment_intent.succeeded", "new.thing.of.2030"])
def test_other_objects_are_events_only(kind):
    event = charge_event(1, T0) | {
        "type": kind,
        "data": {"object": {"id": "x_1", "object": "x", "amount": 5}},
    }
    found = read(event)
    assert (found.attempts, found.refunds, len(found.events)) == ((), (), 1)


def test_expanded_references_are_ids():
    event = charge_event(1, T0, customer={"id": "cus_7"}, payment_intent={"id": "pi_7", "amount": 3})
    (attempt,) = read(event).attempts
    assert (attempt.customer, attempt.payment_id) == ("cus_7", "pi_7")


@pytest.mark.parametrize("amount", [1, 10**12, 2**63 - 1])
@pytest.mark.parametrize("currency", ["eur", "jpy", "kwd", "clp", "xyz"])
def test_any_amount_in_any_currency_is_money(amount, currency):
    (attempt,) = read(charge_event(1, T0, amount=amount, currency=currency)).attempts
    assert Money(attempt.amount_minor, attempt.currency) == Money(amount, currency.upper())


@pytest.mark.parametrize("amount", [-1, 2**63, 10**400, 1.5, "12", None, True, []])
def test_an_amount_that_is_none_is_unknown(amount):
    (attempt,) = read(charge_event(1, T0, amount=amount)).attempts
    assert attempt.amount_minor is None


@pytest.mark.parametrize("currency", ["", "e", "euro", "e1r", "éur", 5, None, "ﬀﬀﬀ"])
def test_a_currency_that_is_none_is_unknown(currency):
    assert read(charge_event(1, T0, currency=currency)).attempts[0].currency is None


def test_verification_of_a_card_is_no_attempt():
    assert read(charge_event(1, T0, amount=0)).attempts == ()


@pytest.mark.parametrize("mode", ["live", "test"])
@pytest.mark.parametrize("place", ["event", "object"])
def test_other_mode_teaches_nothing_but_itself(mode, place):
    event = charge_event(1, T0, livemode=mode == "live")
    if place == "event":
        event["livemode"] = mode != "live"
    else:
        event["data"]["object"]["livemode"] = mode != "live"
    found = read(event, mode)
    assert (found.attempts, found.refunds, found.events, len(found.wrong_mode)) == ((), (), (), 1)


def test_unknown_mode_enters_no_rate():
    event = charge_event(1, T0)
    del event["livemode"]
    found = read(event)
    assert (found.attempts, len(found.events)) == ((), 1)


@pytest.mark.parametrize("missing", ["id", "type", "created"])
def test_an_event_that_cannot_be_kept_is_left_out(missing):
    event = charge_event(1, T0)
    del event[missing]
    assert read(event) == Facts()


@pytest.mark.parametrize("created", [0, -5, 10**15, "now", None, True])
def test_a_time_that_is_none_is_not_believed(created):
    assert read(charge_event(1, T0) | {"created": created}).events == ()
    event = charge_event(1, T0)
    event["data"]["object"]["created"] = created
    assert read(event).attempts[0].at == at(T0)


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
places = st.sampled_from(
    [("id",), ("type",), ("created",), ("livemode",), ("pending_webhooks",), ("data",), ("data", "object")]
    + [("data", "object", name) for name in charge_event(1, T0)["data"]["object"]]
    + [("data", "object", "payment_method_details", "card"), ("data", "object", "outcome")]
    + [("data", "object", name) for name in ("metadata", "items", "latest_invoice", "parent", "description")]
)


@settings(max_examples=200, deadline=None)
@given(place=places, value=junk)
def test_no_value_anywhere_breaks_reading(place, value):
    event = charge_event(1, T0)
    target = event
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    found = read(event)
    for attempt in found.attempts:
        assert attempt.amount_minor is None or 0 < attempt.amount_minor < 2**63
        if attempt.amount_minor and attempt.currency:
            Money(attempt.amount_minor, attempt.currency)
