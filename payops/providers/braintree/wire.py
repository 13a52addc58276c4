"""Braintree's XML, decoded to the few fields payops reads. A document with a DTD is refused: it could define entities.

Elements become plain values with underscored names, for a feed only those asked for: texts stay texts,
`type="array"` is a list, `type="integer"` and `"boolean"` are what they say, `nil` and empty are None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree

from payops.domain.money import minor_digits

MAX_DEPTH = 40
_INT64 = 2**63
_AMOUNT = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,6})?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_ID_LIMIT = 255
_WORD_LIMIT = 120

Fields = Mapping[str, Any]
"""Element name → None to take its value, or the fields to take of it (of each of its items, where it is an array)."""


class Unreadable(ValueError):
    """The body is not the XML it should be."""


def parse(body: bytes) -> ElementTree.Element:
    """The root element; `Unreadable` when it is no XML, or XML that brings its own definitions."""
    # Entities need a DTD and a DTD these bytes; the encodings that could hide them contain NULs.
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise Unreadable("it defines its own entities or encoding")
    try:
        return ElementTree.fromstring(body)  # noqa: S314  # no DTD, see above
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def fields(element: ElementTree.Element, wanted: Fields) -> dict[str, Any]:
    """The wanted fields of one element, by underscored name."""
    found: dict[str, Any] = {}
    for child in element:
        tag = child.tag
        if tag in wanted:
            inner = wanted[tag]
            name = tag.replace("-", "_")
            if inner is None:
                found[name] = plain(child) if len(child) or child.attrib else child.text
            elif child.get("type") == "array":
                found[name] = [fields(item, inner) if len(item) else item.text for item in child]
            else:
                found[name] = fields(child, inner)
    return found


def plain(element: ElementTree.Element, depth: int = 0) -> Any:
    """An element and all in it as plain values; `Unreadable` when it is nested too deeply."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"it is nested more than {MAX_DEPTH} deep")
    kind = element.get("type")
    if kind == "array":
        return [plain(child, depth + 1) for child in element]
    if len(element):
        built: dict[str, Any] = {}
        for child in element:
            name = child.tag.replace("-", "_")
            value = plain(child, depth + 1)
            if name not in built:
                built[name] = value
            elif isinstance(built[name], list):
                built[name].append(value)
            else:
                built[name] = [built[name], value]
        return built
    said = (element.text or "").strip()
    if not said or element.get("nil") == "true":
        return None
    if kind == "integer" and _INTEGER.fullmatch(said):
        return int(said)
    if kind == "boolean":
        return said in ("true", "1")
    return said


def identifier(value: object) -> str | None:
    """An id as it is; None for what cannot be one."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= _ID_LIMIT else None


def word(value: object) -> str | None:
    return value[:_WORD_LIMIT] if isinstance(value, str) and value else None


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a mapping, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """The value where it is a list, an empty one for anything else."""
    return value if isinstance(value, list) else []


def number(value: object) -> int | None:
    """A count; Braintree writes some as text."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _INT64 else None


def currency(value: object) -> str | None:
    return value.upper() if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def minor(amount: object, code: str | None) -> int | None:
    """`19.99` USD → 1999; None when either is not told, negative, or finer than the currency's minor unit."""
    if code is None or not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
        return None
    try:
        scaled = Decimal(amount).scaleb(minor_digits(code))
    except InvalidOperation:
        return None
    whole = int(scaled)
    return whole if whole == scaled and 0 <= whole < _INT64 else None


def major(amount_minor: int, code: str) -> str:
    """1999 USD → `19.99`: how Braintree writes an amount."""
    digits = minor_digits(code)
    return f"{Decimal(amount_minor).scaleb(-digits):.{digits}f}"


def time(value: object) -> datetime | None:
    """`2026-01-15T09:00:00Z` as an aware instant; a time without a zone is UTC, as the SDK reads it."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
