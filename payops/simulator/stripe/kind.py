"""What a simulated Stripe brings to the world."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import msgspec

from payops.clock import from_epoch, to_epoch
from payops.simulator.account import Account
from payops.simulator.deliveries import Send

from .account import StripeAccount as open_account
from .account import of_stripe
from .api import StripeApi as open_api
from .keys import stored
from .shapes import Shapes

__all__ = ["delivery", "open_account", "open_api", "signature", "stored", "verified"]


def signature(body: bytes, at: datetime, *secrets: str) -> str:
    """The `Stripe-Signature` header for `body` sent at `at`: one `v1` for each secret."""
    second = to_epoch(at)
    signed = f"{second}.".encode() + body
    macs = (hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={second}", *(f"v1={mac}" for mac in macs)])


_TOLERANCE_S = 300


def verified(account: Account, body: bytes, headers: Mapping[str, str], at: datetime) -> str | None:
    items = [item.partition("=") for item in headers.get("stripe-signature", "").split(",")]
    times = [value for name, _, value in items if name == "t"]
    if len(times) != 1 or not times[0].isdecimal() or abs(to_epoch(at) - int(times[0])) > _TOLERANCE_S:
        return None
    expected = signature(body, from_epoch(int(times[0])), account.own_endpoint.secret).partition(",v1=")[2]
    macs = [value for name, _, value in items if name == "v1"]
    if not any(hmac.compare_digest(mac, expected) for mac in macs):
        return None
    event_id = msgspec.json.decode(body).get("id")
    return event_id if isinstance(event_id, str) else None


def delivery(account: Account, send: Send, at: datetime) -> tuple[bytes, Mapping[str, str]]:
    ours = of_stripe(account)
    body = msgspec.json.encode(Shapes(ours).event(send.event))
    secrets = ours.secrets(send.endpoint, send.event, account.agenda.now_ms)
    return body, {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(body, at, *secrets),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
