"""Who buys, and with which card: a fixed population drawn once per account."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from .ids import Ids, stream

BRANDS: tuple[str, ...] = ("visa", "mastercard", "amex", "discover")
_BRAND_SHARES = (0.52, 0.31, 0.11, 0.06)

# country → currency, share of buyers, typical amount in major units
_COUNTRIES: dict[str, tuple[str, float, float]] = {
    "US": ("usd", 0.46, 42.0),
    "GB": ("gbp", 0.14, 36.0),
    "DE": ("eur", 0.13, 39.0),
    "FR": ("eur", 0.09, 38.0),
    "NL": ("eur", 0.06, 34.0),
    "CA": ("cad", 0.05, 55.0),
    "AU": ("aud", 0.04, 60.0),
    "JP": ("jpy", 0.03, 5200.0),
}
COUNTRIES: tuple[str, ...] = tuple(_COUNTRIES)
CURRENCIES: tuple[str, ...] = tuple(sorted({currency for currency, _, _ in _COUNTRIES.values()}))

_FIRST = (
    "ada",
    "ben",
    "carla",
    "dev",
    "emil",
    "fay",
    "gus",
    "hana",
    "ivo",
    "june",
    "kai",
    "lena",
    "max",
    "nia",
)
_LAST = ("abbott", "brandt", "costa", "dubois", "evans", "fischer", "garcia", "hill", "ito", "jansen", "king")
_GUESTS = 0.14


@dataclass(frozen=True, slots=True)
class Buyer:
    """A person with one card. `customer` is None for a guest: Stripe then knows only the card."""

    customer: str | None
    name: str
    email: str
    country: str
    currency: str
    typical_amount: float
    """Median purchase in major units of `currency`."""
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    funding: str
    fingerprint: str
    payment_method: str
    created_ms: int


def population(seed: int, account: str, ids: Ids, count: int, before_ms: int) -> list[Buyer]:
    """`count` buyers, known to the account since before `before_ms`, oldest first."""
    draw = stream(seed, f"{account}/buyers")
    brand_limits = tuple(accumulate(_BRAND_SHARES))
    country_limits = tuple(accumulate(share for _, share, _ in _COUNTRIES.values()))
    buyers = []
    for number in range(count):
        country = COUNTRIES[_place(country_limits, draw.random())]
        currency, _, typical = _COUNTRIES[country]
        first, last = _FIRST[draw.randrange(len(_FIRST))], _LAST[draw.randrange(len(_LAST))]
        guest = draw.random() < _GUESTS
        buyers.append(
            Buyer(
                customer=None if guest else ids.short("cus", number),
                name=f"{first.title()} {last.title()}",
                email=f"{first}.{last}{number}@example.com",
                country=country,
                currency=currency,
                typical_amount=typical,
                brand=BRANDS[_place(brand_limits, draw.random())],
                last4=f"{draw.randrange(10_000):04d}",
                exp_month=draw.randrange(1, 13),
                exp_year=draw.randrange(2027, 2032),
                funding="debit" if draw.random() < 0.4 else "credit",
                fingerprint=ids.token(f"fingerprint/{number}", 16),
                payment_method=ids.long("pm", number),
                created_ms=before_ms - (count - number) * 60_000,
            )
        )
    return buyers


def _place(limits: Sequence[float], share: float) -> int:
    return min(bisect(limits, share * limits[-1]), len(limits) - 1)
