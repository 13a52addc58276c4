"""Who did what, when, with which result: append-only, each row sealing the one before it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import StoreError

from .redaction import redact, redact_name, redact_text

if TYPE_CHECKING:
    from .store import Store

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditRow:
    seq: int
    at: datetime
    who: str
    what: str
    object: str
    result: str
    origin: str
    detail: Mapping[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a walk over the whole chain found.

    `rows` were read, `first_bad_seq` is the first that does not fit (None when `ok`), `head` the hash of the
    last row: written down elsewhere, it proves later that no row was changed up to it.
    """

    rows: int
    ok: bool
    first_bad_seq: int | None
    why: str
    head: str


class Audit:
    """The chain: `hash = sha256(prev_hash + canonical JSON of the row)`.

    The store also keeps the number of rows and the last hash beside the table, so that removing the newest
    rows shows as well. Triggers refuse changes; the chain proves them when somebody removed the triggers.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(
        self,
        db: sqlite3.Connection,
        at: datetime,
        who: str,
        what: str,
        object_: str,
        result: str,
        origin: str,
        detail: Mapping[str, object],
    ) -> int:
        """Add a row in the caller's transaction and return its number.

        When it cannot be written `StoreError` ends the whole transaction: nothing happens unrecorded.
        """
        if not db.in_transaction:
            raise RuntimeError("an audit row belongs into the transaction of what it records")
        try:
            count, head = db.execute("SELECT count, head FROM audit_head").fetchone()
            seq = count + 1
            masked, _ = redact(dict(detail))
            row = (
                seq,
                to_epoch(at),
                redact_name(who),
                redact_text(what),
                redact_text(object_),
                redact_text(result),
                redact_text(origin),
                _canonical(masked),
            )
            db.execute(
                "INSERT INTO audit (seq, at, who, what, object, result, origin, detail, prev_hash, hash)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, head, _seal(head, row)),
            )
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise StoreError(
                f"{self._store.where}: the audit could not be written, so nothing was: {error}; "
                "run `payops store check`"
            ) from error
        return int(seq)

    def verify(self) -> AuditReport:
        """Walk the chain. Finds any row that was edited, removed, inserted or re-ordered, the last ones too."""
        with self._store.read() as db:
            known = db.execute("SELECT count, head FROM audit_head").fetchone()
            previous, seq = GENESIS, 0
            for found in db.execute(
                "SELECT seq, at, who, what, object, result, origin, detail, prev_hash, hash FROM audit ORDER BY seq"
            ):
                row = tuple(found)
                if row[0] != seq + 1:
                    return AuditReport(seq, False, seq + 1, f"row {seq + 1} is missing", previous)
                seq = row[0]
                if row[8] != previous:
                    return AuditReport(seq, False, seq, f"row {seq} does not follow row {seq - 1}", previous)
                if row[9] != _seal(previous, row[:8]):
                    return AuditReport(seq, False, seq, f"row {seq} was changed", previous)
                previous = row[9]
        if known is None:
            return AuditReport(seq, False, seq + 1, "the record of the last row is missing", previous)
        if known["count"] > seq:
            lost = known["count"] - seq
            return AuditReport(seq, False, seq + 1, f"the last {lost} rows were removed", previous)
        if known["count"] < seq or known["head"] != previous:
            return AuditReport(seq, False, seq, f"row {seq} is not the last one that payops wrote", previous)
        return AuditReport(seq, True, None, "", previous)

    def rows(self, since: datetime | None = None, limit: int = 100) -> list[AuditRow]:
        """The newest `limit` rows at or after `since`, oldest first."""
        with self._store.read() as db:
            found = db.execute(
                "SELECT seq, at, who, what, object, result, origin, detail, hash FROM audit"
                " WHERE at >= ? ORDER BY seq DESC LIMIT ?",
                (to_epoch(since) if since else 0, limit),
            ).fetchall()
        return [_row(row) for row in reversed(found)]

    def walk(self, since: datetime | None = None) -> Iterator[AuditRow]:
        """Every row at or after `since`, oldest first, a thousand at a time."""
        start, last = to_epoch(since) if since else 0, 0
        while True:
            with self._store.read() as db:
                found = db.execute(
                    "SELECT seq, at, who, what, object, result, origin, detail, hash FROM audit"
                    " WHERE seq > ? AND at >= ? ORDER BY seq LIMIT 1000",
                    (last, start),
                ).fetchall()
            if not found:
                return
            yield from map(_row, found)
            last = found[-1]["seq"]

    def about(self, object_: str) -> list[AuditRow]:
        """Every row about one object, oldest first."""
        with self._store.read() as db:
            found = db.execute(
                "SELECT seq, at, who, what, object, result, origin, detail, hash FROM audit"
                " WHERE object = ? ORDER BY seq",
                (object_,),
            ).fetchall()
        return [_row(row) for row in found]

    def head(self) -> tuple[int, str]:
        """The number of rows and the hash of the last one: what a report is sealed with."""
        with self._store.read() as db:
            count, head = db.execute("SELECT count, head FROM audit_head").fetchone()
        return int(count), str(head)

    def ends_well(self) -> bool:
        """Whether the last row is the one that was written last, and seals what it says: cheap, of the end alone."""
        with self._store.read() as db:
            known = db.execute("SELECT count, head FROM audit_head").fetchone()
            row = db.execute(
                "SELECT seq, at, who, what, object, result, origin, detail, prev_hash, hash FROM audit"
                " ORDER BY seq DESC LIMIT 1"
            ).fetchone()
        if known is None:
            return False
        if row is None:
            return bool(known["count"] == 0 and known["head"] == GENESIS)
        last = tuple(row)
        return bool(known["count"] == last[0] and known["head"] == last[9] == _seal(last[8], last[:8]))

    def hash_at(self, seq: int) -> str | None:
        """The hash of one row; that of row 0 is the chain's beginning; None when there is no such row."""
        if seq == 0:
            return GENESIS
        with self._store.read() as db:
            row = db.execute("SELECT hash FROM audit WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else str(row["hash"])


def _row(row: sqlite3.Row) -> AuditRow:
    return AuditRow(
        row["seq"],
        from_epoch(row["at"]),
        row["who"],
        row["what"],
        row["object"],
        row["result"],
        row["origin"],
        json.loads(row["detail"]),
        row["hash"],
    )


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _seal(previous: str, row: tuple[object, ...]) -> str:
    return hashlib.sha256((previous + _canonical(row)).encode("utf-8", "surrogatepass")).hexdigest()
