"""What changed around an onset: told by people, and seen by payops itself; the likeliest cause first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp

from payops.domain.changes import KINDS
from payops.store import Store
from payops.store.own_changes import Change

BEFORE = timedelta(hours=2)
AFTER = timedelta(minutes=2)
"""An onset is known to some payments: what is told of a moment later may still have come first."""
FADES = timedelta(minutes=30)
_KEY_ROLLS = ("use credential", "use webhook secret")
"""As the audit calls them."""


@dataclass(frozen=True, slots=True)
class Suspected:
    """A change before an onset. `weight` 0..1: how likely its kind breaks payments, fading with the time between."""

    change: Change
    weight: float


def changes(store: Store, account: str, since: datetime, until: datetime) -> list[Change]:
    """Everything known to have changed in [since, until] that may touch the account, oldest first."""
    found = store.changes.told(since, until, account)
    for endpoint in store.facts.endpoints(account):
        # The first entry is only when payops saw the endpoint first.
        for at, status in store.facts.endpoint_changes(account, endpoint.endpoint_id)[1:]:
            if since <= at <= until:
                found.append(Change(at, "endpoint", f"{endpoint.url} is {status}", "provider", account))
    found += [
        Change(row.at, "key", f"payops began to {row.what} {row.detail.get('slot')}", row.who, account)
        for row in store.audit.rows(since, limit=500)
        if row.what in _KEY_ROLLS and row.object == account and row.at <= until
    ]
    return sorted(found, key=lambda change: change.at)


def suspects(store: Store, account: str, onset: datetime) -> list[Suspected]:
    """The changes that may have caused what began at `onset`, the likeliest first."""
    found = [
        Suspected(change, KINDS[change.kind].weight * exp(-max(0.0, (onset - change.at) / FADES)))
        for change in changes(store, account, onset - BEFORE, onset + AFTER)
        if change.kind in KINDS
    ]
    return sorted(found, key=lambda each: (-each.weight, -each.change.at.timestamp()))
