"""Signed Stripe events of about 2 KB, as a shop gets them: each with ids of its own."""

from __future__ import annotations

import hmac
import json
import random
import time
from hashlib import sha256

SECRET = "whsec_" + "b" * 32
ACCOUNT = "stripe-live"
_LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
_CARD = {
    "amount_authorized": 1999,
    "authorization_code": None,
    "brand": "visa",
    "checks": {"address_line1_check": None, "address_postal_code_check": "pass", "cvc_check": "pass"},
    "country": "DE",
    "exp_month": 8,
    "exp_year": 2030,
    "extended_authorization": {"status": "disabled"},
    "fingerprint": "Xt5EWLLDS7FJjR1c",
    "funding": "credit",
    "incremental_authorization": {"status": "unavailable"},
    "last4": "4242",
    "multicapture": {"status": "unavailable"},
    "network": "visa",
    "network_token": {"used": False},
    "three_d_secure": None,
    "wallet": None,
}


def _event(rng: random.Random, now: int) -> bytes:
    def name(prefix: str) -> str:
        return prefix + "".join(rng.choices(_LETTERS, k=24))

    charge = name("ch_")
    return json.dumps(
        {
            "id": name("evt_"),
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": now,
            "data": {
                "object": {
                    "id": charge,
                    "object": "charge",
                    "amount": 1999,
                    "amount_captured": 1999,
                    "amount_refunded": 0,
                    "application": None,
                    "application_fee": None,
                    "balance_transaction": name("txn_"),
                    "billing_details": {
                        "address": {"city": "Berlin", "country": "DE", "line1": None, "postal_code": "10115"},
                        "email": f"buyer{rng.randrange(10**6)}@example.com",
                        "name": "Ada Buyer",
                        "phone": None,
                    },
                    "calculated_statement_descriptor": "SHOP",
                    "captured": True,
                    "created": now,
                    "currency": "eur",
                    "customer": name("cus_"),
                    "description": f"Order {rng.randrange(10**6)}",
                    "disputed": False,
                    "failure_code": None,
                    "failure_message": None,
                    "fraud_details": {},
                    "livemode": True,
                    "metadata": {"order_id": f"{rng.randrange(10**6)}"},
                    "outcome": {
                        "network_status": "approved_by_network",
                        "reason": None,
                        "risk_level": "normal",
                        "risk_score": 12,
                        "seller_message": "Payment complete.",
                        "type": "authorized",
                    },
                    "paid": True,
                    "payment_intent": name("pi_"),
                    "payment_method": name("pm_"),
                    "payment_method_details": {"card": _CARD, "type": "card"},
                    "receipt_email": None,
                    "receipt_url": f"https://pay.stripe.com/receipts/payment/{charge}",
                    "refunded": False,
                    "status": "succeeded",
                }
            },
            "livemode": True,
            "pending_webhooks": 1,
            "request": {"id": name("req_"), "idempotency_key": name("key_")},
            "type": "charge.succeeded",
        },
    ).encode()


def requests(count: int, host: str, path: str) -> list[bytes]:
    """So many signed requests, ready to be written to a connection. Their signature lasts five minutes."""
    now = int(time.time())
    rng = random.Random(time.time_ns())
    made = []
    for _ in range(count):
        body = _event(rng, now)
        signature = hmac.new(SECRET.encode(), f"{now}.".encode() + body, sha256).hexdigest()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
            f"Content-Type: application/json; charset=utf-8\r\nAccept: */*\r\nContent-Length: {len(body)}\r\n"
            f"Stripe-Signature: t={now},v1={signature}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made
