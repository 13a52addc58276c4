"""Each kind of fault as it can be seen through PayPal's API, and what it leaves alone."""

from __future__ import annotations

import pytest
from paypalrestsdk.exceptions import ClientError, ResourceInvalid, ServerError

WEBHOOKS = "v1/notifications/webhooks"


def fault(kind: str, more: str = "") -> str:
    return f"[{{kind: {kind}, provider: paypal, at: 5m{more}}}]"


def test_outage_answers_503_and_no_payment_is_made(shop, refused):
    live = shop(rate=12, warmup="10m", faults=fault("provider_outage", ", until: 20m"))
    live.api.get(WEBHOOKS)
    live.after(minutes=6)
    made = len(live.account.charges)
    with pytest.raises(ServerError) as caught:
        live.api.get(WEBHOOKS)
    assert refused(caught.value)[:2] == (503, "SERVICE_UNAVAILABLE")
    assert caught.value.response.headers["PayPal-Debug-Id"]
    live.after(minutes=20)
    assert len(live.account.charges) == made
    assert live.api.get(WEBHOOKS)["webhooks"]


def test_too_many_requests_are_429(shop, refused):
    live = shop(rate=1, faults=fault("rate_limited"))
    live.api.get(WEBHOOKS)
    live.after(minutes=6)
    with pytest.raises(ClientError) as caught:
        live.api.get(WEBHOOKS)
    assert refused(caught.value)[:2] == (429, "RATE_LIMIT_REACHED")


def test_slow_answers_say_how_slow_in_stepped_time(shop):
    live = shop(rate=1, faults=fault("provider_slow", ", latency_ms: 7000"))
    live.after(minutes=6)
    assert live.raw("GET", f"/{WEBHOOKS}").headers["X-Simulated-Latency-Ms"] == "7000"


def test_failed_refund_is_told_by_event_and_object_and_money_stays(shop):
    live = shop(faults=fault("refund_failed"))
    live.after(minutes=6)
    told = live.newest("PAYMENT.REFUND.FAILED")
    assert told["resource"]["status"] == "FAILED"
    assert live.api.get(f"v2/payments/refunds/{told['resource']['id']}") == told["resource"]
    capture = next(link["href"] for link in told["resource"]["links"] if link["rel"] == "up")
    assert live.api.get(capture.partition("paypal.com/")[2])["status"] == "COMPLETED"


def test_stuck_refund_waits_for_an_echeck(shop):
    live = shop(faults=fault("refund_stuck"))
    live.after(minutes=6)
    told = live.newest("PAYMENT.REFUND.PENDING")["resource"]
    assert (told["status"], told["status_details"]) == ("PENDING", {"reason": "ECHECK"})


def test_refund_over_the_limit_is_a_failed_refund_of_more_than_was_paid(shop):
    live = shop(faults=fault("refund_over_limit"))
    live.after(minutes=6)
    event = live.newest("PAYMENT.REFUND.FAILED")
    told = event["resource"]
    capture = next(link["href"] for link in told["links"] if link["rel"] == "up").partition("paypal.com/")[2]
    paid = live.api.get(capture)
    assert float(told["amount"]["value"]) > float(paid["amount"]["value"])
    assert told["seller_payable_breakdown"]["total_refunded_amount"]["value"].strip("0.") == ""
    assert event["summary"].endswith("REFUND_AMOUNT_EXCEEDED")


def test_double_charge_shares_invoice_and_customer(shop):
    live = shop(faults=fault("duplicate_charge"))
    live.after(minutes=6)
    captures = [e["resource"] for e in live.events() if e["event_type"] == "PAYMENT.CAPTURE.COMPLETED"]
    by_invoice: dict[str, list] = {}
    for each in captures:
        by_invoice.setdefault(each["invoice_id"], []).append(each)
    ((one, two),) = [group for group in by_invoice.values() if len(group) > 1]
    assert one["id"] != two["id"]
    assert (one["custom_id"], one["amount"]) == (two["custom_id"], two["amount"])


def test_restricted_account_refuses_money_and_its_subscriptions_say_why(shop, refused):
    live = shop(rate=12, warmup="30m", faults=fault("account_restricted", ", until: 30m"))
    capture = live.capture_id()
    live.after(minutes=8)
    with pytest.raises(ResourceInvalid) as caught:
        live.api.post(f"v2/payments/captures/{capture}/refund", {})
    assert refused(caught.value)[2] == "PAYEE_ACCOUNT_RESTRICTED"
    after = [event for event in live.events() if event["create_time"] > "2026-01-15T09:05"]
    assert {event["event_type"] for event in after} == {"BILLING.SUBSCRIPTION.PAYMENT.FAILED"}
    for event in after:
        shown = live.api.get(f"v1/billing/subscriptions/{event['resource']['id']}")
        for told in (shown, event["resource"]):
            failed = told["billing_info"]["last_failed_payment"]
            assert failed["reason_code"] == "PAYEE_ACCOUNT_RESTRICTED"
    assert live.api.get(f"v2/payments/captures/{capture}")["status"] == "COMPLETED"
    live.after(minutes=40)
    assert live.newest("PAYMENT.CAPTURE.COMPLETED")["create_time"] > "2026-01-15T09:30"
    assert live.api.post(f"v2/payments/captures/{capture}/refund", {})["status"] == "COMPLETED"


def test_silence_is_silence(shop):
    live = shop(rate=12, warmup="10m", faults=fault("traffic_silence"))
    live.after(minutes=20)
    assert max(event["create_time"] for event in live.events()) < "2026-01-15T09:05"
    assert live.api.get(WEBHOOKS)["webhooks"]


@pytest.mark.parametrize(
    ("kind", "needle"),
    [("pan_in_metadata", "4242 4242 4242 4242"), ("cvv_in_webhook", '"cvv":"123"')],
)
def test_card_data_the_shop_wrote_is_in_what_it_may_write_on_a_payment(shop, receiver, kind, needle):
    live = shop(receiver=receiver.url, rate=12, warmup="10m", faults=fault(kind))
    live.after(minutes=7)
    live.deliver()
    tainted = [event for event in live.events() if needle in str(event["resource"])]
    assert tainted
    resource = tainted[0]["resource"]
    places = [resource, *resource.get("purchase_units", [])]
    assert any(needle in each.get("custom_id", "") for each in places)
    assert any(tainted[0]["id"].encode() in body for _, body, _ in receiver.got)


@pytest.mark.parametrize("kind", ["events_duplicated", "events_out_of_order"])
def test_disorder_in_delivery_changes_no_event(shop, receiver, kind):
    live = shop(receiver=receiver.url, rate=12, warmup="5m", faults=fault(kind, ", until: 8m"))
    for minute in range(5, 12):
        live.after(minutes=minute)
        live.deliver()
    bodies: dict[str, set[bytes]] = {}
    order = []
    for _, body, _ in receiver.got:
        event_id = body.decode().partition('"id":"')[2].partition('"')[0]
        bodies.setdefault(event_id, set()).add(body)
        order.append(event_id)
    assert all(len(each) == 1 for each in bodies.values())
    if kind == "events_duplicated":
        assert len(order) > len(bodies)
        assert len({headers["paypal-transmission-id"] for _, _, headers in receiver.got}) == len(order)
    else:
        made = [event.id for event in live.account.events.rows if event.id in bodies]
        assert order != made
