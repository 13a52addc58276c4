"""PayPal's objects as facts: states, codes, money, and how an event is read."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payops.domain.money import Money
from payops.providers.paypal import amounts, normalise, wire
from payops.providers.paypal.fields import time

from .conftest import NAME, NOW, capture, event, iso

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "paypal" / "djpaypal_webhooks"


def facts(*events: dict):
    return normalise.facts([wire.from_mapping(each, wire.Event) for each in events], NAME, "live")


def attempt(kind: str = "PAYMENT.CAPTURE.COMPLETED", **over):
    (found,) = facts(event(1, NOW, kind, capture(1, NOW, **over))).attempts
    return found


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("COMPLETED", "succeeded"),
        ("PARTIALLY_REFUNDED", "succeeded"),
        ("REFUNDED", "succeeded"),
        ("DECLINED", "failed"),
        ("FAILED", "failed"),
        ("PENDING", "pending"),
    ],
)
def test_each_status_of_a_capture_has_its_meaning(said, status) -> None:
    assert attempt(status=said).status == status


def test_a_status_nobody_knows_is_no_attempt_and_its_event_stays() -> None:
    found = facts(event(1, NOW, resource=capture(1, NOW, status="WOBBLY")))
    assert (found.attempts, len(found.events)) == ((), 1)


def test_a_declined_card_says_the_processors_code_and_that_it_is_a_card() -> None:
    found = attempt(
        "PAYMENT.CAPTURE.DECLINED",
        status="DECLINED",
        processor_response={"response_code": "5120"},
        network_transaction_reference={"network": "VISA"},
    )
    assert (found.decline_code, found.method, found.card_brand) == ("5120", "card", "visa")
    assert found.captured is None


def test_a_code_nobody_knows_is_kept_as_it_came() -> None:
    denied = attempt(status="DECLINED", processor_response={"response_code": "ZZ99"})
    assert denied.decline_code == "ZZ99"
    reason = attempt(status="DECLINED", status_details={"reason": "BUYER_COMPLAINT"})
    assert reason.decline_code == "BUYER_COMPLAINT"


def test_a_success_has_no_decline_code_whatever_the_processor_said() -> None:
    assert attempt(processor_response={"response_code": "0000"}).decline_code is None


def test_what_is_captured_of_an_authorization_is_that_same_attempt() -> None:
    link = [{"href": "https://api.paypal.com/v2/payments/authorizations/AUTH1", "rel": "self"}]
    reserved = {
        "id": "AUTH1",
        "status": "CREATED",
        "amount": {"currency_code": "EUR", "value": "19.99"},
        "create_time": iso(NOW),
        "expiration_time": iso(NOW + timedelta(days=29)),
        "links": link,
    }
    related = {"related_ids": {"order_id": "ORD1", "authorization_id": "AUTH1"}}
    taken = capture(2, NOW + timedelta(days=1), supplementary_data=related)
    first, second = facts(
        event(1, NOW, "PAYMENT.AUTHORIZATION.CREATED", reserved, resource_type="authorization"),
        event(2, NOW + timedelta(days=1), resource=taken),
    ).attempts
    assert first.attempt_id == second.attempt_id == "AUTH1"
    assert (first.captured, second.captured) == (False, True)
    assert (first.capture_before, second.capture_before) == (NOW + timedelta(days=29), None)
    assert second.changed_at > first.changed_at


def test_an_authorization_that_is_voided_is_cancelled_not_failed() -> None:
    resource = {"id": "AUTH1", "status": "VOIDED", "amount": {"currency_code": "EUR", "value": "1.00"}}
    (found,) = facts(event(1, NOW, "PAYMENT.AUTHORIZATION.VOIDED", resource)).attempts
    assert (found.status, found.captured, found.capture_before) == ("canceled", None, None)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("PAYMENT.CAPTURE.REFUNDED", "COMPLETED"),
        ("PAYMENT.REFUND.PENDING", "PENDING"),
        ("PAYMENT.REFUND.FAILED", "FAILED"),
    ],
)
def test_an_event_about_money_given_back_states_a_refund_and_no_attempt(kind, status) -> None:
    up = {"href": "https://api.paypal.com/v2/payments/captures/CAP1", "rel": "up"}
    resource = {
        "id": "REF1",
        "status": status,
        "amount": {"currency_code": "JPY", "value": "500"},
        "status_details": {"reason": "ECHECK"},
        "links": [up],
    }
    found = facts(event(1, NOW, kind, resource, resource_type="refund"))
    (refund,) = found.refunds
    assert found.attempts == ()
    assert (refund.refund_id, refund.attempt_id, refund.amount_minor, refund.status) == (
        "REF1",
        "CAP1",
        500,
        status,
    )
    assert refund.failure_reason == ("ECHECK" if status == "FAILED" else None)


def test_a_sale_of_a_subscription_is_a_renewal() -> None:
    sale = {
        "id": "SALE1",
        "state": "completed",
        "amount": {"total": "4.99", "currency": "USD"},
        "billing_agreement_id": "I-1",
        "create_time": iso(NOW),
    }
    (found,) = facts(event(1, NOW, "PAYMENT.SALE.COMPLETED", sale, resource_type="sale")).attempts
    assert (found.initiated_by, found.amount_minor, found.currency) == ("renewal", 499, "USD")


@pytest.mark.parametrize(
    ("status", "outcome", "meaning"),
    [
        ("WAITING_FOR_SELLER_RESPONSE", None, "needs_response"),
        ("WAITING_FOR_BUYER_RESPONSE", None, "under_review"),
        ("RESOLVED", "RESOLVED_SELLER_FAVOUR", "won"),
        ("RESOLVED", "RESOLVED_BUYER_FAVOUR", "lost"),
        ("RESOLVED", None, "closed"),
        ("SOMETHING_NEW", None, "under_review"),
    ],
)
def test_each_state_of_a_dispute_has_its_meaning(status, outcome, meaning) -> None:
    resource = {
        "dispute_id": "PP-1",
        "status": status,
        "dispute_amount": {"currency_code": "EUR", "value": "3.00"},
        "dispute_outcome": {"outcome_code": outcome} if outcome else None,
    }
    (found,) = facts(event(1, NOW, "CUSTOMER.DISPUTE.UPDATED", resource)).disputes
    assert found.status == meaning


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("19.99", "EUR", 1999),
        ("19.9", "EUR", 1990),
        ("19", "EUR", 1900),
        ("500", "JPY", 500),
        ("500.00", "JPY", 500),
        ("500.50", "JPY", None),
        ("1.234", "KWD", 1234),
        ("100", "HUF", 10_000),
        ("100", "TWD", 10_000),
        ("1000000000000.00", "USD", 10**14),
        ("99999999999999999", "USD", None),
        ("-5.00", "USD", -500),
        ("5.001", "USD", None),
        ("5.00", "XYZ", 500),
        ("1e3", "USD", None),
        ("NaN", "USD", None),
        ("", "USD", None),
        ("5.00", "US", None),
        ("٥.00", "USD", None),
    ],
)
def test_a_decimal_is_read_exactly_or_not_at_all(value, currency, minor) -> None:
    assert amounts.read(wire.Amount(currency_code=currency, value=value))[0] == minor


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 10**12).map(lambda n: n * 100),
    st.sampled_from(["EUR", "JPY", "KWD", "HUF", "TWD", "USD", "XYZ"]),
)
def test_an_amount_written_and_read_again_is_the_same(minor, currency) -> None:
    written = amounts.write(Money(minor, currency))
    assert amounts.read(wire.Amount(**written)) == (minor, currency)
    if currency in ("HUF", "JPY", "TWD"):
        assert "." not in written["value"]


@pytest.mark.parametrize("money", [Money(150, "HUF"), Money(1, "TWD"), Money(0, "EUR"), Money(-5, "EUR")])
def test_an_amount_paypal_does_not_have_is_refused(money) -> None:
    with pytest.raises(ValueError, match=money.currency):
        amounts.write(money)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-15T09:00:00Z", 0),
        ("2026-01-15T09:00:00.987Z", 0),
        ("2026-01-15T09:00:01+0000", 1),
        ("2026-01-15T10:00:02+01:00", 2),
        ("2026-01-15T09:00:03", 3),
    ],
)
def test_all_of_paypals_times_are_read(text, seconds) -> None:
    assert time(text) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2026-13-45T00:00:00Z", "0001-01-01T00:00:00+23:00", "9" * 99]
)
def test_what_is_no_time_is_unknown(text) -> None:
    assert time(text) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(wire.Event.__struct_fields__), _JSON),
    st.dictionaries(st.sampled_from(wire.Thing.__struct_fields__), _JSON),
    st.sampled_from(
        ["PAYMENT.CAPTURE.COMPLETED", "BILLING.SUBSCRIPTION.X", "CUSTOMER.DISPUTE.X", "PAYMENT.REFUND.X"]
    ),
)
def test_any_json_at_all_is_read_without_an_error(outer, thing, kind) -> None:
    given_event = {"id": "WH-1", "create_time": iso(NOW), **outer, "event_type": kind, "resource": thing}
    found = facts(given_event)
    assert len(found.events) + len(found.wrong_mode) <= 1


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"PayPal's samples are not at {SAMPLES}")
def test_recorded_webhooks_are_all_read() -> None:
    read = {}
    for path in sorted(SAMPLES.glob("*.json")):
        sample = wire.from_mapping(json.loads(path.read_text()), wire.Event)
        read[path.stem] = normalise.facts(
            [sample], NAME, "test" if normalise.is_other_mode(sample, "live") else "live"
        )
    assert all(len(found.events) == 1 for found in read.values())
    assert read["payment.capture.completed"].attempts[0].amount_minor == 747
    assert read["payment.capture.denied"].attempts[0].status == "failed"
    assert read["payment.capture.refunded"].refunds[0].attempt_id == "5LK72275CG489890D"
    assert read["payment.sale.completed--from-subscription"].attempts[0].initiated_by == "renewal"
    assert read["payment.sale.completed--from-subscription"].events[0].pending_webhooks == 0
    assert read["payment.authorization.created"].attempts[0].captured is False
    assert read["billing.subscription.suspended"].subscriptions[0].status == "suspended"
    assert read["customer.dispute.created"].disputes[0].attempt_id == "45V487086B989905H"
