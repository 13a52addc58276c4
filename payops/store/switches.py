"""What a person switched on or off: stop everything, armed remedies, and small named values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch

from .redaction import redact_name, redact_text

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class Stop:
    """Everything is stopped: since when, by whom, why."""

    at: datetime
    who: str
    reason: str


class Switches:
    """They survive a restart; each change is audited."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def stop(self, who: str, reason: str, now: datetime, *, origin: str = "payops") -> None:
        """No remedy acts until `resume`. Stopping again keeps the first stop."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO stops (one, at, who, reason) VALUES (1, ?, ?, ?) ON CONFLICT (one) DO NOTHING",
                (to_epoch(now), redact_name(who), redact_text(reason)),
            )
            self._store.audit.append(db, now, who, "stop", "engine", "ok", origin, {"reason": reason})

    def resume(self, who: str, reason: str, now: datetime, *, origin: str = "payops") -> None:
        """Let remedies act again."""
        with self._store.write() as db:
            db.execute("DELETE FROM stops")
            self._store.audit.append(db, now, who, "resume", "engine", "ok", origin, {"reason": reason})

    def stopped(self) -> Stop | None:
        """The stop in force, None when remedies may act."""
        with self._store.read() as db:
            row = db.execute("SELECT at, who, reason FROM stops").fetchone()
        return row and Stop(from_epoch(row["at"]), row["who"], row["reason"])

    def arm(
        self,
        account: str,
        remedies: Iterable[str],
        who: str,
        reason: str,
        now: datetime,
        *,
        origin: str = "payops",
    ) -> None:
        """Let the named remedies act on the account."""
        self._switch(account, remedies, True, who, reason, now, origin)

    def disarm(
        self,
        account: str,
        remedies: Iterable[str],
        who: str,
        reason: str,
        now: datetime,
        *,
        origin: str = "payops",
    ) -> None:
        """Take that back; it also wins over the configuration's `[[arm]]` entries."""
        self._switch(account, remedies, False, who, reason, now, origin)

    def armed(self, account: str) -> frozenset[str]:
        """Remedies armed by a person for this account."""
        return self._remedies(account, 1)

    def disarmed(self, account: str) -> frozenset[str]:
        """Remedies a person disarmed for this account."""
        return self._remedies(account, 0)

    def meta_get(self, key: str) -> str | None:
        with self._store.read() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row and str(row["value"])

    def meta_set(self, key: str, value: str) -> None:
        """A small value of payops itself; what a person decides has its own audited method."""
        with self._store.write() as db:
            set_meta(db, key, value)

    def _remedies(self, account: str, armed: int) -> frozenset[str]:
        with self._store.read() as db:
            rows = db.execute(
                "SELECT remedy FROM arming WHERE account = ? AND armed = ?", (account, armed)
            ).fetchall()
        return frozenset(row["remedy"] for row in rows)

    def _switch(
        self,
        account: str,
        remedies: Iterable[str],
        armed: bool,
        who: str,
        reason: str,
        now: datetime,
        origin: str,
    ) -> None:
        names = sorted(set(remedies))
        with self._store.write() as db:
            db.executemany(
                "INSERT INTO arming (account, remedy, armed, at, who, reason) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (account, remedy) DO UPDATE SET"
                " armed = excluded.armed, at = excluded.at, who = excluded.who, reason = excluded.reason",
                [
                    (account, name, int(armed), to_epoch(now), redact_name(who), redact_text(reason))
                    for name in names
                ],
            )
            self._store.audit.append(
                db,
                now,
                who,
                "arm" if armed else "disarm",
                account,
                "ok",
                origin,
                {"remedies": names, "reason": reason},
            )


def set_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, redact_text(value)),
    )
