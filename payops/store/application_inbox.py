"""What applications' own inboxes say, as far as it was read: a copy of ids and times, never of contents."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import WebhookEvent
from payops.domain.imports import ImportedPage

from .events import TypeCount
from .redaction import redact_text
from .rows import EVENT_COLUMNS, at, epoch, event_from, truth

if TYPE_CHECKING:
    from .store import Store

_UNKNOWN_TYPE = "type not told"
_LACKED = (
    " AND NOT EXISTS (SELECT 1 FROM application_inbox AS own WHERE own.account = event.account"
    " AND own.endpoint = :endpoint AND own.event_id = event.event_id)"
)
_COLUMNS = ", ".join(f"event.{name.strip()}" for name in EVENT_COLUMNS.split(","))
# What was compared and lacked, and what the provider has listed since: both are little. The + keeps the planner from
# walking all events of the account.
_MISSING = (
    f" FROM (SELECT {_COLUMNS} FROM application_missing AS lacked JOIN provider_events AS event"  # noqa: S608
    " ON event.id = lacked.event_row WHERE lacked.account = :account AND lacked.endpoint = :endpoint"
    f" AND lacked.created_at >= :since AND lacked.created_at <= :until{_LACKED}"
    f" UNION ALL SELECT {_COLUMNS} FROM provider_events AS event WHERE +event.account = :account"
    " AND event.id > COALESCE((SELECT compared FROM application_sources WHERE account = :account"
    f" AND endpoint = :endpoint), 0) AND event.created_at >= :since AND event.created_at <= :until{_LACKED})"
    " WHERE type IN (SELECT value FROM json_each(:types))"
)
RETAIN = timedelta(days=40)
"""How long a copied row is kept: longer than any provider lists its events."""
_LOOK_BACK = timedelta(hours=6)
_TIDIED = "application_inboxes_purged_on"
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class ImportState:
    """How the reading of one application's inbox stands.

    `read_at` is when it was last read to its end, `judged_from` from when on its events tell what is missing: since
    the first one, or since a line that could not be used. `problem` is what is wrong now, or was with its last lines.
    """

    source: str
    cursor: str
    tried_at: datetime
    read_at: datetime | None
    judged_from: datetime | None
    tells_processed: bool | None
    wrong: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class ApplicationCounts:
    """`unprocessed` and its age are None where the inbox does not tell what is processed."""

    unprocessed: int | None
    oldest_unprocessed_at: datetime | None
    last_received_at: datetime | None


class ApplicationInbox:
    def __init__(self, store: Store) -> None:
        self._store = store

    def state(self, account: str, endpoint: str) -> ImportState | None:
        """None before it was first read."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT * FROM application_sources WHERE account = ? AND endpoint = ?", (account, endpoint)
            ).fetchone()
        if row is None:
            return None
        return ImportState(
            row["source"],
            row["cursor"],
            from_epoch(row["tried_at"]),
            at(row["read_at"]),
            at(row["first_received_at"]),
            truth(row["tells_processed"]),
            row["wrong"],
            row["problem"],
        )

    def apply(self, account: str, endpoint: str, source: str, page: ImportedPage, now: datetime) -> None:
        """Store one reading. An event that is known keeps its first receipt, and once processed stays so."""
        seconds = to_epoch(now)
        first = min((event.received_at for event in page.events), default=None)
        problem = None if not page.wrong else redact_text("; ".join(page.wrong))[:1000]
        with self._store.write() as db:
            known = db.execute(
                "SELECT * FROM application_sources WHERE account = ? AND endpoint = ?", (account, endpoint)
            ).fetchone()
            db.executemany(
                "INSERT INTO application_inbox (account, endpoint, event_id, type, received_at, processed_at)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, endpoint, event_id) DO UPDATE SET"
                " received_at = MIN(received_at, excluded.received_at),"
                " type = COALESCE(type, excluded.type),"
                " processed_at = COALESCE(processed_at, excluded.processed_at)",
                [
                    (
                        account,
                        endpoint,
                        event.event_id,
                        event.type,
                        to_epoch(event.received_at),
                        epoch(event.processed_at),
                    )
                    for event in page.events
                ],
            )
            judged_from = None if known is None else known["first_received_at"]
            if judged_from is None and first is not None:
                judged_from = to_epoch(first)
            if page.wrong_count:
                # What stood there cannot be told from what never came.
                judged_from = seconds
            wrong = page.wrong_count + (0 if known is None or page.anew else known["wrong"])
            before = None if known is None else known["problem"]
            _put_state(
                db,
                account,
                endpoint,
                source,
                cursor=page.cursor,
                tried_at=seconds,
                read_at=(None if known is None else known["read_at"]) if page.more else seconds,
                first_received_at=judged_from,
                tells_processed=int(page.tells_processed),
                wrong=wrong,
                problem=problem or (before if wrong else None),
                compared=0 if known is None else known["compared"],
            )
            if not page.more:
                _compare(db, account, endpoint)

    def failed(self, account: str, endpoint: str, source: str, problem: str, now: datetime) -> None:
        """A reading that brought nothing; what was known stays, and grows old."""
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE application_sources SET tried_at = ?, problem = ? WHERE account = ? AND endpoint = ?",
                (to_epoch(now), redact_text(problem)[:1000], account, endpoint),
            ).rowcount
            if changed:
                _compare(db, account, endpoint)
            if not changed:
                _put_state(
                    db, account, endpoint, source, cursor="", tried_at=to_epoch(now), read_at=None,
                    first_received_at=None, tells_processed=None, wrong=0,
                    problem=redact_text(problem)[:1000],
                )  # fmt: skip

    def forget(self, account: str, endpoint: str) -> None:
        """Another source is another inbox."""
        with self._store.write() as db:
            for table in ("application_inbox", "application_missing", "application_sources"):
                db.execute(f"DELETE FROM {table} WHERE account = ? AND endpoint = ?", (account, endpoint))  # noqa: S608

    def waiting_ids(self, account: str, endpoint: str, limit: int) -> list[str]:
        """Those not said to be processed, the longest waiting first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT event_id FROM application_inbox INDEXED BY application_inbox_waiting"
                " WHERE account = ? AND endpoint = ? AND processed_at IS NULL ORDER BY received_at, event_id LIMIT ?",
                (account, endpoint, limit),
            ).fetchall()
        return [row["event_id"] for row in rows]

    def counts(self, account: str, endpoint: str) -> ApplicationCounts:
        """How the application's inbox stands, by its own word. Cheap: only what waits is counted."""
        state = self.state(account, endpoint)
        with self._store.read() as db:
            last = db.execute(
                "SELECT received_at FROM application_inbox INDEXED BY application_inbox_received"
                " WHERE account = ? AND endpoint = ? ORDER BY received_at DESC LIMIT 1",
                (account, endpoint),
            ).fetchone()
            waiting = db.execute(
                "SELECT COUNT(*) AS n, MIN(received_at) AS oldest FROM application_inbox INDEXED BY application_inbox_waiting"
                " WHERE account = ? AND endpoint = ? AND processed_at IS NULL",
                (account, endpoint),
            ).fetchone()
        tells = state is not None and state.tells_processed
        return ApplicationCounts(
            waiting["n"] if tells else None,
            at(waiting["oldest"]) if tells else None,
            None if last is None else from_epoch(last["received_at"]),
        )

    def received(self, account: str, endpoint: str) -> int:
        """How many of its events were read and are kept. Not for every tick."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n FROM application_inbox WHERE account = ? AND endpoint = ?",
                (account, endpoint),
            ).fetchone()
        return int(row["n"])

    def received_since(self, account: str, endpoint: str, since: datetime) -> int:
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*) AS n FROM application_inbox"
                " WHERE account = ? AND endpoint = ? AND received_at >= ?",
                (account, endpoint, to_epoch(since)),
            ).fetchone()
        return int(row["n"])

    def has(self, account: str, endpoint: str, event_id: str) -> bool:
        with self._store.read() as db:
            row = db.execute(
                "SELECT 1 FROM application_inbox WHERE account = ? AND endpoint = ? AND event_id = ?",
                (account, endpoint, event_id),
            ).fetchone()
        return row is not None

    def arrivals(self, account: str, endpoint: str, limit: int) -> list[datetime]:
        """When the last few events were received, newest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT received_at FROM application_inbox WHERE account = ? AND endpoint = ?"
                " ORDER BY received_at DESC LIMIT ?",
                (account, endpoint, limit),
            ).fetchall()
        return [from_epoch(row["received_at"]) for row in rows]

    def waiting_by_type(self, account: str, endpoint: str) -> list[TypeCount]:
        """What is not processed by type; `oldest_at` is when it was received."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT COALESCE(type, ?) AS type, COUNT(*) AS n, MIN(received_at) AS oldest"
                " FROM application_inbox INDEXED BY application_inbox_waiting"
                " WHERE account = ? AND endpoint = ? AND processed_at IS NULL GROUP BY 1 ORDER BY 1",
                (_UNKNOWN_TYPE, account, endpoint),
            ).fetchall()
        return [TypeCount(row["type"], row["n"], from_epoch(row["oldest"])) for row in rows]

    def growth(self, account: str, endpoint: str, since: datetime) -> dict[str, int]:
        """Type → by how many more wait now than did at `since`; types without a change are absent."""
        seconds, of = to_epoch(since), (account, endpoint)
        with self._store.read() as db:
            came = db.execute(
                "SELECT COALESCE(type, ?) AS type, COUNT(*) AS n FROM application_inbox"
                " INDEXED BY application_inbox_waiting WHERE account = ? AND endpoint = ? AND processed_at IS NULL AND received_at > ? GROUP BY 1",
                (_UNKNOWN_TYPE, *of, seconds),
            ).fetchall()
            # What was received longer before than is looked back, and processed after it, is not looked for.
            went = db.execute(
                "SELECT COALESCE(type, ?) AS type, COUNT(*) AS n FROM application_inbox"
                " INDEXED BY application_inbox_received WHERE account = ? AND endpoint = ?"
                " AND received_at > ? AND received_at <= ? AND processed_at > ? GROUP BY 1",
                (_UNKNOWN_TYPE, *of, to_epoch(since - _LOOK_BACK), seconds, seconds),
            ).fetchall()
        growth = {row["type"]: int(row["n"]) for row in came}
        for row in went:
            growth[row["type"]] = growth.get(row["type"], 0) - row["n"]
        return {name: more for name, more in growth.items() if more}

    def missing(
        self,
        account: str,
        endpoint: str,
        types: Sequence[str],
        since: datetime,
        until: datetime,
        limit: int = 10_000,
    ) -> list[WebhookEvent]:
        """Events the provider lists and the application's inbox does not have, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {EVENT_COLUMNS}{_MISSING} ORDER BY created_at, event_id LIMIT :limit",
                {**_asked(account, endpoint, types, since, until), "limit": limit},
            ).fetchall()
        return [event_from(row) for row in rows]

    def count_missing(
        self, account: str, endpoint: str, types: Sequence[str], since: datetime, until: datetime
    ) -> tuple[int, datetime | None]:
        """How many of them there are, and when the oldest was created."""
        with self._store.read() as db:
            row = db.execute(
                f"SELECT COUNT(*) AS n, MIN(created_at) AS oldest{_MISSING}",
                _asked(account, endpoint, types, since, until),
            ).fetchone()
        return row["n"], at(row["oldest"])

    def missing_by_type(
        self, account: str, endpoint: str, types: Sequence[str], since: datetime, until: datetime
    ) -> list[TypeCount]:
        with self._store.read() as db:
            rows = db.execute(
                "SELECT type, COUNT(*) AS n, MIN(created_at) AS oldest"
                f"{_MISSING} GROUP BY type ORDER BY type",
                _asked(account, endpoint, types, since, until),
            ).fetchall()
        return [TypeCount(row["type"], row["n"], from_epoch(row["oldest"])) for row in rows]

    def tidy(self, now: datetime) -> None:
        """Once a day let go of what was received longer ago than `RETAIN` and waits for nothing: cheap on every tick."""
        today = str(to_epoch(now) // 86400)
        if self._store.switches.meta_get(_TIDIED) == today:
            return
        with self._store.write() as db:
            gone = db.execute(
                "DELETE FROM application_inbox WHERE (account, endpoint, event_id) IN"
                " (SELECT account, endpoint, event_id FROM application_inbox JOIN application_sources AS source"
                " USING (account, endpoint) WHERE received_at < ?"
                " AND (processed_at IS NOT NULL OR source.tells_processed IS NOT 1) LIMIT ?)",
                (to_epoch(now - RETAIN), _MOST),
            ).rowcount
            db.execute("DELETE FROM application_missing WHERE created_at < ?", (to_epoch(now - RETAIN),))
        if gone < _MOST:
            self._store.switches.meta_set(_TIDIED, today)


def _compare(db: sqlite3.Connection, account: str, endpoint: str) -> None:
    """Compare what the provider has listed since the last time; forget what has come meanwhile."""
    of = {"account": account, "endpoint": endpoint}
    db.execute(
        "DELETE FROM application_missing WHERE account = :account AND endpoint = :endpoint AND EXISTS"
        " (SELECT 1 FROM provider_events AS event JOIN application_inbox AS own"
        " ON own.account = event.account AND own.endpoint = :endpoint AND own.event_id = event.event_id"
        " WHERE event.id = application_missing.event_row)",
        of,
    )
    db.execute(
        "INSERT OR IGNORE INTO application_missing (account, endpoint, event_row, created_at)"  # noqa: S608
        " SELECT :account, :endpoint, event.id, event.created_at FROM provider_events AS event"
        " WHERE +event.account = :account AND event.id > (SELECT compared FROM application_sources"
        f" WHERE account = :account AND endpoint = :endpoint){_LACKED}",
        of,
    )
    db.execute(
        "UPDATE application_sources SET compared ="
        " MAX(compared, COALESCE((SELECT MAX(id) FROM provider_events), 0))"
        " WHERE account = :account AND endpoint = :endpoint",
        of,
    )


def _asked(
    account: str, endpoint: str, types: Sequence[str], since: datetime, until: datetime
) -> dict[str, object]:
    return {
        "account": account,
        "endpoint": endpoint,
        "types": json.dumps(list(types)),
        "since": to_epoch(since),
        "until": to_epoch(until),
    }


def _put_state(db: sqlite3.Connection, account: str, endpoint: str, source: str, **values: object) -> None:
    names = ("account", "endpoint", "source", *values)
    marks = ", ".join("?" * len(names))
    db.execute(
        f"INSERT OR REPLACE INTO application_sources ({', '.join(names)}) VALUES ({marks})",  # noqa: S608
        (account, endpoint, source, *values.values()),
    )
