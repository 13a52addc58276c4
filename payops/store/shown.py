"""What a provider's objects show to have happened, where no list of events does: what a webhook should have told.

Only of types of which one was told is anything said: others this endpoint may not be subscribed to.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import WebhookEvent, shown_id

from .rows import at

if TYPE_CHECKING:
    from .store import Store

_UNTOLD = (
    " FROM shown_events AS shown WHERE shown.account = ? AND shown.told = 0 AND shown.at >= ? AND shown.at <= ?"
    " AND EXISTS (SELECT 1 FROM shown_events AS other WHERE other.account = shown.account"
    " AND other.type = shown.type AND other.told = 1)"
    # What came and is not processed yet is not missing.
    " AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.account = shown.account AND inbox.state <> 'processed'"
    " AND inbox.type = shown.type AND inbox.object_id = shown.object_id)"
)


class ShownFacts:
    _store: Store

    def count_untold(self, account: str, since: datetime, until: datetime) -> tuple[int, datetime | None]:
        """How many events of [since, until] no webhook told of, and when the oldest happened."""
        with self._store.read() as db:
            row = db.execute(
                f"SELECT COUNT(*) AS n, MIN(shown.at) AS oldest{_UNTOLD}",
                (account, to_epoch(since), to_epoch(until)),
            ).fetchone()
        return row["n"], at(row["oldest"])

    def untold(self, account: str, since: datetime, until: datetime, limit: int) -> list[WebhookEvent]:
        """Those events, oldest first; their ids are made of type and object."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT shown.*{_UNTOLD} ORDER BY shown.at, shown.object_id LIMIT ?",
                (account, to_epoch(since), to_epoch(until), limit),
            ).fetchall()
        return [
            WebhookEvent(
                account,
                shown_id(row["type"], row["object_id"]),
                row["type"],
                from_epoch(row["at"]),
                None,
                row["object_id"],
                row["amount_minor"],
                row["currency"],
            )
            for row in rows
        ]


def apply_shown(db: sqlite3.Connection, account: str, events: Iterable[WebhookEvent]) -> None:
    """Keep what was not known; what a processed webhook told of already is told."""
    db.executemany(
        "INSERT INTO shown_events (account, type, object_id, at, amount_minor, currency, told)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, EXISTS (SELECT 1 FROM inbox WHERE object_id = ?3 AND account = ?1"
        " AND type = ?2 AND state = 'processed')) ON CONFLICT (account, type, object_id) DO NOTHING",
        [
            (
                account,
                event.type,
                event.object_id,
                to_epoch(event.created_at),
                event.amount_minor,
                event.currency,
            )
            for event in events
            if event.object_id is not None
        ],
    )


def mark_told(db: sqlite3.Connection, account: str, events: Iterable[WebhookEvent]) -> None:
    """A webhook of each of these was processed."""
    named = [[event.type, event.object_id] for event in events if event.object_id is not None]
    db.execute(
        "UPDATE shown_events SET told = 1 WHERE account = ? AND told = 0 AND (type, object_id) IN"
        " (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))",
        (account, json.dumps(named)),
    )
