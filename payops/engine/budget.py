"""How often a guest may read: at most a quarter of what the provider allows the account.

A budget is a limit on the requests of any 30 days, counted as they were made (`meter`). From what is left of it
follows a pace, from the pace a factor on the feeds' intervals. The pace never spends more than a fixed share of
the rest in a given time, so the rest shrinks but is not used up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from payops.domain.payments import Provider

DAY_S = 86_400
MONTH_S = 30 * DAY_S
SHARE = 0.25
FASTEST = 0.5
"""An account with room in its budget is read twice as often as the feeds wish at least."""
FLOOR = 10_000
PER_TRANSACTION = 500
"""Stripe: reads per transaction over 30 days, and at least so many (docs.stripe.com/rate-limits)."""
PER_SECOND = 1.0
"""Braintree and PayPal publish no number. One request a second on average is our assumption: a quarter of it is one
request in four seconds, below the 20 a minute that PayPal's sandbox was seen to bear."""
CALM_S = 3 * DAY_S
"""Without need, the rest of a budget is spent no faster than would use it up in this time."""
URGENT_S = DAY_S
"""The same while webhooks are silent or a feed fails: then polls are all there is."""
MAIN_SHARE = 0.5
"""Where the budget is short, the payments feed has at least this share of it; the others wait."""


def allowance(provider: Provider, transactions: float) -> int:
    """Requests payops allows itself in 30 days at an account with so many transactions in 30 days."""
    if provider == "stripe":
        return int(max(FLOOR, PER_TRANSACTION * transactions) * SHARE)
    return int(PER_SECOND * MONTH_S * SHARE)


def reckoned(provider: Provider) -> str:
    """What the allowance is a quarter of."""
    if provider == "stripe":
        return f"a quarter of Stripe's {PER_TRANSACTION} per payment, at least {FLOOR:,} a month"
    return f"a quarter of {PER_SECOND:g} request a second, our assumption: no limit is published"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a feed would like: `requests` every `interval_s`. `main`: it is the payments feed."""

    interval_s: float
    requests: float
    main: bool

    @property
    def per_s(self) -> float:
        return self.requests / self.interval_s


def pace(allowed: int, used: int, *, urgent: bool) -> float:
    """Requests a second that may be spent now, when `used` were made in the last 30 days."""
    left = max(0, allowed - used)
    if urgent:
        return left / URGENT_S
    return min(allowed / MONTH_S, left / CALM_S)


def factors(wishes: Sequence[Wish], per_s: float) -> tuple[float, float]:
    """The factors on the interval of the payments feed and of the others that keep to the pace."""
    main = sum(wish.per_s for wish in wishes if wish.main)
    rest = sum(wish.per_s for wish in wishes if not wish.main)
    if per_s <= 0:
        return NEVER, NEVER
    even = (main + rest) / per_s
    if even <= 1 or not main or not rest:
        return _bounded(even), _bounded(even)
    for_main = min(main, max(per_s * MAIN_SHARE, per_s * main / (main + rest)))
    return _bounded(main / for_main), _bounded(rest / (per_s - for_main)) if per_s > for_main else NEVER


NEVER = 1e4
"""As good as not at all; a finite number, for it multiplies durations."""


def _bounded(factor: float) -> float:
    return min(NEVER, max(FASTEST, factor))


def planned(wishes: Iterable[Wish], main: float, rest: float) -> int:
    """Requests in 30 days at these factors."""
    return round(sum(MONTH_S * wish.per_s / (main if wish.main else rest) for wish in wishes))
