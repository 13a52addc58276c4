"""Between values and columns: times are epoch seconds, truth is 0 or 1, unknown is NULL."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from payops.clock import from_epoch, to_epoch
from payops.domain.events import WebhookEvent

EVENT_COLUMNS = (
    "account, event_id, type, created_at, livemode, object_id, amount_minor, currency, pending_webhooks"
)


def at(seconds: float | None) -> datetime | None:
    """Aware UTC, or None."""
    return None if seconds is None else from_epoch(seconds)


def epoch(when: datetime | None) -> int | None:
    """Epoch seconds, or None."""
    return None if when is None else to_epoch(when)


def truth(value: int | None) -> bool | None:
    """A nullable 0/1 column."""
    return None if value is None else bool(value)


def event_values(account: str, event: WebhookEvent) -> tuple[Any, ...]:
    """In the order of EVENT_COLUMNS; the account is the one it was read for."""
    return (
        account,
        event.event_id,
        event.type,
        to_epoch(event.created_at),
        None if event.livemode is None else int(event.livemode),
        event.object_id,
        event.amount_minor,
        event.currency,
        event.pending_webhooks,
    )


def event_from(row: sqlite3.Row) -> WebhookEvent:
    return WebhookEvent(
        row["account"],
        row["event_id"],
        row["type"],
        from_epoch(row["created_at"]),
        truth(row["livemode"]),
        row["object_id"],
        row["amount_minor"],
        row["currency"],
        row["pending_webhooks"],
    )
