"""Samples of all signals over time: whole ones, and what differs from the one before."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payops.clock import from_epoch, to_epoch

from .redaction import redact
from .rows import at, epoch

if TYPE_CHECKING:
    from .store import Store

_BATCH = 500
"""Read so many at a time: a long replay holds no transaction open and keeps little in memory."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`body` is everything when `base` is None, else what differs from the sample taken at `base`."""

    at: datetime
    base: datetime | None
    body: Any


class Samples:
    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, sample: Sample) -> None:
        """Keep one; of two of the same second the first stays."""
        body, _ = redact(sample.body)
        packed = zlib.compress(json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(), 6)
        with self._store.write() as db:
            db.execute(
                "INSERT INTO signal_samples (at, base, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (to_epoch(sample.at), epoch(sample.base), packed),
            )

    def forget(self, before: datetime) -> None:
        """Let go of what is older."""
        with self._store.write() as db:
            db.execute("DELETE FROM signal_samples WHERE at < ?", (to_epoch(before),))

    def span(self) -> tuple[datetime, datetime] | None:
        """The first and the last sample; None without any."""
        with self._store.read() as db:
            row = db.execute("SELECT MIN(at) AS first, MAX(at) AS last FROM signal_samples").fetchone()
        return None if row["first"] is None else (from_epoch(row["first"]), from_epoch(row["last"]))

    def whole_before(self, moment: datetime) -> datetime | None:
        """The newest whole sample not after `moment`: where reading has to begin."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MAX(at) AS at FROM signal_samples WHERE base IS NULL AND at <= ?",
                (to_epoch(moment),),
            ).fetchone()
        return at(row["at"])

    def between(self, start: datetime, end: datetime) -> Iterator[Sample]:
        """Those from `start` until `end`, both included, in order."""
        after = to_epoch(start) - 1
        while True:
            with self._store.read() as db:
                rows = db.execute(
                    "SELECT at, base, body FROM signal_samples WHERE at > ? AND at <= ? ORDER BY at LIMIT ?",
                    (after, to_epoch(end), _BATCH),
                ).fetchall()
            for row in rows:
                body = json.loads(zlib.decompress(row["body"]))
                yield Sample(from_epoch(row["at"]), at(row["base"]), body)
            if len(rows) < _BATCH:
                return
            after = rows[-1]["at"]
