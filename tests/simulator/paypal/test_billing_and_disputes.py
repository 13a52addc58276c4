"""Subscriptions, how they fall behind and are put right; disputes and their deadlines."""

from __future__ import annotations

import pytest
from paypalrestsdk.exceptions import ResourceInvalid

SUBSCRIPTIONS = "v1/billing/subscriptions"
DISPUTES = "v1/customer/disputes"
PAST_DUE = "[{kind: subscription_past_due, provider: paypal, at: 1m, count: 3}]"


def behind(live):
    """A subscription that owes money."""
    live.after(minutes=3)
    return live.newest("BILLING.SUBSCRIPTION.PAYMENT.FAILED")["resource"]


def issue(refused, act, *args):
    with pytest.raises(ResourceInvalid) as caught:
        act(*args)
    return refused(caught.value)[2]


def owed(subscription, value=None):
    amount = subscription["billing_info"]["outstanding_balance"]
    return {
        "note": "collect what is owed",
        "capture_type": "OUTSTANDING_BALANCE",
        "amount": {**amount, "value": value or amount["value"]},
    }


def test_refused_payment_shows_what_is_owed_and_why(shop):
    live = shop(faults=PAST_DUE)
    told = behind(live)
    shown = live.api.get(f"{SUBSCRIPTIONS}/{told['id']}?fields=last_failed_payment,plan")
    billing = shown["billing_info"]
    assert shown["status"] == "ACTIVE"
    assert billing["failed_payments_count"] == 1
    assert float(billing["outstanding_balance"]["value"]) > 0
    assert billing["last_failed_payment"]["reason_code"] == "PAYER_CANNOT_PAY"
    assert billing["last_failed_payment"]["next_payment_retry_time"] > "2026-01-18"
    assert shown["plan"]["payment_preferences"]["payment_failure_threshold"] == 3
    assert told["billing_info"] == billing


def test_what_is_owed_is_collected_once_and_leaves_a_sale(shop, refused):
    live = shop(faults=PAST_DUE)
    told = behind(live)
    path = f"{SUBSCRIPTIONS}/{told['id']}/capture"
    key = {"PayPal-Request-Id": "payops-9"}
    more = owed(told, "99999.00")
    assert issue(refused, live.api.post, path, more) == "AMOUNT_GREATER_THAN_OUTSTANDING_BALANCE"
    made = live.api.post(path, owed(told), headers=key)
    assert made["status"] == "COMPLETED"
    assert live.api.post(path, owed(told), headers=key) == made
    assert issue(refused, live.api.post, path, owed(told)) == "ZERO_OUTSTANDING_BALANCE"
    live.after(minutes=4)
    sale = live.newest("PAYMENT.SALE.COMPLETED")["resource"]
    assert (sale["id"], sale["billing_agreement_id"]) == (made["id"], told["id"])
    assert live.api.get(f"v1/payments/sale/{made['id']}") == sale
    billing = live.api.get(f"{SUBSCRIPTIONS}/{told['id']}")["billing_info"]
    assert billing["failed_payments_count"] == 0
    assert billing["outstanding_balance"]["value"] == "0.00"
    assert billing["next_billing_time"] > "2026-02-10"


def test_subscription_is_suspended_after_three_refusals_and_activated_by_hand(shop, refused):
    live = shop(faults=PAST_DUE, success=0.0, rate=0.2)
    told = behind(live)
    path = f"{SUBSCRIPTIONS}/{told['id']}"
    row = live.account.subscriptions.get(told["id"])
    row.method = False  # whatever is tried is refused
    live.after(days=7)
    live.api = live.client(live.stored)
    shown = live.api.get(path)
    assert (shown["status"], shown["billing_info"]["failed_payments_count"]) == ("SUSPENDED", 3)
    assert "next_billing_time" not in shown["billing_info"]
    live.after(days=20)
    live.api = live.client(live.stored)
    assert live.api.get(path)["billing_info"]["failed_payments_count"] == 3, "nothing is billed any more"
    answer = live.raw("POST", f"/{path}/activate", json={"reason": "paid by hand"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert live.api.get(path)["status"] == "ACTIVE"
    assert issue(refused, live.api.post, f"{path}/activate", {}) == "SUBSCRIPTION_STATUS_INVALID"


def test_suspended_by_hand_until_activated(shop, refused):
    live = shop(rate=1)
    row = live.account.subscriptions.rows[0]
    path = f"{SUBSCRIPTIONS}/{row.id}"
    assert live.api.post(f"{path}/suspend", {"reason": "out of stock"}) == {}
    shown = live.api.get(path)
    assert (shown["status"], shown["status_change_note"]) == ("SUSPENDED", "out of stock")
    assert issue(refused, live.api.post, f"{path}/suspend", {"reason": "x"}) == "SUBSCRIPTION_STATUS_INVALID"
    live.api.post(f"{path}/activate", {"reason": "back"})
    live.api.post(f"{path}/cancel", {"reason": "enough"})
    assert live.api.get(path)["status"] == "CANCELLED"
    assert issue(refused, live.api.post, f"{path}/capture", owed(shown)) == "SUBSCRIPTION_STATUS_INVALID"
    live.after(seconds=10)
    kinds = live.kinds()[:10]
    for what in ("SUSPENDED", "ACTIVATED", "CANCELLED"):
        assert f"BILLING.SUBSCRIPTION.{what}" in kinds


def test_list_holds_every_subscription_once_and_filters(shop):
    live = shop(faults=PAST_DUE)
    live.after(minutes=3)
    ids, page = [], 1
    while True:
        shown = live.api.get(f"{SUBSCRIPTIONS}?page_size=20&page={page}&total_required=true")
        ids += [each["id"] for each in shown["subscriptions"]]
        if page == shown["total_pages"]:
            break
        page += 1
    assert len(set(ids)) == len(ids) == shown["total_items"] == len(live.account.subscriptions)
    assert live.api.get(f"{SUBSCRIPTIONS}?statuses=SUSPENDED,CANCELLED")["subscriptions"] == []
    changed = live.api.get(f"{SUBSCRIPTIONS}?status_updated_after=2026-01-15T09:00:00Z")["subscriptions"]
    assert len(changed) == 3
    assert live.raw("GET", f"/{SUBSCRIPTIONS}?statuses=PAST_DUE").status_code == 400
    assert live.raw("GET", f"/{SUBSCRIPTIONS}?page_size=21").status_code == 400


def test_renewals_make_sales_and_no_captures(shop):
    live = shop(rate=1)
    live.after(days=3)
    live.api = live.client(live.stored)
    sale = live.newest("PAYMENT.SALE.COMPLETED")["resource"]
    assert live.raw("GET", f"/v2/payments/captures/{sale['id']}").status_code == 404
    assert sale["billing_agreement_id"].startswith("I-")
    assert live.raw("GET", f"/v1/payments/sale/{live.capture_id()}").status_code == 404


DISPUTED = "[{kind: dispute_opened, provider: paypal, at: 1m, count: 5}]"


def test_dispute_names_its_transaction_and_deadline(shop):
    live = shop(faults=DISPUTED)
    live.after(minutes=2)
    told = live.newest("CUSTOMER.DISPUTE.CREATED")["resource"]
    shown = live.api.get(f"{DISPUTES}/{told['dispute_id']}")
    assert shown == told
    assert shown["status"] == "WAITING_FOR_SELLER_RESPONSE"
    assert live.api.get(DISPUTES)["items"][-1]["dispute_state"] == "REQUIRED_ACTION"
    assert shown["seller_response_due_date"] == "2026-01-18T09:01:00.000Z"
    transaction = shown["disputed_transactions"][0]["seller_transaction_id"]
    assert live.api.get(f"v2/payments/captures/{transaction}")["status"] == "COMPLETED"


def test_disputes_are_listed_page_by_page(shop):
    live = shop(faults=DISPUTED)
    live.after(minutes=2)
    found, path = [], f"{DISPUTES}?page_size=2&update_time_after=2026-01-15T09:00:00Z"
    for _ in range(3):
        page = live.api.get(path)
        found += [each["dispute_id"] for each in page["items"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        path = following[0].partition("paypal.com/")[2] if following else ""
    assert (len(set(found)), path) == (5, "")
    assert live.api.get(f"{DISPUTES}?dispute_state=RESOLVED,UNDER_PAYPAL_REVIEW")["items"] == []
    assert len(live.api.get(f"{DISPUTES}?dispute_state=REQUIRED_ACTION&page_size=50")["items"]) == 5
    assert live.api.get(f"{DISPUTES}?update_time_after=2026-01-15T09:01:01Z")["items"] == []


@pytest.mark.parametrize(
    "query",
    [
        "page_size=51",
        "dispute_state=OPEN",
        "start_time=2025-01-01T00:00:00Z",
        "next_page_token=!!",
        "start_time=2026-01-15T00:00:00Z&disputed_transaction_id=X",
        "state=RESOLVED",
    ],
)
def test_question_about_disputes_that_makes_no_sense_is_refused(shop, query):
    answer = shop(rate=1).raw("GET", f"/{DISPUTES}?{query}")
    assert (answer.status_code, answer.json()["name"]) == (400, "INVALID_REQUEST")
