"""The only wall clock. Everything else is told what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The present instant, aware, UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Seconds on a clock that never goes back; for durations only."""
    return time.monotonic()


def iso(at: datetime) -> str:
    """`2026-01-15T09:00:00Z`: how every document writes a time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(at: datetime | None) -> str | None:
    return None if at is None else iso(at)


def from_epoch(seconds: float) -> datetime:
    """Aware UTC from epoch seconds (the providers' and the store's form)."""
    return datetime.fromtimestamp(seconds, UTC)


def to_epoch(at: datetime) -> int:
    """Whole epoch seconds, the store's form."""
    return int(at.timestamp())
