"""What a decline is to us: its kind, a sentence a tired person understands, and whether a retry is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from payops.domain.payments import Provider

Category = Literal["soft", "hard", "do_not_retry", "needs_customer", "merchant_rule", "network", "unknown"]
Retry = Literal["never", "same_card_later", "after_customer_acts", "now"]

CATEGORIES: dict[Category, str] = {
    "soft": "issuer refusals that may pass later",
    "hard": "lasting refusals: only another card or account helps",
    "do_not_retry": "refusals that must not be tried again: the issuer or the card network forbids it",
    "needs_customer": "refusals only the customer can clear: authentication, card details, a call to the issuer",
    "merchant_rule": "payments stopped by a rule, a setting or the request itself, ours or the provider's",
    "network": "failures on the way to the issuer: the provider, its processor or the card network",
    "unknown": "failures payops cannot place",
}
"""What the declines of a category are, so that it can follow "43 of 47 are"."""

RETRIES: dict[Retry, str] = {
    "never": "not again with this card and these details",
    "same_card_later": "the same card may pass later, within the limits of the card networks",
    "after_customer_acts": "only after the customer has done something",
    "now": "the same card may be tried again at once",
}
assert set(CATEGORIES) == set(get_args(Category))
assert set(RETRIES) == set(get_args(Retry))

NOT_TOLD = "unknown"
"""The code under which a failure without any code is counted."""


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a provider says a payment failed. Where sources disagree or are weak, `retry` is the stricter answer."""

    provider: Provider
    code: str
    category: Category
    sentence: str
    retry: Retry
    source: str


def block(
    provider: Provider, category: Category, retry: Retry, source: str, sentences: Mapping[str, str]
) -> tuple[Decline, ...]:
    """The declines of one category, retry advice and source, from code → sentence."""
    return tuple(
        Decline(provider, code, category, sentence, retry, source) for code, sentence in sentences.items()
    )
