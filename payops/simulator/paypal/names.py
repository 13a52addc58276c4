"""How PayPal writes identifiers, amounts, times and addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from payops.clock import from_epoch
from payops.domain.money import minor_digits
from payops.domain.payments import Mode

Shape = dict[str, Any]
HOSTS: Mapping[Mode, str] = {"live": "https://api.paypal.com", "test": "https://api.sandbox.paypal.com"}
"""Where the links of each environment point, whatever host was asked."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_ALPHABET = "23456789" + _LETTERS
_VALUE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?")
_MIXED = _ALPHABET + "abcdefghijkmnopqrstuvwxyz-_"


class Names:
    """Identifiers of one account: the same for the same seed, account and name.

    At least every ninth character is a letter, so that no digits in it can be taken for a card number.
    """

    def __init__(self, seed: int, account: str) -> None:
        self._key = blake2b(f"paypal/{seed}/{account}".encode(), digest_size=32).digest()

    def _draw(self, name: str, length: int) -> bytes:
        return blake2b(name.encode(), key=self._key, digest_size=length).digest()

    def text(self, name: str, length: int = 17) -> str:
        """`42311647XV020574X`: capitals and digits, none that look alike; at most 64."""
        drawn = self._draw(name, length)
        return "".join(
            _LETTERS[byte % 24] if place % 9 == 8 else _ALPHABET[byte % 32]
            for place, byte in enumerate(drawn)
        )

    def secret(self, name: str, length: int) -> str:
        """Letters of both cases, digits, `-` and `_`; at most 64."""
        return "".join(_MIXED[byte % len(_MIXED)] for byte in self._draw(name, length))

    def event(self, name: str) -> str:
        """`WH-7Y7254563A4550640-11V2185806837105M`"""
        return f"WH-{self.text(f'{name}/a')}-{self.text(f'{name}/b')}"

    def dispute(self, name: str) -> str:
        """`PP-R-ABC-10123456`"""
        drawn = self._draw(name, 8)
        letters = "".join(_LETTERS[byte % 24] for byte in drawn[:3])
        return f"PP-R-{letters}-1{int.from_bytes(drawn[3:7], 'big') % 10_000_000:07d}"

    def uuid(self, name: str) -> str:
        """`69cd13f0-d67a-11e5-baa3-778b53f4ae55`"""
        digits = self._draw(name, 16).hex()
        return f"{digits[:8]}-{digits[8:12]}-11{digits[12:14]}-{digits[14:18]}-{digits[18:30]}"


def instant(at_ms: int) -> str:
    """`2026-01-15T09:00:00Z`"""
    return from_epoch(at_ms // 1000).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_instant(at_ms: int) -> str:
    """`2026-01-15T09:00:00.123Z`, as events have it."""
    return f"{from_epoch(at_ms // 1000):%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def decimal(minor: int, currency: str) -> str:
    """`12.34` USD, `1234` JPY, `1.234` KWD."""
    digits = minor_digits(currency)
    whole, part = divmod(abs(minor), 10**digits)
    text = f"{whole}.{part:0{digits}d}" if digits else str(whole)
    return f"-{text}" if minor < 0 else text


def money(minor: int, currency: str) -> Shape:
    return {"currency_code": currency.upper(), "value": decimal(minor, currency)}


def old_money(minor: int, currency: str) -> Shape:
    """An amount as version 1 of the payments API writes it."""
    return {"total": decimal(minor, currency), "currency": currency.upper()}


def spoken(minor: int, currency: str) -> str:
    """`$ 7.47 USD`, as the summaries of events say it."""
    sign = {"usd": "$", "gbp": "£", "eur": "€", "jpy": "¥"}.get(currency, currency.upper())
    return f"{sign} {decimal(minor, currency)} {currency.upper()}"


def minor_of(value: str, currency: str) -> int | None:
    """Minor units of a decimal text; None when it has more decimals than the currency. `ValueError`: no amount."""
    if not _VALUE.fullmatch(value):
        raise ValueError(value)
    whole, _, part = value.partition(".")
    digits = minor_digits(currency)
    if len(part.rstrip("0")) > digits:
        return None
    return int(whole + part.rstrip("0").ljust(digits, "0"))


def link(base: str, path: str, rel: str, method: str = "GET") -> Shape:
    return {"href": f"{base}{path}", "rel": rel, "method": method}
