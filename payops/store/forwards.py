"""What is owed to the applications behind relays: durable with the event's receipt, tried by one process at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import Owed, WebhookEvent
from payops.domain.forwarding import HOLD, Content, Forwarding, ForwardState, next_due

from .events import TypeCount
from .redaction import redact_text
from .rows import EVENT_COLUMNS, at, event_from

if TYPE_CHECKING:
    from .store import Store

NO_RELAY = "the configuration has no such relay any more"
RETAIN = timedelta(days=90)
"""How long it is kept that an application took an event."""
EXPECTED = timedelta(minutes=10)
"""So long an event that the provider was asked for is waited for."""
_TIDIED = "forwards_purged_on"
_MOST = 10_000
_LEFT = (
    ("forwards_delivered", "forwards.state = 'delivered' AND delivered_at > ?"),
    ("forwards_open", "forwards.state = 'dead' AND forwards.state <> 'delivered' AND last_at > ?"),
)


@dataclass(frozen=True, slots=True)
class ForwardCounts:
    """How one application's share stands. `failing` are those of the waiting that were tried already."""

    waiting: int
    failing: int
    dead: int
    oldest_waiting_at: datetime | None
    """When the longest waiting one became owed."""
    oldest_failing_at: datetime | None
    """The same of those that were tried already."""
    last_delivered_at: datetime | None


class Forwards:
    def __init__(self, store: Store) -> None:
        self._store = store

    def due(
        self,
        now: datetime,
        holder: str,
        *,
        others: bool,
        limit: int,
        only: tuple[str, str] | None = None,
        but: Iterable[str] = (),
    ) -> list[Forwarding]:
        """What `holder` may try now, by (due, event): what it has the bytes of, and, with `others`, what nobody holds.

        `only`: of one application, (account, endpoint); `but`: the ids of its events under way.
        """
        account, endpoint = only or (None, None)
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM forwards WHERE state = 'waiting' AND due_at <= :now"
                " AND (holder = :holder OR (:others AND (holder = '' OR held_until <= :now)))"
                " AND (:account IS NULL OR (account = :account AND endpoint = :endpoint"
                " AND event_id NOT IN (SELECT value FROM json_each(:but))))"
                " ORDER BY due_at, account, event_id, endpoint LIMIT :limit",
                {
                    "now": to_epoch(now),
                    "holder": holder,
                    "others": int(others),
                    "account": account,
                    "endpoint": endpoint,
                    "but": json.dumps(list(but)),
                    "limit": limit,
                },
            ).fetchall()
        return [_from(row) for row in rows]

    def claim(self, row: Forwarding, now: datetime, holder: str) -> Forwarding | None:
        """Count the next try before it is made, so that a crash leaves it counted; None: another process was faster.

        Until the next one is due nobody else tries: the wait is longer than a try may take. A row whose last try this
        is stays due after it, until the try is settled.
        """
        tries = row.tries + 1
        due = next_due(row.event_id, tries, now) or now + HOLD
        with self._store.write() as db:
            won = db.execute(
                "UPDATE forwards SET tries = ?, due_at = ?, last_at = ?, holder = ?, held_until = ?"
                " WHERE account = ? AND endpoint = ? AND event_id = ? AND state = 'waiting' AND tries = ?"
                " AND due_at = ?",
                (
                    tries,
                    to_epoch(due),
                    to_epoch(now),
                    holder,
                    to_epoch(due + HOLD),
                    *_key(row),
                    row.tries,
                    None if row.due_at is None else to_epoch(row.due_at),
                ),
            ).rowcount
            return _one(db, *_key(row)) if won else None

    def delivered(self, row: Forwarding, status: int, content: Content, now: datetime) -> None:
        """The application answered 2xx: processed, whatever else happened to the row meanwhile."""
        with self._store.write() as db:
            db.execute(
                "UPDATE forwards SET state = 'delivered', due_at = NULL, holder = '', held_until = NULL,"
                " last_status = ?, last_error = NULL, content = ?, delivered_at = ?"
                " WHERE account = ? AND endpoint = ? AND event_id = ?",
                (status, content, to_epoch(now), *_key(row)),
            )

    def failed(
        self, row: Forwarding, status: int | None, error: str, content: Content | None, *, final: bool
    ) -> bool:
        """The try that was claimed as `row` failed; `final`: there is no use in another. True: a dead letter now."""
        last = final or next_due(row.event_id, row.tries, row.owed_at) is None
        with self._store.write() as db:
            db.execute(
                "UPDATE forwards SET last_status = ?, last_error = ?, content = ?,"
                " state = CASE WHEN ? THEN 'dead' ELSE state END, due_at = CASE WHEN ? THEN NULL ELSE due_at END"
                " WHERE account = ? AND endpoint = ? AND event_id = ? AND state = 'waiting' AND tries = ?",
                (status, redact_text(error)[:500], content, last, last, *_key(row), row.tries),
            )
        return last

    def let_go(self, row: Forwarding) -> None:
        """The holder has the bytes no more: whoever can fetch the event may try."""
        with self._store.write() as db:
            db.execute(
                "UPDATE forwards SET holder = '', held_until = NULL"
                " WHERE account = ? AND endpoint = ? AND event_id = ? AND holder = ?",
                (*_key(row), row.holder),
            )

    def owe_again(
        self, account: str, endpoint: str, event_ids: Sequence[str], holder: str, now: datetime
    ) -> None:
        """Owe these once more from the first try on, whatever became of them; those never owed too.

        `holder` makes the first try; `HOLD` later anybody may.
        """
        seconds = to_epoch(now)
        with self._store.write() as db:
            db.executemany(
                "INSERT INTO forwards (account, endpoint, event_id, state, owed_at, due_at, holder, held_until)"
                " VALUES (?1, ?2, ?3, 'waiting', ?4, ?4, ?5, ?6)"
                " ON CONFLICT (account, endpoint, event_id) DO UPDATE SET"
                " state = 'waiting', tries = 0, due_at = excluded.due_at, owed_at = excluded.owed_at,"
                " holder = excluded.holder, held_until = excluded.held_until, delivered_at = NULL",
                [
                    (account, endpoint, event_id, seconds, holder, to_epoch(now + HOLD))
                    for event_id in event_ids
                ],
            )

    def expect(self, account: str, endpoint: str, event_id: str, now: datetime) -> None:
        """Owe an event once more that its provider was asked to send again: forwarded when it comes, and otherwise tried
        as any other after `EXPECTED`."""
        seconds, due = to_epoch(now), to_epoch(now + EXPECTED)
        with self._store.write() as db:
            db.execute(
                "INSERT INTO forwards (account, endpoint, event_id, state, owed_at, due_at)"
                " VALUES (?1, ?2, ?3, 'waiting', ?4, ?5) ON CONFLICT (account, endpoint, event_id) DO UPDATE SET"
                " state = 'waiting', tries = 0, owed_at = excluded.owed_at, due_at = excluded.due_at, holder = '',"
                " held_until = NULL, last_at = NULL, delivered_at = NULL",
                (account, endpoint, event_id, seconds, due),
            )

    def get(self, account: str, endpoint: str, event_id: str) -> Forwarding | None:
        with self._store.read() as db:
            return _one(db, account, endpoint, event_id)

    def of_event(self, account: str, event_id: str) -> list[Forwarding]:
        """To whom one event is owed, and what became of it."""
        with self._store.read() as db:
            rows = db.execute(
                # From endpoint to endpoint, not along all that was ever owed to them.
                "WITH RECURSIVE relays (endpoint) AS (SELECT MIN(endpoint) FROM forwards WHERE account = :account"
                " UNION ALL SELECT (SELECT MIN(endpoint) FROM forwards WHERE account = :account"
                " AND endpoint > relays.endpoint) FROM relays WHERE relays.endpoint IS NOT NULL)"
                " SELECT forwards.* FROM relays CROSS JOIN forwards ON forwards.account = :account"
                " AND forwards.endpoint = relays.endpoint AND forwards.event_id = :event_id ORDER BY endpoint",
                {"account": account, "event_id": event_id},
            ).fetchall()
        return [_from(row) for row in rows]

    def listing(
        self, account: str, endpoint: str, state: ForwardState, limit: int = 1000
    ) -> list[Forwarding]:
        """Those in one state, the longest owed first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM forwards WHERE account = ? AND endpoint = ? AND state = ?"
                " ORDER BY owed_at, event_id LIMIT ?",
                (account, endpoint, state, limit),
            ).fetchall()
        return [_from(row) for row in rows]

    def counts(self, account: str, endpoint: str) -> ForwardCounts:
        """Cheap: only what is open is counted."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COALESCE(SUM(state = 'waiting'), 0) AS waiting,"
                " COALESCE(SUM(state = 'waiting' AND tries > 0), 0) AS failing,"
                " COALESCE(SUM(state = 'dead'), 0) AS dead,"
                " MIN(CASE WHEN state = 'waiting' THEN owed_at END) AS oldest,"
                " MIN(CASE WHEN state = 'waiting' AND tries > 0 THEN owed_at END) AS failing_since"
                " FROM forwards INDEXED BY forwards_open"
                " WHERE account = ? AND endpoint = ? AND state <> 'delivered'",
                (account, endpoint),
            ).fetchone()
            last = db.execute(
                "SELECT delivered_at AS at FROM forwards INDEXED BY forwards_delivered"
                " WHERE account = ? AND endpoint = ? AND state = 'delivered' ORDER BY delivered_at DESC LIMIT 1",
                (account, endpoint),
            ).fetchone()
        taken_at = None if last is None else at(last["at"])
        return ForwardCounts(
            row["waiting"],
            row["failing"],
            row["dead"],
            at(row["oldest"]),
            at(row["failing_since"]),
            taken_at,
        )

    def answers(self, account: str, endpoint: str) -> list[tuple[int | None, int]]:
        """(last status, how many) of what was tried and not taken, most first; None = no answer."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT last_status, COUNT(*) AS n FROM forwards INDEXED BY forwards_open"
                " WHERE account = ? AND endpoint = ? AND state <> 'delivered' AND tries > 0"
                " GROUP BY last_status ORDER BY n DESC, last_status",
                (account, endpoint),
            ).fetchall()
        return [(row["last_status"], row["n"]) for row in rows]

    def untaken(self, account: str, endpoint: str, limit: int = 10_000) -> list[WebhookEvent]:
        """The events that were tried and not taken, dead letters among them, oldest first."""
        columns = ", ".join(f"inbox.{name.strip()}" for name in EVENT_COLUMNS.split(","))
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {columns} FROM forwards INDEXED BY forwards_open"  # noqa: S608
                " CROSS JOIN inbox USING (account, event_id) WHERE forwards.account = ? AND endpoint = ?"
                " AND forwards.state <> 'delivered' AND forwards.tries > 0"
                " ORDER BY inbox.created_at, inbox.id LIMIT ?",
                (account, endpoint, limit),
            ).fetchall()
        return [event_from(row) for row in rows]

    def by_type(self, account: str, endpoint: str, state: ForwardState) -> list[TypeCount]:
        """Those in an open state by the event's type; `oldest_at` is when the longest became owed."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT inbox.type AS type, COUNT(*) AS n, MIN(forwards.owed_at) AS oldest"
                " FROM forwards INDEXED BY forwards_open CROSS JOIN inbox USING (account, event_id) WHERE forwards.account = ? AND endpoint = ?"
                " AND forwards.state = ? AND forwards.state <> 'delivered' GROUP BY inbox.type ORDER BY inbox.type",
                (account, endpoint, state),
            ).fetchall()
        return [TypeCount(row["type"], row["n"], from_epoch(row["oldest"])) for row in rows]

    def growth(self, account: str, endpoint: str, since: datetime) -> dict[str, int]:
        """Type → by how many more wait now than did at `since`; types without a change are absent."""
        seconds = to_epoch(since)
        with self._store.read() as db:
            came = db.execute(
                "SELECT inbox.type AS type, COUNT(*) AS n"
                " FROM forwards INDEXED BY forwards_open CROSS JOIN inbox USING (account, event_id)"
                " WHERE forwards.account = ? AND endpoint = ? AND forwards.state <> 'delivered'"
                " AND forwards.state = 'waiting' AND owed_at > ? GROUP BY inbox.type",
                (account, endpoint, seconds),
            ).fetchall()
            gone = [
                row
                # Two statements: each has an index that holds no long history, and the planner would take another.
                for index, left in _LEFT
                for row in db.execute(
                    f"SELECT inbox.type AS type, COUNT(*) AS n FROM forwards INDEXED BY {index}"  # noqa: S608
                    " CROSS JOIN inbox USING (account, event_id) WHERE forwards.account = ? AND endpoint = ?"
                    f" AND owed_at <= ? AND {left} GROUP BY inbox.type",
                    (account, endpoint, seconds, seconds),
                )
            ]
        growth = {row["type"]: row["n"] for row in came}
        for row in gone:
            growth[row["type"]] = growth.get(row["type"], 0) - row["n"]
        return {name: more for name, more in growth.items() if more}

    def delivered_ids(self, account: str, endpoint: str) -> frozenset[str]:
        """Every event the application took: for closing the books of a run, not for a tick."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT event_id FROM forwards WHERE account = ? AND endpoint = ? AND state = 'delivered'",
                (account, endpoint),
            ).fetchall()
        return frozenset(row["event_id"] for row in rows)

    def tidy(self, now: datetime, configured: Sequence[tuple[str, str]]) -> None:
        """Once a day forget what was taken longer ago than `RETAIN`, and give up what is owed to relays that are not
        `configured` (account, endpoint) any more: cheap to call on every tick."""
        today = str(to_epoch(now) // 86400)
        if self._store.switches.meta_get(_TIDIED) == today:
            return
        with self._store.write() as db:
            db.execute(
                "UPDATE forwards SET state = 'dead', due_at = NULL, last_at = ?, last_error = ? WHERE state = 'waiting'"
                " AND json_array(account, endpoint) NOT IN (SELECT value FROM json_each(?))",
                (
                    to_epoch(now),
                    NO_RELAY,
                    json.dumps([json.dumps(each, separators=(",", ":")) for each in configured]),
                ),
            )
            gone = db.execute(
                "DELETE FROM forwards WHERE state = 'delivered' AND (account, endpoint, event_id) IN"
                " (SELECT account, endpoint, event_id FROM forwards"
                " WHERE state = 'delivered' AND delivered_at < ? LIMIT ?)",
                (to_epoch(now - RETAIN), _MOST),
            ).rowcount
        if gone < _MOST:
            self._store.switches.meta_set(_TIDIED, today)


def owe(
    db: sqlite3.Connection, account: str, event_id: str, owed: Owed, received_at: int, *, new: bool
) -> None:
    """Owe a received event in the transaction of its receipt.

    One that comes again brings its bytes again: what still waits, or was given up, is tried with them at once. What
    an application took is not sent to it again, nor what was received before there was a relay.
    """
    holder, until = owed.holder, to_epoch(owed.until)
    if new:
        db.executemany(
            "INSERT INTO forwards (account, endpoint, event_id, state, owed_at, due_at, holder, held_until)"
            " VALUES (?1, ?2, ?3, 'waiting', ?4, ?4, ?5, ?6) ON CONFLICT (account, endpoint, event_id) DO NOTHING",
            [(account, endpoint, event_id, received_at, holder, until) for endpoint in owed.endpoints],
        )
        return
    db.executemany(
        "UPDATE forwards SET state = 'waiting', due_at = ?4, holder = ?5, held_until = ?6,"
        " tries = CASE WHEN state = 'dead' THEN 0 ELSE tries END"
        " WHERE account = ?1 AND endpoint = ?2 AND event_id = ?3 AND"
        # A try under way is not disturbed: its claim is younger than a try may take.
        " (state = 'dead' OR (state = 'waiting' AND (last_at IS NULL OR last_at + ?7 <= ?4)))",
        [(account, endpoint, event_id, received_at, holder, until, _TRY_S) for endpoint in owed.endpoints],
    )


_TRY_S = 20
"""A try takes no longer than this."""


def _key(row: Forwarding) -> tuple[str, str, str]:
    return row.account, row.endpoint, row.event_id


def _one(db: sqlite3.Connection, account: str, endpoint: str, event_id: str) -> Forwarding | None:
    row = db.execute(
        "SELECT * FROM forwards WHERE account = ? AND endpoint = ? AND event_id = ?",
        (account, endpoint, event_id),
    ).fetchone()
    return None if row is None else _from(row)


def _from(row: sqlite3.Row) -> Forwarding:
    return Forwarding(
        row["account"],
        row["endpoint"],
        row["event_id"],
        row["state"],
        from_epoch(row["owed_at"]),
        row["tries"],
        at(row["due_at"]),
        row["holder"],
        at(row["held_until"]),
        at(row["last_at"]),
        row["last_status"],
        row["last_error"],
        row["content"],
        at(row["delivered_at"]),
    )
