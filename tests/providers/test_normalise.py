"""Events as facts: what counts, what is left out, and that nothing odd can break it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("kind", ["charge.dispute.created", "payment_intent.succeeded", "new.thing.of.2030"])
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
