"""Forwarding to an application behind a relay: its states, and when a try that failed is made again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zlib import crc32

ForwardState = Literal["waiting", "delivered", "dead"]
Content = Literal["received", "signed again", "fetched", "fetched and signed"]
"""What a try carries: the bytes and headers as received, or the event as the provider shows it now."""

HOLD = timedelta(seconds=60)
"""So long after a try is due, the process that holds the raw bytes is waited for."""
WAITS = tuple(timedelta(seconds=s) for s in (30, 120, 480, 1800, 7200, 21_600, 21_600, 21_600))
"""After each failed try; after the last of all (about 21 hours) it is a dead letter. The first wait is longer than a
try may take."""
MOST_TRIES = len(WAITS) + 1
_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Forwarding:
    """One event owed to one application. `last_status` is its last answer, None where there was none.

    `due_at` None = no further try: it was answered 2xx, or is a dead letter. `holder` is the process that has the raw
    bytes in memory, as far as `held_until`.
    """

    account: str
    endpoint: str
    event_id: str
    state: ForwardState
    owed_at: datetime
    tries: int
    due_at: datetime | None
    holder: str = ""
    held_until: datetime | None = None
    last_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    content: Content | None = None
    """What the last try carried."""
    delivered_at: datetime | None = None


def next_due(event_id: str, tries: int, now: datetime) -> datetime | None:
    """When to try again after the `tries`th try failed; None = it was the last.

    Spread by up to a tenth, by the event's id: what failed together does not come back together.
    """
    if tries >= MOST_TRIES:
        return None
    share = crc32(f"{event_id}/{tries}".encode()) / 2**32
    return now + WAITS[tries - 1] * (1 + _JITTER * share)
