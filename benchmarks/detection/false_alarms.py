"""Alarms in 30 days of nothing, each followed by a reset."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations
from math import cos, pi, sqrt

from payops.detection import Detector, Turn, threshold
from payops.engine.offline.attempts import first_attempts
from payops.engine.offline.rows import FAILED, SUCCEEDED, Row

from .delays import MONTH, P0, successes
from .table import Line

HOURS = 720
SLICES = 50
RETRIES = 20


def independent(rng: random.Random, volume: float, months: int) -> int:
    detector, limit, alarms = Detector(), MONTH * volume, 0
    while detector.payments < limit * months:
        detector.feed_successes(successes(rng, P0), P0)
        if detector.feed(True, P0, limit) is Turn.ALARM:
            alarms += 1
            detector.reset()
    return alarms


def tidal(rng: random.Random, volume: float, months: int) -> int:
    """Volume swings by 80 % over the day, and the threshold is by the payments so far, as it is for real."""
    detector, alarms, gap = Detector(), 0, successes(rng, P0)
    for hour in range(HOURS * months):
        mean = 60 * volume * (1 + 0.8 * cos(2 * pi * hour / 24))
        left = max(0, round(rng.gauss(mean, sqrt(mean))))
        while gap < left:
            detector.feed_successes(gap, P0)
            left -= gap + 1
            limit = threshold(max(detector.payments, 1) / (hour + 1) * 24, 1)
            if detector.feed(True, P0, limit) is Turn.ALARM:
                alarms += 1
                detector.reset()
            gap = successes(rng, P0)
        detector.feed_successes(left, P0)
        gap -= left
    return alarms


def bad_cards(rng: random.Random, volume: float, months: int) -> int:
    """One failure in five is a card tried twenty times within minutes; first attempts count."""
    rows, at_us = [], 0.0
    for number in range(int(MONTH * volume * months)):
        at_us += rng.expovariate(volume) * 60e6
        failed = rng.random() < P0
        tries = RETRIES if failed and rng.random() < 0.2 else 1
        for again in range(tries):
            moment = int(at_us + again * 20e6)
            rows.append(
                Row(
                    moment,
                    f"{number}-{again}",
                    FAILED if failed else SUCCEEDED,
                    str(number),
                    1,
                    "EUR",
                    "",
                    (),
                )
            )
    detector, alarms = Detector(), 0
    for row in first_attempts(rows).counted:
        if detector.feed(row.status == FAILED, P0, MONTH * volume) is Turn.ALARM:
            alarms += 1
            detector.reset()
    return alarms


def overlapping(rng: random.Random, volume: float, months: int) -> int:
    """Fifty slices of Zipf sizes by one and two of four columns, each payment in up to eleven of them."""
    columns = [[1 / (rank + 1) for rank in range(size)] for size in (3, 4, 5, 6)]
    chances = [[weight / sum(column) for weight in column] for column in columns]
    sizes: dict[tuple[tuple[int, int], ...], float] = {(): 1.0}
    for index, column in enumerate(chances):
        sizes |= {((index, value),): chance for value, chance in enumerate(column)}
    singles = [slice_ for slice_ in sizes if slice_]
    for one, other in combinations(singles, 2):
        if one[0][0] != other[0][0]:
            sizes[one + other] = sizes[one] * sizes[other]
    kept = sorted(sizes, key=lambda slice_: -sizes[slice_])[:SLICES]
    streams = {
        slice_: (Detector(), threshold(MONTH * volume / 30 * sizes[slice_], SLICES)) for slice_ in kept
    }
    groups: dict[tuple[int, ...], list[tuple[Detector, float]]] = {}
    draws = [(list(range(len(column))), column) for column in chances]
    alarms = 0
    for _ in range(int(MONTH * volume * months)):
        values = tuple(rng.choices(population, weights)[0] for population, weights in draws)
        if values not in groups:
            own = set(enumerate(values))
            groups[values] = [found for slice_, found in streams.items() if own.issuperset(slice_)]
        failed = rng.random() < P0
        for detector, limit in groups[values]:
            if detector.feed(failed, P0, limit) is Turn.ALARM:
                alarms += 1
                detector.reset()
    return alarms


CASES = {
    "independent payments": (independent, {0.2: 3_000, 2.0: 400, 20.0: 60, 200.0: 12}),
    "volume ± 80 % over the day": (tidal, {0.2: 1_000, 2.0: 200, 20.0: 40}),
    "a bad card tried 20 times, one failure in five": (bad_cards, {0.2: 120, 2.0: 16, 20.0: 2}),
    f"{SLICES} overlapping slices together": (overlapping, {0.2: 120, 2.0: 12}),
}


QUICKER = {independent: 4, tidal: 4, bad_cards: 10, overlapping: 10}


def lines(quick: bool) -> Iterator[Line]:
    for name, (run, months_of) in CASES.items():
        for volume, full in months_of.items():
            months = max(2, full // QUICKER[run]) if quick else full
            alarms = run(random.Random(f"{name} {volume}"), volume, months)
            beside = f"{alarms} in {months} months"
            yield Line(
                f"false alarms a month, {name}, {volume:g}/min", alarms / months, most=1.0, beside=beside
            )
