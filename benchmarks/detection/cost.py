"""What a payment costs: eight streams each, beside as many plain CUSUM objects in the same run."""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterator

from payops.detection import Detector, Stream

from ..harness import cpu_of
from .delays import P0
from .table import Line

STREAMS = 8
LIMIT = 86_400.0


class Cusum:
    """A chart as an object: one sum, two steps, a limit."""

    __slots__ = ("down", "level", "limit", "up")

    def __init__(self) -> None:
        self.level, self.up, self.down, self.limit = 0.0, 1.609, -0.236, 9.7

    def feed(self, failed: bool) -> bool:
        self.level = max(0.0, self.level + (self.up if failed else self.down))
        return self.level >= self.limit


class LeanCusum(Cusum):
    """The same, as lean as it can be written."""

    __slots__ = ()

    def feed(self, failed: bool) -> bool:
        level = self.level + (self.up if failed else self.down)
        self.level = level if level > 0.0 else 0.0
        return level >= self.limit


def _cusums(kind: type[Cusum], outcomes: list[bool]) -> None:
    charts = [kind() for _ in range(STREAMS)]
    for failed in outcomes:
        for chart in charts:
            chart.feed(failed)


def _detectors(outcomes: list[bool]) -> None:
    detectors = [Detector() for _ in range(STREAMS)]
    for failed in outcomes:
        for detector in detectors:
            detector.feed(failed, P0, LIMIT)


def lines(quick: bool) -> Iterator[Line]:
    rng = random.Random("cost")
    count = 200_000 if quick else 1_000_000
    outcomes = [rng.random() < P0 for _ in range(count)]
    rounds = [
        (
            cpu_of(lambda: _detectors(outcomes)),
            cpu_of(lambda: _cusums(Cusum, outcomes)),
            cpu_of(lambda: _cusums(LeanCusum, outcomes)),
        )
        for _ in range(3 if quick else 5)
    ]
    seconds = statistics.median(ours for ours, _, _ in rounds) / 1000 * 1_000_000 / count
    yield Line(f"1,000,000 payments × {STREAMS} streams, CPU seconds", seconds, most=2.0)
    usual = statistics.median(ours / theirs for ours, theirs, _ in rounds)
    yield Line("the same as a ratio to CUSUM objects", usual, most=1.3)
    lean = statistics.median(ours / theirs for ours, _, theirs in rounds)
    yield Line("the same as a ratio to the leanest CUSUM objects", lean)
    stream = Stream()
    for hour in range(24 * 28):
        n = max(0, round(rng.gauss(120, 11)))
        stream.learn(hour * 3600.0, n, sum(rng.random() < P0 for _ in range(n)))
    for index in range(2 * 1_440):
        stream.feed(24 * 28 * 3600.0 + index * 30.0, rng.random() < P0, LIMIT)
    detector = stream.detector
    memory = sys.getsizeof(detector) + sum(_size(getattr(detector, slot)) for slot in Detector.__slots__)
    yield Line("bytes of a detector in memory", memory, most=2_048)
    yield Line("bytes of a detector stored", len(detector.dump()), most=2_048)
    yield Line("bytes of a whole stream stored, four weeks at 2/min", len(stream.dump()), most=2_048)


def _size(value: object) -> int:
    inner = sum(_size(one) for one in value) if isinstance(value, tuple) else 0
    return sys.getsizeof(value) + inner
