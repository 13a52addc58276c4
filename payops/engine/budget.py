"""How often a guest may read: at most a quarter of what the provider allows the account.

Stripe: 500 reads per transaction over 30 days on average, at least 10,000 a month (docs.stripe.com/rate-limits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from payops.providers.port import FeedSpec

MONTH_S = 30 * 86_400
SHARE = 0.25
FASTEST = 0.5
"""An account with room in its budget is read twice as often as the feeds wish at least."""
FLOOR = 10_000
PER_TRANSACTION = 500


@dataclass(frozen=True, slots=True)
class Budget:
    """Reads payops allows itself in 30 days, and the factor on the feeds' intervals that follows."""

    allowed: int
    stretch: float


def budget(feeds: Sequence[FeedSpec], attempts_24h: int) -> Budget:
    """The allowance at this volume, and the factor on every feed's interval that keeps within it."""
    allowed = int(max(FLOOR, PER_TRANSACTION * attempts_24h * 30) * SHARE)
    wished = sum(MONTH_S / feed.interval_s * feed.requests for feed in feeds)
    return Budget(allowed, max(FASTEST, wished / allowed))
