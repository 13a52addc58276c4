"""Streams as they are kept: the state of each, how far each account was counted, and what was noticed.

What a stream's state means is known to `payops.streams` alone; the columns beside it are what signals read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from payops.clock import from_epoch, to_epoch
from payops.domain.counting import Ended, Family

from .rows import at, epoch

if TYPE_CHECKING:
    from .store import Store

Slice = tuple[tuple[str, str], ...]
"""(column, value) pairs by column; empty = the whole."""
What = Literal["watch", "alarm", "recovery"]
_ENDED = (
    "attempts.id, attempts.at, {ended_at} AS ended_at, status, first, initiated_by, decline_code, method,"
    " card_brand, country, currency, amount_minor, customer"
)
_STREAM = (
    "account, family, slice, state, n, per_30_days, level, expected, last_at, alarmed_at, onset_at, since_n,"
    " since_failed, since_expected"
)
_NOTICE = "account, family, slice, what, at, onset_at, n, failed, expected, evidence, part_of, id"
_ENDS = "status IN ('succeeded', 'failed', 'canceled')"


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream; `state` None where it was not asked for. `level` is the detector's R, an alarm at `per_30_days` times the number of watched streams.

    `expected` is the share of failures expected at `last_at`; None while too little is known. The counts since the
    onset are those of a running alarm.
    """

    account: str
    family: Family
    slice: Slice
    state: bytes | None
    n: int
    per_30_days: float
    level: float
    expected: float | None
    last_at: datetime
    alarmed_at: datetime | None = None
    onset_at: datetime | None = None
    since_n: int | None = None
    since_failed: int | None = None
    since_expected: float | None = None


@dataclass(frozen=True, slots=True)
class StreamCursor:
    """How far an account's attempts are counted: all up to the row `seen_id`.

    While its history is gone through, that is so only up to (`replay_at`, `replay_id`), by the time of each.
    `last_at` is the end of the newest counted, `overdue_at` up to when pending ones were looked at, `call_id`
    the newest counted request of payops's own, and `usual` (JSON) what is usual besides shares of failures.
    """

    account: str
    seen_id: int
    replay_at: int | None = None
    replay_id: int | None = None
    last_at: int | None = None
    overdue_at: int | None = None
    call_id: int = 0
    usual: str = "{}"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a stream noticed; the onset and counts are those of an alarm or its end. `part_of` is the id of the alarm that this one belongs to."""

    account: str
    family: Family
    slice: Slice
    what: What
    at: datetime
    onset_at: datetime
    n: int
    failed: int
    expected: float
    evidence: float
    part_of: int | None = None
    id: int = 0


class Streams:
    def __init__(self, store: Store) -> None:
        self._store = store

    def version(self) -> int:
        """Counts the savings: who kept the streams in memory since an older one must read them again."""
        with self._store.read() as db:
            return int(db.execute("SELECT version FROM stream_book").fetchone()[0])

    def rows(self, account: str | None = None) -> list[StreamRow]:
        """All streams, or those of one account, by account, family and slice."""
        with self._store.read() as db:
            found = db.execute(
                f"SELECT {_STREAM} FROM streams WHERE ?1 IS NULL OR account = ?1"  # noqa: S608
                " ORDER BY account, family, slice",
                (account,),
            ).fetchall()
        return [_row(each) for each in found]

    def standing(self, account: str, family: Family) -> list[StreamRow]:
        """How the streams of a family stand, without their states, the widest first."""
        with self._store.read() as db:
            found = db.execute(
                f"SELECT {_STREAM.replace('state', 'NULL AS state')} FROM streams WHERE account = ? AND family = ?"  # noqa: S608
                " ORDER BY length(slice), slice",
                (account, family),
            ).fetchall()
        return [_row(each) for each in found]

    def rows_alarmed(self, family: Family) -> list[StreamRow]:
        """The streams of a family that run an alarm, of all accounts, without their states."""
        with self._store.read() as db:
            found = db.execute(
                f"SELECT {_STREAM.replace('state', 'NULL AS state')} FROM streams"  # noqa: S608
                " WHERE family = ? AND alarmed_at IS NOT NULL ORDER BY account, length(slice), slice",
                (family,),
            ).fetchall()
        return [_row(each) for each in found]

    def watched(self, least: float) -> int:
        """How many streams are watched: those with at least so many payments in 30 days."""
        with self._store.read() as db:
            found = db.execute("SELECT COUNT(*) FROM streams WHERE per_30_days >= ?", (least,))
            return int(found.fetchone()[0])

    def cursor(self, account: str) -> StreamCursor | None:
        """None: nothing of the account was counted yet."""
        with self._store.read() as db:
            found = db.execute(
                "SELECT account, seen_id, replay_at, replay_id, last_at, overdue_at, call_id, usual FROM stream_cursors"
                " WHERE account = ?",
                (account,),
            ).fetchone()
        return None if found is None else StreamCursor(*found)

    def accounts(self) -> int:
        """How many accounts are counted, 1 at least."""
        with self._store.read() as db:
            return max(1, int(db.execute("SELECT COUNT(*) FROM stream_cursors").fetchone()[0]))

    def newest_id(self) -> int:
        """The row of the attempt stored last, 0 without one."""
        with self._store.read() as db:
            return int(db.execute("SELECT COALESCE(MAX(id), 0) FROM attempts").fetchone()[0])

    def ended_after(self, account: str, seen_id: int) -> list[Ended]:
        """Attempts stored after row `seen_id` that have ended, and those stored before that ended since.

        By the end of each; one that was never seen pending ended when it was made.
        """
        with self._store.read() as db:
            new = db.execute(
                f"SELECT {_ENDED.format(ended_at='attempts.at')} FROM attempts"  # noqa: S608
                f" WHERE attempts.id > ? AND account = ? AND {_ENDS}"
                " AND NOT EXISTS (SELECT 1 FROM settled WHERE attempt = attempts.id)",
                (seen_id, account),
            ).fetchall()
            late = _settled(db, account)
        return sorted([*map(_ended, new), *late], key=lambda each: (each.ended_at, each.id))

    def history(
        self, account: str, after: tuple[int, int], until_id: int, limit: int
    ) -> tuple[list[Ended], list[Ended]]:
        """The first `limit` ended attempts up to row `until_id` behind `after` (at, id), by the time of each.

        Beside them those that `after` has passed and that ended since.
        """
        with self._store.read() as db:
            late = [each for each in _settled(db, account) if (each.at, each.id) <= after]
            rows = db.execute(
                f"SELECT {_ENDED.format(ended_at='attempts.at')} FROM attempts"  # noqa: S608
                f" WHERE account = ? AND id <= ? AND (at, id) > (?, ?) AND {_ENDS} ORDER BY at, id LIMIT ?",
                (account, until_id, *after, limit),
            ).fetchall()
        return [_ended(row) for row in rows], late

    def pending(self, account: str, after: int, until: int) -> list[Ended]:
        """Attempts made in (after, until] that are pending still; `ended_at` is when they were made."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {_ENDED.format(ended_at='attempts.at')} FROM attempts"  # noqa: S608
                " WHERE account = ? AND status = 'pending' AND at > ? AND at <= ? ORDER BY at, id",
                (account, after, until),
            ).fetchall()
        return [_ended(row) for row in rows]

    def recent(self, account: str, until: datetime, limit: int) -> list[Ended]:
        """The newest `limit` first attempts made up to `until` that have ended, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {_ENDED.format(ended_at='attempts.at')} FROM attempts"  # noqa: S608
                " WHERE account = ? AND first = 1 AND at <= ? ORDER BY at DESC, id DESC LIMIT ?",
                (account, to_epoch(until), limit),
            ).fetchall()
        return [_ended(row) for row in reversed(rows)]

    def paid_later(self, account: str, since: datetime, until: datetime) -> set[int]:
        """Failed first attempts made in [since, until] whose payment, or whose buyer's purchase, succeeded after all.

        The same customer with the same amount within an hour wanted the same.
        """
        later = "later.account = attempts.account AND later.status = 'succeeded' AND later.at >= attempts.at"
        with self._store.read() as db:
            rows = db.execute(
                "SELECT attempts.id FROM attempts WHERE account = ?1 AND first = 1 AND status = 'failed'"  # noqa: S608
                " AND at >= ?2 AND at <= ?3 AND (EXISTS (SELECT 1 FROM attempts AS later WHERE"
                f" {later} AND later.payment_id = attempts.payment_id) OR EXISTS (SELECT 1 FROM attempts AS later"
                f" WHERE {later} AND later.customer = attempts.customer AND later.at <= attempts.at + 3600"
                " AND later.amount_minor = attempts.amount_minor AND later.currency = attempts.currency))",
                (account, to_epoch(since), to_epoch(until)),
            )
            return {row[0] for row in rows}

    def seen_before(self, attempt: int, customer: str, at: int) -> bool:
        """Whether the customer of this attempt tried to pay at its account earlier than `at`."""
        with self._store.read() as db:
            found = db.execute(
                "SELECT 1 FROM attempts WHERE account = (SELECT account FROM attempts WHERE id = ?)"
                " AND customer = ? AND at < ? LIMIT 1",
                (attempt, customer, at),
            ).fetchone()
        return found is not None

    def answers_after(self, account: str, call_id: int) -> list[tuple[int, int, int]]:
        """(id, at, milliseconds) of the answers payops's own requests got since that one, in order."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT id, at, taken_ms FROM api_calls WHERE id > ? AND account = ? AND bucket IS NULL ORDER BY id",
                (call_id, account),
            ).fetchall()
        return [(row[0], row[1], row[2]) for row in rows]

    def overdue(self, ids: Iterable[int]) -> set[int]:
        """Which of these attempts were counted as failed while they were pending."""
        with self._store.read() as db:
            found = db.execute(
                "SELECT attempt FROM overdue WHERE attempt IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(ids)),),
            )
            return {row[0] for row in found}

    def mark_overdue(self, ids: Iterable[int]) -> None:
        with self._store.write() as db:
            db.executemany("INSERT OR IGNORE INTO overdue (attempt) VALUES (?)", [(each,) for each in ids])

    def save(self, cursor: StreamCursor, rows: Sequence[StreamRow]) -> None:
        """Keep what was counted of one account and how far: one part of the caller's transaction."""
        with self._store.write() as db:
            db.executemany(
                f"INSERT INTO streams ({_STREAM}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
                " ON CONFLICT (account, family, slice) DO UPDATE SET state = excluded.state, n = excluded.n,"
                " per_30_days = excluded.per_30_days, level = excluded.level, expected = excluded.expected,"
                " last_at = excluded.last_at, alarmed_at = excluded.alarmed_at, onset_at = excluded.onset_at,"
                " since_n = excluded.since_n, since_failed = excluded.since_failed,"
                " since_expected = excluded.since_expected",
                [_values(row) for row in rows],
            )
            db.execute(
                "INSERT INTO stream_cursors (account, seen_id, replay_at, replay_id, last_at, overdue_at, call_id, usual)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET seen_id = excluded.seen_id,"
                " replay_at = excluded.replay_at, replay_id = excluded.replay_id, last_at = excluded.last_at,"
                " overdue_at = excluded.overdue_at, call_id = excluded.call_id, usual = excluded.usual",
                (
                    cursor.account,
                    cursor.seen_id,
                    cursor.replay_at,
                    cursor.replay_id,
                    cursor.last_at,
                    cursor.overdue_at,
                    cursor.call_id,
                    cursor.usual,
                ),
            )
            db.execute("DELETE FROM settled WHERE account = ?", (cursor.account,))
            db.execute("UPDATE stream_book SET version = version + 1")

    def forget(self, account: str) -> None:
        """Begin the account anew: its history is being read, and what was counted of a part of it says nothing."""
        with self._store.write() as db:
            db.execute("DELETE FROM streams WHERE account = ?", (account,))
            db.execute("DELETE FROM stream_cursors WHERE account = ?", (account,))
            db.execute("DELETE FROM settled WHERE account = ?", (account,))
            db.execute("UPDATE stream_book SET version = version + 1")

    def notice(self, notice: Notice) -> int:
        """Write down what was noticed; returns its id."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO notices (account, family, slice, what, at, onset_at, n, failed, expected, evidence,"
                " part_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    notice.account,
                    notice.family,
                    _packed(notice.slice),
                    notice.what,
                    to_epoch(notice.at),
                    to_epoch(notice.onset_at),
                    notice.n,
                    notice.failed,
                    notice.expected,
                    notice.evidence,
                    notice.part_of,
                ),
            )
            return int(db.execute("SELECT last_insert_rowid()").fetchone()[0])

    def last_notice(self, account: str, family: Family, slice_: Slice, what: What) -> Notice | None:
        """What this stream noticed last of that kind."""
        with self._store.read() as db:
            row = db.execute(
                f"SELECT {_NOTICE} FROM notices WHERE account = ? AND family = ? AND slice = ? AND what = ?"  # noqa: S608
                " ORDER BY id DESC LIMIT 1",
                (account, family, _packed(slice_), what),
            ).fetchone()
        return None if row is None else _notice(row)

    def notices(self, account: str, since: datetime, family: Family | None = None) -> list[Notice]:
        """What was noticed at or after `since`, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {_NOTICE} FROM notices WHERE account = ?1 AND at >= ?2 AND (?3 IS NULL OR family = ?3) ORDER BY at, id",  # noqa: S608
                (account, to_epoch(since), family),
            ).fetchall()
        return [_notice(row) for row in rows]


def note_settled(db: sqlite3.Connection, account: str, ended: Iterable[tuple[int, int]]) -> None:
    """(row, when) of attempts that ended after they were stored: the streams' cursor has passed them."""
    db.executemany(
        "INSERT INTO settled (attempt, account, ended_at) VALUES (?, ?, ?)"
        " ON CONFLICT (attempt) DO UPDATE SET ended_at = excluded.ended_at",
        [(row, account, when) for row, when in ended],
    )


def _packed(slice_: Slice) -> str:
    return json.dumps(dict(slice_), sort_keys=True, ensure_ascii=False)


def _unpacked(text: str) -> Slice:
    return tuple(sorted(json.loads(text).items()))


def _settled(db: sqlite3.Connection, account: str) -> list[Ended]:
    rows = db.execute(
        f"SELECT {_ENDED.format(ended_at='settled.ended_at')} FROM settled"  # noqa: S608
        " JOIN attempts ON attempts.id = settled.attempt WHERE settled.account = ?",
        (account,),
    )
    return [_ended(row) for row in rows]


def _ended(row: sqlite3.Row) -> Ended:
    values = list(row)
    values[4] = bool(values[4])
    return Ended(*values)


def _notice(row: sqlite3.Row) -> Notice:
    return Notice(
        row["account"],
        row["family"],
        _unpacked(row["slice"]),
        row["what"],
        from_epoch(row["at"]),
        from_epoch(row["onset_at"]),
        *row[6:],
    )


def _row(row: sqlite3.Row) -> StreamRow:
    return StreamRow(
        row["account"],
        row["family"],
        _unpacked(row["slice"]),
        row["state"],
        row["n"],
        row["per_30_days"],
        row["level"],
        row["expected"],
        from_epoch(row["last_at"]),
        at(row["alarmed_at"]),
        at(row["onset_at"]),
        row["since_n"],
        row["since_failed"],
        row["since_expected"],
    )


def _values(row: StreamRow) -> tuple[object, ...]:
    return (
        row.account,
        row.family,
        _packed(row.slice),
        row.state,
        row.n,
        row.per_30_days,
        row.level,
        row.expected,
        to_epoch(row.last_at),
        epoch(row.alarmed_at),
        epoch(row.onset_at),
        row.since_n,
        row.since_failed,
        row.since_expected,
    )
