"""Disputes that wait for a reply, and by when: no reply is lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.payments import Dispute
from payops.store import Store

from .rows import Whose, account_labels
from .schema import SignalRow
from .success import seen_at

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
_UNANSWERED = timedelta(days=2)
"""A dispute lost so soon after its reply was due was lost without one: a bank takes weeks to judge a reply."""


def waiting(store: Store, account: Whose, now: datetime) -> tuple[Dispute, ...]:
    """Disputes without a reply, the soonest due first. One that a person has closed comes back on its last day."""
    closed = store.incidents.closed_at(account.name, "dispute-deadline")
    found = [
        each
        for each in store.facts.disputes(account.name, ["needs_response"])
        if closed is None
        or each.at > closed
        or (each.reply_by is not None and closed < each.reply_by - DAY <= now)
    ]
    return tuple(
        sorted(found, key=lambda each: (each.reply_by is None, each.reply_by or now, each.dispute_id))
    )


def missed(store: Store, account: Whose, now: datetime) -> tuple[Dispute, ...]:
    """Disputes of the last week lost because nobody replied in time, as far as their times tell."""
    closed = store.incidents.closed_at(account.name, "dispute-deadline")
    return tuple(
        each
        for each in store.facts.disputes_changed(account.name, ["lost", "expired"], now - WEEK)
        if each.reply_by is not None
        and each.reply_by <= each.changed_at <= each.reply_by + _UNANSWERED
        and (closed is None or each.changed_at > closed)
    )


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `disputes` signal of one account."""
    found = waiting(store, account, now)
    due = [each.reply_by for each in found if each.reply_by is not None]
    values = {
        "count": len(found),
        "due_s": max(0, int((min(due) - now).total_seconds())) if due else None,
        "due_24h": sum(each <= now + DAY for each in due),
        "without_deadline": len(found) - len(due),
        "missed_7d": len(missed(store, account, now)),
        "new_24h": sum(each.at > now - DAY for each in found),
        "usual_24h": store.facts.disputes_opened(account.name, now - MONTH - DAY, now - DAY) / MONTH.days,
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))
