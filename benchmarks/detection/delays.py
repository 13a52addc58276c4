"""Payments until a drop is noticed, at a random moment long after the start, beside the optimal chart's exact ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import log

from payops.detection import Detector, Turn, chain

from .table import Line, quantile

P0 = 0.05
MONTH = 43_200
VOLUMES = (0.2, 2.0, 20.0, 200.0)
APART = 1_500
GOALS = {0.10: (202, 341, 475, 626), 0.25: (29, 43, 56, 70), 0.60: (8, 10, 13, 16), 1.0: (5, 5, 6, 7)}
"""Medians by the share of failures after the drop, one for each volume."""


def successes(rng: random.Random, share: float) -> int:
    """How many come before the next failure."""
    return int(log(1.0 - rng.random()) / log(1.0 - share)) if share < 1.0 else 0


def in_control(rng: random.Random, threshold: float) -> Iterator[str]:
    """The states of one stream without a drop, `APART` payments from one another."""
    detector = Detector()
    while True:
        due = detector.payments + APART
        while (left := due - detector.payments) > 0:
            gap = successes(rng, P0)
            detector.feed_successes(min(gap, left), P0)
            if gap < left and detector.feed(True, P0, threshold) is Turn.ALARM:
                detector.reset()
        yield detector.dump()


def delay(rng: random.Random, detector: Detector, share: float, threshold: float) -> int:
    """Payments from the first affected one to the alarm, that included."""
    before = detector.payments
    while True:
        detector.feed_successes(successes(rng, share), P0)
        if detector.feed(True, P0, threshold) is Turn.ALARM:
            return detector.payments - before


def optimum(share: float, threshold: float) -> tuple[int, int]:
    """Median and p90 of the chart that knows the drop, with the same mean time to a false alarm."""
    usual = chain.failure_steps(P0, share, P0, 4)
    height = chain.height_for(usual, threshold)
    start = chain.settled(usual, height, 1_000)
    dropped = chain.failure_steps(P0, share, share, 4)
    return chain.quantile(chain.delays(dropped, start), 0.5), chain.quantile(
        chain.delays(dropped, start), 0.9
    )


def lines(quick: bool) -> Iterator[Line]:
    incidents = 600 if quick else 4_000
    for share, goals in GOALS.items():
        for volume, goal in zip(VOLUMES, goals, strict=True):
            rng = random.Random(f"delays {share} {volume}")
            threshold = MONTH * volume
            states = in_control(rng, threshold)
            found = [delay(rng, Detector.load(next(states)), share, threshold) for _ in range(incidents)]
            median, p90 = quantile(found, 0.5), quantile(found, 0.9)
            best_median, best_p90 = optimum(share, threshold)
            name = f"95 → {100 - 100 * share:.0f} at {volume:g} a minute"
            yield Line(f"{name}: median payments", median, most=goal, beside=f"optimum {best_median}")
            most = best_p90 + 2 if share == 1.0 else 1.25 * best_p90
            yield Line(
                f"{name}: p90 payments", p90, most=most, beside=f"optimum {best_p90}, × {p90 / best_p90:.2f}"
            )
