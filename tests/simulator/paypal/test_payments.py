"""Captures, refunds, authorizations and orders, and which refusals leave a trace."""

from __future__ import annotations

from datetime import timedelta

import pytest
from paypalrestsdk.exceptions import ResourceInvalid, ResourceNotFound

KEY = {"PayPal-Request-Id": "payops-1"}
WHOLE = {"Prefer": "return=representation"}


def refund(live, capture, body=None, **headers):
    return live.api.post(f"v2/payments/captures/{capture}/refund", body or {}, headers={**WHOLE, **headers})


def test_wallet_refusal_leaves_neither_capture_nor_event(shop):
    live = shop(success=0.6)
    live.after(minutes=30)
    account = live.account
    hidden = [c for c in account.charges.rows if c.decline and not account.by_card(c.payment.buyer)]
    assert len(hidden) > 50
    with pytest.raises(ResourceNotFound):
        live.api.get(f"v2/payments/captures/{hidden[-1].id}")
    seen = {event["resource"]["id"] for event in live.events()}
    assert not seen & {charge.id for charge in hidden}
    order = live.api.get(f"v2/checkout/orders/{hidden[-1].payment.id}")
    assert order["status"] in ("APPROVED", "COMPLETED")


def test_card_refusal_leaves_a_capture_with_the_processors_code_and_an_event(shop):
    live = shop(success=0.6)
    account = live.account
    by_status = {"PAYMENT.CAPTURE.DECLINED": "DECLINED", "PAYMENT.CAPTURE.DENIED": "FAILED"}
    for event_type, status in by_status.items():
        event = live.newest(event_type)
        capture = live.api.get(f"v2/payments/captures/{event['resource']['id']}")
        assert capture["status"] == event["resource"]["status"] == status
        code = capture["processor_response"]["response_code"]
        assert code == account.charges.get(capture["id"]).decline.code
        order_id = capture["supplementary_data"]["related_ids"]["order_id"]
        order = live.api.get(f"v2/checkout/orders/{order_id}")
        assert "card" in order["payment_source"]


def test_about_a_third_of_the_buyers_pay_by_card(shop):
    live = shop(rate=1)
    cards = sum(live.account.by_card(buyer) for buyer in live.account.buyers)
    assert 0.28 < cards / len(live.account.buyers) < 0.42


def test_full_refund_is_made_once_per_request_id(shop):
    live = shop()
    capture = live.capture_id()
    first = refund(live, capture, **KEY)
    again = refund(live, capture, **KEY)
    assert first == again
    assert first["status"] == "COMPLETED"
    assert first["amount"] == live.api.get(f"v2/payments/captures/{capture}")["amount"]
    assert live.api.get(f"v2/payments/captures/{capture}")["status"] == "REFUNDED"
    assert live.api.get(f"v2/payments/refunds/{first['id']}") == first
    live.after(seconds=10)
    assert live.newest("PAYMENT.CAPTURE.REFUNDED")["resource"]["id"] == first["id"]


def test_request_id_is_kept_for_45_days(shop, refused):
    live = shop(rate=0.02, warmup="6h", seed=4)
    capture = live.capture_id()
    first = refund(live, capture, **KEY)
    live.after(days=44.9)
    assert refund(live, capture, **KEY) == first
    live.after(days=45.1)
    with pytest.raises(ResourceInvalid) as caught:
        refund(live, capture, **KEY)
    assert refused(caught.value)[2] == "CAPTURE_FULLY_REFUNDED"


def test_without_preference_a_write_answers_with_id_status_and_links_only(shop):
    live = shop()
    made = live.api.post(f"v2/payments/captures/{live.capture_id()}/refund", {})
    assert set(made) == {"id", "status", "links"}


def test_partial_refunds_add_up_and_keep_what_was_written_on_them(shop, refused):
    live = shop()
    capture = live.capture_id()
    amount = live.api.get(f"v2/payments/captures/{capture}")["amount"]
    one = {"currency_code": amount["currency_code"], "value": "1"}
    made = refund(live, capture, {"amount": one, "custom_id": "payops-7", "invoice_id": "r-1"})
    assert (made["custom_id"], made["invoice_id"]) == ("payops-7", "r-1")
    assert live.api.get(f"v2/payments/captures/{capture}")["status"] == "PARTIALLY_REFUNDED"
    with pytest.raises(ResourceInvalid) as caught:
        refund(live, capture, {"amount": amount})
    assert refused(caught.value) == (422, "UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED")


@pytest.mark.parametrize(
    ("value", "currency", "status", "issue"),
    [
        ("0", "USD", 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        ("-1.00", "USD", 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        ("1.005", "USD", 422, "DECIMAL_PRECISION"),
        ("1.00", "KWD", 422, "REFUND_CAPTURE_CURRENCY_MISMATCH"),
        ("1e3", "USD", 400, "INVALID_PARAMETER_SYNTAX"),
        ("1,00", "USD", 400, "INVALID_PARAMETER_SYNTAX"),
        (1, "USD", 400, "INVALID_PARAMETER_SYNTAX"),
        ("1.00", "usd", 400, "INVALID_PARAMETER_SYNTAX"),
    ],
)
def test_amount_that_cannot_be_is_refused(shop, value, currency, status, issue):
    live = shop(rate=3)
    account = live.account
    capture = next(
        c.id
        for c in reversed(account.charges.rows)
        if c.decline is None and account.shows_capture(c) and c.payment.buyer.currency == "usd"
    )
    answer = live.raw(
        "POST",
        f"/v2/payments/captures/{capture}/refund",
        json={"amount": {"value": value, "currency_code": currency}},
    )
    assert (answer.status_code, answer.json()["details"][0]["issue"]) == (status, issue)


def test_yen_have_no_decimals(shop):
    live = shop(rate=12)
    account = live.account
    capture = next(
        c.id
        for c in account.charges.rows
        if c.decline is None and account.shows_capture(c) and c.payment.buyer.currency == "jpy"
    )
    assert "." not in live.api.get(f"v2/payments/captures/{capture}")["amount"]["value"]
    answer = live.raw(
        "POST",
        f"/v2/payments/captures/{capture}/refund",
        json={"amount": {"value": "10.5", "currency_code": "JPY"}},
    )
    assert answer.json()["details"][0]["issue"] == "DECIMALS_NOT_SUPPORTED"


def test_what_cannot_be_refunded_says_why(shop, refused):
    live = shop(success=0.7, faults="[{kind: dispute_opened, provider: paypal, at: 1m}]")
    live.after(minutes=2)

    def issue(capture: str) -> str | None:
        with pytest.raises(ResourceInvalid) as caught:
            refund(live, capture)
        return refused(caught.value)[2]

    assert issue(live.account.disputes.rows[0].charge.id) == "TRANSACTION_DISPUTED"
    assert issue(live.newest("PAYMENT.CAPTURE.DECLINED")["resource"]["id"]) == "REFUND_NOT_ALLOWED"
    old = live.capture_id()
    for currency in live.account.taken:
        live.account.taken[currency] = 0
    assert issue(old) == "REFUND_FAILED_INSUFFICIENT_FUNDS"


def test_refund_is_too_late_after_180_days(shop, refused):
    live = shop(rate=0.01, warmup="10h", seed=4)
    capture = live.capture_id()
    live.after(days=181)
    with pytest.raises(ResourceInvalid) as caught:
        refund(live, capture)
    assert refused(caught.value)[2] == "REFUND_TIME_LIMIT_EXCEEDED"


EXPIRING = "[{kind: authorization_expiring, provider: paypal, at: 1m}]"


def test_authorization_says_when_it_ends_and_is_captured_once(shop, refused):
    live = shop(rate=2, faults=EXPIRING)
    live.after(minutes=2)
    event = live.newest("PAYMENT.AUTHORIZATION.CREATED")
    path = f"v2/payments/authorizations/{event['resource']['id']}"
    before = live.api.get(path)
    assert (before["status"], before["expiration_time"]) == ("CREATED", "2026-01-15T21:01:00Z")
    made = live.api.post(f"{path}/capture", {"final_capture": True}, headers={**KEY, **WHOLE})
    assert live.api.post(f"{path}/capture", {"final_capture": True}, headers={**KEY, **WHOLE}) == made
    assert (made["status"], made["amount"]) == ("COMPLETED", before["amount"])
    assert made["id"] != before["id"]
    assert made["supplementary_data"]["related_ids"]["authorization_id"] == before["id"]
    assert live.api.get(path)["status"] == "CAPTURED"
    assert live.api.get(f"v2/payments/captures/{made['id']}") == made
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(f"{path}/capture", {})
    assert refused(caught.value)[2] == "AUTHORIZATION_ALREADY_CAPTURED"
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(f"{path}/void", {})
    assert refused(caught.value)[2] == "PREVIOUSLY_CAPTURED"
    order = live.api.get(f"v2/checkout/orders/{made['supplementary_data']['related_ids']['order_id']}")
    (unit,) = order["purchase_units"]
    assert [each["id"] for each in unit["payments"]["captures"]] == [made["id"]]


def test_part_of_an_authorization_can_be_taken_and_no_more_is_refunded(shop, refused):
    live = shop(rate=2, faults=EXPIRING)
    live.after(minutes=2)
    made = live.newest("PAYMENT.AUTHORIZATION.CREATED")["resource"]
    part = {"value": "3", "currency_code": made["amount"]["currency_code"]}
    more = {**part, "value": "30000000"}
    path = f"v2/payments/authorizations/{made['id']}/capture"
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(path, {"amount": more})
    assert refused(caught.value)[2] == "MAX_CAPTURE_AMOUNT_EXCEEDED"
    taken = live.api.post(path, {"amount": part}, headers=WHOLE)
    assert refund(live, taken["id"])["amount"] == taken["amount"]


def test_authorization_ends_by_itself(shop, refused):
    live = shop(rate=0.5, faults=EXPIRING)
    live.after(minutes=2)
    path = f"v2/payments/authorizations/{live.newest('PAYMENT.AUTHORIZATION.CREATED')['resource']['id']}"
    live.after(hours=13)
    assert live.api.get(path)["status"] == "VOIDED"
    with pytest.raises(ResourceInvalid) as caught:
        live.client(live.stored).post(f"{path}/capture", {})
    assert refused(caught.value)[2] == "AUTHORIZATION_EXPIRED"
    assert "PAYMENT.AUTHORIZATION.VOIDED" in live.kinds()


def test_authorization_can_be_given_up_and_reserved_anew_only_later(shop, refused):
    live = shop(rate=0.5, faults=EXPIRING)
    live.after(minutes=2)
    made = live.newest("PAYMENT.AUTHORIZATION.CREATED")["resource"]
    path = f"v2/payments/authorizations/{made['id']}"
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(f"{path}/reauthorize", {"amount": made["amount"]})
    assert refused(caught.value)[2] == "REAUTHORIZATION_NOT_SUPPORTED"
    live.account.charges.get(made["id"]).expires_ms += int(timedelta(days=20).total_seconds() * 1000)
    live.after(days=4)
    client = live.client(live.stored)
    again = client.post(f"{path}/reauthorize", {"amount": made["amount"]}, headers=WHOLE)
    assert (again["status"], again["id"] != made["id"]) == ("CREATED", True)
    assert client.get(path)["status"] == "VOIDED"
    answer = live.client(live.stored).post(f"v2/payments/authorizations/{again['id']}/void", {})
    assert answer == {}


def test_approved_order_is_captured_once(shop, refused):
    live = shop(rate=1)
    account = live.account
    buyer = next(each for each in account.buyers if not account.by_card(each))
    payment = account.intend(live.world.now_ms, buyer, 2_500)
    path = f"v2/checkout/orders/{payment.id}"
    assert live.api.get(path)["status"] == "APPROVED"
    made = live.api.post(f"{path}/capture", {}, headers={**KEY, **WHOLE})
    assert made["status"] == "COMPLETED"
    assert live.api.get(path) == made == live.api.post(f"{path}/capture", {}, headers={**KEY, **WHOLE})
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(f"{path}/capture", {})
    assert refused(caught.value)[2] == "ORDER_ALREADY_CAPTURED"


def test_order_whose_wallet_refused_is_approved_and_refuses_again(shop, refused):
    live = shop(success=0.5)
    account = live.account
    stuck = next(
        p
        for p in account.payments.rows
        if not account.by_card(p.buyer) and not p.paid and p.charges[-1].decline.code == "0500"
    )
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(f"v2/checkout/orders/{stuck.id}/capture", {})
    assert refused(caught.value) == (422, "UNPROCESSABLE_ENTITY", "INSTRUMENT_DECLINED")
    assert live.api.get(f"v2/checkout/orders/{stuck.id}")["status"] == "APPROVED"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/payments/captures/NOSUCH",
        "/v2/payments/refunds/NOSUCH",
        "/v2/payments/authorizations/NOSUCH",
        "/v2/checkout/orders/NOSUCH",
        "/v1/payments/sale/NOSUCH",
        "/v1/billing/subscriptions/I-NOSUCH",
        "/v1/customer/disputes/PP-NOSUCH",
        "/v1/nothing/here",
    ],
)
def test_what_does_not_exist_is_not_found(shop, path):
    answer = shop(rate=0).raw("GET", path)
    assert (answer.status_code, answer.json()["name"]) == (404, "RESOURCE_NOT_FOUND")
    assert answer.json()["debug_id"] == answer.headers["PayPal-Debug-Id"]
