"""The streams of an export: the total, each slice and each pair of slices, and which are large enough to judge."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, count

from payops.detection import NEVER, TOTAL, Fixed, Slice, Stream, threshold

from .rows import Row

MOST_VALUES = 200
"""A column with more values is no dimension but a name for each payment."""
JUDGED = 200
"""Payments in 30 days that a stream needs to be judged by itself."""
FEWEST_STATED, FEWEST_LEARNED = 4, 50
"""Fewer payments in all can never alarm, by a stated and by a learned baseline: such a slice counts in K and needs
no stream."""
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000


class Track:
    """One stream of the export: its slice, how many of its payments came so far, and whether it is judged.

    `stream` is None where the whole export has too few payments of it to say anything.
    """

    __slots__ = ("_nearest", "active", "n", "slice", "stream")

    def __init__(self, slice_: Slice, stream: Stream | None, parent: Stream | None) -> None:
        self._nearest = stream or parent
        self.slice = slice_
        self.stream = stream
        self.n = 0
        self.active = False

    @property
    def alarmed(self) -> bool:
        return self.stream is not None and self.stream.detector.alarmed

    @property
    def watching(self) -> bool:
        return self.stream is not None and self.stream.detector.watching

    def expected(self, at_us: int) -> float | None:
        """The failure share expected in that hour, as known now; where the slice is too young, its parent's."""
        stream = self._nearest
        while stream is not None:
            share = stream.baseline.expected(at_us // HOUR_US)
            if share is not None:
                return share
            stream = stream.parent
        return None


class Tracks:
    """All streams, made when their first payment comes; K, and with it each threshold, at any moment."""

    def __init__(
        self, columns: tuple[str, ...], rows: Sequence[Row], expected_failures: float | None
    ) -> None:
        self._expected = expected_failures
        self._all: dict[Slice, Track] = {}
        self._groups: dict[tuple[str, ...], tuple[Track, ...]] = {}
        self._fed: dict[tuple[str, ...], tuple[tuple[Track, Stream], ...]] = {}
        seen: list[set[str]] = [set() for _ in columns]
        often = Counter(row.values for row in rows)
        for values in often:
            for known, value in zip(seen, values, strict=True):
                known.add(value)
        self._columns = [
            (index, column)
            for index, column in enumerate(columns)
            if 1 < len(seen[index] - {""}) <= MOST_VALUES
        ]
        self._sizes: Counter[Slice] = Counter()
        for values, n in often.items():
            for slice_ in self._slices(values):
                self._sizes[slice_] += n
        self._began_us = rows[0].at_us if rows else 0
        self._leaving: list[tuple[float, int, Track]] = []
        self._order = count()
        self.judged = 0
        """K: streams with 200 payments and more in 30 days, by their payments so far."""

    def group(self, values: tuple[str, ...]) -> tuple[Track, ...]:
        """The streams a payment of these values belongs to, each after its parent."""
        group = self._groups.get(values)
        if group is None:
            group = self._groups[values] = tuple(self._track(slice_) for slice_ in self._slices(values))
        return group

    def streams(self, values: tuple[str, ...]) -> tuple[tuple[Track, Stream], ...]:
        """Those of the group that have a stream to be fed, with it."""
        found = self._fed.get(values)
        if found is None:
            group = self.group(values)
            found = self._fed[values] = tuple((track, track.stream) for track in group if track.stream)
        return found

    def __iter__(self) -> Iterator[Track]:
        return iter(self._all.values())

    def of(self, slice_: Slice) -> Track:
        """The stream of a slice that was seen."""
        return self._all[slice_]

    def count(self, track: Track, at_us: int) -> None:
        """One more payment of the stream."""
        track.n += 1
        if not track.active and self._until(track) >= at_us:
            track.active = True
            self.judged += 1
            heapq.heappush(self._leaving, (self._until(track), next(self._order), track))

    def pass_to(self, at_us: int) -> None:
        """Streams whose payments so far are too few for the time that went by are judged no longer."""
        while self._leaving and self._leaving[0][0] < at_us:
            _, _, track = heapq.heappop(self._leaving)
            if self._until(track) >= at_us:
                heapq.heappush(self._leaving, (self._until(track), next(self._order), track))
            else:
                track.active = False
                self.judged -= 1

    def per_day(self, track: Track, at_us: int) -> float:
        """The stream's payments a day so far; the time counts as an hour at least."""
        return track.n * DAY_US / max(at_us - self._began_us, HOUR_US)

    def threshold(self, track: Track, at_us: int) -> float:
        return threshold(self.per_day(track, at_us), self.judged) if track.active else NEVER

    def _slices(self, values: tuple[str, ...]) -> list[Slice]:
        known = [(column, values[index]) for index, column in self._columns if values[index]]
        return [TOTAL, *((one,) for one in known), *combinations(known, 2)]

    def _until(self, track: Track) -> float:
        """Until when the stream's payments so far are enough."""
        return self._began_us + track.n * 30 / JUDGED * DAY_US

    def _track(self, slice_: Slice) -> Track:
        track = self._all.get(slice_)
        if track is None:
            parent = self._track(slice_[:-1])._nearest if slice_ else None
            learned = self._expected is None
            fewest = FEWEST_LEARNED if learned else FEWEST_STATED
            baseline = None if self._expected is None else Fixed(self._expected)
            stream = Stream(parent, baseline) if self._sizes[slice_] >= fewest else None
            track = self._all[slice_] = Track(slice_, stream, parent)
        return track
