"""The attempts something is wrong with: each answer comes from an index that holds little else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from payops.clock import from_epoch, to_epoch
from payops.domain.payments import Attempt, Refund

from .held import refund_from
from .rows import at, truth

if TYPE_CHECKING:
    from .store import Store

_COLUMNS = (
    "attempt_id, at, status, changed_at, payment_id, customer, amount_minor, currency, decline_code, method,"
    " card_brand, country, initiated_by, captured, capture_before, amount_refunded_minor, order_id"
)


class Double(NamedTuple):
    """Two successes that look like one purchase; `same_order` False: only customer and amount are the same."""

    first: Attempt
    second: Attempt
    same_order: bool


class Owing(NamedTuple):
    """Subscriptions whose bill is unpaid: all of them, and those since each edge asked for, in that order."""

    n: int
    since: tuple[int, ...]
    oldest: datetime | None


_OWES = "(status <> 'suspended' OR outstanding_minor > 0)"
"""One that was suspended on request owes nothing."""


class ExceptionFacts:
    _store: Store

    def attempts_by_id(self, account: str, attempt_ids: Iterable[str]) -> dict[str, Attempt]:
        """The stored ones of these attempts."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT account, {_COLUMNS} FROM attempts"  # noqa: S608
                " WHERE account = ? AND attempt_id IN (SELECT value FROM json_each(?))",
                (account, json.dumps(sorted(set(attempt_ids)))),
            ).fetchall()
        return {row["attempt_id"]: _attempt(row) for row in rows}

    def refunds_of_all(self, account: str, attempt_ids: Iterable[str]) -> dict[str, list[Refund]]:
        """All refunds known of each of these attempts, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM refunds WHERE account = ? AND attempt_id IN (SELECT value FROM json_each(?))"
                " ORDER BY at, refund_id",
                (account, json.dumps(sorted(set(attempt_ids)))),
            ).fetchall()
        found: dict[str, list[Refund]] = {}
        for row in rows:
            found.setdefault(row["attempt_id"], []).append(refund_from(row))
        return found

    def doubles(self, account: str, since: datetime) -> list[Double]:
        """Pairs whose second success was at or after `since`, oldest first, given back or not."""
        with self._store.read() as db:
            pairs = db.execute(
                "SELECT first_id, attempt_id, same_order FROM doubles WHERE account = ? AND at >= ?"
                " ORDER BY at, attempt_id",
                (account, to_epoch(since)),
            ).fetchall()
        if not pairs:
            return []
        found = self.attempts_by_id(account, (each for pair in pairs for each in tuple(pair)[:2]))
        return [
            Double(found[first], found[second], bool(same))
            for first, second, same in map(tuple, pairs)
            if first in found and second in found
        ]

    def uncaptured(self, account: str, since: datetime, until: datetime) -> list[Attempt]:
        """Authorizations nobody has captured or let go whose time ends in [since, until], soonest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT account, {_COLUMNS} FROM attempts"  # noqa: S608
                " WHERE account = ? AND captured = 0 AND capture_before IS NOT NULL"
                " AND capture_before >= ? AND capture_before <= ? AND status = 'succeeded'"
                " ORDER BY capture_before, attempt_id",
                (account, to_epoch(since), to_epoch(until)),
            ).fetchall()
        return [_attempt(row) for row in rows]

    def last_attempt(self, account: str, customer: str, amount_minor: int, currency: str) -> Attempt | None:
        """The newest try, from whatever source, to take this amount from the customer; None when none is known."""
        with self._store.read() as db:
            row = db.execute(
                f"SELECT account, {_COLUMNS} FROM attempts"  # noqa: S608
                " WHERE account = ? AND customer = ? AND amount_minor = ? AND currency = ?"
                " ORDER BY at DESC, attempt_id DESC LIMIT 1",
                (account, customer, amount_minor, currency),
            ).fetchone()
        return None if row is None else _attempt(row)

    def attempts_of_order(self, account: str, order_id: str) -> list[Attempt]:
        """Every attempt known of an order, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT account, {_COLUMNS} FROM attempts WHERE account = ? AND order_id = ?"  # noqa: S608
                " ORDER BY at, attempt_id",
                (account, order_id),
            ).fetchall()
        return [_attempt(row) for row in rows]

    def over_refunded(self, account: str, since: datetime) -> list[Attempt]:
        """Attempts made at or after `since` of which more went back than came in, as the provider sums."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT account, {_COLUMNS} FROM attempts"  # noqa: S608
                " WHERE account = ? AND at >= ? AND amount_refunded_minor > amount_minor ORDER BY at, attempt_id",
                (account, to_epoch(since)),
            ).fetchall()
        return [_attempt(row) for row in rows]

    def owing(self, account: str, after: datetime | None, edges: Sequence[datetime]) -> Owing:
        """Those that came to owe later than `after` (None = ever) and are not known to lack a payment method."""
        return self._owing(account, after, edges, "has_payment_method IS NOT 0")

    def unpayable(self, account: str, after: datetime | None, edges: Sequence[datetime]) -> Owing:
        """Those that came to owe later than `after` and are known to have no payment method."""
        return self._owing(account, after, edges, "has_payment_method = 0")

    def _owing(self, account: str, after: datetime | None, edges: Sequence[datetime], which: str) -> Owing:
        counts = "".join(", COALESCE(SUM(owing_since > ?), 0)" for _ in edges)
        with self._store.read() as db:
            row = db.execute(
                f"SELECT COUNT(*), MIN(owing_since){counts} FROM subscriptions INDEXED BY subscriptions_owing"  # noqa: S608
                f" WHERE account = ? AND owing_since > ? AND {which} AND {_OWES}",
                (*(to_epoch(edge) for edge in edges), account, -1 if after is None else to_epoch(after)),
            ).fetchone()
        return Owing(row[0], tuple(row)[2:], at(row[1]))

    def renewals(self, account: str, start: datetime, end: datetime) -> tuple[int, int]:
        """Tries in [start, end) to collect a subscription's bill by schedule, and how many succeeded."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(status = 'succeeded'), 0) FROM attempts"
                " WHERE account = ? AND initiated_by = 'renewal' AND at >= ? AND at < ?",
                (account, to_epoch(start), to_epoch(end)),
            ).fetchone()
        return row[0], row[1]


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        account=row["account"],
        attempt_id=row["attempt_id"],
        at=from_epoch(row["at"]),
        status=row["status"],
        changed_at=from_epoch(row["changed_at"]),
        payment_id=row["payment_id"],
        customer=row["customer"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        decline_code=row["decline_code"],
        method=row["method"],
        card_brand=row["card_brand"],
        country=row["country"],
        initiated_by=row["initiated_by"],
        captured=truth(row["captured"]),
        capture_before=at(row["capture_before"]),
        amount_refunded_minor=row["amount_refunded_minor"],
        order_id=row["order_id"],
    )
