"""How many payments usually come, by hour of the week, and whether they have stopped or become far fewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from payops.detection import Traffic, cautious, silence_limit

HOUR_S = 3600
DAY, WEEK = 24, 168
WEIGHT = 2.0
"""How many hours of the coarser mean an hour of the week is worth before it is known by itself."""
DAILY_WEIGHT = 0.25
"""The same of the hour of the day and the mean of all: nights are quiet from the first one on."""
FADE = 0.75
"""What an hour of the week keeps of its past each time it comes again."""
LEAST_HOURS = 2
SPREAD_HOURS = 48
"""Below so many whole hours their spread is not known, and taken for wide."""
WIDE = 0.3


CERTAIN = 100.0
"""So many false-alarm periods are certainty enough: more would only take longer to fade."""
SHORTEST_S = 60
"""No silence is one before."""


class Volume:
    """Counts of whole hours, shrunk to the hour of the day and to the mean; a silence leaves its hours out."""

    __slots__ = (
        "_cache",
        "_errors",
        "_hour",
        "_mean",
        "_n",
        "_quietest",
        "_skip",
        "_traffic",
        "cells",
        "hours",
        "last_at",
    )

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        known = state or {}
        self.cells: list[list[float]] = [list(cell) for cell in known.get("cells", [[0.0, 0.0]] * WEEK)]
        self.hours = int(known.get("hours", 0))
        self._hour: int | None = known.get("hour")
        self._n = int(known.get("n", 0))
        self._skip = bool(known.get("skip", False))
        self._errors: list[float] = list(known.get("errors", [0.0, 0.0]))
        self._traffic = Traffic(*known.get("traffic", [0.0, 0.0]))
        self.last_at: int | None = known.get("last_at")
        self._mean = _share(self.cells)
        self._quietest: float | None = None
        self._cache: dict[int, float] = {}  # what an hour's cells say, until the next hour is learned

    def dump(self) -> dict[str, Any]:
        return {
            "cells": self.cells,
            "hours": self.hours,
            "hour": self._hour,
            "n": self._n,
            "skip": self._skip,
            "errors": self._errors,
            "traffic": self._traffic.dump(),
            "last_at": self.last_at,
        }

    def arrived(self, at_s: int) -> None:
        """One payment came; one of an hour that is over, or of before the last, changes nothing any more."""
        if self.last_at is not None and at_s > self.last_at:
            expected = self.expected(self.last_at, at_s)
            if expected is not None:
                if expected >= self.limit:
                    # A silence is over: it says nothing about half of what is usual, nor about what is usual. The
                    # first night looks like one, is none, and is learned.
                    self._traffic = Traffic()
                    if self.hours >= DAY:
                        self._hour = None
                else:
                    self._traffic.passed(expected * cautious(1.0, self.spread))
        self._until(at_s)
        if at_s // HOUR_S == self._hour:
            self._n += 1
        if self.last_at is None or at_s >= self.last_at:
            self._traffic.arrived()
            if self.per_30_days and self._traffic.evidence > CERTAIN * self.per_30_days:
                self._traffic = Traffic(CERTAIN * self.per_30_days)
            self.last_at = at_s

    @property
    def limit(self) -> float:
        """How many payments may be expected since the last one before that is a silence, for one account."""
        return silence_limit(self.per_30_days, self.spread)

    def fewer(self, at_s: int) -> float | None:
        """Evidence at `at_s` that half the traffic is gone: 1.0 is one false alarm in 30 days; None while unknown."""
        since = self.expected(self.last_at, at_s) if self.last_at is not None else None
        if since is None or not self.per_30_days:
            return None
        now = Traffic(*self._traffic.dump())
        now.passed(since * cautious(1.0, self.spread))
        return now.evidence / self.per_30_days

    def _until(self, at_s: int) -> None:
        """Time has come to `at_s`: hours that are over, quiet ones too, are learned."""
        hour = at_s // HOUR_S
        if self._hour is None:
            # The first hour is seen from somewhere in it: not a whole one.
            self._hour, self._n, self._skip = hour, 0, True
        while self._hour < hour:
            if hour - self._hour > 5 * WEEK:
                self._hour, self._n, self._skip = hour, 0, True
                return
            if not self._skip:
                self._learn(self._hour % WEEK, self._n)
            self._hour, self._n, self._skip = self._hour + 1, 0, False

    def per_hour(self, hour: int) -> float | None:
        """Payments expected in that hour since the epoch; None before two whole hours are known."""
        if self.hours < LEAST_HOURS:
            return None
        place = hour % WEEK
        if place not in self._cache:
            at_hour = self.cells[hour % DAY :: DAY]
            daily = _shrunk(
                sum(cell[0] for cell in at_hour), sum(cell[1] for cell in at_hour), self._mean, DAILY_WEIGHT
            )
            count, weight = self.cells[place]
            self._cache[place] = _shrunk(count, weight, daily, WEIGHT)
        return self._cache[place]

    def _at_least(self, hour: int) -> float | None:
        """The same, and before a whole week is known no more than the quietest hour of the day: a night is no silence."""
        usual = self.per_hour(hour)
        if usual is None or not DAY <= self.hours < WEEK:
            return usual
        if self._quietest is None:
            days = (self.cells[place::DAY] for place in range(DAY))
            known = [(sum(cell[0] for cell in day), sum(cell[1] for cell in day)) for day in map(list, days)]
            self._quietest = min(count / weight for count, weight in known if weight)
        return min(usual, self._quietest)

    def expected(self, since_s: int, until_s: int) -> float | None:
        """Payments expected from `since_s` to `until_s`, at least and at most a week; None while unknown."""
        total, at = 0.0, max(since_s, until_s - WEEK * HOUR_S)
        while at < until_s:
            edge = min(until_s, (at // HOUR_S + 1) * HOUR_S)
            hourly = self._at_least(at // HOUR_S)
            if hourly is None:
                return None
            total += hourly * (edge - at) / HOUR_S
            at = edge
        return total

    @property
    def per_30_days(self) -> float:
        return self._mean * 24 * 30 if self.hours >= LEAST_HOURS else 0.0

    @property
    def spread(self) -> float:
        """Hour-to-hour variation beyond chance after the season, as a share; wide while little is known."""
        if self.hours < SPREAD_HOURS:
            return WIDE
        squares, expected = self._errors
        return min(1.0, sqrt(max(0.0, squares / expected))) if expected else WIDE

    def _learn(self, place: int, n: int) -> None:
        # Judged before it is learned: what it was fitted to would show no error.
        expected = self.per_hour(place)
        if expected:
            fade = 1.0 - 1.0 / (4 * WEEK)
            self._errors = [
                self._errors[0] * fade + max(-expected, (n - expected) ** 2 - expected),
                self._errors[1] * fade + expected**2,
            ]
        cell = self.cells[place]
        cell[0], cell[1] = cell[0] * FADE + n, cell[1] * FADE + 1.0
        self.hours += 1
        self._mean = _share(self.cells)
        self._quietest = None
        self._cache.clear()


def _share(cells: Sequence[Sequence[float]]) -> float:
    weight = sum(cell[1] for cell in cells)
    return sum(cell[0] for cell in cells) / weight if weight else 0.0


def _shrunk(count: float, weight: float, prior: float, trust: float) -> float:
    return (count + trust * prior) / (weight + trust)
