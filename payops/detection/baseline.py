"""What share of a stream's payments fails normally, at each hour of the week, learned from its last four weeks.

A cell is drawn to its hour of the day, that to the stream's mean, and that to the parent stream's mean. Alarms are
judged against more than that: against the margin for the wobble the stream has of its own, and while it has fewer
than 2,000 payments of history against the upper bound of what its share may be. Hours are whole hours since the
epoch, UTC: two clock changes a year move a local rhythm by an hour, which is part of the wobble.
"""

from __future__ import annotations

import base64
import sys
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from .dispersion import DAY, WEEK, margin, shrunk, wobble
from .shares import HIGHEST, judgeable, raised, upper_bound

WEEKS = 4
LEAST = 50
"""With fewer payments learned the expected share is unknown."""
ENOUGH = 2_000
GROWN = 1.1


@dataclass(frozen=True, slots=True)
class Norm:
    """A stream's general level: its mean share, its wobble σ², and the factors of odds that alarms allow for.

    `upper` is the share that is not exceeded with a certainty of 90 %; `learned` and `day` say what it was made of.
    """

    mean: float
    wobble: float
    margin: float
    upper: float
    learned: int
    day: int


class Baseline:
    """Payments and failures of the hours learned in the last four weeks."""

    __slots__ = ("_failures", "_hours", "_packed", "_payments", "failed", "learned", "norm")

    def __init__(self) -> None:
        self._packed: tuple[str, str] | None = None  # the counts as `dump` wrote them last; packing costs
        # A cell holds its payments plus one: zero is an hour that was not learned. Bytes until a count needs more.
        self._payments = array("B", bytes(WEEKS * WEEK))
        self._failures = array("B", bytes(WEEKS * WEEK))
        self._hours = 0
        self.learned = self.failed = 0
        self.norm: Norm | None = None

    def learn(self, hour: int, n: int, failed: int) -> None:
        """Enter a whole hour, in place of the same hour four weeks before."""
        if not 0 <= failed <= n:
            raise ValueError(f"an hour needs 0 <= failed <= n, got failed={failed}, n={n}")
        cell = hour % (WEEKS * WEEK)
        known = self._payments[cell]
        self._hours += not known
        self.learned += n - max(known - 1, 0)
        self.failed += failed - self._failures[cell]
        self._payments = _with(self._payments, cell, n + 1)
        self._failures = _with(self._failures, cell, failed)
        self._packed = None

    def add(self, hour: int, n: int, failed: int) -> None:
        """Enter payments of an hour that came late: beside those already learned for it."""
        cell = hour % (WEEKS * WEEK)
        self.learn(hour, max(self._payments[cell] - 1, 0) + n, self._failures[cell] + failed)

    @property
    def per_day(self) -> float | None:
        """Payments a day over the hours learned; None before the first."""
        return self.learned / self._hours * DAY if self._hours else None

    def settle(self, hour: int, parent: Norm | None) -> Norm | None:
        """The stream's norm at `hour`; made anew once a day, and while the history grows fast. None: unknown."""
        now = self.norm
        if self.learned < LEAST:
            self.norm = None
        elif now is None or now.day != hour // DAY or self.learned > GROWN * now.learned:
            mean = _mean(self.learned, self.failed, parent)
            payments = [max(cell - 1, 0) for cell in self._payments]
            spread = wobble(payments, self._failures, mean, parent.wobble if parent else 0.0)
            upper = upper_bound(self.learned, self.failed)
            self.norm = Norm(mean, spread, margin(spread), upper, self.learned, hour // DAY)
        return self.norm

    def expected(self, hour: int) -> float | None:
        """The best guess of the share at this hour; None while unknown."""
        if self.norm is None:
            return None
        n, failed = self._sums(range(hour % DAY, WEEKS * WEEK, DAY))
        usual = shrunk(failed, n, self.norm.mean)
        n, failed = self._sums(range(hour % WEEK, WEEKS * WEEK, WEEK))
        return shrunk(failed, n, usual)

    def bound(self, hour: int) -> float | None:
        """What alarms are judged against: the share not exceeded while nothing is wrong; None while unknown."""
        norm, expected = self.norm, self.expected(hour)
        if norm is None or expected is None:
            return None
        if norm.learned < ENOUGH:
            return judgeable(norm.upper)
        # Where failures are rare their number is uncertain even then: the bound's own distance is the least margin.
        mean = norm.mean
        least = norm.upper * (1.0 - mean) / (mean * (1.0 - norm.upper)) if norm.upper < 1.0 else 1.0
        return judgeable(raised(min(expected, HIGHEST), max(norm.margin, least)))

    def volume(self, hour: int) -> float | None:
        """Payments expected in this hour of the week; None where no such hour of the day was learned."""
        by_day = self._known(range(hour % DAY, WEEKS * WEEK, DAY))
        if not by_day:
            return None
        cell = self._known(range(hour % WEEK, WEEKS * WEEK, WEEK))
        return (sum(cell) + sum(by_day) / len(by_day)) / (len(cell) + 1)

    def volume_spread(self) -> float:
        """cv: how far an hour's volume strays from what its hour of the other weeks predicts, beyond chance."""
        excess = square = 0.0
        for index in range(WEEKS * WEEK):
            if not self._payments[index]:
                continue
            others = [
                self._payments[other] - 1
                for other in range(index % WEEK, WEEKS * WEEK, WEEK)
                if other != index and self._payments[other]
            ]
            if others:
                usual = sum(others) / len(others)
                # The prediction is itself a mean of so few counts.
                excess += (self._payments[index] - 1 - usual) ** 2 - usual * (1.0 + 1.0 / len(others))
                square += usual**2 * (1.0 + 1.0 / len(others))
        return max(0.0, excess / square) ** 0.5 if square else 0.0

    def dump(self) -> list[object]:
        """The state as values that JSON carries; `load` gives the same baseline."""
        norm = self.norm
        known = [norm.mean, norm.wobble, norm.margin, norm.upper, norm.learned, norm.day] if norm else None
        self._packed = self._packed or (_packed(self._payments), _packed(self._failures))
        return [*self._packed, known]

    @classmethod
    def load(cls, state: list[object]) -> Baseline:
        """The baseline that `dump` described; ValueError when it is none."""
        made = cls()
        try:
            payments, failures, norm = state
            made._payments, made._failures = _unpacked(payments), _unpacked(failures)
            made._hours = sum(cell > 0 for cell in made._payments)
            made.learned = sum(made._payments) - made._hours
            made.failed = sum(made._failures)
            if isinstance(norm, list):
                mean, spread, factor, upper, learned, day = norm
                made.norm = Norm(
                    float(mean), float(spread), float(factor), float(upper), int(learned), int(day)
                )
        except (TypeError, ValueError, zlib.error) as error:
            raise ValueError(f"this is no state of a baseline: {error}") from error
        return made

    def _sums(self, cells: Iterable[int]) -> tuple[int, int]:
        n = failed = 0
        for cell in cells:
            if self._payments[cell]:
                n += self._payments[cell] - 1
                failed += self._failures[cell]
        return n, failed

    def _known(self, cells: Iterable[int]) -> list[int]:
        return [self._payments[cell] - 1 for cell in cells if self._payments[cell]]


def _mean(n: int, failed: int, parent: Norm | None) -> float:
    return shrunk(failed, n, parent.mean) if parent else (failed + 0.5) / (n + 1.0)


class Fixed:
    """A baseline that was stated, not learned: the same share at every hour, without margin."""

    __slots__ = ("failed", "learned", "norm")

    def __init__(self, share: float) -> None:
        self.norm = Norm(share, 0.0, 1.0, share, 0, 0)
        self.learned = self.failed = 0

    per_day = None

    def learn(self, hour: int, n: int, failed: int) -> None:
        """Nothing: it is stated."""

    add = learn

    def settle(self, hour: int, parent: Norm | None) -> Norm:
        return self.norm

    def expected(self, hour: int) -> float:
        return self.norm.mean

    def bound(self, hour: int) -> float:
        return judgeable(self.norm.mean)


def _with(cells: array[int], index: int, value: int) -> array[int]:
    """The cells with one set, as wide as it needs."""
    try:
        cells[index] = value
    except OverflowError:
        cells = array("H" if value < 1 << 16 else "Q", cells)
        cells[index] = value
    return cells


def _packed(cells: array[int]) -> str:
    ordered = array(cells.typecode, cells)
    if sys.byteorder == "big":
        ordered.byteswap()
    return cells.typecode + base64.b85encode(zlib.compress(ordered.tobytes(), 9)).decode("ascii")


def _unpacked(text: object) -> array[int]:
    if not isinstance(text, str) or text[:1] not in ("B", "H", "Q"):
        raise ValueError("its counts are missing")
    cells = array(text[0])
    cells.frombytes(zlib.decompress(base64.b85decode(text[1:])))
    if sys.byteorder == "big":
        cells.byteswap()
    if len(cells) != WEEKS * WEEK:
        raise ValueError("it has another number of hours")
    return cells
