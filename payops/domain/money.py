"""Money: integer minor units and a currency, never a float, never summed across currencies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# ISO 4217 currencies whose minor unit is not 1/100, as far as the three providers take them.
_DIGITS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "JPY",
            "KMF",
            "KRW",
            "MGA",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3),
}


def minor_digits(currency: str) -> int:
    """How many decimal digits the currency's minor unit has (JPY 0, EUR 2, KWD 3)."""
    return _DIGITS.get(currency.upper(), 2)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in one currency: `Money(1999, "EUR")` is 19.99 EUR."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount_minor, int) or isinstance(self.amount_minor, bool):
            raise TypeError(f"amount_minor must be an int in minor units, got {self.amount_minor!r}")
        if len(self.currency) != 3 or not self.currency.isalpha() or not self.currency.isupper():
            raise ValueError(f"currency must be three upper-case letters, got {self.currency!r}")

    def __str__(self) -> str:
        digits = minor_digits(self.currency)
        sign = "-" if self.amount_minor < 0 else ""
        whole, part = divmod(abs(self.amount_minor), 10**digits)
        text = f"{whole:,}" if digits == 0 else f"{whole:,}.{part:0{digits}d}"
        return f"{sign}{text} {self.currency}"


def totals(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """One sum per currency, largest first; currencies are never added to each other."""
    sums: dict[str, int] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, 0) + money.amount_minor
    return tuple(sorted((Money(a, c) for c, a in sums.items()), key=lambda m: (-m.amount_minor, m.currency)))
