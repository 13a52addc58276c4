"""Events the provider generated, and those of the wrong mode."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import to_epoch
from payops.domain.events import WebhookEvent
from payops.domain.money import Money, totals

from .rows import EVENT_COLUMNS, at, event_from, event_values

if TYPE_CHECKING:
    from .store import Store

_MISSING = (
    " FROM provider_events AS event WHERE event.account = ? AND event.in_inbox = 0"
    " AND event.created_at >= ? AND event.created_at <= ?"
    " AND event.type IN (SELECT value FROM json_each(?))"
    " AND NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.account = event.account"
    " AND inbox.event_id = event.event_id)"
)


class EventFacts:
    _store: Store

    def missing_events(
        self, account: str, types: Sequence[str], since: datetime, until: datetime, limit: int = 10_000
    ) -> list[WebhookEvent]:
        """Events of these types created in [since, until] that never reached the inbox, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {EVENT_COLUMNS}{_MISSING} ORDER BY created_at, event_id LIMIT ?",
                (*_missing_values(account, types, since, until), limit),
            ).fetchall()
        return [event_from(row) for row in rows]

    def count_missing(
        self, account: str, types: Sequence[str], since: datetime, until: datetime, limit: int = 10_000
    ) -> tuple[int, datetime | None]:
        """How many are missing, at most `limit` (then it means "at least"), and when the oldest was created."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n, MIN(created_at) AS oldest FROM"  # noqa: S608
                f" (SELECT created_at{_MISSING} ORDER BY created_at LIMIT ?)",
                (*_missing_values(account, types, since, until), limit),
            ).fetchone()
        return row["n"], at(row["oldest"])

    def missing_money(
        self, account: str, types: Sequence[str], since: datetime, until: datetime
    ) -> tuple[Money, ...]:
        """What the objects of the missing events are worth, each object once, per currency."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT currency, SUM(amount) AS amount FROM"  # noqa: S608
                f" (SELECT currency, MAX(amount_minor) AS amount{_MISSING}"
                " AND amount_minor IS NOT NULL AND currency IS NOT NULL"
                " GROUP BY COALESCE(object_id, event_id), currency) GROUP BY currency",
                _missing_values(account, types, since, until),
            ).fetchall()
        return totals(Money(row["amount"], row["currency"].upper()) for row in rows)

    def wrong_mode_count(self, account: str, since: datetime) -> int:
        """Quarantined events created at or after `since`."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n FROM quarantine WHERE account = ? AND created_at >= ?",
                (account, to_epoch(since)),
            ).fetchone()
        return int(row["n"])

    def quarantined(self, account: str, limit: int = 1000) -> list[WebhookEvent]:
        """Events of the other mode, newest first. They are in no rate and in no gap."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT account, event_id, type, created_at, livemode, object_id, NULL AS amount_minor,"
                " NULL AS currency, NULL AS pending_webhooks FROM quarantine WHERE account = ?"
                " ORDER BY created_at DESC, event_id LIMIT ?",
                (account, limit),
            ).fetchall()
        return [event_from(row) for row in rows]

    def event(self, account: str, event_id: str) -> WebhookEvent | None:
        """One event as the provider last listed it."""
        with self._store.read() as db:
            row = db.execute(
                f"SELECT {EVENT_COLUMNS} FROM provider_events WHERE account = ? AND event_id = ?",  # noqa: S608
                (account, event_id),
            ).fetchone()
        return None if row is None else event_from(row)


def apply_events(db: sqlite3.Connection, account: str, events: Iterable[WebhookEvent]) -> int:
    """Store events the provider listed; returns how many were new. A known one keeps all but its delivery state."""
    rows = [event_values(account, event) for event in events]
    if not rows:
        return 0
    new = insert_events(db, rows)
    if new < len(rows):
        db.executemany(
            "UPDATE provider_events SET pending_webhooks = ?3"
            " WHERE account = ?1 AND event_id = ?2 AND pending_webhooks IS NOT ?3",
            [(row[0], row[1], row[8]) for row in rows if row[8] is not None],
        )
    return new


def insert_events(db: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> int:
    """Add events not known yet (columns as EVENT_COLUMNS); returns how many."""
    return db.executemany(
        f"INSERT INTO provider_events ({EVENT_COLUMNS}, in_inbox)"  # noqa: S608
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
        " EXISTS (SELECT 1 FROM inbox WHERE account = ?1 AND event_id = ?2))"
        " ON CONFLICT (account, event_id) DO NOTHING",
        rows,
    ).rowcount


def mark_in_inbox(db: sqlite3.Connection, account: str, event_ids: Sequence[str]) -> None:
    """Keep the index of missing events small: these are not missing."""
    db.execute(
        "UPDATE provider_events SET in_inbox = 1 WHERE account = ? AND in_inbox = 0"
        " AND event_id IN (SELECT value FROM json_each(?))",
        (account, json.dumps(event_ids)),
    )


def quarantine(db: sqlite3.Connection, account: str, events: Iterable[WebhookEvent], now: datetime) -> int:
    """Keep events of the other mode apart; returns how many were not known."""
    rows = [(*event_values(account, event)[:6], to_epoch(now)) for event in events]
    if not rows:
        return 0
    return db.executemany(
        "INSERT INTO quarantine (account, event_id, type, created_at, livemode, object_id, seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, event_id) DO NOTHING",
        rows,
    ).rowcount


def _missing_values(
    account: str, types: Sequence[str], since: datetime, until: datetime
) -> tuple[object, ...]:
    return (account, to_epoch(since), to_epoch(until), json.dumps(list(types)))
