"""Orders that buyers approved and the shop did not capture: where declines leave no trace, the nearest thing to one."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.feeds import EVENT_LIST
from payops.domain.incidents import Value
from payops.store import Store

from .interval import wilson
from .rows import account_labels
from .schema import SOURCES, SignalRow

GRACE = timedelta(minutes=10)
"""A shop captures within seconds; an approval younger than this says nothing yet."""
JUDGED = timedelta(hours=1)
USUAL = timedelta(hours=6)
"""The time before, which says how many are left alone on an ordinary day."""


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `orders` signal; unknown where the provider tells no approvals."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["orders"].fields)
    listed = EVENT_LIST[account.provider]
    feed = store.facts.feed(account.name, listed) if listed and account.provider == "paypal" else None
    if feed is None or feed.data_as_of is None:
        return SignalRow(account_labels(account), values, None)
    until = min(now, feed.data_as_of) - GRACE
    seen = store.facts.approved_orders(account.name, until - JUDGED, until)
    before = store.facts.approved_orders(account.name, until - JUDGED - USUAL, until - JUDGED)
    values |= {
        "approved_1h": seen.approved,
        "uncaptured_1h": seen.untried,
        "share_1h": seen.untried / seen.approved if seen.approved else None,
        "n_usual": before.approved,
        "usual": before.untried / before.approved if before.approved else None,
        "usual_upper": wilson(before.approved, before.untried)[1] if before.approved else None,
    }
    return SignalRow(account_labels(account), values, now)
