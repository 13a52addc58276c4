"""Payouts that did not reach the merchant's bank, and no later one has since."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.domain.payments import Payout, Provider
from payops.store import Store

from .rows import Whose, account_labels, age_s
from .schema import SignalRow
from .success import seen_at

LOOK_BACK = timedelta(days=30)
SHOWN_BY: frozenset[Provider] = frozenset({"stripe"})
"""Providers whose payouts payops can see."""


def failed(store: Store, account: Whose, now: datetime) -> tuple[Payout, ...]:
    """Failed payouts after which none in their currency went out, oldest first, that no person has closed."""
    closed = store.incidents.closed_at(account.name, "payout-failed")
    recent = store.facts.payouts(account.name, now - LOOK_BACK)
    after: dict[str, datetime] = {}
    for each in recent:
        if each.status in ("pending", "in_transit", "paid"):
            after[each.currency] = max(each.at, after.get(each.currency, each.at))
    return tuple(
        each
        for each in recent
        if each.status == "failed"
        and each.changed_at > after.get(each.currency, now - LOOK_BACK)
        and (closed is None or each.changed_at > closed)
    )


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `failed_payouts` signal of one account; unknown where the provider's payouts are not seen."""
    if account.provider not in SHOWN_BY:
        return SignalRow(account_labels(account), dict.fromkeys(("count", "oldest_s", "code")), None)
    found = failed(store, account, now)
    values: dict[str, Value | None] = {
        "count": len(found),
        "oldest_s": max((age_s(each.changed_at, now) or 0 for each in found), default=0),
        "code": (found[-1].failure_code or "not told") if found else "",
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))
