"""The border to the disk: card data, secrets and e-mail addresses are masked before anything is stored.

Masking twice changes nothing. What was found is reported by kind and place, never by value: a card number at most by
a keyed hash. What is base64, XML, a form or JSON inside a string is opened first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from payops.text import mask

from . import encoded
from .cards import Certainty, Standing, certainty, mask_pans, masked_pan

Kind = Literal["pan", "cvv", "track", "secret", "email"]
CARD_DATA: frozenset[Kind] = frozenset({"pan", "cvv", "track"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One masked thing. `path` is the field (`data.object.metadata.note`), empty in free text.

    `seal` is the keyed hash of a card number where one was asked for. A security code has none: of a thousand
    possible ones any hash tells which it was.
    """

    kind: Kind
    path: str
    certainty: Certainty = "confirmed"
    seal: str = ""


@dataclass(slots=True)
class Hunt:
    """One search for what must not be stored: what it found, and what it was told.

    `closed` are fields, with `[]` for any place in a list, of which nothing is kept any more; `seal` makes the keyed
    hash of a card number.
    """

    closed: frozenset[str] = frozenset()
    seal: Callable[[str], str] | None = None
    found: list[Finding] = field(default_factory=list)
    depth: int = 0

    def anew(self) -> Hunt:
        """The same search of something else."""
        return Hunt(self.closed, self.seal)

    def add(self, kind: Kind, path: str) -> None:
        self.found.append(Finding(kind, path))

    def add_pan(self, path: str, digits: str, sure: Certainty) -> str:
        """Note a card number; what may be kept of it."""
        self.found.append(Finding("pan", path, sure, self.seal(digits) if self.seal else ""))
        return masked_pan(digits)


TRACK = re.compile(r"%?[Bb]\d{12,19}\^[^^\n]{2,30}\^\d[^?\n]{3,60}\??|;?\d{12,19}=\d{7,}[^?\s\"]{0,40}\??")
CVV_TEXT = re.compile(
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
TELLING_NAMES = _CVV_FIELDS | _TRACK_FIELDS | _SECRET_FIELDS
"""Names of fields, in lower case and of letters and digits only, that alone are a reason to mask a value."""
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


_IN_LIST = re.compile(r"\[\d+\]")
_CARD_NAMES = re.compile(
    r"(?:credit|debit)?card(?:no|nr|num|number|pan)?|number|pan|ccn?|cc(?:no|nr|num|number)|primaryaccountnumber"
)
# Numbers that merchants count by: orders, invoices, parcels. A bare one that looks like a card number may be none.
_IDENTIFIERS = re.compile(
    r"(?:.*[_-])?(?:id|no|nr|num|number|ref|reference|code|sku|ean|upc|gtin|imei|iban|barcode|tracking|phone|serial"
    r"|timestamp|created|updated|at|time)",
    re.I,
)


class _Field(NamedTuple):
    """What the name of a field says about its value."""

    cvv: bool
    track: bool
    secret: bool
    declared: bool
    merchants: bool
    standing: Standing
    harmless: bool
    """The name itself needs no masking."""


def redact(value: object) -> tuple[object, tuple[Finding, ...]]:
    """The value with everything secret masked, and what was found.

    Text that is a JSON object or array is masked field by field and comes back as JSON text; other text as
    free text; mappings and sequences (as `json.loads` makes them) as such values.
    """
    if isinstance(value, str):
        return redact_body(value)
    hunt = Hunt()
    try:
        return _value(value, _NAMELESS, "", True, hunt), tuple(hunt.found)
    except RecursionError:
        return f"[{type(value).__name__} nested too deep]", ()


def redact_body(body: str, hunt: Hunt | None = None) -> tuple[str, tuple[Finding, ...]]:
    """A JSON document masked field by field; anything that is no JSON as free text."""
    hunt = hunt or Hunt()
    if body.lstrip()[:1] in ("{", "["):
        try:
            masked = _value(json.loads(body), _NAMELESS, "", True, hunt)
            return json.dumps(masked, separators=(",", ":")), tuple(hunt.found)
        except (ValueError, RecursionError):
            hunt.found.clear()
    return _text(body, "", hunt), tuple(hunt.found)


def redact_field(name: str, text: str, hunt: Hunt) -> str:
    """One field of the merchant's own, masked as its name says; a name with dots is a path."""
    return _string(text, _named(name.rpartition(".")[2]), name, False, hunt)


def card_data(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those of them that are account data: a PAN, a security code, a track."""
    return tuple(finding for finding in findings if finding.kind in CARD_DATA)


def redact_text(text: str) -> str:
    """Free text with everything secret masked."""
    return search_text(text)[0]


def search_text(text: str) -> tuple[str, tuple[Finding, ...]]:
    """Free text with everything secret masked, and what was found."""
    hunt = Hunt()
    return _text(text, "", hunt), tuple(hunt.found)


def redact_name(text: str) -> str:
    """Card data and secrets masked, addresses kept: for names of operators and for URLs."""
    return _text(text, "", Hunt(), emails=False)


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
        _standing(name, plain),
        _text(name, "", Hunt()) == name,
    )


def _standing(name: str, plain: str) -> Standing:
    if _CARD_NAMES.fullmatch(plain):
        return "card"
    return "identifier" if _IDENTIFIERS.fullmatch(name) else "plain"


_NAMELESS = _Field(False, False, False, False, False, "plain", True)


def _value(value: object, field: _Field, path: str, declared: bool, hunt: Hunt) -> object:
    """`declared`: the names here are the provider's, so a field called `id` holds an id."""
    if hunt.closed and _IN_LIST.sub("[]", path) in hunt.closed:
        _value(value, field, path, declared, Hunt(seal=hunt.seal, found=hunt.found))
        return None  # looked at, so that what goes on is counted, and not kept
    if isinstance(value, str):
        return _string(value, field, path, declared, hunt)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return _number(value, field, path, declared, hunt)
    if isinstance(value, dict):
        masked: dict[object, object] = {}
        for key, inner in value.items():
            label = str(key)
            named = _named(label)
            if named.harmless and (inner is None or inner is True or inner is False):
                masked[label] = inner  # most fields of a body: spare them the work
                continue
            # The name may be what has to be masked, and then stands in no path either.
            shown = label if named.harmless else _text(label, path, hunt)
            here = f"{path}.{shown}" if path else shown
            theirs = declared and not named.merchants
            masked[shown] = _value(inner, named, here, theirs, hunt)
        return masked
    if isinstance(value, list | tuple):
        return [_value(item, field, f"{path}[{i}]", declared, hunt) for i, item in enumerate(value)]
    return _text(str(value), path, hunt)


def _string(value: str, field: _Field, path: str, declared: bool, hunt: Hunt) -> str:
    if field.cvv and re.fullmatch(r"\s*\d{3,4}\s*", value):
        hunt.add("cvv", path)
        return "[cvv]"
    if field.track and re.search(r"\d{8}", value):
        hunt.add("track", path)
        return "[track]"
    if field.secret and value not in ("", "[secret]"):
        hunt.add("secret", path)
        return "[secret]"
    return _text(value, path, hunt, cards=not (declared and field.declared), standing=field.standing)


def _number(value: int, field: _Field, path: str, declared: bool, hunt: Hunt) -> object:
    if field.cvv and 0 <= value <= 9999:
        hunt.add("cvv", path)
        return "[cvv]"
    if value < 10**12 or value >= 10**19 or (declared and field.declared):
        return value
    digits = str(value)
    sure = certainty(digits, field.standing)
    return value if sure is None else hunt.add_pan(path, digits, sure)


def _text(
    text: str,
    path: str,
    hunt: Hunt,
    *,
    cards: bool = True,
    emails: bool = True,
    standing: Standing = "plain",
) -> str:
    if not text.isascii() or "\x00" in text:
        text = _clean(text)
    if len(text) < 6 or _OBJECT_ID.fullmatch(text):
        return text
    if cards and len(text) > 11 and hunt.depth < encoded.DEEPEST and encoded.hides(text):
        text = _opened(text, path, hunt)

    def put(kind: Kind, instead: str) -> str:
        hunt.add(kind, path)
        return instead

    lower = text.lower()
    if hints_at_secret(lower):
        text = _PEM.sub(lambda m: put("secret", "[secret]"), text)
        text = _CLIENT_SECRET.sub(lambda m: put("secret", f"{m[1]}_secret_…"), text)
        for pattern in (_KEY, _SIGNING, _TOKEN_SECRET):
            text = pattern.sub(lambda m: put("secret", mask(m[0])), text)
        text = _BEARER.sub(lambda m: put("secret", f"{m[1]} [secret]"), text)
    if emails and "@" in text:
        text = _EMAIL.sub(lambda m: put("email", email_hash(m[0])), text)
    if cards:
        if hints_at_code(lower):
            text = CVV_TEXT.sub(lambda m: put("cvv", f"{m['name']}[cvv]"), text)
        if "^" in text or "=" in text:
            text = TRACK.sub(lambda m: put("track", "[track]"), text)
        text = mask_pans(text, lambda digits, sure: hunt.add_pan(path, digits, sure), standing)
    return text


def _opened(text: str, path: str, hunt: Hunt) -> str:
    """The text with what its encodings hide masked; names inside one are nobody's but the writer's."""

    def of_field(name: str, value: str) -> str:
        shown = redact_name(name)
        here = f"{path}.{shown}" if path else shown
        return str(_value(value, _named(name), here, False, hunt) or "")

    hunt.depth += 1
    try:
        return encoded.masked(
            text,
            of_field,
            lambda said: _text(said, path, hunt),
            lambda said: _value(said, _NAMELESS, path, False, hunt),
        )
    finally:
        hunt.depth -= 1


def hints_at_code(lower: str) -> bool:
    """Whether text in lower case may name a security code."""
    return "cv" in lower or "csc" in lower or "code" in lower


def hints_at_secret(lower: str) -> bool:
    """Whether text in lower case may hold a key or a token."""
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
