"""Writes with their keys and bodies, refusals in their buckets, and the read-backs that say what they did."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from payops.domain.errors import NotPossible, ProviderError
from payops.domain.money import Money

from .conftest import NOW, capture, error, event, iso, listing, reply

REF = {"currency_code": "EUR", "value": "5.00"}


def refund(n: int, of: str, **over) -> dict:
    up = {"href": f"https://api.paypal.com/v2/payments/captures/{of}", "rel": "up"}
    return {
        "id": f"REF{n}",
        "status": "COMPLETED",
        "amount": REF,
        "create_time": iso(NOW),
        "links": [up],
        **over,
    }


def by_path(table: dict):
    return lambda request: table.get(f"{request.method} {request.path}", error(404, "RESOURCE_NOT_FOUND"))


def test_a_refund_carries_its_key_its_reference_and_its_amount(paypal, opened) -> None:
    paypal.answer = by_path(
        {
            "GET /v2/payments/captures/CAP1": reply(capture(1, NOW)),
            "POST /v2/payments/captures/CAP1/refund": reply(refund(1, "CAP1"), 201),
        }
    )
    answer = opened().refund("CAP1", Money(500, "EUR"), "payops-1", "key-1", NOW)
    assert (answer.object_id, answer.request_ids) == ("REF1", ("dbg1",))
    asked = paypal.asked[-1]
    assert asked.headers["paypal-request-id"] == "key-1"
    assert json.loads(asked.body) == {"custom_id": "payops-1", "amount": REF}


def test_a_refund_of_all_that_is_left_states_no_amount(paypal, opened) -> None:
    paypal.answer = by_path(
        {
            "GET /v2/payments/captures/CAP1": reply(capture(1, NOW)),
            "POST /v2/payments/captures/CAP1/refund": reply(refund(1, "CAP1"), 201),
        }
    )
    opened().refund("CAP1", None, "payops-1", "key-1", NOW)
    assert json.loads(paypal.asked[-1].body) == {"custom_id": "payops-1"}


def test_what_paypal_refuses_is_a_definite_rejection_with_its_issue(paypal, opened) -> None:
    paypal.answer = by_path(
        {
            "GET /v2/payments/captures/CAP1": reply(capture(1, NOW)),
            "POST /v2/payments/captures/CAP1/refund": error(
                422, "UNPROCESSABLE_ENTITY", "PAYEE_ACCOUNT_RESTRICTED"
            ),
        }
    )
    with pytest.raises(ProviderError) as caught:
        opened().refund("CAP1", None, "payops-1", "key-1", NOW)
    assert (caught.value.bucket, caught.value.code) == ("invalid_request", "PAYEE_ACCOUNT_RESTRICTED")


@pytest.mark.parametrize(
    ("made", "bucket"),
    [
        ({"id": "R1", "status": "FAILED"}, "card"),
        ({"id": "R1", "status": "CANCELLED"}, "card"),
        ({}, "outage"),
    ],
)
def test_a_refund_that_failed_or_is_not_named_is_not_taken_as_done(paypal, opened, made, bucket) -> None:
    paypal.answer = by_path({**things(), "POST /v2/payments/captures/CAP1/refund": reply(made, 201)})
    with pytest.raises(ProviderError) as caught:
        opened().refund("CAP1", None, "payops-1", "key-1", NOW)
    assert caught.value.bucket == bucket


@pytest.mark.parametrize(
    ("amount", "reference"),
    [(Money(150, "HUF"), "ok"), (Money(0, "EUR"), "ok"), (None, "not ok!"), (None, "")],
)
def test_what_paypal_could_not_take_is_never_sent(paypal, opened, amount, reference) -> None:
    with pytest.raises(ProviderError) as caught:
        opened().refund("CAP1", amount, reference, "key-1", NOW)
    assert caught.value.bucket == "invalid_request"
    assert paypal.asked == []


def agreement(currency: str = "EUR", **over) -> dict:
    owed = {"outstanding_balance": {"currency_code": currency, "value": "5.00"}}
    made = {"id": "I-1", "status": "ACTIVE", "create_time": iso(NOW), "update_time": iso(NOW)}
    return {**made, "billing_info": owed, **over}


MOVES = {
    "refund": lambda p, money: p.refund("CAP1", money, "payops-1", "k", NOW),
    "capture": lambda p, money: p.capture("AUTH1", money, "k", NOW),
    "collect": lambda p, money: p.collect("I-1", money, "payops-1", "k", NOW),
}


def things(**over) -> dict:
    return {
        "GET /v2/payments/captures/CAP1": reply(capture(1, NOW, **over)),
        "GET /v2/payments/authorizations/AUTH1": reply({**authorization(), **over}),
        "GET /v1/billing/subscriptions/I-1": reply(agreement(**over)),
    }


def written(paypal) -> list[str]:
    return [each.path for each in paypal.asked if each.method != "GET" and "oauth2" not in each.path]


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize(
    "money", [Money(500, "USD"), Money(500, "JPY"), Money(0, "EUR"), Money(-1, "EUR")], ids=str
)
def test_money_of_another_currency_or_none_is_never_sent(paypal, opened, move, money) -> None:
    paypal.answer = by_path(things())
    with pytest.raises(ProviderError) as caught:
        move(opened(), money)
    assert caught.value.bucket == "invalid_request" and written(paypal) == []


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize(
    "over",
    [{"links": [{"href": "https://api.sandbox.paypal.com/v2/x", "rel": "self"}]}, {"id": "OTHER"}],
    ids=["other mode", "other object"],
)
def test_no_money_moves_of_an_object_that_is_not_ours(paypal, opened, move, over) -> None:
    paypal.answer = by_path(things(**over))
    with pytest.raises(ProviderError):
        move(opened(), Money(500, "EUR"))
    assert written(paypal) == []


def test_refunds_of_a_capture_are_read_from_its_order(paypal, opened) -> None:
    units = [
        {
            "payments": {
                "captures": [capture(1, NOW), capture(2, NOW)],
                "refunds": [refund(1, "CAP1", custom_id="payops-1"), refund(2, "CAP2"), refund(3, "CAP1")],
            }
        }
    ]
    paypal.answer = by_path(
        {
            "GET /v2/payments/captures/CAP1": reply(capture(1, NOW)),
            "GET /v2/checkout/orders/ORD1": reply({"id": "ORD1", "purchase_units": units}),
        }
    )
    found = opened().refunds_of("CAP1", NOW)
    assert [(each.refund_id, reference) for each, reference in found] == [
        ("REF1", "payops-1"),
        ("REF3", None),
    ]


def test_without_an_order_refunds_are_found_in_the_events_about_them(paypal, opened) -> None:
    events = listing(
        [
            event(
                1, NOW, "PAYMENT.REFUND.PENDING", refund(1, "CAP1", status="PENDING", custom_id="payops-1")
            ),
            event(2, NOW, "PAYMENT.CAPTURE.REFUNDED", refund(1, "CAP1", custom_id="payops-1")),
            event(3, NOW, "PAYMENT.CAPTURE.REFUNDED", refund(9, "CAP9")),
        ]
    )
    lonely = reply(capture(1, NOW, supplementary_data=None))

    def answer(request):
        return lonely if request.path.endswith("/CAP1") else events(request)

    paypal.answer = answer
    (found,) = opened().refunds_of("CAP1", NOW)
    assert (found[0].refund_id, found[1]) == ("REF1", "payops-1")


def test_a_sum_of_refunds_is_never_told_with_one_left_out(paypal, opened) -> None:
    part = capture(1, NOW, status="PARTIALLY_REFUNDED")
    order = {
        "id": "ORD1",
        "purchase_units": [
            {
                "payments": {
                    "captures": [part],
                    "refunds": [refund(1, "CAP1"), refund(2, "CAP1", amount={"value": "x"})],
                }
            }
        ],
    }
    paypal.answer = by_path(
        {"GET /v2/payments/captures/CAP1": reply(part), "GET /v2/checkout/orders/ORD1": reply(order)}
    )
    for read in (lambda p: p.refunds_of("CAP1", NOW), lambda p: p.attempt("CAP1", NOW)):
        with pytest.raises(ProviderError, match="no refund"):
            read(opened())


def test_events_about_refunds_that_do_not_end_are_no_answer(paypal, opened) -> None:
    lonely = reply(capture(1, NOW, supplementary_data=None))
    rows = [event(n, NOW, "PAYMENT.CAPTURE.REFUNDED", refund(n, "CAP9")) for n in range(300 * 25)]
    events = listing(rows)
    paypal.answer = lambda request: lonely if request.path.endswith("/CAP1") else events(request)
    with pytest.raises(ProviderError, match="does not end"):
        opened().refunds_of("CAP1", NOW)


@pytest.mark.parametrize("status", ["PARTIALLY_REFUNDED", "REFUNDED"])
def test_refunds_older_than_the_events_are_not_summed(paypal, opened, status) -> None:
    old = capture(1, NOW - timedelta(days=40), supplementary_data=None, status=status)
    events = listing([event(1, NOW, "PAYMENT.CAPTURE.REFUNDED", refund(1, "CAP1"))])
    paypal.answer = lambda request: reply(old) if request.path.endswith("/CAP1") else events(request)
    with pytest.raises(ProviderError, match="30 days"):
        opened().refunds_of("CAP1", NOW)
    told = opened().attempt("CAP1", NOW).amount_refunded_minor
    assert told == (None if status == "PARTIALLY_REFUNDED" else 1999)


def test_an_attempt_that_is_refunded_in_part_says_how_much(paypal, opened) -> None:
    part = capture(1, NOW, status="PARTIALLY_REFUNDED")
    refunds = [refund(1, "CAP1"), refund(2, "CAP1", status="FAILED"), refund(3, "CAP1", status="PENDING")]
    order = {"id": "ORD1", "purchase_units": [{"payments": {"captures": [part], "refunds": refunds}}]}
    paypal.answer = by_path(
        {"GET /v2/payments/captures/CAP1": reply(part), "GET /v2/checkout/orders/ORD1": reply(order)}
    )
    assert opened().attempt("CAP1", NOW).amount_refunded_minor == 1000


def authorization(status: str = "CREATED") -> dict:
    return {
        "id": "AUTH1",
        "status": status,
        "amount": REF,
        "create_time": iso(NOW),
        "supplementary_data": {"related_ids": {"order_id": "ORD1"}},
    }


def test_an_authorization_is_read_and_captured_by_its_own_id(paypal, opened) -> None:
    paypal.answer = by_path(
        {
            "GET /v2/payments/authorizations/AUTH1": reply(authorization()),
            "POST /v2/payments/authorizations/AUTH1/capture": reply(capture(5, NOW), 201),
        }
    )
    provider = opened()
    found = provider.attempt("AUTH1", NOW)
    assert (found.attempt_id, found.captured) == ("AUTH1", False)
    answer = provider.capture("AUTH1", Money(500, "EUR"), "key-2", NOW)
    assert answer.object_id == "CAP5"
    assert json.loads(paypal.asked[-1].body) == {"final_capture": True, "amount": REF}


def test_a_201_that_is_a_decline_is_a_refusal(paypal, opened) -> None:
    declined = reply(capture(5, NOW, status="DECLINED"), 201)
    paypal.answer = by_path({**things(), "POST /v2/payments/authorizations/AUTH1/capture": declined})
    with pytest.raises(ProviderError) as caught:
        opened().capture("AUTH1", None, "key-2", NOW)
    assert caught.value.bucket == "card"


def test_what_was_taken_of_an_authorization_is_refunded_by_its_capture(paypal, opened) -> None:
    related = {"related_ids": {"order_id": "ORD1", "authorization_id": "AUTH1"}}
    taken = capture(5, NOW, supplementary_data=related)
    order = {
        "id": "ORD1",
        "purchase_units": [{"payments": {"captures": [taken], "refunds": [refund(1, "CAP5")]}}],
    }
    paypal.answer = by_path(
        {
            "GET /v2/payments/authorizations/AUTH1": reply(authorization("CAPTURED")),
            "GET /v2/checkout/orders/ORD1": reply(order),
            "POST /v2/payments/captures/CAP5/refund": reply(refund(1, "CAP5"), 201),
        }
    )
    provider = opened()
    assert provider.refund("AUTH1", None, "payops-1", "key-1", NOW).object_id == "REF1"
    assert [each.refund_id for each, _ in provider.refunds_of("AUTH1", NOW)] == ["REF1"]


def test_what_a_subscription_owes_is_asked_for_once_by_its_key(paypal, opened) -> None:
    paypal.answer = by_path({**things(), "POST /v1/billing/subscriptions/I-1/capture": reply(b"", 202)})
    answer = opened().collect("I-1", Money(500, "EUR"), "payops-1", "key-3", NOW)
    assert answer.request_ids == ("dbg1",)
    assert paypal.asked[-1].headers["paypal-request-id"] == "key-3"
    assert json.loads(paypal.asked[-1].body) == {
        "note": "payops-1",
        "capture_type": "OUTSTANDING_BALANCE",
        "amount": REF,
    }


def test_a_webhook_is_changed_by_replacing_what_was_given(paypal, opened) -> None:
    paypal.answer = by_path({"PATCH /v1/notifications/webhooks/WH1": reply({"id": "WH1"})})
    provider = opened()
    provider.change_endpoint("WH1", "key-4", NOW, event_types=("A", "B"))
    assert json.loads(paypal.asked[-1].body) == [
        {"op": "replace", "path": "/event_types", "value": [{"name": "A"}, {"name": "B"}]}
    ]
    provider.change_endpoint("WH1", "key-5", NOW, url="https://shop/hook")
    assert json.loads(paypal.asked[-1].body) == [
        {"op": "replace", "path": "/url", "value": "https://shop/hook"}
    ]


def test_an_event_is_sent_again_to_one_webhook_only(paypal, opened) -> None:
    paypal.answer = by_path({"POST /v1/notifications/webhooks-events/WH-1/resend": reply(event(1, NOW), 202)})
    opened().resend_event("WH-1", "8AB1", "key-6", NOW)
    assert json.loads(paypal.asked[-1].body) == {"webhook_ids": ["8AB1"]}


@pytest.mark.parametrize("bad", ["", "a/b", "../x", "a?b", "a b", "x" * 65, "a\\g<0>"])
def test_an_id_that_could_lead_elsewhere_is_never_sent(paypal, opened, bad) -> None:
    provider = opened()
    for ask in (
        lambda: provider.attempt(bad, NOW),
        lambda: provider.subscription(bad, NOW),
        lambda: provider.endpoint(bad, NOW),
        lambda: provider.resend_event(bad, "8AB1", "k", NOW),
    ):
        with pytest.raises(ProviderError) as caught:
            ask()
        assert caught.value.bucket == "invalid_request"
    assert paypal.asked == []


def test_what_paypal_has_no_call_for_is_refused_with_its_reason(opened) -> None:
    provider = opened()
    with pytest.raises(NotPossible, match="no on and off"):
        provider.enable_endpoint("WH1", "k", NOW)
    with pytest.raises(NotPossible, match="without invoices"):
        provider.finalize_invoice("IN1", "k", NOW)
    with pytest.raises(NotPossible, match="only the customer"):
        provider.use_payment_method("I-1", "pm", "k", NOW)
