"""Account data that was found on its way into the store and that nobody has looked at yet."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.store import Store

from .rows import account_labels, age_s
from .schema import SignalRow

SHOWN = 6


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `card_data` signal: known at every instant, since every body and page is searched."""
    found = store.findings.counts(account.name)
    values: dict[str, Value | None] = {
        "confirmed": found.confirmed,
        "suspected": found.suspected,
        "seen": found.seen,
        "reviewed": found.seen > 0 and not found.confirmed and not found.suspected,
        "kinds": ", ".join(found.kinds),
        "fields": _listed(found.fields),
        "places": _listed(found.places),
        "closed": _listed(found.closed),
        "first_s": age_s(found.first_at, now),
    }
    return SignalRow(account_labels(account), values, now)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
