"""Has traffic stopped, or halved? Judged by payments expected, not by minutes."""

from __future__ import annotations

from math import exp, log

HALF = 0.5
CAUTION = 1.28
LARGEST = 1e300


def silence_limit(threshold: float, spread: float) -> float:
    """How many payments may be expected since the last one before silence is an alarm.

    `threshold` is the number of payments one false alarm may take; `spread` (cv) is how far an hour's volume strays
    from its usual beyond chance: ln(threshold) without any, (threshold^cv² - 1) / cv² with it.
    """
    nats = log(max(threshold, 1.0))
    square = spread * spread
    return (exp(nats * square) - 1.0) / square if square > 1e-9 else nats


def cautious(per_hour: float, spread: float) -> float:
    """The rate to judge half the traffic against: less than the usual by its margin."""
    return per_hour * exp(-CAUTION * spread)


class Traffic:
    """Payments expected since the last one, and the evidence that only half of them come.

    The evidence is Shiryaev and Roberts's sum over the gaps' likelihood ratios: while traffic is as expected it
    reaches a threshold on average no sooner than after so many payments.
    """

    __slots__ = ("_expected", "_sum")

    def __init__(self, total: float = 0.0, expected: float = 0.0) -> None:
        self._sum = total
        self._expected = expected

    def passed(self, expected: float) -> None:
        """Time went by in which so many payments were expected."""
        self._expected += expected

    def arrived(self) -> None:
        """A payment came."""
        self._sum = min((self._sum + 1.0) * HALF * _growth(self._expected), LARGEST)
        self._expected = 0.0

    @property
    def expected(self) -> float:
        """Payments expected since the last one: compare it with `silence_limit`."""
        return self._expected

    @property
    def evidence(self) -> float:
        """Evidence for half the traffic at this moment, the present gap included."""
        return min((self._sum + 1.0) * _growth(self._expected), LARGEST)

    def dump(self) -> list[float]:
        return [self._sum, self._expected]


def _growth(expected: float) -> float:
    return exp(min((1.0 - HALF) * expected, 600.0))
