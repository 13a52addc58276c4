"""A histogram on a logarithmic scale: quantiles to 10 %, a few dozen numbers, old values fading."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log

STEP = log(1.1)
MOST = 20_000
"""Beyond so many values every count is halved: the newer half weighs as much as all before."""
ZERO = -1
"""The bucket of 0 and below."""


def bucket(value: float) -> int:
    """The bucket of a value: all within 10 %, from 1 up."""
    return ZERO if value < 1 else floor(log(value) / STEP)


def ceiling(place: int) -> float:
    """The upper end of a bucket."""
    return 0.0 if place == ZERO else float(1.1 ** (place + 1))


class Sketch:
    """Counts by bucket."""

    __slots__ = ("counts", "n")

    def __init__(self, counts: Mapping[str, float] | None = None) -> None:
        self.counts: dict[int, float] = {int(place): count for place, count in (counts or {}).items()}
        self.n = sum(self.counts.values())

    def add(self, value: float) -> None:
        place = bucket(value)
        self.counts[place] = self.counts.get(place, 0.0) + 1.0
        self.n += 1.0
        if self.n > MOST:
            self.counts = {place: count / 2 for place, count in self.counts.items() if count > 0.5}
            self.n = sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """A value that at least `share` of the values do not exceed; None without values."""
        return mixed(self, Sketch(), 0.0, share)

    def dump(self) -> dict[str, float]:
        return {str(place): count for place, count in sorted(self.counts.items())}


def mixed(own: Sketch, parent: Sketch, weight: float, share: float) -> float | None:
    """The quantile of `own` together with `parent`, which counts as `weight` values; None when both are empty."""
    scale = weight / parent.n if parent.n else 0.0
    total = own.n + scale * parent.n
    if total <= 0:
        return None
    seen, last = 0.0, ZERO
    for place in sorted({*own.counts, *parent.counts}):
        seen += own.counts.get(place, 0.0) + scale * parent.counts.get(place, 0.0)
        last = place
        if seen >= share * total:
            break
    return ceiling(last)
