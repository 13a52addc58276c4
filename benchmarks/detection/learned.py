"""A baseline learned from 28 days of tidal, seasonal, drifting traffic: its false alarms, and what it costs in delay."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, exp, pi, sqrt

from payops.detection import NEVER, Fixed, Stream, Turn, raised

from .delays import MONTH, P0, optimum, successes
from .table import Line, quantile

LEARNING, WATCHING = 28 * 24, 30 * 24
KEEPS = exp(-1 / 6)
"""The drift forgets within six hours."""
DROP = 0.25 / 0.75 / (0.05 / 0.95)
GOALS = {0.0: (0.5, 1.6), 0.1: (0.5, 1.6), 0.2: (3.0, 2.0)}
"""By the drift's spread: false alarms in 30 days, and how many times the optimum's median."""
BRANCHES = 20


@dataclass(slots=True)
class World:
    """Failure odds swing by 35 % over the day and are a fifth higher at the weekend; volume swings by 80 %."""

    rng: random.Random
    volume: float
    drift: float
    _level: float = field(default=0.0)

    def hour(self, hour: int) -> tuple[int, float]:
        """How many payments come in it, and the share that fails."""
        rng = self.rng
        self._level = KEEPS * self._level + rng.gauss(0.0, self.drift * sqrt(1 - KEEPS**2))
        swing = (1 + 0.35 * cos(2 * pi * (hour - 3) / 24)) * (1.2 if hour // 24 % 7 > 4 else 1.0)
        mean = 60 * self.volume * (1 + 0.8 * cos(2 * pi * (hour - 14) / 24))
        return max(0, round(rng.gauss(mean, sqrt(mean)))), raised(P0, swing * exp(self._level))


def fed(rng: random.Random, stream: Stream, hour: int, n: int, share: float, limit: float) -> int | None:
    """Feed an hour's payments; the number of the one that alarmed."""
    failures = iter_failures(rng, n, share)
    due = next(failures, n)
    for index in range(n):
        failed = index == due
        if stream.feed((hour + index / n) * 3600.0, failed, limit) is Turn.ALARM:
            return index
        if failed:
            due = next(failures, n)
    return None


def iter_failures(rng: random.Random, n: int, share: float) -> Iterator[int]:
    at = successes(rng, share)
    while at < n:
        yield at
        at += 1 + successes(rng, share)


def month(rng: random.Random, volume: float, drift: float) -> tuple[int, list[int]]:
    """False alarms of one month watched, and the delays of drops begun at random moments of it."""
    world, stream, limit = World(rng, volume, drift), Stream(), MONTH * volume
    for hour in range(LEARNING):
        fed(rng, stream, hour, *world.hour(hour), NEVER)
    stream.detector.reset()
    alarms, delays = 0, []
    begins = set(rng.sample(range(LEARNING, LEARNING + WATCHING), BRANCHES))
    for hour in range(LEARNING, LEARNING + WATCHING):
        n, share = world.hour(hour)
        if hour in begins and n and not stream.detector.alarmed:
            delays.append(_noticed(rng, stream, hour, n, share, limit))
        if fed(rng, stream, hour, n, share, limit) is not None:
            alarms += 1
            stream.exclude(hour * 3600.0)
    return alarms, delays


def _noticed(rng: random.Random, stream: Stream, hour: int, n: int, share: float, limit: float) -> int:
    """Payments until the drop is noticed, from an hour's begin on, by a copy of the stream."""
    copy, before = Stream.load(stream.dump()), 0
    while True:
        alarmed = fed(rng, copy, hour, n, raised(share, DROP), limit)
        if alarmed is not None:
            return before + alarmed + 1
        before += n
        hour += 1


def stated(volume: float, months: int) -> list[int]:
    """Delays of the same detector with the true share known, for comparison."""
    rng, stream = random.Random(f"stated {volume}"), Stream(None, Fixed(P0))
    return [_noticed(rng, stream, 0, int(60 * volume), P0, MONTH * volume) for _ in range(months * BRANCHES)]


def lines(quick: bool) -> Iterator[Line]:
    for volume, full in ((2.0, 40), (20.0, 12)):
        months = max(2, full // 6) if quick else full
        best, _ = optimum(0.25, MONTH * volume)
        for drift, (most_alarms, times) in GOALS.items():
            rng = random.Random(f"learned {volume} {drift}")
            runs = [month(rng, volume, drift) for _ in range(months)]
            alarms = sum(count for count, _ in runs)
            delays = [delay for _, some in runs for delay in some]
            name = f"learned baseline, drift {drift:g}, {volume:g}/min"
            yield Line(
                f"{name}: false alarms a month",
                alarms / months,
                most=most_alarms,
                beside=f"{alarms} in {months}",
            )
            median, p90 = quantile(delays, 0.5), quantile(delays, 0.9)
            beside = f"optimum {best}, × {median / best:.2f}; p90 {p90}"
            yield Line(f"{name}: 95 → 75 median payments", median, most=int(times * best), beside=beside)
