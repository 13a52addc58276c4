"""What is known of an account's refunds, subscriptions, invoices, disputes and payouts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.payments import (
    Dispute,
    DisputeStatus,
    Invoice,
    InvoiceStatus,
    Payout,
    Refund,
    Subscription,
    SubscriptionStatus,
)

from .rows import at, truth

if TYPE_CHECKING:
    from .store import Store


class ObjectFacts:
    _store: Store

    def refunds(
        self,
        account: str,
        since: datetime,
        statuses: Sequence[str] | None = None,
        until: datetime | None = None,
    ) -> list[Refund]:
        """Refunds made in [since, until] (None = no end), of these states (None = all), oldest first."""
        wanted, values = _of_statuses(statuses)
        end = () if until is None else (to_epoch(until),)
        rows = self._rows(
            "SELECT * FROM refunds WHERE account = ? AND at >= ?"  # noqa: S608
            f"{' AND at <= ?' if end else ''}{wanted} ORDER BY at, refund_id",
            (account, to_epoch(since), *end, *values),
        )
        return [refund_from(row) for row in rows]

    def refunds_of(self, account: str, attempt_id: str) -> list[Refund]:
        """All refunds known of one attempt, oldest first."""
        rows = self._rows(
            "SELECT * FROM refunds WHERE account = ? AND attempt_id = ? ORDER BY at, refund_id",
            (account, attempt_id),
        )
        return [refund_from(row) for row in rows]

    def subscriptions(
        self, account: str, statuses: Sequence[SubscriptionStatus] | None = None
    ) -> list[Subscription]:
        """Subscriptions in these states (None = all), by id."""
        return [
            Subscription(
                row["account"],
                row["subscription_id"],
                from_epoch(row["at"]),
                from_epoch(row["changed_at"]),
                row["status"],
                row["customer"],
                row["amount_minor"],
                row["currency"],
                at(row["next_billing_at"]),
                row["outstanding_minor"],
                row["failed_payments"],
                truth(row["cancel_at_period_end"]),
                truth(row["has_payment_method"]),
                at(row["owing_since"]),
            )
            for row in self._in_states("subscriptions", "subscription_id", account, statuses)
        ]

    def invoices(self, account: str, statuses: Sequence[InvoiceStatus] | None = None) -> list[Invoice]:
        """Invoices in these states (None = all), by id."""
        return [
            Invoice(
                row["account"],
                row["invoice_id"],
                from_epoch(row["at"]),
                from_epoch(row["changed_at"]),
                row["status"],
                row["amount_due_minor"],
                row["currency"],
                row["subscription_id"],
                row["attempt_count"],
                at(row["next_attempt_at"]),
                row["finalization_error"],
            )
            for row in self._in_states("invoices", "invoice_id", account, statuses)
        ]

    def refunds_counted(self, account: str, statuses: Sequence[str], start: datetime, end: datetime) -> int:
        """How many refunds made in [start, end) are in one of these states now."""
        wanted, values = _of_statuses(statuses)
        (row,) = self._rows(
            f"SELECT COUNT(*) FROM refunds WHERE account = ? AND at >= ? AND at < ?{wanted}",  # noqa: S608
            (account, to_epoch(start), to_epoch(end), *values),
        )
        return int(row[0])

    def disputes_opened(self, account: str, start: datetime, end: datetime) -> int:
        """How many disputes were opened in [start, end), whatever became of them."""
        (row,) = self._rows(
            "SELECT COUNT(*) FROM disputes WHERE account = ? AND at >= ? AND at < ?",
            (account, to_epoch(start), to_epoch(end)),
        )
        return int(row[0])

    def disputes(self, account: str, statuses: Sequence[DisputeStatus] | None = None) -> list[Dispute]:
        """Disputes in these states (None = all), by id."""
        return [_dispute(row) for row in self._in_states("disputes", "dispute_id", account, statuses)]

    def disputes_changed(
        self, account: str, statuses: Sequence[DisputeStatus], since: datetime
    ) -> list[Dispute]:
        """Disputes that came to be in one of these states at or after `since`, oldest change first."""
        wanted, values = _of_statuses(statuses)
        rows = self._rows(
            f"SELECT * FROM disputes WHERE account = ?{wanted} AND changed_at >= ?"  # noqa: S608
            " ORDER BY changed_at, dispute_id",
            (account, *values, to_epoch(since)),
        )
        return [_dispute(row) for row in rows]

    def payouts(self, account: str, since: datetime) -> list[Payout]:
        """Payouts that changed at or after `since`, oldest change first."""
        rows = self._rows(
            "SELECT * FROM payouts WHERE account = ? AND changed_at >= ? ORDER BY changed_at, payout_id",
            (account, to_epoch(since)),
        )
        return [
            Payout(
                row["account"],
                row["payout_id"],
                from_epoch(row["at"]),
                from_epoch(row["changed_at"]),
                row["status"],
                row["amount_minor"],
                row["currency"],
                at(row["arrives_at"]),
                row["failure_code"],
            )
            for row in rows
        ]

    def _in_states(
        self, table: str, key: str, account: str, statuses: Sequence[str] | None
    ) -> list[sqlite3.Row]:
        wanted, values = _of_statuses(statuses)
        # Left to itself SQLite walks all of an account's rows for the sake of their order.
        by = f" INDEXED BY {table}_status" if values else ""
        return self._rows(
            f"SELECT * FROM {table}{by} WHERE account = ?{wanted} ORDER BY {key}",  # noqa: S608
            (account, *values),
        )

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[sqlite3.Row]:
        with self._store.read() as db:
            return db.execute(sql, values).fetchall()


def _of_statuses(statuses: Sequence[str] | None) -> tuple[str, tuple[str, ...]]:
    if statuses is None:
        return "", ()
    return " AND status IN (SELECT value FROM json_each(?))", (json.dumps(list(statuses)),)


def refund_from(row: sqlite3.Row) -> Refund:
    return Refund(
        row["account"],
        row["refund_id"],
        row["payment_id"],
        from_epoch(row["at"]),
        row["status"],
        row["amount_minor"],
        row["currency"],
        row["failure_reason"],
        row["attempt_id"],
        at(row["changed_at"]),
        row["pending_reason"],
    )


def _dispute(row: sqlite3.Row) -> Dispute:
    return Dispute(
        row["account"],
        row["dispute_id"],
        from_epoch(row["at"]),
        from_epoch(row["changed_at"]),
        row["status"],
        row["amount_minor"],
        row["currency"],
        row["reason"],
        row["attempt_id"],
        at(row["reply_by"]),
    )
