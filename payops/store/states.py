"""What the provider said of the account itself: whether it may take and receive money."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import AccountState

from .redaction import redact_text
from .rows import truth

if TYPE_CHECKING:
    from .store import Store


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
