"""Stripe's webhook signature, judged on the raw bytes against the time that is passed in.

The same computation as the SDK's `WebhookSignature`, without its wall clock, which never looks into the future,
and without the objects `construct_event` builds.
"""

from __future__ import annotations

import hmac
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from payops.clock import to_epoch
from payops.domain import refusals
from payops.domain.errors import UsageError
from payops.domain.events import Facts
from payops.domain.payments import Mode
from payops.providers.foreign import Others, refused
from payops.providers.port import NotVerified, Verified

from . import normalise, wire

TOLERANCE_S = 300
_TIME = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_MAX_SIGNATURES = 16
_CLI = re.compile(rb"whsec_[0-9a-f]{64}")
"""What `stripe listen` prints; an endpoint's own secret is shorter, and of more letters."""
_MOST_EXPLAINED = 30
_MOST_REWRITTEN = 16 * 1024
_LAYOUTS: tuple[dict[str, Any], ...] = ({"indent": 2}, {"separators": (",", ":")}, {})
_UNKNOWN = "the signature fits none of the stored webhook secrets"


class StripeVerifier:
    """Knows the signing secrets of one account's endpoints; while one is rolled there are two."""

    waits = False

    def __init__(self, account: str, mode: Mode, secrets: Sequence[str], others: Others = ()) -> None:
        for secret in secrets:
            if not secret.strip():
                raise UsageError(f"account {account!r}: a webhook secret is blank")
        self.account = account
        self._mode: Mode = mode
        self._secrets = tuple(secret.strip().encode() for secret in secrets)
        self._others = tuple(others)
        self._explained: deque[datetime] = deque(maxlen=_MOST_EXPLAINED)

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
        if not _signed(self._secrets, timestamp, body, signatures):
            return self._explain(timestamp, body, signatures, now)
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

    def _explain(self, timestamp: str, body: bytes, signatures: Sequence[str], now: datetime) -> NotVerified:
        """Why the signature may not fit. Anybody may send, so only so much work is done a minute."""
        recent = self._explained
        if len(recent) == _MOST_EXPLAINED and timedelta() <= now - recent[0] < timedelta(minutes=1):
            return NotVerified(_UNKNOWN, "signature")
        recent.append(now)
        for other in self._others:
            if _signed([secret.encode() for secret in other.secrets], timestamp, body, signatures):
                return refused(other)
        if len(body) <= _MOST_REWRITTEN and any(
            _signed(self._secrets, timestamp, each, signatures) for each in _before(body)
        ):
            return NotVerified(refusals.REWRITTEN.said, "signature")
        if any(_CLI.fullmatch(secret) for secret in self._secrets):
            return NotVerified(refusals.CLI_SECRET.said, "signature")
        if len(signatures) > 1:
            return NotVerified(refusals.ROLLED.said, "signature")
        return NotVerified(_UNKNOWN, "signature")


def _signed(secrets: Sequence[bytes], timestamp: str, body: bytes, signatures: Sequence[str]) -> bool:
    message = timestamp.encode() + b"." + body
    found = False
    for secret in secrets:
        expected = hmac.new(secret, message, sha256).hexdigest()
        for signature in signatures:
            found |= hmac.compare_digest(expected, signature)
    return found


def _before(body: bytes) -> Iterator[bytes]:
    """What a body may have been before it was parsed and written again: as Stripe writes it, and as others do."""
    yield from (body.rstrip(), body + b"\n", body.replace(b"\r\n", b"\n"))
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for ascii_only in (False, True):
        for layout in _LAYOUTS:
            try:
                yield json.dumps(value, ensure_ascii=ascii_only, **layout).encode()
            except UnicodeEncodeError:
                continue


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
