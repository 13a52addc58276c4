"""Notifications: the payload, its id, and the signature Braintree's SDK checks."""

from __future__ import annotations

import hmac
from base64 import encodebytes
from collections.abc import Iterable
from hashlib import sha1, sha256
from urllib.parse import urlencode

from .keys import Pair
from .xml import At, Value, document

_ID_DIGITS = 32


def payload(kind: str, at_ms: int, merchant: str, subject: dict[str, Value]) -> str:
    """`bt_payload`: base64 in lines, of the notification's XML. `subject` has one entry: tag → shape."""
    notification: dict[str, Value] = {
        "timestamp": At(at_ms),
        "kind": kind,
        "source-merchant-id": merchant,
        "subject": subject,
    }
    return encodebytes(document("notification", notification)).decode("ascii")


def event_id(bt_payload: str) -> str:
    """The id a notification is known by, as none is sent: the same for every repetition of the same payload.

    `bt_` and the first 32 hexadecimal digits of the SHA-256 of the payload's text without any white space.
    """
    return "bt_" + sha256("".join(bt_payload.split()).encode("ascii")).hexdigest()[:_ID_DIGITS]


def sign(bt_payload: str, pairs: Iterable[Pair]) -> str:
    """`bt_signature`: for each key pair `public|HMAC-SHA1` under the SHA-1 of the private key, joined by `&`."""
    return "&".join(
        f"{pair.public}|{hmac.new(_key(pair), bt_payload.encode('ascii'), sha1).hexdigest()}"
        for pair in pairs
    )


def _key(pair: Pair) -> bytes:
    return sha1(pair.private.encode("ascii")).digest()  # noqa: S324 - Braintree's scheme


def form(bt_signature: str, bt_payload: str) -> bytes:
    """The body of the POST."""
    return urlencode({"bt_signature": bt_signature, "bt_payload": bt_payload}).encode("ascii")


def secret(pairs: Iterable[Pair]) -> str:
    """Key pairs as one text: what an endpoint's deliveries are signed with."""
    return "&".join(pair.token for pair in pairs)


def pairs(secret: str) -> list[Pair]:
    """The key pairs of `secret()`."""
    return [Pair(*token.split(":", 1)) for token in secret.split("&")]
