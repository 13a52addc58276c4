"""Events the provider generated, and those of the wrong mode."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
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

_LOOK_BACK = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class TypeCount:
    """Events of one type: how many, and the time of the oldest."""

    type: str
    count: int
    oldest_at: datetime


class EventFacts:
    _store: Store

    def missing_by_type(
        self, account: str, types: Sequence[str], since: datetime, until: datetime
    ) -> list[TypeCount]:
        """`count_missing` by type; `oldest_at` is when the oldest was created."""
        return self._by_type(
            f"SELECT type, COUNT(*) AS n, MIN(created_at) AS oldest{_MISSING} GROUP BY type ORDER BY type",
            _missing_values(account, types, since, until),
        )

    def waiting_by_type(self, account: str, *, dead: bool = False) -> list[TypeCount]:
        """What is in the inbox and not processed yet (`dead`: given up); `oldest_at` is when it was received."""
        states = ("dead",) if dead else ("received", "failed")
        return self._by_type(
            "SELECT type, COUNT(*) AS n, MIN(received_at) AS oldest FROM inbox"
            " WHERE account = ? AND state IN (SELECT value FROM json_each(?)) AND state <> 'processed'"
            " GROUP BY type ORDER BY type",
            (account, json.dumps(states)),
        )

    def backlog_growth(self, account: str, since: datetime) -> dict[str, int]:
        """Type → by how many more events of it wait now than did at `since`; types without a change are absent.

        What was received more than 6 hours before `since` and was processed after it is not looked for, and a
        dead letter counts as having left before: the growth is then said too great, never too small.
        """
        with self._store.read() as db:
            came = db.execute(
                "SELECT type, COUNT(*) AS n FROM inbox WHERE account = ? AND state IN ('received', 'failed')"
                " AND state <> 'processed' AND received_at > ? GROUP BY type",
                (account, to_epoch(since)),
            ).fetchall()
            went = db.execute(
                "SELECT type, COUNT(*) AS n FROM inbox WHERE account = ?"
                " AND verdict <> 'imported' AND verdict <> 'reconciled'"
                " AND received_at > ? AND received_at <= ? AND processed_at > ? GROUP BY type",
                (account, to_epoch(since - _LOOK_BACK), to_epoch(since), to_epoch(since)),
            ).fetchall()
        growth = {row["type"]: int(row["n"]) for row in came}
        for row in went:
            growth[row["type"]] = growth.get(row["type"], 0) - row["n"]
        return {type_: n for type_, n in growth.items() if n}

    def arrivals(self, account: str, limit: int) -> list[datetime]:
        """When the last few events reached us, newest first; imported history is not among them."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT received_at FROM inbox WHERE account = ? AND verdict <> 'imported' AND verdict <> 'reconciled'"
                " ORDER BY received_at DESC LIMIT ?",
                (account, limit),
            ).fetchall()
        return [from_epoch(row["received_at"]) for row in rows]

    def count_listed(self, account: str, types: Sequence[str], since: datetime, until: datetime) -> int:
        """Events of these types the provider made in [since, until], in the inbox or not. Not for every tick."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n FROM provider_events WHERE account = ? AND created_at >= ?"
                " AND created_at <= ? AND type IN (SELECT value FROM json_each(?))",
                _missing_values(account, types, since, until),
            ).fetchone()
        return int(row["n"])

    def types_received(self, account: str) -> frozenset[str]:
        """Every event type that ever reached the inbox. Not for every tick."""
        with self._store.read() as db:
            rows = db.execute("SELECT DISTINCT type FROM inbox WHERE account = ?", (account,)).fetchall()
        return frozenset(row["type"] for row in rows)

    def told_after(self, account: str, event_type: str) -> dict[str, tuple[int, timedelta]]:
        """Payment method → how many of its payments had this event, and the longest it took. Not for every tick."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT attempts.method, COUNT(*) AS n, MAX(inbox.created_at - attempts.at) AS longest FROM inbox"
                " JOIN attempts ON attempts.account = inbox.account AND attempts.attempt_id = inbox.object_id"
                " WHERE inbox.account = ? AND inbox.type = ? AND attempts.method IS NOT NULL"
                " GROUP BY attempts.method",
                (account, event_type),
            ).fetchall()
        return {row["method"]: (row["n"], timedelta(seconds=max(0, row["longest"]))) for row in rows}

    def named_by(self, account: str, types: Sequence[str], object_ids: Sequence[str]) -> frozenset[str]:
        """Those objects that an event of these types speaks of, in the inbox or in the provider's list.

        Not for every tick: events are not indexed by their object.
        """
        values = (account, json.dumps(list(types)), json.dumps(list(object_ids)))
        with self._store.read() as db:
            rows = db.execute(
                "SELECT object_id FROM inbox WHERE account = ?1 AND type IN (SELECT value FROM json_each(?2))"
                " AND object_id IN (SELECT value FROM json_each(?3))"
                " UNION SELECT object_id FROM provider_events WHERE account = ?1"
                " AND type IN (SELECT value FROM json_each(?2)) AND object_id IN (SELECT value FROM json_each(?3))",
                values,
            ).fetchall()
        return frozenset(row["object_id"] for row in rows)

    def payments_between(
        self, account: str, status: str, start: datetime, end: datetime
    ) -> list[tuple[str, datetime, Money | None, str | None]]:
        """(attempt id, time, amount, method) of the tries in [start, end] that ended so, oldest first.

        A success counts once its money is taken. Not for every tick.
        """
        taken = " AND captured = 1" if status == "succeeded" else ""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT attempt_id, at, amount_minor, currency, method FROM attempts"  # noqa: S608
                f" WHERE account = ? AND status = ? AND at >= ? AND at <= ?{taken} ORDER BY at, attempt_id",
                (account, status, to_epoch(start), to_epoch(end)),
            ).fetchall()
        return [
            (
                row["attempt_id"],
                from_epoch(row["at"]),
                Money(row["amount_minor"], row["currency"].upper())
                if row["amount_minor"] is not None and row["currency"]
                else None,
                row["method"],
            )
            for row in rows
        ]

    def renewals_between(
        self, account: str, status: str, start: datetime, end: datetime
    ) -> list[tuple[str, datetime, Money, str]]:
        """(attempt id, time, amount, customer) of the scheduled charges in [start, end] that ended so, oldest first.

        Only those whose amount and customer are known. Not for every tick.
        """
        with self._store.read() as db:
            rows = db.execute(
                "SELECT attempt_id, at, amount_minor, currency, customer FROM attempts"
                " WHERE account = ? AND status = ? AND at >= ? AND at <= ? AND initiated_by = 'renewal'"
                " AND amount_minor IS NOT NULL AND currency IS NOT NULL AND customer IS NOT NULL"
                " ORDER BY at, attempt_id",
                (account, status, to_epoch(start), to_epoch(end)),
            ).fetchall()
        return [
            (
                row["attempt_id"],
                from_epoch(row["at"]),
                Money(row["amount_minor"], row["currency"].upper()),
                row["customer"],
            )
            for row in rows
        ]

    def told_of(self, account: str, event_type: str) -> dict[str, list[datetime]]:
        """Object → when the events of this type in the inbox that name it were made. Not for every tick."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT object_id, created_at FROM inbox WHERE account = ? AND type = ?"
                " AND object_id IS NOT NULL ORDER BY created_at",
                (account, event_type),
            ).fetchall()
        told: dict[str, list[datetime]] = {}
        for row in rows:
            told.setdefault(row["object_id"], []).append(from_epoch(row["created_at"]))
        return told

    def _by_type(self, query: str, values: tuple[object, ...]) -> list[TypeCount]:
        with self._store.read() as db:
            rows = db.execute(query, values).fetchall()
        return [TypeCount(row["type"], row["n"], from_epoch(row["oldest"])) for row in rows]

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
