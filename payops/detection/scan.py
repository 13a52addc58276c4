"""Where a rise of failures sits: every slice by one or two columns is tried, and the one that explains most named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import log
from typing import NamedTuple

from .onset import likelihood_ratio

Slice = tuple[tuple[str, str], ...]
"""Columns and their values, in the columns' order; `()` is the total."""
TOTAL: Slice = ()
CLOSE = 3.0
"""A runner-up this many nats behind is worth naming: the data do not decide."""
SECOND = 6.0
"""A second cause must explain so many nats more: by chance alone about one in 30 does."""


class Seen(NamedTuple):
    """A payment since the onset: the slices it belongs to, and the failure share expected in each of them."""

    slices: tuple[Slice, ...]
    failed: bool
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A slice with its payments since the onset; `score` is its nats minus the log of its number of siblings."""

    slice: Slice
    n: int
    failed: float
    expected: float
    score: float


@dataclass(frozen=True, slots=True)
class Located:
    """The slice that explains the rise, one that explains it nearly as well, and one that explains what is left."""

    best: Suspect
    runner_up: Suspect | None
    second: Suspect | None


def slices_of(values: Mapping[str, str]) -> tuple[Slice, ...]:
    """The total, every known value and every pair of them; values that are empty are unknown and make no slice."""
    known = [(column, value) for column, value in values.items() if value]
    return (TOTAL, *((one,) for one in known), *combinations(known, 2))


def nested(one: Slice, other: Slice) -> bool:
    """Every payment of one of them belongs to the other."""
    return set(one) <= set(other) or set(other) <= set(one)


def compatible(one: Slice, other: Slice) -> bool:
    """A payment can belong to both."""
    values = dict(one)
    return all(values.get(column, value) == value for column, value in other)


def scan(seen: Iterable[Seen]) -> Located | None:
    """The slices to blame for the payments since an onset; None without more failures than expected anywhere."""
    payments = list(seen)
    ranked = _ranked(payments, None)
    if not ranked:
        return None
    best = ranked[0]
    runner_up = next((other for other in ranked[1:2] if best.score - other.score < CLOSE), None)
    rest = [
        other
        for other in _ranked(payments, best.slice)
        if other.score >= SECOND and other.slice != best.slice
    ]
    return Located(best, runner_up, rest[0] if rest else None)


def _ranked(payments: list[Seen], explained: Slice | None) -> list[Suspect]:
    """Slices with more failures than expected, the best first; payments of `explained` count as expected."""
    sums: dict[Slice, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for slices, failed, shares in payments:
        usual = explained is not None and explained in slices
        for slice_, share in zip(slices, shares, strict=True):
            found = sums[slice_]
            found[0] += 1
            found[1] += share if usual else failed
            found[2] += share
    siblings: dict[tuple[str, ...], int] = defaultdict(int)
    for slice_ in sums:
        siblings[_columns(slice_)] += 1
    suspects = [
        Suspect(slice_, int(n), failed, expected, nats - log(siblings[_columns(slice_)]))
        for slice_, (n, failed, expected) in sums.items()
        if (nats := likelihood_ratio(n, failed, expected)) > 0.0
    ]
    return sorted(suspects, key=lambda one: (-one.score, len(one.slice), one.slice))


def _columns(slice_: Slice) -> tuple[str, ...]:
    return tuple(column for column, _ in slice_)
