"""How much a stream's failure share wobbles from hour to hour beyond chance: what a margin has to cover."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import exp

DAY, WEEK = 24, 168
PRIOR = 200.0
"""So many payments' worth of trust each level of a baseline gives the level above it."""
RARE, LEAST = 0.02, 1e-4
"""Below this share payments tell less: an hour without a failure that is rare anyway must not pass for a better one.
The trust then is so many expected failures."""
CAUTION = 1.28
BELIEVED = 0.04
"""How far a stream's wobble is expected to lie from its parent's: the square of a spread of 0.2."""


def shrunk(failed: float, n: float, towards: float) -> float:
    """The share of `failed` in `n`, drawn `towards` a known one; the more, the rarer failures are."""
    prior = PRIOR if towards >= RARE else PRIOR * RARE / max(towards, LEAST)
    return (failed + prior * towards) / (n + prior)


def margin(wobble: float) -> float:
    """The factor on the odds of a failure that covers a wobble: exp(1.28 σ)."""
    return exp(CAUTION * wobble**0.5)


def wobble(payments: Sequence[int], failures: Sequence[int], mean: float, parent: float) -> float:
    """The variance of the log odds from hour to hour, σ², from hourly counts beginning at a week's start.

    χ² is taken from predictions of each week by the others (with fewer than two weeks: of each day, of each hour);
    in its own prediction a cell would hide its wobble. σ² = (χ² - 1) / mean(n p (1 - p)), drawn to the parent's
    `parent` as far as so few payments cannot tell. `mean` is the share to fall back on.
    """
    hours = [index for index, n in enumerate(payments) if n]
    size = next((size for size in (WEEK, DAY, 1) if len({hour // size for hour in hours}) > 1), 0)
    if not size:
        return parent
    chi = information = 0.0
    for n, failed, share in _predicted(payments, failures, hours, size, mean):
        variance = n * share * (1.0 - share)
        chi += (failed - n * share) ** 2 / variance
        information += variance
    each = information / len(hours)
    seen = (chi / len(hours) - 1.0) / each
    doubt = (2.0 + 1.0 / each) / len(hours) / each**2
    weight = BELIEVED**2 / (BELIEVED**2 + doubt)
    return max(0.0, weight * seen + (1.0 - weight) * parent)


def _predicted(
    payments: Sequence[int], failures: Sequence[int], hours: list[int], size: int, mean: float
) -> list[tuple[int, int, float]]:
    """Payments and failures of each hour, and its share as the other blocks of `size` hours predict it."""
    cells, days = _sums(payments, failures, hours)
    n_all, failed_all = sum(n for n, _ in days.values()), sum(failed for _, failed in days.values())
    blocks = defaultdict(list)
    for hour in hours:
        blocks[hour // size].append(hour)
    found = []
    for block in blocks.values():
        _, own = _sums(payments, failures, block)
        n_own, failed_own = sum(n for n, _ in own.values()), sum(failed for _, failed in own.values())
        others = shrunk(failed_all - failed_own, n_all - n_own, mean)
        for hour in block:
            n, failed = payments[hour], failures[hour]
            day, cell, here = days[hour % DAY], cells[hour % WEEK], own[hour % DAY]
            usual = shrunk(day[1] - here[1], day[0] - here[0], others)
            found.append((n, failed, shrunk(cell[1] - failed, cell[0] - n, usual)))
    return found


Sums = dict[int, tuple[int, int]]


def _sums(payments: Sequence[int], failures: Sequence[int], hours: list[int]) -> tuple[Sums, Sums]:
    """Payments and failures per hour of the week and per hour of the day."""
    cells: Sums = defaultdict(lambda: (0, 0))
    days: Sums = defaultdict(lambda: (0, 0))
    for hour in hours:
        n, failed = payments[hour], failures[hour]
        for sums, key in ((cells, hour % WEEK), (days, hour % DAY)):
            sums[key] = (sums[key][0] + n, sums[key][1] + failed)
    return cells, days
