"""Stripe's webhook signature, judged on the raw bytes against the time that is passed in.

The same computation as the SDK's `WebhookSignature`, without its wall clock, which never looks into the future,
and without the objects `construct_event` builds.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from payops.clock import to_epoch
from payops.domain.errors import UsageError
from payops.domain.events import Facts
from payops.domain.payments import Mode
from payops.providers.port import NotVerified, Verified

from . import normalise, wire

TOLERANCE_S = 300
_TIME = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_MAX_SIGNATURES = 16


class StripeVerifier:
    """Knows the signing secrets of one account's endpoints; while one is rolled there are two."""

    waits = False

    def __init__(self, account: str, mode: Mode, secrets: Sequence[str]) -> None:
        for secret in secrets:
            if not secret.strip():
                raise UsageError(f"account {account!r}: a webhook secret is blank")
        self.account = account
        self._mode: Mode = mode
        self._secrets = tuple(secret.strip().encode() for secret in secrets)

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Verified | NotVerified:
        header = headers.get("stripe-signature")
        if not header:
            return NotVerified("no Stripe-Signature header", "header")
        signed = _parse(header)
        if signed is None:
            return NotVerified("the Stripe-Signature header is malformed", "header")
        timestamp, signatures = signed
        if not self._secrets:
            return NotVerified("no webhook secret is stored for this account", "signature")
        if not self._signed(timestamp, body, signatures):
            return NotVerified("the signature fits none of the stored webhook secrets", "signature")
        late = to_epoch(now) - int(timestamp)
        if late > TOLERANCE_S:
            return NotVerified("the signature is older than 5 minutes", "timestamp")
        if late < -TOLERANCE_S:
            return NotVerified("the signature is more than 5 minutes in the future", "timestamp")
        try:
            told, content = wire.one(body, wire.Event), wire.compact(body)
        except wire.Unreadable:
            return NotVerified("signed, but the body is no JSON object", "body")
        # Events without a time of their own in seconds take that of their signature.
        event = normalise.webhook_event(told, self.account, created=int(timestamp))
        if event is None:
            return NotVerified("signed, but the body is no Stripe event", "body")
        return Verified(event, content)

    def challenge(self, text: str) -> str | None:
        return None

    def facts(self, payload: Mapping[str, object]) -> Facts:
        return normalise.facts((wire.from_mapping(payload, wire.Event),), self.account, self._mode)

    def _signed(self, timestamp: str, body: bytes, signatures: Sequence[str]) -> bool:
        message = timestamp.encode() + b"." + body
        found = False
        for secret in self._secrets:
            expected = hmac.new(secret, message, sha256).hexdigest()
            for signature in signatures:
                found |= hmac.compare_digest(expected, signature)
        return found


def _parse(header: str) -> tuple[str, list[str]] | None:
    """The one timestamp and the v1 signatures of a header; None when it is not well formed."""
    timestamps: list[str] = []
    signatures: list[str] = []
    for item in header.split(","):
        name, _, value = item.strip().partition("=")
        if name == "t":
            timestamps.append(value)
        elif name == "v1":
            signatures.append(value)
    if len(timestamps) != 1 or not _TIME.fullmatch(timestamps[0]):
        return None
    if not 1 <= len(signatures) <= _MAX_SIGNATURES:
        return None
    if not all(_SIGNATURE.fullmatch(signature) for signature in signatures):
        return None
    return timestamps[0], signatures
