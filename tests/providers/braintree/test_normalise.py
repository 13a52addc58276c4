"""What one transaction, subscription or dispute states, whatever its form."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payops.providers.braintree import normalise, wire

from .conftest import NOW, sale, transaction


def attempt(**fields):
    return normalise.attempt(shown(**fields), "a")


def shown(**fields):
    return wire.fields(ElementTree.fromstring(transaction(sale(1, NOW, **fields))), normalise.TRANSACTION)


def test_a_sale_is_an_attempt_with_all_that_is_told():
    found = attempt()
    assert (found.attempt_id, found.payment_id, found.order_id) == ("t000001", "order-1", "order-1")
    assert (found.amount_minor, found.currency, found.customer) == (1999, "USD", "cus1")
    assert (found.method, found.card_brand, found.country) == ("card", "amex", "DEU")
    assert (found.at, found.changed_at, found.status) == (NOW, NOW, "succeeded")
    assert found.initiated_by == "customer" and found.captured is True and found.amount_refunded_minor == 0


@pytest.mark.parametrize(
    ("status", "expected", "captured"),
    [
        ("authorizing", "pending", None),
        ("authorized", "succeeded", False),
        ("authorization_expired", "succeeded", False),
        ("submitted_for_settlement", "succeeded", True),
        ("settling", "succeeded", True),
        ("settled", "succeeded", True),
        ("settlement_confirmed", "succeeded", True),
        ("settlement_pending", "succeeded", True),
        ("settlement_declined", "succeeded", False),
        ("settlement_failed", "succeeded", False),
        ("voided", "succeeded", False),
        ("processor_declined", "failed", None),
        ("gateway_rejected", "failed", None),
        ("failed", "failed", None),
        ("a_word_of_next_year", "pending", None),
    ],
)
def test_a_past_authorization_stands_whatever_becomes_of_it(status, expected, captured):
    found = attempt(status=status)
    assert (found.status, found.captured) == (expected, captured)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("submitted_for_settlement", "pending"),
        ("settlement_pending", "pending"),
        ("settled", "succeeded"),
        ("settlement_declined", "failed"),
        ("voided", "canceled"),
    ],
)
def test_a_bank_debit_is_judged_at_its_settlement(status, expected):
    assert attempt(status=status, payment__instrument__type="us_bank_account").status == expected


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": "processor_declined", "processor__response__code": "2001"}, "2001"),
        ({"status": "processor_declined", "processor__response__code": "2999"}, "2999"),
        ({"status": "gateway_rejected", "gateway__rejection__reason": "fraud"}, "fraud"),
        ({"status": "gateway_rejected", "gateway__rejection__reason": None}, "gateway_rejected"),
        ({"status": "failed", "processor__response__code": "1000"}, None),
        ({"status": "settled", "processor__response__code": "2001"}, None),
    ],
)
def test_the_decline_code_is_the_processors_or_the_gateways_word(fields, code):
    assert attempt(**fields).decline_code == code


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1234", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("1.5", "KWD", 1500),
        ("19.99", "USD", 1999),
        ("10000000000.00", "EUR", 10**12),
        ("12.34", "JPY", None),
        ("-1.00", "USD", None),
        ("1e5", "USD", None),
        ("99999999999999999999999", "USD", None),
        ("", "USD", None),
    ],
)
def test_amounts_are_minor_units_of_their_currency_or_unknown(amount, currency, minor):
    found = attempt(amount=amount, currency__iso__code=currency)
    assert (found.amount_minor, found.currency) == (minor, currency)


@given(st.integers(0, 10**17), st.sampled_from(["JPY", "USD", "KWD"]))
@hypothesis_settings(max_examples=60, deadline=None)
def test_what_we_write_as_an_amount_is_what_we_read(amount, currency):
    assert wire.minor(wire.major(amount, currency), currency) == amount


def test_a_verification_is_no_attempt_and_a_sale_without_time_fits_no_rate():
    assert attempt(amount="0.00") is None
    assert attempt(created__at=None) is None
    assert attempt(id=None) is None


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({}, "customer"),
        ({"recurring": "true"}, "renewal"),
        ({"subscription__id": "s1", "status__history": []}, "renewal"),
        ({"subscription__id": "s1"}, "dunning"),  # asked for over the API
        ({"subscription__id": "s1", "retried__transaction__id": "t0"}, "dunning"),
    ],
)
def test_who_started_a_payment(fields, who):
    assert attempt(**fields).initiated_by == who


def test_an_authorization_says_until_when_it_can_be_captured():
    until = NOW + timedelta(days=7)
    assert attempt(status="authorized", authorization__expires__at=until.isoformat()).capture_before == until
    assert attempt(authorization__expires__at=until.isoformat()).capture_before is None


def test_refunded_is_nothing_all_or_unknown_until_read():
    assert attempt(refund__ids=["r1"]).amount_refunded_minor is None
    assert attempt(status="voided").amount_refunded_minor == 1999
    assert attempt(refund__ids=[]).amount_refunded_minor == 0


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        ("settled", "1002", None),
        ("submitted_for_settlement", "1002", None),
        ("processor_declined", "2057", "2057"),
        ("settlement_declined", "1002", "settlement_declined"),
    ],
)
def test_a_refund_fails_with_its_reason(status, code, why):
    credit = shown(
        type="credit", status=status, processor__response__code=code, refunded__transaction__id="t0"
    )
    found = normalise.refund(credit, "a")
    assert (found.status, found.failure_reason, found.attempt_id) == (status, why, "t0")


@given(
    st.dictionaries(
        st.sampled_from([*(k.replace("-", "_") for k in normalise.TRANSACTION)]),
        st.none() | st.text() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
    )
)
@hypothesis_settings(max_examples=150, deadline=None)
def test_no_form_of_a_transaction_raises(thing):
    normalise.facts([thing, {**thing, "type": "credit"}], "a")
    normalise.subscription({**thing, "status": "Active"}, "a", told_at=NOW)
    normalise.dispute({**thing, "status": "open"}, "a", told_at=NOW)
