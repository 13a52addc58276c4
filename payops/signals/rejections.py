"""What the merchant's own rules at the provider stop: a stage before acceptance, with a usual share of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.blocks import BLOCKS
from payops.domain.incidents import Value
from payops.store import Store

from .interval import wilson
from .rows import account_labels
from .schema import SOURCES, SignalRow
from .success import seen_at

RECENT = timedelta(minutes=15)
HOUR = timedelta(hours=1)
LONGEST_RECENT = timedelta(hours=2)
SHORTEST_RECENT = timedelta(minutes=30)
BASELINE = timedelta(hours=24)
LEAST_BASELINE = 50
"""Below this many payments of history the usual share is unknown."""


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `rejections` signal of one account; nothing is known where the provider shows no rejections."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["rejections"].fields)
    if BLOCKS[account.provider]:
        edge = now + timedelta(seconds=1)
        stopped = store.facts.stopped(account.name, now - RECENT, edge)
        rejected = sum(count for _, count in stopped)
        (passed,) = store.facts.windows(account.name, now, (int(RECENT.total_seconds()),))
        n = passed.n + rejected
        values |= {
            "n_15m": n,
            "rejected_15m": rejected,
            "share_15m": rejected / n if n else None,
            "reason": stopped[0][0] if stopped else "",
            "rejected_1h": sum(count for _, count in store.facts.stopped(account.name, now - HOUR, edge)),
        }
        start, end = learned(store, account.name, now)
        before = sum(count for _, count in store.facts.stopped(account.name, start, end))
        usual = store.facts.window(account.name, start, end).n + before
        values["n_usual"] = usual
        if usual >= LEAST_BASELINE:
            values |= {"usual": before / usual, "usual_upper": wilson(usual, before)[1]}
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def recent(store: Store, account: str, now: datetime) -> timedelta:
    """How much of the past is judged rather than learned from: 2 hours, less while history is short."""
    first = store.facts.first_seen_at(account)
    history = now - first if first else timedelta()
    return max(SHORTEST_RECENT, min(LONGEST_RECENT, history / 4))


def learned(store: Store, account: str, now: datetime) -> tuple[datetime, datetime]:
    """The 24 hours before what is judged."""
    end = now - recent(store, account, now)
    return end - BASELINE, end
