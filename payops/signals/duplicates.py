"""One purchase paid twice: which pairs stand, and the signal of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.payments import Attempt
from payops.domain.refunds import went_through
from payops.store import Store

from .rows import Whose, account_labels, age_s
from .schema import SignalRow
from .success import seen_at

LOOK_BACK = timedelta(days=30)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two successes within 30 minutes for the same customer and amount. `proven`: for the same order too."""

    first: Attempt
    second: Attempt
    proven: bool


def listed(store: Store, account: Whose, now: datetime) -> tuple[Duplicate, ...]:
    """Proven pairs of which neither is given back or let go, oldest first, that no person has closed."""
    closed = store.incidents.closed_at(account.name, "duplicate-payment")
    return tuple(
        each
        for each in _standing(store, account, now - LOOK_BACK)
        if each.proven and (closed is None or each.second.at > closed)
    )


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `duplicates` signal of one account."""
    found = listed(store, account, now)
    suspected = [each for each in _standing(store, account, now - DAY) if not each.proven]
    recent = sum(each.second.at > now - HOUR for each in suspected)
    values = {
        "count": len(found),
        "count_1h": sum(each.second.at > now - HOUR for each in found),
        "oldest_s": max((age_s(each.second.at, now) or 0 for each in found), default=0),
        "suspected_1h": recent,
        "suspected_usual": (len(suspected) - recent) / 23,
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def _standing(store: Store, account: Whose, since: datetime) -> list[Duplicate]:
    pairs = store.facts.doubles(account.name, since)
    if not pairs:
        return []
    names = [each.attempt_id for pair in pairs for each in (pair.first, pair.second)]
    refunds = store.facts.refunds_of_all(account.name, names)

    def kept(attempt: Attempt) -> bool:
        """Whether the merchant still has the money, all of it."""
        back = sum(each.amount_minor for each in refunds.get(attempt.attempt_id, ()) if went_through(each))
        back = max(back, attempt.amount_refunded_minor or 0)
        return attempt.status == "succeeded" and back < (attempt.amount_minor or 0)

    return [
        Duplicate(pair.first, pair.second, pair.same_order)
        for pair in pairs
        if kept(pair.first) and kept(pair.second)
    ]
