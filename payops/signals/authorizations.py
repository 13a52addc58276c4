"""Money that is reserved and about to be let go: which authorizations end soon, and the signal of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.payments import Attempt
from payops.store import Store

from .rows import Whose, account_labels
from .schema import SignalRow
from .success import seen_at

AHEAD = timedelta(hours=24)
"""So long before its end an authorization is worth a word."""
HONOURED = timedelta(days=3)
"""PayPal guarantees the money of an authorization for three of its 29 days; after that a capture may be refused."""


def expiring(store: Store, account: Whose, now: datetime) -> tuple[Attempt, ...]:
    """Authorizations that end within a day, soonest first, that are not captured and no person has closed."""
    closed = store.incidents.closed_at(account.name, "authorization-expiring")
    return tuple(
        each
        for each in store.facts.uncaptured(account.name, now, now + AHEAD)
        if closed is None or each.at > closed
    )


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `authorizations` signal of one account."""
    found = expiring(store, account, now)
    ends = [each.capture_before for each in found if each.capture_before is not None]
    values = {
        "count": len(found),
        "next_s": int((min(ends) - now).total_seconds()) if ends else None,
        "lapsed_7d": len(store.facts.uncaptured(account.name, now - timedelta(days=7), now)),
        "unguaranteed": _unguaranteed(store, account, now),
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def _unguaranteed(store: Store, account: Whose, now: datetime) -> int | None:
    """Those still valid whose money PayPal no longer guarantees; None elsewhere, where both end together."""
    if account.provider != "paypal":
        return None
    valid = store.facts.uncaptured(account.name, now, now + timedelta(days=29))
    return sum(now - each.at > HONOURED for each in valid)
