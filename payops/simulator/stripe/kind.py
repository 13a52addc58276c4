"""What a simulated Stripe brings to the world."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import msgspec

from payops.clock import to_epoch
from payops.simulator.account import Account
from payops.simulator.deliveries import Send

from .account import StripeAccount as open_account
from .api import StripeApi as open_api
from .keys import stored
from .shapes import Shapes

__all__ = ["delivery", "open_account", "open_api", "signature", "stored"]


def signature(body: bytes, secret: str, at: datetime) -> str:
    """The `Stripe-Signature` header for `body` sent at `at`."""
    second = to_epoch(at)
    mac = hmac.new(secret.encode(), f"{second}.".encode() + body, sha256).hexdigest()
    return f"t={second},v1={mac}"


def delivery(account: Account, send: Send, at: datetime) -> tuple[bytes, Mapping[str, str]]:
    body = msgspec.json.encode(Shapes(account).event(send.event))
    return body, {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(body, send.endpoint.secret, at),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
