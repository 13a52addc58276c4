"""What a simulated Braintree brings to the world."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl

from payops.simulator.account import Account
from payops.simulator.deliveries import Send

from .account import BraintreeAccount as open_account
from .api import BraintreeApi as open_api
from .keys import pair, stored
from .webhooks import event_id, form, pairs, sign

__all__ = ["delivery", "event_id", "open_account", "open_api", "stored", "verified"]


def verified(account: Account, body: bytes, headers: Mapping[str, str], at: datetime) -> str | None:
    sent = dict(parse_qsl(body.decode("ascii", "replace")))
    bt_payload = sent.get("bt_payload", "")
    expected = sign(bt_payload, pairs(account.own_endpoint.secret)).split("&")
    given = sent.get("bt_signature", "").split("&")
    return event_id(bt_payload) if set(expected) & set(given) else None


def delivery(account: Account, send: Send, at: datetime) -> tuple[bytes, Mapping[str, str]]:
    """The same payload at every try. A notification of the other environment is signed with a key pair of that one,
    and with the stored pair: it arrives here because somebody gave that environment this address and these keys."""
    bt_payload = send.event.snapshot
    assert isinstance(bt_payload, str)
    if send.event.test:
        signers = [pair(account.seed, account.name, name) for name in ("other", "monitor")]
    else:
        signers = pairs(send.endpoint.secret)
    return form(sign(bt_payload, signers), bt_payload), {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "Braintree-Webhooks",
        "Accept": "*/*",
    }
