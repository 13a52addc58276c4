"""Refunds that failed, wait, or asked for more than may go back: which they are, and the signals of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.payments import Attempt, Refund
from payops.domain.refunds import (
    CONTESTED,
    FAILED,
    NOT_THIS_CARD,
    Wait,
    wait_of,
    waiting_states,
    went_through,
    why_refused,
)
from payops.store import Store

from .rows import Whose, account_labels, age_s
from .schema import SignalRow
from .success import seen_at

LOOK_BACK = timedelta(days=60)
"""A refund made longer ago is nobody's work any more."""
DAY = timedelta(hours=24)
MONTH = timedelta(days=30)


def failed(store: Store, account: Whose, now: datetime) -> tuple[Refund, ...]:
    """Refunds that failed within their limits, oldest first, that nothing has made good and no person has closed."""
    standing = _standing(store, account, now, "refund-failed")
    return tuple(refund for refund, broken in standing if broken is None)


def excess(store: Store, account: Whose, now: datetime) -> tuple[Refund, ...]:
    """Refunds that asked for more than was left or came too late, and those of payments given back twice over."""
    refused = [
        refund for refund, broken in _standing(store, account, now, "refund-over-limit") if broken is not None
    ]
    over = [each.attempt_id for each in store.facts.over_refunded(account.name, now - LOOK_BACK)]
    closed = store.incidents.closed_at(account.name, "refund-over-limit")
    beyond = [
        refund
        for refunds in store.facts.refunds_of_all(account.name, over).values()
        for refund in refunds[-1:]
        if closed is None or refund.at > closed
    ]
    return tuple(sorted((*refused, *beyond), key=lambda each: (each.at, each.refund_id)))


def stuck(store: Store, account: Whose, now: datetime) -> tuple[tuple[Refund, Wait], ...]:
    """Refunds that wait for longer than is worth no word, oldest first, each with what it waits for."""
    closed = store.incidents.closed_at(account.name, "refund-stuck")
    found = []
    for status, shown in waiting_states(account.provider):
        for refund in store.facts.refunds(account.name, now - LOOK_BACK, [status], now - shown):
            wait = wait_of(account.provider, refund)
            if wait is not None and now - refund.at >= wait.shown and (closed is None or refund.at > closed):
                found.append((refund, wait))
    return tuple(sorted(found, key=lambda each: (each[0].at, each[0].refund_id)))


def reissuable(refund: Refund) -> bool:
    """Whether the same refund made once more can succeed, as far as its reason tells."""
    reason = refund.failure_reason or ""
    return reason not in NOT_THIS_CARD and reason not in CONTESTED


def failed_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `failed_refunds` signal of one account."""
    found = failed(store, account, now)
    values = {
        "count": len(found),
        "count_24h": sum((each.changed_at or each.at) > now - DAY for each in found),
        "usual_24h": store.facts.refunds_counted(account.name, FAILED, now - MONTH - DAY, now - DAY)
        / MONTH.days,
        "reissuable": sum(reissuable(each) for each in found),
        "oldest_s": max((age_s(each.changed_at or each.at, now) or 0 for each in found), default=0),
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def stuck_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `stuck_refunds` signal of one account."""
    found = stuck(store, account, now)
    ends = [wait.until(refund) for refund, wait in found]
    values = {
        "count": len(found),
        "overdue": sum(end <= now for end in ends),
        "oldest_s": max((age_s(refund.at, now) or 0 for refund, _ in found), default=0),
        "wait_s": max(0, int((min(ends) - now).total_seconds())) if ends else None,
        "why": found[0][1].advice if found else "",
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def excess_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `excess_refunds` signal of one account."""
    found = excess(store, account, now)
    values = {
        "count": len(found),
        "given_back": sum(went_through(each) for each in found),
        "oldest_s": max((age_s(each.at, now) or 0 for each in found), default=0),
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def _standing(store: Store, account: Whose, now: datetime, rule: str) -> list[tuple[Refund, str | None]]:
    """Failed refunds that nothing has made good, each with the limit it broke."""
    closed = store.incidents.closed_at(account.name, rule)
    found = [
        each
        for each in store.facts.refunds(account.name, now - LOOK_BACK, FAILED)
        if closed is None or (each.changed_at or each.at) > closed
    ]
    if not found:
        return []
    names = {each.attempt_id for each in found if each.attempt_id is not None}
    attempts = store.facts.attempts_by_id(account.name, names)
    refunds = store.facts.refunds_of_all(account.name, names)
    standing = []
    for refund in found:
        attempt = attempts.get(refund.attempt_id or "")
        others = [
            each for each in refunds.get(refund.attempt_id or "", ()) if each.refund_id != refund.refund_id
        ]
        if not _made_good(refund, attempt, others):
            broken = None if attempt is None else why_refused(account.provider, refund, attempt, others)
            standing.append((refund, broken))
    return standing


def _made_good(refund: Refund, attempt: Attempt | None, others: list[Refund]) -> bool:
    """A later refund of the same payment went through, or all of it was given back or let go."""
    if any(went_through(each) and each.at >= refund.at for each in others):
        return True
    if attempt is None or attempt.amount_minor is None or attempt.amount_refunded_minor is None:
        return False
    return attempt.amount_refunded_minor >= attempt.amount_minor
