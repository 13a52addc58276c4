"""Masking a webhook's body at the speed it arrives: most hold nothing but e-mail addresses to be masked.

Looking at a body field by field costs more than everything else that is done with a webhook. Here all its texts are
searched at once for any reason to; at a suspicion, right or wrong, the full look decides.
"""

from __future__ import annotations

import re

from . import encoded
from .cards import certainty, mask_pans
from .redaction import (
    CVV_TEXT,
    TELLING_NAMES,
    TRACK,
    Finding,
    Hunt,
    hints_at_code,
    hints_at_secret,
    redact_body,
    search_text,
)

_BORDER = '"\n|"'
"""Between two texts that are searched as one: no pattern of redaction reaches over it."""
_WORD = re.compile(r"[^0-9@]{1,24}[0-9]?")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_SEPARATORS = b" -._/\t"
_LONG = b"0" * 13
_LONG_NUMBER = re.compile(r"[0-9]{13,}")
_NAMES = frozenset(name.encode() for name in TELLING_NAMES)
_IN_NO_NAME = bytes(set(range(256)) - set(b"abcdefghijklmnopqrstuvwxyz0123456789\n"))
_USUALLY_NEW = 32
"""So many texts of a body are ids, amounts and names, which never come again."""
_REST = b"{}[]:, \t\r\n+-.0123456789eEtrufalsn"
"""What JSON has besides its texts: anything else is none, and is looked at in full."""
_MOST_KNOWN = 8192
_known: set[str] = set()
"""Words without anything to mask that came before: most texts of a body come in every one."""


def mask_body(body: str, hunt: Hunt) -> tuple[str, tuple[Finding, ...]]:
    """As `redact_body`, but masked e-mail addresses are not among the findings."""
    masked = None if hunt.closed else _quickly(body)
    return redact_body(body, hunt) if masked is None else (masked, ())


def _quickly(body: str) -> str | None:
    """The body with its e-mail addresses masked; None where anything else might have to be."""
    # An escaped quotation mark would hide where a text ends; what is not printed is not JSON, and is cleaned.
    if "\\" in body or body[:1] != "{" or not (body.isascii() or _is_unicode(body)) or "\x00" in body:
        return None
    pieces = body.split('"')
    new = set(pieces[1::2]) - _known
    texts, rest = _BORDER.join(new), "".join(pieces[::2])
    if rest.encode("ascii", "replace").translate(None, _REST) or not _only_emails(texts):
        return None
    if _hints_at_card(body) and _may_be_card(texts, rest):
        return None
    disguises = encoded.may_hide(texts)
    for text in new if disguises or "@" in texts else ():
        disguise = disguises and len(text) > 11 and encoded.hides(text)
        if disguise or "@" in text:
            masked, found = search_text(text)
            if found and disguise:
                return None
            if found:
                body = body.replace(f'"{text}"', f'"{masked}"')
    if len(new) > _USUALLY_NEW and len(_known) < _MOST_KNOWN:
        _known.update(text for text in new if _WORD.fullmatch(text))
    return body


def _is_unicode(body: str) -> bool:
    try:
        body.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hints_at_card(body: str) -> bool:
    """Whether anywhere, separators apart, so many digits follow one another as a card number has."""
    return not body.isascii() or _LONG in body.encode().translate(_DIGITS, _SEPARATORS)


def _may_be_card(texts: str, rest: str) -> bool:
    """Whether any field, whatever its name says of the numbers in it, may hold one."""
    if any(certainty(found[0], "card") for found in _LONG_NUMBER.finditer(rest)):
        return True
    return any(mask_pans(part, lambda *_: "", "card") != part for part in (texts, rest))


def _only_emails(texts: str) -> bool:
    """Whether nothing in these texts, names of fields among them, is to be masked but e-mail addresses."""
    lower = texts.lower()
    names = lower.encode("ascii", "ignore").translate(None, _IN_NO_NAME).split(b"\n")
    return not (
        hints_at_secret(lower)
        or not _NAMES.isdisjoint(names)
        or (hints_at_code(lower) and CVV_TEXT.search(texts))
        or (("^" in texts or "=" in texts) and TRACK.search(texts))
    )
