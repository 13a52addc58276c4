"""One change told by two events: providers do that, and it happened once.

Two events tell the same change when they are of one type about one object, say the very same of it, and were made
within minutes of each other. Stripe documents the case; nobody documents how far apart they may be.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from payops.clock import from_epoch, to_epoch

from .inbox_rows import InboxRow

WITHIN = timedelta(minutes=5)
"""Longer apart it may have changed back and forth meanwhile."""
_CONTENT = ("data", "resource", "subject")
"""Where an event says what it says, at Stripe, PayPal and Braintree."""


@dataclass(frozen=True, slots=True)
class Told:
    """The event that told a change first."""

    event_id: str
    created_at: datetime


def change_of(body: str) -> str | None:
    """A digest of what an event's stored body says of its object; None where it says nothing that can be compared."""
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    content = (
        next((payload[name] for name in _CONTENT if payload.get(name)), None)
        if isinstance(payload, dict)
        else None
    )
    if not content:
        return None
    said = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def told_before(db: sqlite3.Connection, row: InboxRow, change: str | None) -> Told | None:
    """The processed event that told the same change, the first of them; None when this one is the first."""
    event = row.event
    if change is None or event.object_id is None:
        return None
    created, apart = to_epoch(event.created_at), int(WITHIN.total_seconds())
    found = db.execute(
        "SELECT event_id, created_at FROM inbox WHERE object_id = ? AND state = 'processed'"
        " AND account = ? AND type = ? AND change = ? AND same_as IS NULL AND event_id <> ?"
        " AND created_at BETWEEN ? AND ? ORDER BY created_at, id LIMIT 1",
        (event.object_id, row.account, event.type, change, event.event_id, created - apart, created + apart),
    ).fetchone()
    return None if found is None else Told(found["event_id"], from_epoch(found["created_at"]))
