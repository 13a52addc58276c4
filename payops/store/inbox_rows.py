"""One received event as the store hands it out."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from payops.clock import from_epoch
from payops.domain.events import InboxState, WebhookEvent

from .rows import at, event_from


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One received event; `body` is redacted and never verified again, empty once its retention has ended."""

    id: int
    account: str
    event: WebhookEvent
    body: str
    sha256: str
    verdict: str
    state: InboxState
    received_at: datetime
    delivery_count: int
    tries: int
    error: str | None
    last_received_at: datetime | None = None
    processed_at: datetime | None = None
    next_try_at: datetime | None = None
    same_as: str | None = None
    """The event that told the same change before this one."""


def listed_row(event: WebhookEvent) -> InboxRow:
    """An event as its provider lists it, where it never reached us."""
    return InboxRow(0, event.account, event, "", "", "imported", "received", event.created_at, 0, 0, None)


def row_from(row: sqlite3.Row) -> InboxRow:
    return InboxRow(
        row["id"],
        row["account"],
        event_from(row),
        row["body"],
        row["sha256"],
        row["verdict"],
        row["state"],
        from_epoch(row["received_at"]),
        row["delivery_count"],
        row["tries"],
        row["error"],
        at(row["last_received_at"]),
        at(row["processed_at"]),
        at(row["next_try_at"]),
        row["same_as"],
    )
