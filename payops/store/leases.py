"""Who may act: one holder at a time, with a token that only grows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import LostRace

if TYPE_CHECKING:
    from .store import Store


LONGEST_S = 300
"""No lease is given for longer: an end further away was written before the clock was set back, and binds nobody."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act until `expires_at`. A writer whose `token` is not the newest is refused by `fence`."""

    name: str
    holder: str
    token: int
    expires_at: datetime


class Leases:
    def __init__(self, store: Store) -> None:
        self._store = store

    def acquire(self, name: str, holder: str, now: datetime, ttl_s: int) -> Lease | None:
        """The lease, with a token greater than any before; None while another (or the same) holder has it."""
        at = to_epoch(now)
        with self._store.write() as db:
            row = db.execute(
                "INSERT INTO leases (name, holder, token, expires_at) VALUES (?, ?, 1, ?)"
                " ON CONFLICT (name) DO UPDATE SET"
                " holder = excluded.holder, token = leases.token + 1, expires_at = excluded.expires_at"
                " WHERE leases.holder IS NULL OR leases.expires_at <= ? OR leases.expires_at > ?"
                " RETURNING token",
                (name, holder, at + ttl_s, at, at + LONGEST_S),
            ).fetchone()
        return None if row is None else Lease(name, holder, row["token"], from_epoch(at + ttl_s))

    def renew(self, lease: Lease, now: datetime, ttl_s: int) -> bool:
        """Hold on until `now + ttl_s`; False when somebody else has taken it meanwhile, or it was released."""
        at = to_epoch(now)
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE leases SET expires_at = MAX(?1, IIF(expires_at > ?2, 0, expires_at))"
                " WHERE name = ?3 AND token = ?4 AND holder = ?5",
                (at + ttl_s, at + LONGEST_S, lease.name, lease.token, lease.holder),
            ).rowcount
        return changed == 1

    def release(self, lease: Lease) -> None:
        """Give it back. Without effect when it is no longer ours."""
        with self._store.write() as db:
            db.execute(
                "UPDATE leases SET holder = NULL, expires_at = 0 WHERE name = ? AND token = ? AND holder = ?",
                (lease.name, lease.token, lease.holder),
            )

    def holder(self, name: str, now: datetime) -> Lease | None:
        """Who holds it at `now`; None when it is free or has run out."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT holder, token, expires_at FROM leases"
                " WHERE name = ?1 AND holder IS NOT NULL AND expires_at > ?2 AND expires_at <= ?2 + ?3",
                (name, to_epoch(now), LONGEST_S),
            ).fetchone()
        return row and Lease(name, row["holder"], row["token"], from_epoch(row["expires_at"]))

    def fence(self, db: sqlite3.Connection, lease: Lease) -> None:
        """Raise `LostRace` unless `lease` is still the newest: for the first line of a holder's transaction."""
        row = db.execute("SELECT holder, token FROM leases WHERE name = ?", (lease.name,)).fetchone()
        if row is None or row["token"] != lease.token or row["holder"] != lease.holder:
            now_with = f"{row['holder']} has it" if row and row["holder"] else "nobody has it now"
            raise LostRace(
                f"{lease.holder} no longer holds the {lease.name} lease ({now_with}): nothing was written"
            )
