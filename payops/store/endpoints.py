"""Webhook endpoints as the provider reports them, and the events it could not deliver."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import Endpoint, WebhookEvent

from .events import TypeCount
from .redaction import redact_name, redact_text
from .rows import EVENT_COLUMNS, at, epoch, event_from, event_values, truth

if TYPE_CHECKING:
    from .store import Store

REMOVED = "removed"
"""The status in the history of an endpoint the provider no longer lists."""


class EndpointFacts:
    _store: Store

    def endpoints(self, account: str) -> list[Endpoint]:
        """The endpoints of the last list, by id."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM endpoints WHERE account = ? ORDER BY endpoint_id", (account,)
            ).fetchall()
        return [
            Endpoint(
                row["account"],
                row["endpoint_id"],
                row["url"],
                row["status"],
                tuple(json.loads(row["event_types"])),
                truth(row["livemode"]),
                row["api_version"],
                row["disabled_reason"],
                at(row["created_at"]),
            )
            for row in rows
        ]

    def endpoints_seen_at(self, account: str) -> datetime | None:
        """When the endpoints were last listed; None = never, so nothing is known about them."""
        return self._seen_at(account, "endpoints")

    def endpoint_changes(self, account: str, endpoint_id: str) -> list[tuple[datetime, str]]:
        """When its status was first seen and each time it changed (`enabled`, `disabled`, `removed`), oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT at, status FROM endpoint_changes WHERE account = ? AND endpoint_id = ? ORDER BY id",
                (account, endpoint_id),
            ).fetchall()
        return [(from_epoch(row["at"]), row["status"]) for row in rows]

    def undelivered(self, account: str) -> list[WebhookEvent]:
        """Events not delivered to at least one of the account's endpoints, by the last list, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {EVENT_COLUMNS} FROM undelivered WHERE account = ? ORDER BY created_at, event_id",  # noqa: S608
                (account,),
            ).fetchall()
        return [event_from(row) for row in rows]

    def undelivered_count(self, account: str) -> tuple[int, datetime | None]:
        """How many, and when the oldest was created."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n, MIN(created_at) AS oldest FROM undelivered WHERE account = ?",
                (account,),
            ).fetchone()
        return row["n"], at(row["oldest"])

    def undelivered_by_type(self, account: str, since: datetime | None = None) -> list[TypeCount]:
        """The same by type, those created after `since` alone where it is given."""
        after = -1 if since is None else to_epoch(since)
        with self._store.read() as db:
            rows = db.execute(
                "SELECT type, COUNT(*) AS n, MIN(created_at) AS oldest FROM undelivered"
                " WHERE account = ? AND created_at > ? GROUP BY type ORDER BY type",
                (account, after),
            ).fetchall()
        return [TypeCount(row["type"], row["n"], from_epoch(row["oldest"])) for row in rows]

    def undelivered_seen_at(self, account: str) -> datetime | None:
        """When undelivered events were last listed; None = never, so their number is unknown."""
        return self._seen_at(account, "undelivered")

    def save_endpoint(self, endpoint: Endpoint, now: datetime) -> None:
        """One endpoint read back outside the feed."""
        with self._store.write() as db:
            _note_changes(db, endpoint.account, (endpoint,), now)
            _insert(db, endpoint.account, (endpoint,))

    def _seen_at(self, account: str, kind: str) -> datetime | None:
        with self._store.read() as db:
            row = db.execute(
                "SELECT at FROM snapshots WHERE account = ? AND kind = ?", (account, kind)
            ).fetchone()
        return None if row is None else from_epoch(row["at"])


def replace_endpoints(
    db: sqlite3.Connection, account: str, endpoints: Sequence[Endpoint], now: datetime
) -> None:
    _note_changes(db, account, endpoints, now)
    listed = json.dumps([endpoint.endpoint_id for endpoint in endpoints])
    gone = " FROM endpoints WHERE account = ? AND endpoint_id NOT IN (SELECT value FROM json_each(?))"
    db.execute(
        "INSERT INTO endpoint_changes (account, endpoint_id, at, status)"
        f" SELECT account, endpoint_id, ?, ?{gone}",
        (to_epoch(now), REMOVED, account, listed),
    )
    db.execute(f"DELETE{gone}", (account, listed))
    _insert(db, account, endpoints)
    _seen(db, account, "endpoints", now)


def replace_undelivered(
    db: sqlite3.Connection, account: str, events: Sequence[WebhookEvent], now: datetime
) -> None:
    db.execute("DELETE FROM undelivered WHERE account = ?", (account,))
    db.executemany(
        f"INSERT INTO undelivered ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        " ON CONFLICT (account, event_id) DO NOTHING",
        [event_values(account, event) for event in events],
    )
    _seen(db, account, "undelivered", now)


def _note_changes(db: sqlite3.Connection, account: str, endpoints: Sequence[Endpoint], now: datetime) -> None:
    known = {
        row["endpoint_id"]: row["status"]
        for row in db.execute("SELECT endpoint_id, status FROM endpoints WHERE account = ?", (account,))
    }
    db.executemany(
        "INSERT INTO endpoint_changes (account, endpoint_id, at, status) VALUES (?, ?, ?, ?)",
        [
            (account, endpoint.endpoint_id, to_epoch(now), endpoint.status)
            for endpoint in endpoints
            if known.get(endpoint.endpoint_id) != endpoint.status
        ],
    )


def _insert(db: sqlite3.Connection, account: str, endpoints: Sequence[Endpoint]) -> None:
    db.executemany(
        "INSERT INTO endpoints (account, endpoint_id, url, status, event_types, livemode, api_version,"
        " disabled_reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account, endpoint_id) DO UPDATE SET url = excluded.url, status = excluded.status,"
        " event_types = excluded.event_types, livemode = excluded.livemode,"
        " api_version = excluded.api_version, disabled_reason = excluded.disabled_reason,"
        " created_at = excluded.created_at",
        [
            (
                account,
                endpoint.endpoint_id,
                redact_name(endpoint.url),
                endpoint.status,
                json.dumps(endpoint.event_types),
                None if endpoint.livemode is None else int(endpoint.livemode),
                endpoint.api_version,
                endpoint.disabled_reason and redact_text(endpoint.disabled_reason),
                epoch(endpoint.created_at),
            )
            for endpoint in endpoints
        ],
    )


def _seen(db: sqlite3.Connection, account: str, kind: str, now: datetime) -> None:
    db.execute(
        "INSERT INTO snapshots (account, kind, at) VALUES (?, ?, ?)"
        " ON CONFLICT (account, kind) DO UPDATE SET at = excluded.at",
        (account, kind, to_epoch(now)),
    )
