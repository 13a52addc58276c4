"""Finding the row of a signal that speaks of an incident."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from payops.domain.incidents import Value

from .schema import SOURCES, SignalRow, SignalSet


def row_for(signals: SignalSet, source: str, labels: Mapping[str, str]) -> SignalRow | None:
    """The first row whose labels all agree with `labels`, as far as `labels` has them; None when there is none."""
    for row in signals.get(source, ()):
        if all(labels.get(name, value) == value for name, value in row.labels.items()):
            return row
    return None


def known_values(row: SignalRow | None, source: str, now: datetime) -> Mapping[str, Value | None]:
    """The row's values, or none of them when the row is missing or older than its source allows."""
    known = SOURCES.get(source)
    if row is None or known is None or row.as_of is None:
        return {}
    if now - row.as_of > timedelta(seconds=known.stale_after_s):
        return {}
    return row.values
