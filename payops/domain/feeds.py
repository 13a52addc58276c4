"""Where each provider's payments and events come from, what can be seen there, and what cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .payments import Provider


@dataclass(frozen=True, slots=True)
class Sight:
    """What a provider lets payops see of its payments.

    `payments_feed` is the feed they come from. `all_declines` False: some failures leave no trace, so a rate of
    what is seen is unknown, never close to 100 %. `delay_s` is how late the feed may be. `whole_s` is how far back
    the history that is read first is whole: what is older comes by other ways, which show successes alone.
    """

    payments_feed: str
    all_declines: bool
    sentence: str
    delay_s: int
    whole_s: int


SIGHT: Mapping[Provider, Sight] = {
    "stripe": Sight(
        "events",
        True,
        "every charge Stripe made an event for: declines, blocks and failed authentications included",
        60,
        30 * 86_400,
    ),
    "braintree": Sight(
        "transactions",
        True,
        "every transaction found by search: declines and gateway rejections included",
        180,
        86_400,
    ),
    "paypal": Sight(
        "events",
        False,
        "completions; wallet declines not visible; card captures denied/declined; reporting up to 3 h late",
        120,
        30 * 86_400,
    ),
}

EVENT_LIST: Mapping[Provider, str | None] = {"stripe": "events", "braintree": None, "paypal": "events"}
"""The feed that lists the events a provider made; None where no provider API lists them."""

SHOWN_BY: Mapping[Provider, str | None] = {"stripe": None, "braintree": "changes", "paypal": None}
"""Where it is None: the feed whose objects show what happened; a settled sale had its notification."""
