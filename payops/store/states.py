"""What the provider said of the account itself: whether it may take and receive money."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import AccountState

from .redaction import redact_text
from .rows import at, truth

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class ApiVersions:
    """`accepted` is the version that is meant; `since` is when the one told now was first told. None = told none."""

    accepted: str | None
    since: datetime | None


class StateFacts:
    _store: Store

    def account_state(self, account: str) -> AccountState | None:
        """The latest state told; None where the provider has not been asked or does not tell."""
        with self._store.read() as db:
            row = db.execute("SELECT * FROM account_states WHERE account = ?", (account,)).fetchone()
        if row is None:
            return None
        return AccountState(
            row["account"],
            from_epoch(row["at"]),
            truth(row["charges_enabled"]),
            truth(row["payouts_enabled"]),
            tuple(json.loads(row["due"])),
            row["reason"],
            row["api_version"],
        )

    def api_versions(self, account: str) -> ApiVersions:
        """In which version the account's events are rendered now, since when, and which is meant."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT at, version, accepted_at FROM api_versions WHERE account = ? ORDER BY at", (account,)
            ).fetchall()
        accepted = next((row["version"] for row in reversed(rows) if row["accepted_at"] is not None), None)
        return ApiVersions(accepted, at(rows[-1]["at"]) if rows else None)

    def accept_api_version(self, account: str, now: datetime) -> None:
        """The version told last is meant to be."""
        with self._store.write() as db:
            db.execute(
                "UPDATE api_versions SET accepted_at = ?2 WHERE account = ?1 AND accepted_at IS NULL"
                " AND at = (SELECT MAX(at) FROM api_versions WHERE account = ?1)",
                (account, to_epoch(now)),
            )


def store_state(db: sqlite3.Connection, account: str, state: AccountState) -> None:
    """Keep it unless a later one is known."""
    db.execute(
        "INSERT INTO account_states (account, at, charges_enabled, payouts_enabled, due, reason, api_version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET at = excluded.at,"
        " charges_enabled = excluded.charges_enabled, payouts_enabled = excluded.payouts_enabled,"
        " due = excluded.due, reason = excluded.reason, api_version = excluded.api_version"
        " WHERE excluded.at >= account_states.at",
        (
            account,
            to_epoch(state.at),
            None if state.charges_enabled is None else int(state.charges_enabled),
            None if state.payouts_enabled is None else int(state.payouts_enabled),
            json.dumps([redact_text(name) for name in state.due]),
            state.reason and redact_text(state.reason),
            state.api_version and redact_text(state.api_version),
        ),
    )
    if state.api_version:
        _note_version(db, account, redact_text(state.api_version), to_epoch(state.at))


def _note_version(db: sqlite3.Connection, account: str, version: str, told_at: int) -> None:
    """The first version an account is seen with is taken for meant, and so is one that was meant before."""
    known = db.execute(
        "SELECT at, version, accepted_at FROM api_versions WHERE account = ? ORDER BY at", (account,)
    ).fetchall()
    if known and (known[-1]["version"] == version or told_at <= known[-1]["at"]):
        return
    meant = not known or any(row["version"] == version and row["accepted_at"] is not None for row in known)
    db.execute(
        "INSERT INTO api_versions (account, at, version, accepted_at) VALUES (?, ?, ?, ?)",
        (account, told_at, version, told_at if meant else None),
    )
