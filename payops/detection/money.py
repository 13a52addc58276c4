"""Money not collected since an onset, in one currency, and how sure that is."""

from __future__ import annotations

from math import sqrt


class AtRisk:
    """Sums over the payments of a slice since the onset: amounts times (failed - expected share).

    Unbiased for a window chosen beforehand; with an estimated onset up to a third too high, so show two digits.
    """

    __slots__ = ("_lost", "_n", "_paid", "_total", "_variance")

    def __init__(self) -> None:
        self._n = self._total = self._paid = 0
        self._lost = self._variance = 0.0

    def add(self, amount_minor: int, failed: bool, expected: float) -> None:
        """One first attempt; `expected` is the failure share expected of it."""
        self._n += 1
        self._total += amount_minor
        self._lost += amount_minor * (failed - expected)
        self._variance += float(amount_minor) ** 2 * expected * (1.0 - expected)

    def paid_later(self, amount_minor: int) -> None:
        """An order that had failed and was paid after all."""
        self._paid += amount_minor

    @property
    def lost_minor(self) -> int:
        """What is missing beyond the usual, minus what was paid later."""
        return round(self._lost) - self._paid

    @property
    def paid_later_minor(self) -> int:
        return self._paid

    @property
    def se_minor(self) -> int:
        """The standard error of `lost_minor`."""
        return round(sqrt(self._variance))

    def per_hour_minor(self, per_hour: float, failed: float, expected: float) -> int | None:
        """What is being lost in an hour of `per_hour` payments that fail with the share `failed`; None without any."""
        return round(per_hour * self._total / self._n * (failed - expected)) if self._n else None
