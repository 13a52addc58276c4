"""Refunds, subscriptions, invoices, disputes and payouts: one row for each, the latest state seen of it.

Of all states seen of one object the greatest by its rank stays, so the order in which pages and deliveries arrive
does not matter. What never changes about an object (whose it is) is kept from whichever state told it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from payops.clock import to_epoch
from payops.domain.payments import (
    OWING,
    Dispute,
    DisputeStatus,
    Invoice,
    InvoiceStatus,
    Payout,
    PayoutStatus,
    Refund,
    Subscription,
    SubscriptionStatus,
)

from .redaction import redact_text
from .rows import epoch

_Values = tuple[Any, ...]
_CHANGED_AT, _STATUS = 0, 1


@dataclass(frozen=True, slots=True)
class _Kind:
    """One table. `columns` begin with `changed_at`, `status`; `fixed` are those that never change once told."""

    table: str
    key: str
    columns: tuple[str, ...]
    rank: Callable[[_Values], tuple[Any, ...]]
    fixed: tuple[str, ...] = ()


def _by_time(states: Sequence[str]) -> Callable[[_Values], tuple[Any, ...]]:
    """Later wins; within one second the state that comes later in an object's life."""
    order = {state: n for n, state in enumerate(states)}
    return lambda values: (values[_CHANGED_AT], order[values[_STATUS]])


_ENDS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "failed",
            "settlement_declined",
            "denied",
            "processor_declined",
            "gateway_rejected",
            "settlement_failed",
        ),
        3,
    ),
    **dict.fromkeys(("canceled", "cancelled", "voided"), 2),
    **dict.fromkeys(("succeeded", "completed", "settled"), 1),
}
"""How final a refund's state is: an ended one never goes back to pending, and failing is the last word."""


def _refund_rank(values: _Values) -> tuple[Any, ...]:
    return _ENDS.get(values[_STATUS].lower(), 0), values[_CHANGED_AT]


REFUNDS = _Kind(
    "refunds",
    "refund_id",
    (
        "changed_at",
        "status",
        "at",
        "amount_minor",
        "currency",
        "payment_id",
        "attempt_id",
        "failure_reason",
        "pending_reason",
    ),
    _refund_rank,
    ("payment_id", "attempt_id", "failure_reason"),
)
SUBSCRIPTIONS = _Kind(
    "subscriptions",
    "subscription_id",
    (
        "changed_at",
        "status",
        "at",
        "customer",
        "amount_minor",
        "currency",
        "next_billing_at",
        "outstanding_minor",
        "failed_payments",
        "cancel_at_period_end",
        "has_payment_method",
        "owing_since",
    ),
    _by_time(get_args(SubscriptionStatus)),
    ("customer",),
)
INVOICES = _Kind(
    "invoices",
    "invoice_id",
    (
        "changed_at",
        "status",
        "at",
        "amount_due_minor",
        "currency",
        "subscription_id",
        "attempt_count",
        "next_attempt_at",
        "finalization_error",
    ),
    _by_time(get_args(InvoiceStatus)),
    ("subscription_id",),
)
DISPUTES = _Kind(
    "disputes",
    "dispute_id",
    ("changed_at", "status", "at", "amount_minor", "currency", "reason", "attempt_id", "reply_by"),
    _by_time(get_args(DisputeStatus)),
    ("attempt_id",),
)
PAYOUTS = _Kind(
    "payouts",
    "payout_id",
    ("changed_at", "status", "at", "amount_minor", "currency", "arrives_at", "failure_code"),
    _by_time(get_args(PayoutStatus)),
)


def apply_refunds(db: sqlite3.Connection, account: str, refunds: Iterable[Refund]) -> int:
    """Store what was seen of these refunds; returns how many were new. Without `changed_at` its creation counts."""
    return _apply(db, account, REFUNDS, ((refund.refund_id, _of_refund(refund)) for refund in refunds))


def apply_subscriptions(db: sqlite3.Connection, account: str, found: Iterable[Subscription]) -> int:
    return _apply(db, account, SUBSCRIPTIONS, ((one.subscription_id, _of_subscription(one)) for one in found))


def apply_invoices(db: sqlite3.Connection, account: str, found: Iterable[Invoice]) -> int:
    return _apply(db, account, INVOICES, ((one.invoice_id, _of_invoice(one)) for one in found))


def apply_disputes(db: sqlite3.Connection, account: str, found: Iterable[Dispute]) -> int:
    return _apply(db, account, DISPUTES, ((one.dispute_id, _of_dispute(one)) for one in found))


def apply_payouts(db: sqlite3.Connection, account: str, found: Iterable[Payout]) -> int:
    return _apply(db, account, PAYOUTS, ((one.payout_id, _of_payout(one)) for one in found))


def _apply(db: sqlite3.Connection, account: str, kind: _Kind, seen: Iterable[tuple[str, _Values]]) -> int:
    best: dict[str, _Values] = {}
    for name, values in seen:
        known = best.get(name)
        best[name] = values if known is None else _merged(kind, known, values)
    if not best:
        return 0
    columns = ", ".join(kind.columns)
    stored = {
        row[0]: tuple(row)[1:]
        for row in db.execute(
            f"SELECT {kind.key}, {columns} FROM {kind.table}"  # noqa: S608
            f" WHERE account = ? AND {kind.key} IN (SELECT value FROM json_each(?))",
            (account, json.dumps(list(best))),
        )
    }
    rows = []
    for name, values in best.items():
        known = stored.get(name)
        kept = values if known is None else _merged(kind, known, values)
        if kept != known:
            rows.append((account, name, *kept))
    db.executemany(
        f"INSERT OR REPLACE INTO {kind.table} (account, {kind.key}, {columns})"  # noqa: S608
        f" VALUES ({', '.join('?' * (2 + len(kind.columns)))})",
        rows,
    )
    return len(best) - len(stored)


def _merged(kind: _Kind, one: _Values, other: _Values) -> _Values:
    """The greater state, with what the other one alone told of what never changes."""
    greater, lesser = (one, other) if _rank(kind, one) >= _rank(kind, other) else (other, one)
    if None not in greater:
        return greater
    return tuple(
        lesser[n] if value is None and kind.columns[n] in kind.fixed else value
        for n, value in enumerate(greater)
    )


def _rank(kind: _Kind, values: _Values) -> tuple[Any, ...]:
    # The rest only makes the order total: two different states never rank the same.
    names = sorted(range(len(kind.columns)), key=lambda n: kind.columns[n] in kind.fixed)
    rest = ((values[n] is not None, values[n] if values[n] is not None else 0) for n in names)
    return (*kind.rank(values), *rest)


def _text(text: str | None) -> str | None:
    return text and redact_text(text)


def _flag(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _of_refund(refund: Refund) -> _Values:
    return (
        to_epoch(refund.changed_at or refund.at),
        refund.status,
        to_epoch(refund.at),
        refund.amount_minor,
        refund.currency,
        _text(refund.payment_id),
        refund.attempt_id,
        _text(refund.failure_reason),
        _text(refund.pending_reason),
    )


def _of_subscription(one: Subscription) -> _Values:
    return (
        to_epoch(one.changed_at),
        one.status,
        to_epoch(one.at),
        _text(one.customer),
        one.amount_minor,
        one.currency,
        epoch(one.next_billing_at),
        one.outstanding_minor,
        one.failed_payments,
        _flag(one.cancel_at_period_end),
        _flag(one.has_payment_method),
        # Where a provider does not tell since when, the state's own time is the latest it can be.
        epoch(one.owing_since or one.changed_at) if one.status in OWING else None,
    )


def _of_invoice(one: Invoice) -> _Values:
    return (
        to_epoch(one.changed_at),
        one.status,
        to_epoch(one.at),
        one.amount_due_minor,
        one.currency,
        one.subscription_id,
        one.attempt_count,
        epoch(one.next_attempt_at),
        _text(one.finalization_error),
    )


def _of_dispute(one: Dispute) -> _Values:
    return (
        to_epoch(one.changed_at),
        one.status,
        to_epoch(one.at),
        one.amount_minor,
        one.currency,
        _text(one.reason),
        one.attempt_id,
        epoch(one.reply_by),
    )


def _of_payout(one: Payout) -> _Values:
    return (
        to_epoch(one.changed_at),
        one.status,
        to_epoch(one.at),
        one.amount_minor,
        one.currency,
        epoch(one.arrives_at),
        _text(one.failure_code),
    )
