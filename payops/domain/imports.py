"""An application's own inbox, as it is read: what it says of each event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ImportedEvent:
    """One event in an application's inbox. `processed_at` None = not processed, where the inbox tells that at all."""

    event_id: str
    type: str | None
    received_at: datetime
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ImportedPage:
    """What one reading brought. `cursor` is opaque to all but the reader; `more`: there is more to read at once.

    `wrong` are the lines or rows that cannot be used, each with its place and what is wrong with it, at most as many
    as are shown; `wrong_count` is all of them.
    """

    events: tuple[ImportedEvent, ...]
    cursor: str
    more: bool
    tells_processed: bool
    anew: bool = False
    """What was wrong before counts no more: a file was replaced, or the same rows were read again."""
    wrong: tuple[str, ...] = ()
    wrong_count: int = 0
