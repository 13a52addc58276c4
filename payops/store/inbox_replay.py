"""Putting received events back to be processed once more, and telling what that would change."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import to_epoch
from payops.domain.events import Facts

if TYPE_CHECKING:
    from .store import Store

_Stated = Iterable[tuple[str, datetime]]
_OBJECTS: tuple[tuple[str, str, Callable[[Facts], _Stated]], ...] = (
    ("attempts", "attempt_id", lambda facts: [(x.attempt_id, x.changed_at) for x in facts.attempts]),
    ("refunds", "refund_id", lambda facts: [(x.refund_id, x.changed_at or x.at) for x in facts.refunds]),
    (
        "subscriptions",
        "subscription_id",
        lambda facts: [(x.subscription_id, x.changed_at) for x in facts.subscriptions],
    ),
    ("invoices", "invoice_id", lambda facts: [(x.invoice_id, x.changed_at) for x in facts.invoices]),
    ("disputes", "dispute_id", lambda facts: [(x.dispute_id, x.changed_at) for x in facts.disputes]),
    ("payouts", "payout_id", lambda facts: [(x.payout_id, x.changed_at) for x in facts.payouts]),
)
"""Table, key and what an event states of such objects: the id and when that state began."""


class InboxReplay:
    _store: Store

    def put_back(self, ids: Sequence[int]) -> int:
        """Make these events wait to be processed, from the first try on; returns how many.

        One without a body cannot be processed again and stays as it is.
        """
        with self._store.write() as db:
            return db.executemany(
                "UPDATE inbox SET state = 'received', tries = 0, next_try_at = NULL, error = NULL"
                " WHERE id = ? AND body <> ''",
                [(one,) for one in ids],
            ).rowcount

    def overtaken(self, account: str, facts: Facts) -> bool:
        """Every object the facts speak of is known in a later state: applying them would change nothing."""
        with self._store.read() as db:
            verdicts = [
                _later(db, table, key, account, object_id, changed_at)
                for table, key, stated in _OBJECTS
                for object_id, changed_at in stated(facts)
            ]
        return bool(verdicts) and all(verdicts)


def _later(
    db: sqlite3.Connection, table: str, key: str, account: str, object_id: str, changed_at: datetime
) -> bool:
    row = db.execute(
        f"SELECT changed_at FROM {table} WHERE account = ? AND {key} = ?",  # noqa: S608
        (account, object_id),
    ).fetchone()
    return row is not None and row["changed_at"] is not None and row["changed_at"] > to_epoch(changed_at)
