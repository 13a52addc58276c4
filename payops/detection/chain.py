"""Run lengths of CUSUM charts by Markov chain (Brook and Evans 1972): how fast any detector could be.

The CUSUM tuned to the true drop is exactly optimal for the worst-case mean delay (Moustakides 1986). A chart lives on
a lattice: its steps are whole numbers with their probabilities, states 0 … height - 1; at `height` it alarms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import erf, log, sqrt

Steps = Mapping[int, float]
FINENESS = 8


def failure_steps(p0: float, design: float, share: float, fineness: int = FINENESS) -> Steps:
    """Log-likelihood steps of a chart for `design` against `p0` while payments fail with `share`.

    The smaller of the two steps, a failure's up and a success's down, is `fineness` units long.
    """
    up = log(design / p0)
    down = -log((1.0 - design) / (1.0 - p0)) if design < 1.0 else 20.0
    unit = min(up, down) / fineness
    return {round(up / unit): share, -round(down / unit): 1.0 - share}


def normal_steps(reference: float, limit: float, mean: float, cells: int) -> Steps:
    """Steps of a chart for normal measurements of unit variance, with `cells` states up to `limit`."""
    width = 2.0 * limit / (2 * cells - 1)

    def below(x: float) -> float:
        return 0.5 * (1.0 + erf((x + reference - mean) / sqrt(2.0)))

    inner = {
        step: below((step + 0.5) * width) - below((step - 0.5) * width) for step in range(1 - cells, cells)
    }
    return {**inner, -cells: below((0.5 - cells) * width), cells: 1.0 - below((cells - 0.5) * width)}


def run_length(steps: Steps, height: int) -> float:
    """The mean number of steps from 0 to an alarm."""
    lower = min(height - 1, -min(steps))
    rows = [_row(steps, height, state) for state in range(height)]
    lengths = [1.0] * height
    # (I - Q) x = 1 by elimination within the band; the matrix is diagonally dominant, so no row changes its place.
    for pivot in range(height):
        top = rows[pivot]
        for below in range(pivot + 1, min(height, pivot + lower + 1)):
            factor = rows[below].pop(pivot, 0.0) / top[pivot]
            if factor:
                row = rows[below]
                for column, value in top.items():
                    if column > pivot:
                        row[column] = row.get(column, 0.0) - factor * value
                lengths[below] -= factor * lengths[pivot]
    for state in range(height - 1, -1, -1):
        row = rows[state]
        known = sum(value * lengths[column] for column, value in row.items() if column > state)
        lengths[state] = (lengths[state] - known) / row[state]
    return lengths[0]


def height_for(steps: Steps, least: float) -> int:
    """The lowest height whose mean run length is at least `least`."""
    high = 1
    while run_length(steps, high) < least:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if run_length(steps, middle) >= least else (middle, high)
    return high


def settled(steps: Steps, height: int, rounds: int = 4000) -> list[float]:
    """Where a chart stands at a random moment long after its start, given that it has not alarmed."""
    shares = [1.0] + [0.0] * (height - 1)
    for _ in range(rounds):
        moved, _ = _moved(shares, steps)
        total = sum(moved)
        now = [share / total for share in moved]
        change = sum(abs(a - b) for a, b in zip(now, shares, strict=True))
        shares = now
        if change < 1e-10:
            break
    return shares


def delays(steps: Steps, start: Sequence[float]) -> Iterator[float]:
    """The chance of an alarm within 1, 2, 3 … steps from where `start` says that the chart stands."""

    def alarms() -> Iterator[float]:
        shares = list(start)
        while True:
            shares, alarmed = _moved(shares, steps)
            yield alarmed

    return accumulate(alarms())


def quantile(chances: Iterator[float], share: float) -> int:
    """The first number of steps by which an alarm has at least this chance."""
    return next(count for count, chance in enumerate(chances, 1) if chance >= share)


def _row(steps: Steps, height: int, state: int) -> dict[int, float]:
    row = {state: 1.0}
    for step, chance in steps.items():
        target = max(0, state + step)
        if target < height:
            row[target] = row.get(target, 0.0) - chance
    return row


def _moved(shares: Sequence[float], steps: Steps) -> tuple[list[float], float]:
    """The shares after one step, and what alarmed."""
    height = len(shares)
    moved = [0.0] * height
    alarmed = 0.0
    for state, share in enumerate(shares):
        if share:
            for step, chance in steps.items():
                target = state + step
                if target >= height:
                    alarmed += share * chance
                else:
                    moved[max(0, target)] += share * chance
    return moved, alarmed
