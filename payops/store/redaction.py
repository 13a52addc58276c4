"""The border to the disk: card data, secrets and e-mail addresses are masked before anything is stored.

Masking twice changes nothing. What was found is reported by kind and place, never by value.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from payops.text import mask

from .cards import is_pan, mask_pans, masked_pan

Kind = Literal["pan", "cvv", "track", "secret", "email"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One masked thing. `path` is the field (`data.object.metadata.note`), empty in free text."""

    kind: Kind
    path: str


_TRACK = re.compile(r"%?[Bb]\d{12,19}\^[^^\n]{2,30}\^\d[^?\n]{3,60}\??|;?\d{12,19}=\d{7,}[^?\s\"]{0,40}\??")
_CVV_TEXT = re.compile(
    r"(?P<name>\b(?:cvv2?|cvc2?|csc|security[ _-]?code|card[ _-]?code)\b[\"']?\s*(?:is|[:=#])?\s*[\"']?)(?P<value>\d{3,4})(?!\d)",
    re.I,
)
_KEY = re.compile(r"\b(?:sk|rk|ek)_(?:live|test)_[A-Za-z0-9_]{6,}")
_SIGNING = re.compile(r"\bwhsec_[A-Za-z0-9_+/=]{6,}")
_CLIENT_SECRET = re.compile(r"\b([a-z]{2,12}(?:_[A-Za-z0-9_]{4,}?)?)_secret_[A-Za-z0-9_]{6,}")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9\-._~+/$]{12,}=*", re.I)
_TOKEN_SECRET = re.compile(r"\baccess_token\$(?:production|sandbox)\$[0-9a-z$]{8,}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S)
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62}\.)+[A-Za-z]{2,24}\b"
)
# An id as Stripe makes them, with a letter among its digits: nothing in it is ever masked, and most texts are one.
_OBJECT_ID = re.compile(
    r"(?:ch|py|pi|cus|re|pyr|in|sub|du|dp|po|pm|evt|acct)_(?=[0-9]*[A-Za-z])[0-9A-Za-z]{8,64}"
)
_CVV_FIELDS = frozenset(
    {
        "cvv",
        "cvv2",
        "cvc",
        "cvc2",
        "csc",
        "cid",
        "securitycode",
        "cardcode",
        "cardsecuritycode",
        "verificationvalue",
    }
)
_TRACK_FIELDS = frozenset(
    {"track", "track1", "track2", "track3", "trackdata", "track1data", "track2data", "magstripe"}
)
_SECRET_FIELDS = frozenset(
    {
        "clientsecret",
        "secret",
        "apikey",
        "privatekey",
        "password",
        "accesstoken",
        "refreshtoken",
    }
)
# Fields whose numbers the provider defines: not card numbers, however they look. Not inside `metadata` and
# its like, whose names and values are the merchant's.
_DECLARED = re.compile(
    r"ids?|.*_ids?|amount.*|.*_amount|created|updated|timestamp|.*_(?:at|on|date|time|timestamp|start|end)"
    r"|fingerprint|request|idempotency_key|receipt_number|.*_reference_number|network_transaction_id"
    r"|routing_number|phone|.*_phone|balance|net|fee|total|subtotal|version|sequence_number",
    re.I,
)
_MERCHANT_DEFINED = frozenset(
    {
        "metadata",
        "custom_fields",
        "custom",
        "custom_id",
        "order_id",
        "invoice_id",
        "reference_id",
        "client_reference_id",
        "options",
        "note",
        "notes",
    }
)


class _Field(NamedTuple):
    """What the name of a field says about its value."""

    cvv: bool
    track: bool
    secret: bool
    declared: bool
    merchants: bool
    harmless: bool
    """The name itself needs no masking."""


def redact(value: object) -> tuple[object, tuple[Finding, ...]]:
    """The value with everything secret masked, and what was found.

    Text that is a JSON object or array is masked field by field and comes back as JSON text; other text as
    free text; mappings and sequences (as `json.loads` makes them) as such values.
    """
    if isinstance(value, str):
        return redact_body(value)
    found: list[Finding] = []
    try:
        return _value(value, _NAMELESS, "", True, found), tuple(found)
    except RecursionError:
        return f"[{type(value).__name__} nested too deep]", ()


def redact_body(body: str) -> tuple[str, tuple[Finding, ...]]:
    """A JSON document masked field by field; anything that is no JSON as free text."""
    found: list[Finding] = []
    if body.lstrip()[:1] in ("{", "["):
        try:
            masked = _value(json.loads(body), _NAMELESS, "", True, found)
            return json.dumps(masked, separators=(",", ":")), tuple(found)
        except (ValueError, RecursionError):
            found.clear()
    return _text(body, "", found), tuple(found)


def redact_text(text: str) -> str:
    """Free text with everything secret masked."""
    return text if _OBJECT_ID.fullmatch(text) else _text(text, "", [])


def redact_name(text: str) -> str:
    """Card data and secrets masked, addresses kept: for names of operators and for URLs."""
    return _text(text, "", [], emails=False)


def email_hash(address: str) -> str:
    """What an e-mail address is stored as: equal addresses stay equal, case apart."""
    return f"[email {hashlib.sha256(address.strip().lower().encode()).hexdigest()[:16]}]"


@lru_cache(maxsize=4096)
def _named(name: str) -> _Field:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    return _Field(
        plain in _CVV_FIELDS,
        plain in _TRACK_FIELDS,
        plain in _SECRET_FIELDS,
        _DECLARED.fullmatch(name) is not None,
        name in _MERCHANT_DEFINED,
        _text(name, "", []) == name,
    )


_NAMELESS = _Field(False, False, False, False, False, True)


def _value(value: object, field: _Field, path: str, declared: bool, found: list[Finding]) -> object:
    """`declared`: the names here are the provider's, so a field called `id` holds an id."""
    if isinstance(value, str):
        return _string(value, field, path, declared, found)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return _number(value, field, path, declared, found)
    if isinstance(value, dict):
        masked: dict[object, object] = {}
        for key, inner in value.items():
            label = str(key)
            named = _named(label)
            if named.harmless and (inner is None or inner is True or inner is False):
                masked[label] = inner  # most fields of a body: spare them the work
                continue
            here = f"{path}.{label}" if path else label
            shown = label if named.harmless else _text(label, here, found)
            theirs = declared and not named.merchants
            masked[shown] = _value(inner, named, here, theirs, found)
        return masked
    if isinstance(value, list | tuple):
        return [_value(item, field, f"{path}[{i}]", declared, found) for i, item in enumerate(value)]
    return _text(str(value), path, found)


def _string(value: str, field: _Field, path: str, declared: bool, found: list[Finding]) -> str:
    if field.cvv and re.fullmatch(r"\s*\d{3,4}\s*", value):
        found.append(Finding("cvv", path))
        return "[cvv]"
    if field.track and re.search(r"\d{8}", value):
        found.append(Finding("track", path))
        return "[track]"
    if field.secret and value not in ("", "[secret]"):
        found.append(Finding("secret", path))
        return "[secret]"
    return _text(value, path, found, cards=not (declared and field.declared))


def _number(value: int, field: _Field, path: str, declared: bool, found: list[Finding]) -> object:
    if field.cvv and 0 <= value <= 9999:
        found.append(Finding("cvv", path))
        return "[cvv]"
    if value < 10**12 or value >= 10**19 or (declared and field.declared):
        return value
    digits = str(value)
    if not is_pan(digits):
        return value
    found.append(Finding("pan", path))
    return masked_pan(digits)


def _text(text: str, path: str, found: list[Finding], *, cards: bool = True, emails: bool = True) -> str:
    if not text.isascii() or "\x00" in text:
        text = _clean(text)
    if len(text) < 6:
        return text

    def put(kind: Kind, instead: str) -> str:
        found.append(Finding(kind, path))
        return instead

    lower = text.lower()
    if _hints_at_secret(lower):
        text = _PEM.sub(lambda m: put("secret", "[secret]"), text)
        text = _CLIENT_SECRET.sub(lambda m: put("secret", f"{m[1]}_secret_…"), text)
        for pattern in (_KEY, _SIGNING, _TOKEN_SECRET):
            text = pattern.sub(lambda m: put("secret", mask(m[0])), text)
        text = _BEARER.sub(lambda m: put("secret", f"{m[1]} [secret]"), text)
    if emails and "@" in text:
        text = _EMAIL.sub(lambda m: put("email", email_hash(m[0])), text)
    if cards:
        if "cv" in lower or "csc" in lower or "code" in lower:
            text = _CVV_TEXT.sub(lambda m: put("cvv", f"{m['name']}[cvv]"), text)
        if "^" in text or "=" in text:
            text = _TRACK.sub(lambda m: put("track", "[track]"), text)
        text = mask_pans(text, lambda masked: put("pan", masked))
    return text


def _hints_at_secret(lower: str) -> bool:
    # Spelled out: this runs for every string of every body, and a loop would triple its cost.
    return (
        "live_" in lower
        or "test_" in lower
        or "whsec_" in lower
        or "_secret_" in lower
        or "bearer" in lower
        or "basic" in lower
        or "access_token" in lower
        or "private key" in lower
    )


def _clean(text: str) -> str:
    """SQLite stores UTF-8: a lone surrogate has none, and a NUL would hide what follows it."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
