"""What the simulated PayPal answers, held against PayPal's own description of its API and its published samples.

Skipped where those are not beside the repository.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data" / "paypal"
SPECS = BESIDE / "openapi"
SAMPLES = BESIDE / "djpaypal_webhooks"
ABSENT = f"PayPal's description is not here: {SPECS}"
pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason=ABSENT)

UNDESCRIBED = {
    "status": "events, in real answers",
    "transmissions": "events, in real answers",
    "encType": "links of events, in the samples",
    "seller_protection_eligible": "disputed transactions, in the samples",
}
"""What PayPal's answers have and its description of February 2024 has not."""


class Spec:
    def __init__(self, name: str) -> None:
        self.root = json.loads((SPECS / f"{name}.json").read_text("utf-8"))

    def schema(self, method: str, path: str, status: str) -> dict[str, Any]:
        answer = self.follow(self.root["paths"][path][method]["responses"][status])
        return answer["content"]["application/json"]["schema"]

    def follow(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self.root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/")]
            schema = found
        return schema

    def properties(self, schema: dict[str, Any]) -> dict[str, Any]:
        """All properties by name, those of `allOf`, `anyOf` and `oneOf` included."""
        schema = self.follow(schema)
        found = dict(schema.get("properties", {}))
        for word in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(word, ()):
                found |= self.properties(part)
        return found

    def faults(self, value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
        """What is wrong with a value; keys that no part of its description knows are wrong too."""
        found = self._faults(value, schema, where)
        known = self.properties(schema)
        if isinstance(value, dict) and known:
            found += [f"{where}.{key}: not described" for key in value if key not in known | UNDESCRIBED]
        return found

    def _faults(self, value: Any, schema: dict[str, Any], where: str) -> list[str]:
        schema = self.follow(schema)
        found = [fault for part in schema.get("allOf", ()) for fault in self._faults(value, part, where)]
        for word in ("anyOf", "oneOf"):
            parts = [self._faults(value, part, where) for part in schema.get(word, ())]
            if parts and all(parts):
                found.append(f"{where}: fits none of {word}: {min(parts, key=len)}")
        return found + self._own_faults(value, schema, where)

    def _own_faults(self, value: Any, schema: dict[str, Any], where: str) -> list[str]:
        found = []
        kind = schema.get("type")
        if kind is not None and not _is(value, kind):
            return [f"{where}: {value!r} is no {kind}"]
        if "enum" in schema and value not in schema["enum"]:
            found.append(f"{where}: {value!r} is none of {schema['enum']}")
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                found.append(f"{where}: {value!r} does not match {schema['pattern']}")
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 20):
                found.append(f"{where}: {value!r} is too short or too long")
        if isinstance(value, list):
            for number, each in enumerate(value):
                found += self.faults(each, schema.get("items", {}), f"{where}[{number}]")
        if isinstance(value, dict):
            found += [f"{where}.{key}: missing" for key in schema.get("required", ()) if key not in value]
            for key, part in schema.get("properties", {}).items():
                if key in value:
                    found += self.faults(value[key], part, f"{where}.{key}")
        return found


def _is(value: Any, kind: str) -> bool:
    types: dict[str, Any] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, types[kind]) and not (kind == "integer" and isinstance(value, bool))


@cache
def spec(name: str) -> Spec:
    return Spec(name)


FAULTS = (
    "[{kind: dispute_opened, provider: paypal, at: 1m, count: 2},"
    " {kind: subscription_past_due, provider: paypal, at: 1m, count: 2},"
    " {kind: refund_failed, provider: paypal, at: 1m},"
    " {kind: refund_stuck, provider: paypal, at: 2m},"
    " {kind: authorization_expiring, provider: paypal, at: 1m}]"
)
PAYMENTS, ORDERS = "payments_payment_v2", "checkout_orders_v2"
BILLING, DISPUTES, REPORTING = (
    "billing_subscriptions_v1",
    "customer_disputes_v1",
    "reporting_transactions_v1",
)
HOOKS = "notifications_webhooks_v1"


@pytest.fixture
def busy(shop):
    live = shop(success=0.7, warmup="3h", faults=FAULTS)
    live.after(minutes=4)
    return live


def test_the_checker_finds_what_is_wrong():
    described = spec(PAYMENTS)
    schema = described.schema("get", "/v2/payments/refunds/{refund_id}", "200")
    fine = {"id": "X", "status": "COMPLETED", "amount": {"currency_code": "USD", "value": "1.00"}}
    assert described.faults(fine, schema) == []
    for wrong in (
        {"status": "DONE"},
        {"amount": {"currency_code": "USD"}},
        {"amount": {"currency_code": "USD", "value": "1,00"}},
        {"id": 7},
        {"invented": True},
    ):
        assert described.faults({**fine, **wrong}, schema), wrong


def unmet(name: str, method: str, path: str, status: str, value: Any) -> list[str]:
    described = spec(name)
    return described.faults(value, described.schema(method, path, status))


def test_lists_are_as_described(busy):
    api = busy.api
    events = api.get("v1/notifications/webhooks-events?page_size=300")
    assert unmet(HOOKS, "get", "/v1/notifications/webhooks-events", "200", events) == []
    webhooks = api.get("v1/notifications/webhooks")
    assert unmet(HOOKS, "get", "/v1/notifications/webhooks", "200", webhooks) == []
    report = api.get(
        "v1/reporting/transactions?start_date=2026-01-15T00:00:00Z&end_date=2026-01-15T09:00:00Z"
        "&fields=all&balance_affecting_records_only=N&page_size=500"
    )
    assert report["total_items"] > 100
    assert unmet(REPORTING, "get", "/v1/reporting/transactions", "200", report) == []
    disputes = api.get("v1/customer/disputes?page_size=1")
    assert unmet(DISPUTES, "get", "/v1/customer/disputes", "200", disputes) == []


def test_objects_are_as_described(busy):
    account, api = busy.account, busy.api
    asked = [
        (PAYMENTS, "/v2/payments/captures/{capture_id}", "v2/payments/captures/{id}", _captures(account)),
        (
            PAYMENTS,
            "/v2/payments/authorizations/{authorization_id}",
            "v2/payments/authorizations/{id}",
            [c.id for c in account.charges.rows if c.expires_ms is not None],
        ),
        (
            PAYMENTS,
            "/v2/payments/refunds/{refund_id}",
            "v2/payments/refunds/{id}",
            [refund.id for refund in account.refunds.rows],
        ),
        (
            ORDERS,
            "/v2/checkout/orders/{id}",
            "v2/checkout/orders/{id}",
            [p.id for p in account.payments.rows if p.paid and p.subscription is None][-30:],
        ),
        (
            BILLING,
            "/v1/billing/subscriptions/{id}",
            "v1/billing/subscriptions/{id}?fields=plan",
            [each.id for each in account.subscriptions.rows],
        ),
        (
            DISPUTES,
            "/v1/customer/disputes/{id}",
            "v1/customer/disputes/{id}",
            [each.id for each in account.disputes.rows],
        ),
    ]
    for name, described, path, ids in asked:
        assert ids, path
        for object_id in ids:
            shown = api.get(path.format(id=object_id))
            assert unmet(name, "get", described, "200", shown) == [], shown


def _captures(account) -> list[str]:
    shown = [charge for charge in account.charges.rows if account.shows_capture(charge)]
    every = {
        (c.decline and c.decline.code, bool(c.refunds), account.by_card(c.payment.buyer)): c for c in shown
    }
    return [charge.id for charge in every.values()]


def test_answers_to_writes_are_as_described(busy):
    capture = busy.raw(
        "POST",
        f"/v2/payments/captures/{busy.capture_id()}/refund",
        json={"custom_id": "payops-1", "note_to_payer": "sorry"},
        headers={"Prefer": "return=representation"},
    )
    path = "/v2/payments/captures/{capture_id}/refund"
    assert unmet(PAYMENTS, "post", path, "201", capture.json()) == []
    owed = busy.newest("BILLING.SUBSCRIPTION.PAYMENT.FAILED")["resource"]
    taken = busy.api.post(
        f"v1/billing/subscriptions/{owed['id']}/capture",
        {
            "note": "now",
            "capture_type": "OUTSTANDING_BALANCE",
            "amount": owed["billing_info"]["outstanding_balance"],
        },
    )
    assert unmet(BILLING, "post", "/v1/billing/subscriptions/{id}/capture", "200", taken) == []


def test_refusals_are_as_described(busy):
    missing = busy.raw("GET", "/v2/payments/captures/NOSUCH")
    path = "/v2/payments/captures/{capture_id}"
    assert unmet(PAYMENTS, "get", path, "404", missing.json()) == []
    declined = busy.newest("PAYMENT.CAPTURE.DECLINED")["resource"]["id"]
    refused = busy.raw("POST", f"/v2/payments/captures/{declined}/refund", json={})
    body = refused.json()
    schema = spec(PAYMENTS).schema("post", "/v2/payments/captures/{capture_id}/refund", "422")
    names = spec(PAYMENTS).properties(schema)
    assert set(body) <= set(names)
    assert body["details"][0]["issue"] in json.dumps(spec(PAYMENTS).root)
    wrong = busy.raw("GET", "/v1/reporting/transactions?start_date=x&end_date=y").json()
    assert unmet(REPORTING, "get", "/v1/reporting/transactions", "default", wrong) == []


def test_every_issue_of_a_refusal_is_one_paypal_has(busy):
    from payops.simulator.paypal.declines import BY_WORD, RESTRICTED

    orders = (SPECS / f"{ORDERS}.json").read_text("utf-8")
    payments = (SPECS / f"{PAYMENTS}.json").read_text("utf-8")
    billing = (SPECS / f"{BILLING}.json").read_text("utf-8")
    for decline in (*BY_WORD.values(), RESTRICTED):
        assert f'"{decline.issue}"' in orders, decline
        assert f'"{decline.reason}"' in billing, decline
        if not decline.nowhere:
            assert f'"{decline.code}"' in payments, decline


@pytest.mark.parametrize(
    ("sample", "event_type"),
    [
        ("payment.sale.completed--from-subscription", "PAYMENT.SALE.COMPLETED"),
        ("customer.dispute.created--2019-11", "CUSTOMER.DISPUTE.CREATED"),
        ("payment.capture.completed", "PAYMENT.CAPTURE.COMPLETED"),
        ("payment.authorization.created", "PAYMENT.AUTHORIZATION.CREATED"),
        ("billing.subscription.suspended", "BILLING.SUBSCRIPTION.PAYMENT.FAILED"),
    ],
)
def test_events_have_what_the_real_samples_have(busy, sample, event_type):
    real = json.loads((SAMPLES / f"{sample}.json").read_text("utf-8"))
    if event_type == "PAYMENT.SALE.COMPLETED":
        row = next(each for each in busy.account.subscriptions.rows if each.status == "active")
        busy.account.traffic.renew(busy.world.now_ms, row, None)
        busy.after(minutes=5)
    ours = busy.newest(event_type)
    assert set(real) <= set(ours)
    assert [link["rel"] for link in ours["links"]] == [link["rel"] for link in real["links"]]
    if ours["resource_version"] == "1.0":
        ours_has, real_has = set(ours["resource"]), set(real["resource"])
        assert real_has - ours_has <= {"invoice_number", "buyer_response_due_date"}
