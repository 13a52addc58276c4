"""The border to the disk: card data, secrets and e-mail addresses are masked before anything is stored.

Masking twice changes nothing. What was found is reported by kind and place, never by value.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Literal

from payops.text import mask

Kind = Literal["pan", "cvv", "track", "secret", "email"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One masked thing. `path` is the field (`data.object.metadata.note`), empty in free text."""

    kind: Kind
    path: str


# First digits and lengths of the card brands; nothing starts with 1, so epoch times never match.
_ISSUERS: tuple[tuple[str, str, range], ...] = (
    ("4", "4", range(13, 20)),
    ("51", "55", range(16, 17)),
    ("2221", "2720", range(16, 17)),
    ("34", "34", range(15, 16)),
    ("37", "37", range(15, 16)),
    ("6011", "6011", range(16, 20)),
    ("644", "659", range(16, 20)),
    ("62", "62", range(16, 20)),
    ("81", "82", range(16, 20)),
    ("3528", "3589", range(16, 20)),
    ("300", "305", range(14, 20)),
    ("3095", "3095", range(14, 20)),
    ("36", "36", range(14, 20)),
    ("38", "39", range(14, 20)),
    ("50", "50", range(13, 20)),
    ("56", "58", range(13, 20)),
    ("6304", "6304", range(13, 20)),
    ("6759", "6763", range(13, 20)),
    ("2200", "2204", range(16, 20)),
    ("9792", "9792", range(16, 17)),
)
_SEPARATORS = " \\-.\u00a0\u2009\u202f\u2010-\u2014_/\t"
_DIGITS = re.compile(rf"(?<!\d)\d(?:[{_SEPARATORS}]{{0,2}}\d){{12,}}(?!\d)")
_WORD = r"[0-9A-Za-z_\-]"
_PROVIDER_ID = re.compile(r"(?:[a-z]{2,12}_)+(?:live_|test_)?(?=[0-9A-Za-z]*[A-Za-z])[0-9A-Za-z]{8,}")
_HEX = re.compile(
    r"(?=.*[a-f])[0-9a-f]{20,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I
)
_TRACK = re.compile(r"%?[Bb]\d{12,19}\^[^^\n]{2,30}\^\d[^?\n]{3,60}\??|;?\d{12,19}=\d{7,}[^?\s\"]{0,40}\??")
_CVV_TEXT = re.compile(
    r"(?P<name>\b(?:cvv2?|cvc2?|csc|security[ _-]?code|card[ _-]?code)\b[\"']?\s*(?:is|[:=#])?\s*[\"']?)(?P<value>\d{3,4})(?!\d)",
    re.I,
)
_KEY = re.compile(r"\b(?:sk|rk|ek)_(?:live|test)_[A-Za-z0-9_]{6,}")
_SIGNING = re.compile(r"\bwhsec_[A-Za-z0-9_+/=]{6,}")
_CLIENT_SECRET = re.compile(r"\b((?:pi|seti|cs|src|cuss|acss|si)_[A-Za-z0-9_]{4,}?)_secret_[A-Za-z0-9_]{4,}")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9\-._~+/$]{12,}=*", re.I)
_TOKEN_SECRET = re.compile(r"\baccess_token\$(?:production|sandbox)\$[0-9a-z$]{8,}")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S)
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~\-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62}\.)+[A-Za-z]{2,24}\b"
)
_SUSPICIOUS = re.compile(
    r"@|\d(?:\D{0,2}\d){11}|(?:live|test)_|whsec|secret|bearer|basic|access_token|PRIVATE KEY|cv[cv]|csc|code",
    re.I,
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
        "authorization",
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
    {"metadata", "description", "note", "notes", "custom_fields", "custom", "custom_id", "options"}
)


def redact(value: object) -> tuple[object, tuple[Finding, ...]]:
    """The value with everything secret masked, and what was found.

    Text that is a JSON object or array is masked field by field and comes back as JSON text; other text as
    free text; mappings and sequences (as `json.loads` makes them) as such values.
    """
    found: list[Finding] = []
    if isinstance(value, str):
        return _document(value, found), tuple(found)
    try:
        return _value(value, "", "", True, found), tuple(found)
    except RecursionError:
        found.clear()
        return _text(json.dumps(str(type(value).__name__)), "", found), tuple(found)


def redact_text(text: str) -> str:
    """Free text with everything secret masked."""
    return _text(text, "", [])


def redact_body(body: str) -> tuple[str, tuple[Finding, ...]]:
    """A JSON document masked field by field; anything that is no JSON as free text."""
    found: list[Finding] = []
    return _document(body, found), tuple(found)


def redact_name(text: str) -> str:
    """Card data and secrets masked, addresses kept: for names of operators and for URLs."""
    return _text(text, "", [], emails=False)


def email_hash(address: str) -> str:
    """What an e-mail address is stored as: equal addresses stay equal, case apart."""
    return f"[email {hashlib.sha256(address.strip().lower().encode()).hexdigest()[:16]}]"


def _document(text: str, found: list[Finding]) -> str:
    if text.lstrip()[:1] in ("{", "["):
        try:
            parsed = json.loads(text)
            return json.dumps(_value(parsed, "", "", True, found), separators=(",", ":"))
        except (ValueError, RecursionError):
            found.clear()
    return _text(text, "", found)


def _value(value: object, name: str, path: str, declared: bool, found: list[Finding]) -> object:
    """`declared`: the names here are the provider's, so a field called `id` holds an id."""
    if isinstance(value, str):
        return _field(value, name, path, declared, found)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return _number(value, name, path, declared, found)
    if isinstance(value, dict):
        masked: dict[object, object] = {}
        for key, inner in value.items():
            label = str(key)
            here = f"{path}.{label}" if path else label
            own = _text(label, here, found) if _SUSPICIOUS.search(label) else label
            masked[own] = _value(inner, label, here, declared and label not in _MERCHANT_DEFINED, found)
        return masked
    if isinstance(value, list | tuple):
        return [_value(item, name, f"{path}[{index}]", declared, found) for index, item in enumerate(value)]
    return _text(str(value), path, found)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _field(value: str, name: str, path: str, declared: bool, found: list[Finding]) -> str:
    plain = _plain(name)
    if plain in _CVV_FIELDS and re.fullmatch(r"\s*\d{3,4}\s*", value):
        found.append(Finding("cvv", path))
        return "[cvv]"
    if plain in _TRACK_FIELDS and re.search(r"\d{8}", value):
        found.append(Finding("track", path))
        return "[track]"
    if plain in _SECRET_FIELDS and value and not value.startswith("[") and "…" not in value:
        found.append(Finding("secret", path))
        return "[secret]"
    if not _SUSPICIOUS.search(value):
        return _clean(value)
    return _text(value, path, found, cards=not (declared and _DECLARED.fullmatch(name)))


def _number(value: int, name: str, path: str, declared: bool, found: list[Finding]) -> object:
    if _plain(name) in _CVV_FIELDS and 0 <= value <= 9999:
        found.append(Finding("cvv", path))
        return "[cvv]"
    if value < 10**12 or (declared and _DECLARED.fullmatch(name)):
        return value
    digits = str(value)
    if not _is_pan(digits):
        return value
    found.append(Finding("pan", path))
    return _masked_pan(digits)


def _text(text: str, path: str, found: list[Finding], *, cards: bool = True, emails: bool = True) -> str:
    text = _clean(text)
    if not _SUSPICIOUS.search(text):
        return text

    def secret(match: re.Match[str]) -> str:
        found.append(Finding("secret", path))
        return mask(match.group(0))

    def named(match: re.Match[str]) -> str:
        found.append(Finding("secret", path))
        return f"{match.group(1)} [secret]"

    def address(match: re.Match[str]) -> str:
        found.append(Finding("email", path))
        return email_hash(match.group(0))

    def cvv(match: re.Match[str]) -> str:
        found.append(Finding("cvv", path))
        return f"{match['name']}[cvv]"

    def track(match: re.Match[str]) -> str:
        found.append(Finding("track", path))
        return "[track]"

    def pan(match: re.Match[str]) -> str:
        return _pan(match, path, found)

    text = _PEM.sub(secret, text)
    text = _CLIENT_SECRET.sub(named, text)
    for pattern in (_KEY, _SIGNING, _TOKEN_SECRET):
        text = pattern.sub(secret, text)
    text = _BEARER.sub(named, text)
    if emails:
        text = _EMAIL.sub(address, text)
    if cards:
        text = _TRACK.sub(track, text)
        text = _CVV_TEXT.sub(cvv, text)
        text = _DIGITS.sub(pan, text)
    return text


def _clean(text: str) -> str:
    """SQLite stores UTF-8: a lone surrogate has none, and a NUL would hide what follows it."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _pan(match: re.Match[str], path: str, found: list[Finding]) -> str:
    run = match.group(0)
    before = re.search(rf"{_WORD}*$", match.string[max(0, match.start() - 64) : match.start()])
    after = re.match(rf"{_WORD}*", match.string[match.end() : match.end() + 64])
    word = (before.group(0) if before else "") + run + (after.group(0) if after else "")
    if _PROVIDER_ID.fullmatch(word) or _HEX.fullmatch(word):
        return run
    before_run = match.string[match.start() - 1 : match.start()]
    if before_run == "+" or re.search(r"\d\.$", match.string[: match.start()][-2:]):
        return run  # a telephone number; the digits after a decimal point
    for start, end in _windows(run):
        digits = _digits_of(run[start:end])
        if _is_pan(digits):
            found.append(Finding("pan", path))
            return run[:start] + _masked_pan(digits) + run[end:]
    return run


def _windows(run: str) -> list[tuple[int, int]]:
    """The stretches of a run of digits that may be one card number: the whole of it, else whole groups."""
    groups = [match.span() for match in re.finditer(r"\d+", run)]
    if len(groups) == 1:
        return [(0, len(run))]
    if all(end - start == 1 for start, end in groups):
        return [(0, len(run))]
    return [
        (groups[first][0], groups[last][1])
        for first in range(len(groups))
        for last in range(len(groups) - 1, first - 1, -1)
        if all(end - start >= 2 for start, end in groups[first : last + 1])
        and 13 <= sum(end - start for start, end in groups[first : last + 1]) <= 19
    ]


def _digits_of(run: str) -> str:
    return "".join(str(int(character)) for character in run if character.isdigit() and character.isdecimal())


def _is_pan(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _issued(digits) and _luhn(digits)


def _issued(digits: str) -> bool:
    return any(
        low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _ISSUERS
    )


def _luhn(digits: str) -> bool:
    total = 0
    for index, character in enumerate(reversed(digits)):
        value = ord(character) - 48
        if index % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _masked_pan(digits: str) -> str:
    return f"[card …{digits[-4:]}]"
