"""PayPal's decimal strings as minor units and back. An amount that cannot be told exactly is unknown."""

from __future__ import annotations

import re
from functools import lru_cache

from payops.domain.money import Money, minor_digits

from .wire import Amount

_DECIMAL = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,8}))?")
_WHOLE_ONLY = frozenset({"HUF", "JPY", "TWD"})
"""PayPal takes no decimals in these, although two of them have minor units (its currency code reference)."""
_INT64 = 2**63


def read(amount: Amount | None) -> tuple[int | None, str | None]:
    """Minor units and currency; None where not told, or not exact in the currency's digits."""
    if amount is None:
        return None, None
    currency = as_currency(amount.currency_code or amount.currency)
    return minor(amount.value or amount.total, currency), currency


@lru_cache(maxsize=256)
def as_currency(text: str | None) -> str | None:
    if text is None or len(text) != 3 or not text.isascii() or not text.isalpha():
        return None
    return text.upper()


@lru_cache(maxsize=4096)
def minor(value: str | None, currency: str | None) -> int | None:
    """`"19.99"`, `"EUR"` → 1999; the sign is kept."""
    if value is None or currency is None:
        return None
    found = _DECIMAL.fullmatch(value)
    if found is None:
        return None
    sign, whole, part = found.groups()
    digits = minor_digits(currency)
    part = part or ""
    if part[digits:].strip("0"):
        return None
    units = int(whole + part[:digits].ljust(digits, "0"))
    if units >= _INT64:
        return None
    return -units if sign else units


def write(money: Money) -> dict[str, str]:
    """Money as PayPal takes it; `ValueError` where PayPal has no such amount."""
    digits = minor_digits(money.currency)
    whole, part = divmod(money.amount_minor, 10**digits)
    if money.amount_minor <= 0:
        raise ValueError(f"{money} is no amount to move")
    if money.currency in _WHOLE_ONLY:
        if part:
            raise ValueError(f"PayPal takes no decimals in {money.currency}: {money}")
        digits = 0
    value = str(whole) if digits == 0 else f"{whole}.{part:0{digits}d}"
    return {"currency_code": money.currency, "value": value}
