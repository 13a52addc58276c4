"""What a simulated PayPal brings to the world."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import msgspec

from payops.simulator.account import Account
from payops.simulator.deliveries import Send

from . import certificates, events
from .account import PayPalAccount
from .account import PayPalAccount as open_account
from .api import PayPalApi as open_api
from .keys import stored, webhook_id
from .names import HOSTS, instant

__all__ = ["delivery", "open_account", "open_api", "stored", "verified"]

_SIMULATED = "WEBHOOK0ID0OF0THE0SIMULATOR"


def verified(account: Account, body: bytes, headers: Mapping[str, str], at: datetime) -> str | None:
    sent = {name: headers.get(f"paypal-transmission-{name}", "") for name in ("id", "time", "sig")}
    if not certificates.fits(sent["sig"], sent["id"], sent["time"], account.own_endpoint.secret, body):
        return None
    event_id = msgspec.json.decode(body).get("id")
    return event_id if isinstance(event_id, str) else None


def delivery(account: Account, send: Send, at: datetime) -> tuple[bytes, Mapping[str, str]]:
    """Each delivery has a transmission id, a time and a signature of its own; the event's id stays.

    While the stored webhook id is the other environment's (`webhook_wrong_mode_secret`), that one's events are signed
    for it, with a certificate of that host, and our own ones for the id the webhook has here. An event of the other
    environment that strays in by itself is signed as ours are, and only its links tell: its certificate's host would
    have it refused before anybody looked into it.
    """
    paypal, event, endpoint = cast(PayPalAccount, account), send.event, send.endpoint
    body = msgspec.json.encode(events.delivered(paypal, event))
    tried = sum(each.endpoint is endpoint for each in paypal.deliveries.tries.get(event.id, ()))
    transmission = events.transmission_id(paypal, event, endpoint, tried)
    time = instant(round(at.timestamp() * 1000))
    signed_for, mode = endpoint.secret, paypal.mode
    if event.id in paypal.beside.simulated:
        signed_for, mode = _SIMULATED, "live"
    elif event.test and paypal.faults.now("webhook_wrong_mode_secret") is not None:
        signed_for = webhook_id(paypal.seed, paypal.name, endpoint.name)
        mode = events.mode_of(paypal, event)
    return body, {
        "Content-Type": "application/json",
        "User-Agent": "PayPal/AUHR-1.0",
        "PAYPAL-AUTH-ALGO": certificates.ALGORITHM,
        "PAYPAL-AUTH-VERSION": "v2",
        "PAYPAL-CERT-URL": f"{HOSTS[mode]}{certificates.PATH}{certificates.certificate_id()}",
        "PAYPAL-TRANSMISSION-ID": transmission,
        "PAYPAL-TRANSMISSION-TIME": time,
        "PAYPAL-TRANSMISSION-SIG": certificates.signature(transmission, time, signed_for, body),
    }
