"""Whether payments still come: silence and a halved traffic, by payments expected, not by minutes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from payops.clock import from_epoch, to_epoch
from payops.config import AccountSettings
from payops.detection import silence_limit
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.store import Store
from payops.streams.volume import SHORTEST_S, Volume

from .rows import account_labels
from .schema import SOURCES, SignalRow
from .success import seen_at


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `traffic` signal of one account: as of when the feed says that nothing more had happened."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["traffic"].fields)
    seen = seen_at(store, account, now)
    volume = usual_volume(store, account.name)
    if volume is not None and volume.last_at is not None and seen is not None:
        # What happened in the feed's own delay is not known to be nothing.
        until = max(volume.last_at, to_epoch(seen - timedelta(seconds=SIGHT[account.provider].delay_s)))
        quiet, expected = until - volume.last_at, volume.expected(volume.last_at, until)
        accounts = store.streams.accounts()
        values["quiet_s"] = quiet
        values["usual_per_hour"] = volume.per_hour(until // 3600)
        if expected is not None:
            limit = silence_limit(volume.per_30_days * accounts, volume.spread)
            values["expected_since"], values["limit"] = expected, limit
            values["silent"] = quiet >= SHORTEST_S and expected >= limit
        fewer = volume.fewer(until)
        values["fewer"] = None if fewer is None else fewer / accounts
    return SignalRow(account_labels(account), values, seen)


def usual_volume(store: Store, account: str) -> Volume | None:
    """How many payments usually come; None before any was counted."""
    cursor = store.streams.cursor(account)
    if cursor is None or cursor.replay_at is not None:
        return None
    known = json.loads(cursor.usual).get("volume")
    return Volume(known) if known else None


def last_payment_at(store: Store, account: str) -> datetime | None:
    """When the last payment was made that was counted."""
    volume = usual_volume(store, account)
    return None if volume is None or volume.last_at is None else from_epoch(volume.last_at)
