"""Silences: what a person asked payops to keep quiet about, until when and why. Every one of them ends."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, iso, to_epoch

from .redaction import redact_name, redact_text
from .rows import at

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class Silence:
    """It covers one group of a rule (`dedup_key`), or all of them on an account (None)."""

    id: int
    rule: str
    account: str
    dedup_key: str | None
    at: datetime
    until: datetime
    who: str
    reason: str
    ended_at: datetime | None = None
    """Before its time, by a person."""
    ended_by: str | None = None

    def state(self, now: datetime) -> str:
        """`in force`, `ended` by a person, or `over`."""
        return "ended" if self.ended_at is not None else "in force" if now < self.until else "over"

    def covers(self, rule: str, account: str, dedup_key: str) -> bool:
        return (rule, account) == (self.rule, self.account) and self.dedup_key in (None, dedup_key)


class Silences:
    def __init__(self, store: Store) -> None:
        self._store = store

    def put(
        self,
        rule: str,
        account: str,
        dedup_key: str | None,
        until: datetime,
        who: str,
        reason: str,
        now: datetime,
        *,
        origin: str = "command",
    ) -> Silence:
        """Begin a silence; it is audited."""
        with self._store.write() as db:
            number = db.execute(
                "INSERT INTO silences (rule, account, dedup_key, at, until, who, reason)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    rule,
                    account,
                    dedup_key,
                    to_epoch(now),
                    to_epoch(until),
                    redact_name(who),
                    redact_text(reason),
                ),
            ).lastrowid
            self._store.audit.append(
                db,
                now,
                who,
                "silence",
                dedup_key or f"{rule} on {account}",
                "ok",
                origin,
                {"silence": number, "until": iso(until), "reason": reason},
            )
            return _silence(db.execute("SELECT * FROM silences WHERE id = ?", (number,)).fetchone())

    def end(self, number: int, who: str, now: datetime, *, origin: str = "command") -> None:
        """End one before its time; one that is over stays as it is."""
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE silences SET ended_at = ?1, ended_by = ?2"
                " WHERE id = ?3 AND ended_at IS NULL AND until > ?1",
                (to_epoch(now), redact_name(who), number),
            ).rowcount
            if changed:
                self._store.audit.append(db, now, who, "unsilence", f"silence {number}", "ok", origin, {})

    def in_force(self, now: datetime) -> list[Silence]:
        """Those that hold at `now`, the one that lasts longest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM silences WHERE at <= ?1 AND until > ?1 AND ended_at IS NULL"
                " ORDER BY until DESC, id",
                (to_epoch(now),),
            ).fetchall()
        return [_silence(row) for row in rows]

    def listing(self, limit: int = 200) -> list[Silence]:
        """All of them, the newest first."""
        with self._store.read() as db:
            rows = db.execute("SELECT * FROM silences ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [_silence(row) for row in rows]


def _silence(row: sqlite3.Row) -> Silence:
    return Silence(
        row["id"],
        row["rule"],
        row["account"],
        row["dedup_key"],
        from_epoch(row["at"]),
        from_epoch(row["until"]),
        row["who"],
        row["reason"],
        at(row["ended_at"]),
        row["ended_by"],
    )
