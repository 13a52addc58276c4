"""One decline vocabulary for every provider: a code becomes a category, a plain sentence and retry advice.

The tables are one module per provider; `lookup` answers for any code. A code that is not in a table is kept,
named and never taken for retryable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from payops.domain.payments import Provider

from . import braintree, paypal, stripe
from .vocabulary import CATEGORIES, NOT_TOLD, RETRIES, Category, Decline, Retry

__all__ = [
    "CATEGORIES",
    "DECLINES",
    "NOT_TOLD",
    "RETRIES",
    "Category",
    "Decline",
    "Retry",
    "Tally",
    "by_category",
    "lookup",
]

DECLINES: tuple[Decline, ...] = stripe.DECLINES + braintree.DECLINES + paypal.DECLINES
_BY_CODE: dict[tuple[Provider, str], Decline] = {(each.provider, each.code): each for each in DECLINES}
assert len(_BY_CODE) == len(DECLINES), "a decline code is listed twice"


@dataclass(frozen=True, slots=True)
class Tally:
    """The declines of one category: how many, and the codes they came with, most frequent first."""

    category: Category
    n: int
    codes: tuple[tuple[str, int], ...]


def lookup(provider: Provider, code: str) -> Decline:
    """What `code` means at `provider`. An unknown code has category `unknown`, retry `never` and is named."""
    known = _BY_CODE.get((provider, code))
    if known is not None:
        return known
    if code in ("", NOT_TOLD):
        sentence = "The provider gave no reason."
    else:
        # The representation, not the text: a code is the provider's, and control characters must not act.
        sentence = f"payops does not know the code {code[:60]!r}; it is never taken for retryable."
    return Decline(provider, code, "unknown", sentence, "never", "not in the vocabulary")


def by_category(provider: Provider, counts: Iterable[tuple[str, int]]) -> tuple[Tally, ...]:
    """(code, count) pairs summed by category, most frequent category first; nothing is left out."""
    found: dict[Category, dict[str, int]] = {}
    for code, count in counts:
        codes = found.setdefault(lookup(provider, code).category, {})
        codes[code] = codes.get(code, 0) + count
    tallies = [
        Tally(
            category, sum(codes.values()), tuple(sorted(codes.items(), key=lambda item: (-item[1], item[0])))
        )
        for category, codes in found.items()
    ]
    return tuple(sorted(tallies, key=lambda tally: (-tally.n, tally.category)))
