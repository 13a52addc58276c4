"""Is a drop over? Wald's sequential test of the baseline against the drop seen, begun anew each time it says no."""

from __future__ import annotations

from math import log, sqrt

from .shares import judgeable, raised

ERROR = 0.01
LEAST_ODDS = 1.6
"""The least drop tested against: the smallest that is looked for."""
CAUTION = 1.28


class Recovery:
    """Runs of the test, the k-th at an error of 1 % / k: a long outage has many.

    The drop tested against is the one that led to the alarm and, from the second run on, the share of failures
    since the alarm less what chance may have added: only if the true share falls below it may the test err more.
    """

    __slots__ = ("_failures", "_payments", "_runs", "_share", "_sum")

    def __init__(self, share: float) -> None:
        self._runs = 1
        self._share = share
        self._sum = 0.0
        self._payments = self._failures = 0

    def enter(self, failed: bool, p0: float) -> bool:
        """Enter one payment; True when the drop is over."""
        base = judgeable(p0)
        share = max(self._share, raised(base, LEAST_ODDS))
        self._payments += 1
        self._failures += failed
        self._sum += log(base / share) if failed else log((1.0 - base) / (1.0 - share))
        if self._sum <= log(ERROR):
            self._runs += 1
            self._sum = 0.0
            self._share = max(0.0, self._failures - CAUTION * sqrt(self._failures)) / self._payments
        return self._sum >= log(self._runs / ERROR)

    def state(self) -> list[float]:
        return [self._runs, self._share, self._sum, self._payments, self._failures]

    @classmethod
    def from_state(cls, state: list[float]) -> Recovery:
        """The test that `state` described."""
        runs, share, total, payments, failures = state
        made = cls(float(share))
        made._runs, made._sum = int(runs), float(total)
        made._payments, made._failures = int(payments), int(failures)
        return made
