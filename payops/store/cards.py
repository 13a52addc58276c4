"""Telling a card number (PAN) from every other long number."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

Certainty = Literal["confirmed", "suspected"]
"""`confirmed`: the check digit is right and an issuer has such numbers. `suspected`: one of these with a doubt."""
Standing = Literal["plain", "card", "identifier"]
"""What the name of a field says of the numbers in it: nothing, that they are cards, or that the merchant counts by them."""

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
_WORD_END, _WORD_START = re.compile(r"[0-9A-Za-z_\-]*$"), re.compile(r"^[0-9A-Za-z_\-]*")
_GLUED_END, _GLUED_START = re.compile(r"[0-9A-Za-z]*$"), re.compile(r"^[0-9A-Za-z]*")
_CARD_WORDS = frozenset(
    {"card", "pan", "cc", "ccn", "number", "cardnumber", "nr", "no", "visa", "mc", "amex"}
)
_PROVIDER_ID = re.compile(r"(?:[a-z]{2,12}_)+(?:live_|test_)?(?=[0-9A-Za-z]*[A-Za-z])[0-9A-Za-z]{8,}")
_HEX = re.compile(
    r"(?=.*[a-f])[0-9a-f]{20,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I
)
_CARD_NEAR = re.compile(
    r"\b(?:credit|debit)?[ _-]?(?:card|pan|cc|ccn|visa|mastercard|amex|maestro|kreditkarte|karte)\b", re.I
)
_NEAR = 24
_HASHED = re.compile(r"\[email [0-9a-f]{0,15}$")
_DECIMAL = re.compile(r"\d{1,3}\.\d{7,}")
_LONG = re.compile(rf"\d(?:[{_SEPARATORS}]{{0,2}}\d){{12}}")


def mask_pans(text: str, put: Callable[[str, Certainty], str], standing: Standing = "plain") -> str:
    """The text with each card number replaced by what `put` makes of its digits and of how certain it is one.

    One number in ten passes the check digit by chance. So a number that no issuer has is only suspected, and only where
    something near it speaks of a card; so is a bare number in a field the merchant counts by, whatever it begins with.
    """
    if len(text) < 13 or not _LONG.search(text):
        return text
    return _DIGITS.sub(lambda match: _pan(match, put, standing), text)


def may_hold_card_data(text: str) -> bool:
    """Whether it is worth a search: most ids and names are not."""
    return "cv" in text or "=" in text or _LONG.search(text) is not None


def certainty(digits: str, standing: Standing = "plain") -> Certainty | None:
    """How certain it is that these digits alone are a card number; None = they are not."""
    if is_pan(digits):
        return "suspected" if standing == "identifier" else "confirmed"
    if standing == "card" and 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _luhn(digits):
        return "suspected"
    return None


def is_pan(digits: str) -> bool:
    """13 to 19 digits of a known issuer whose check digit is right."""
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _issued(digits) and _luhn(digits)


def masked_pan(digits: str) -> str:
    """All that may be kept of a card number."""
    return f"[card …{digits[-4:]}]"


def _pan(match: re.Match[str], put: Callable[[str, Certainty], str], standing: Standing) -> str:
    run, text = match[0], match.string
    before, after = text[max(0, match.start() - 64) : match.start()], text[match.end() : match.end() + 64]
    if before.endswith("+") or _DECIMAL.fullmatch(run) or _HASHED.search(before):
        return run  # a telephone number, a fraction, the hash of an e-mail address
    if " " not in run and _inside_an_id(run, before, after):
        return run
    if _CARD_NEAR.search(before[-_NEAR:]) or _CARD_NEAR.search(after[:_NEAR]):
        standing = "card"
    elif standing == "identifier" and not run.isdigit():
        standing = "plain"  # nobody writes an order number in groups of four
    return _mask_run(run, put, standing)


def _mask_run(run: str, put: Callable[[str, Certainty], str], standing: Standing) -> str:
    for start, end in _windows(run):
        digits = _digits_of(run[start:end])
        if is_pan(digits):
            sure: Certainty = "suspected" if standing == "identifier" else "confirmed"
            return run[:start] + put(digits, sure) + _mask_run(run[end:], put, standing)
    whole = _digits_of(run)
    return run if certainty(whole, standing) is None else put(whole, "suspected")


def _inside_an_id(run: str, before: str, after: str) -> bool:
    """Digits that belong to a longer identifier: `ch_…`, a hash, `P-5ML4271244454362WXNWU5NQ`."""
    word = _tail(_WORD_END, before) + run + _tail(_WORD_START, after)
    if _PROVIDER_ID.fullmatch(word) or _HEX.fullmatch(word):
        return True
    left, right = _tail(_GLUED_END, before), _tail(_GLUED_START, after)
    if left.lower() in _CARD_WORDS:
        return False
    return (
        _mixed(left)
        or (_has_letter(left) and _has_letter(right))
        or (not left and _mixed(right) and len(right) > 8)
    )


def _tail(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[0] if match else ""


def _has_letter(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _mixed(text: str) -> bool:
    return _has_letter(text) and any(character.isdigit() for character in text)


def _windows(run: str) -> list[tuple[int, int]]:
    """The stretches of a run of digits that may be one card number: the whole of it, or whole groups."""
    groups = [match.span() for match in re.finditer(r"\d+", run[:200])]
    sizes = [end - start for start, end in groups]
    if groups and all(size == 1 for size in sizes):
        return [(groups[0][0], groups[-1][1])]
    return [
        (groups[first][0], groups[last][1])
        for first in range(len(groups))
        for last in range(min(len(groups), first + 9) - 1, first - 1, -1)
        if min(sizes[first : last + 1]) >= 2 and 13 <= sum(sizes[first : last + 1]) <= 19
    ]


def _digits_of(run: str) -> str:
    return "".join(str(int(character)) for character in run if character.isdigit() and character.isdecimal())


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
