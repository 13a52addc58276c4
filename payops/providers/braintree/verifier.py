"""Braintree's webhook signature, judged on the payload's text against the time that is passed in.

The same computation as the SDK's `WebhookNotificationGateway`, which has no tolerance in time and builds objects.
A notification has no id of its own: ours is made of its payload, so the same one always has the same.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import parse_qs

from payops.config import AccountSettings
from payops.domain import refusals
from payops.domain.events import Facts
from payops.domain.payments import Mode
from payops.providers.foreign import Others, refused
from payops.providers.port import NotVerified, Verified

from . import keys, notifications, wire

OLDEST = timedelta(hours=25)
"""Braintree sends hourly again for up to 24 h."""
NEWEST = timedelta(minutes=5)
_PAYLOAD = re.compile(r"[A-Za-z0-9+/=\n]+")
_SIGNATURE = re.compile(r"[0-9a-f]{40}")
_CHALLENGE = re.compile(r"[0-9a-f]{20,32}")
_MOST_PAIRS = 16
_MOST_UNSIGNED = 64 * 1024


class BraintreeVerifier:
    """Knows the key pair of one stored credential."""

    waits = False

    def __init__(
        self, account: AccountSettings, secrets: Callable[[str], str], slot: int, others: Others = ()
    ) -> None:
        self.account = account.name
        self._mode: Mode = account.mode
        self._keys = keys.stored(account, secrets, slot)
        self._others = tuple(others)
        # Braintree signs with the digest of the private key, not with the key.
        self._key = sha1(self._keys.private_key.encode(), usedforsecurity=False).digest()

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Verified | NotVerified:
        form = _form(body)
        if form is None:
            return NotVerified("no bt_signature and bt_payload in the form", "header")
        signature, payload = form
        if " " in payload and _PAYLOAD.fullmatch(payload.replace(" ", "+")):
            return NotVerified(refusals.REWRITTEN.said, "body")
        if not _PAYLOAD.fullmatch(payload):
            return NotVerified("bt_payload holds characters that are not base64", "body")
        pairs = _pairs(signature)
        if not pairs:
            return NotVerified("bt_signature is malformed", "header")
        given = pairs.get(self._keys.public_key)
        if given is None:
            return self._foreign(payload, pairs)
        if not self._signed(payload, given):
            return NotVerified("the signature does not fit the payload", "signature")
        notification = _decode(payload)
        at = wire.time(notification.get("timestamp")) if notification else None
        if notification is None or at is None or not wire.word(notification.get("kind")):
            return NotVerified("signed, but the payload is no Braintree notification", "body")
        if at < now - OLDEST:
            return NotVerified("the notification is older than 25 hours", "timestamp")
        if at > now + NEWEST:
            return NotVerified("the notification is more than 5 minutes in the future", "timestamp")
        told = {"id": notification_id(payload), **notification}
        event = notifications.event(told, self.account, self._mode, self._keys.merchant_id)
        if event is None:
            return NotVerified("signed, but the payload is no Braintree notification", "body")
        return Verified(event, json.dumps(told, ensure_ascii=False, separators=(",", ":")))

    def challenge(self, text: str) -> str | None:
        if not _CHALLENGE.fullmatch(text):
            return None
        return f"{self._keys.public_key}|{self._digest(text.encode())}"

    def facts(self, payload: Mapping[str, object]) -> Facts:
        return notifications.facts(payload, self.account, self._mode, self._keys.merchant_id)

    def _signed(self, payload: str, given: str) -> bool:
        # The form may have lost the line break at its end.
        fits = [hmac.compare_digest(self._digest(each.encode()), given) for each in (payload, payload + "\n")]
        return any(fits)

    def _digest(self, message: bytes) -> str:
        return hmac.new(self._key, message, sha1).hexdigest()

    def _foreign(self, payload: str, pairs: Mapping[str, str]) -> NotVerified:
        """Signed with key pairs that are not ours. Whose, the payload only claims: good for a hint, not for trust."""
        for other in self._others:
            for public, _, private in (each.partition(" ") for each in other.secrets):
                key = sha1(private.encode(), usedforsecurity=False).digest()
                if public in pairs and any(
                    hmac.compare_digest(hmac.new(key, each.encode(), sha1).hexdigest(), pairs[public])
                    for each in (payload, payload + "\n")
                ):
                    return refused(other)
        # Anybody may send it, and it is judged on the event loop: only what is as short as Braintree's is read.
        told = _decode(payload) if len(payload) <= _MOST_UNSIGNED else None
        claimed = (told or {}).get("source_merchant_id")
        if claimed == self._keys.merchant_id:
            return NotVerified(
                "signed with another key pair of what claims to be our merchant: was the API key replaced?",
                "signature",
            )
        if not isinstance(claimed, str):
            return NotVerified("signed with none of our keys, and it does not say for whom", "signature")
        return NotVerified("signed for another merchant or environment: none of its keys is ours", "claim")


def notification_id(payload: str) -> str:
    """`bt_` and 32 hex digits: the same for the same notification, however its base64 is wrapped."""
    return "bt_" + sha256("".join(payload.split()).encode()).hexdigest()[:32]


def _form(body: bytes) -> tuple[str, str] | None:
    try:
        form = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return None
    signature, payload = form.get("bt_signature", []), form.get("bt_payload", [])
    return (signature[0], payload[0]) if len(signature) == 1 and len(payload) == 1 else None


def _pairs(signature: str) -> dict[str, str] | None:
    """Public key → digest; None when it is not well formed."""
    pairs: dict[str, str] = {}
    for item in signature.split("&"):
        public, bar, digest = item.partition("|")
        if not bar:
            continue
        if not public or not _SIGNATURE.fullmatch(digest) or len(pairs) >= _MOST_PAIRS:
            return None
        pairs.setdefault(public, digest)
    return pairs


def _decode(payload: str) -> dict[str, Any] | None:
    """The notification in a payload as plain values; None when it is none."""
    try:
        root = wire.parse(b64decode("".join(payload.split()), validate=True))
        told = wire.plain(root)
    except (NotBase64, ValueError):
        return None
    return told if root.tag == "notification" and isinstance(told, dict) else None
