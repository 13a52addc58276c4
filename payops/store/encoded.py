"""Card data in disguise: text that is base64, XML, a form or JSON inside a string is read as what it says.

What is masked inside one comes back masked, and only then changed: a text in which nothing is hidden stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qsl, unquote

MASKED = "[encoded, masked]"
"""What base64 is replaced by when anything in it had to be masked."""
DEEPEST = 3
"""Encodings inside encodings that are followed: nobody writes a note deeper than that by accident."""
_MOST_FIELDS = 2_000

OfField = Callable[[str, str], str]
"""The value masked as what a field of that name holds."""
OfText = Callable[[str], str]
OfValue = Callable[[object], object]

# Base64 of 16 letters and more whose first bytes are all ASCII: of a hundred random ids hardly one looks like it.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9+/_=-])"
    r"(?:[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){4}[A-Za-z0-9+/_-]{2}"
)
_ELEMENT = re.compile(r"<(?P<name>[\w.:-]{1,80})(?:\s[^<>]*)?>(?P<value>[^<>]+)(?=</)")
_FORM = re.compile(r"[^=&\s<>{}]{1,200}=[^&\s<>{}]*(?:&[^=&\s<>{}]{1,200}=[^&\s<>{}]*)*")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{18,}={0,2}(?![A-Za-z0-9+/_=-])")
_LINES = re.compile(r"[A-Za-z0-9+/_-]{18,}\s[A-Za-z0-9+/_\-\s]*={0,2}\s*")
"""Base64 over several lines."""
_URL_SAFE = str.maketrans("-_", "+/")


def hides(text: str) -> bool:
    """Whether it is worth opening: cheap, and true of far more than of what hides anything."""
    return (
        "=" in text
        or "%" in text
        or "</" in text
        or "&#" in text
        or text[0] in "{["
        or (len(text) >= 18 and _TOKEN.search(text) is not None)
    )


def may_hide(texts: str) -> bool:
    """Whether any of many texts is worth opening, each between characters that are in no encoding."""
    return (
        "=" in texts
        or "%" in texts
        or "</" in texts
        or "&#" in texts
        or "{" in texts
        or "[" in texts
        or _TOKEN.search(texts) is not None
    )


def masked(text: str, of_field: OfField, of_text: OfText, of_value: OfValue) -> str:
    """The text with what was masked inside its encodings."""
    if text[0] in "{[":
        inside = _json(text, of_value)
        if inside is not None:
            return inside
    if "</" in text:
        text = _ELEMENT.sub(lambda match: _element(match, of_field), text)
    if "=" in text and _FORM.fullmatch(text):
        text = _form(text, of_field)
    if _ESCAPED.search(text):
        text = _decoded(text, unquote(text), of_text)
    if "&#" in text:
        text = _decoded(text, unescape(text), of_text)
    if _LINES.fullmatch(text) and _hidden("".join(text.split()), of_text):
        return MASKED
    return _BASE64.sub(lambda match: MASKED if _hidden(match[0], of_text) else match[0], text)


def _json(text: str, of_value: OfValue) -> str | None:
    """A JSON document inside a string; None where it is none, or nothing in it is masked."""
    try:
        said = json.loads(text)
        inside = of_value(said)
    except (ValueError, RecursionError):
        return None
    return None if inside == said else json.dumps(inside, separators=(",", ":"))


def _element(match: re.Match[str], of_field: OfField) -> str:
    value = unescape(match["value"])
    inside = of_field(match["name"].rpartition(":")[2], value)
    return match[0] if inside == value else match[0][: -len(match["value"])] + inside


def _form(text: str, of_field: OfField) -> str:
    """Only what is masked is written anew, and readable: nobody parses it again."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return text
    written = text.split("&")
    if len(pairs) != len(written):
        return text
    parts = []
    for (name, value), as_it_was in zip(pairs, written, strict=True):
        inside = of_field(name, value)
        parts.append(as_it_was if inside == value else f"{name}={inside}")
    return "&".join(parts)


def _decoded(text: str, decoded: str, of_text: OfText) -> str:
    inside = of_text(decoded)
    return text if inside == decoded else inside


def _hidden(token: str, of_text: OfText) -> bool:
    """Whether base64 says something in plain letters that has to be masked."""
    bare = token.rstrip("=").translate(_URL_SAFE)
    try:
        said = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    return _readable(said) and of_text(said) != said


def _readable(text: str) -> bool:
    return all(character.isprintable() or character in "\r\n\t" for character in text)
