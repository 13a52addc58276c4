"""One stream in memory: its detector and baseline, and what is known of a running alarm."""

from __future__ import annotations

from datetime import datetime
from math import inf

from payops.clock import from_epoch
from payops.detection import Stream, Turn, threshold
from payops.domain.counting import Family
from payops.store.streams import Slice, StreamRow

LEAST = 200.0
"""A stream with fewer payments in 30 days counts, and is not judged by itself."""
LEAST_KNOWN = 50
"""After fewer payments what to expect is not said."""


class Tracked:
    """A stream with its place: account (empty: all of them), family, slice. Times in epoch seconds."""

    __slots__ = (
        "account",
        "alarmed_at",
        "changed",
        "family",
        "last_at",
        "n",
        "onset_at",
        "redundant",
        "since_expected",
        "since_failed",
        "since_n",
        "slice",
        "stream",
        "told_per_day",
    )

    def __init__(self, account: str, family: Family, slice_: Slice, stream: Stream, last_at: int) -> None:
        self.account = account
        self.family = family
        self.slice = slice_
        self.stream = stream
        self.n = 0
        self.last_at = last_at
        self.alarmed_at: int | None = None
        self.onset_at: int | None = None
        self.since_n = self.since_failed = 0
        self.since_expected = 0.0
        self.told_per_day: float | None = None  # of a stream whose baseline is stated, not learned
        self.redundant = False  # the only value of its column: the whole once more
        self.changed = True

    @classmethod
    def load(cls, row: StreamRow, parent: Stream | None) -> Tracked:
        made = cls(row.account, row.family, row.slice, Stream.load(row.state or b"", parent), _s(row.last_at))
        made.n = row.n
        if row.alarmed_at is not None and row.onset_at is not None:
            made.alarmed_at, made.onset_at = _s(row.alarmed_at), _s(row.onset_at)
            made.since_n, made.since_failed = row.since_n or 0, row.since_failed or 0
            made.since_expected = row.since_expected or 0.0
        made.changed = False
        return made

    def row(self) -> StreamRow:
        running = self.alarmed_at is not None
        return StreamRow(
            self.account,
            self.family,
            self.slice,
            self.stream.dump(),
            self.n,
            self.per_30_days if self.watched else 0.0,
            self.stream.detector.evidence,
            self.stream.expected if self.n >= LEAST_KNOWN else None,
            from_epoch(self.last_at),
            None if self.alarmed_at is None else from_epoch(self.alarmed_at),
            None if self.onset_at is None else from_epoch(self.onset_at),
            self.since_n if running else None,
            self.since_failed if running else None,
            self.since_expected if running else None,
        )

    @property
    def per_day(self) -> float:
        """Payments a day, as learned or told; 0 while nothing is."""
        return self.told_per_day or self.stream.baseline.per_day or 0.0

    @property
    def per_30_days(self) -> float:
        return self.per_day * 30.0

    @property
    def watched(self) -> bool:
        """Whether it is judged by itself, and so one of the streams a false alarm may come from."""
        return not self.redundant and self.per_30_days >= LEAST

    def feed(self, at: int, failed: bool, streams: int) -> Turn | None:
        """Judge one payment among `streams` watched streams."""
        limit = threshold(self.per_day, streams) if self.watched else inf
        turn = self.stream.feed(at, failed, limit)
        self._passed(at)
        if self.alarmed_at is not None:
            self.since_n += 1
            self.since_failed += failed
            self.since_expected += self.stream.expected or 0.0
        return turn

    def learn(self, at: int, failed: bool) -> None:
        """A payment that comes too late to be judged, or does not count for this: it only teaches what is usual."""
        self.stream.learn(at, 1, int(failed))
        self._passed(at)

    def alarm(self, at: int, onset_at: int, n: int, failed: int, expected: float) -> None:
        """An alarm begins; these many payments since the onset are in it already."""
        self.alarmed_at, self.onset_at = at, onset_at
        self.since_n, self.since_failed, self.since_expected = n, failed, expected
        self.changed = True

    def over(self) -> None:
        """The alarm ended."""
        self.alarmed_at = self.onset_at = None
        self.since_n, self.since_failed, self.since_expected = 0, 0, 0.0
        self.changed = True

    def _passed(self, at: int) -> None:
        self.n += 1
        self.last_at = max(self.last_at, at)
        self.changed = True


def _s(at: datetime) -> int:
    return int(at.timestamp())
