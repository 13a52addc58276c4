"""Evidence that a failure share rose: a mixture Shiryaev-Roberts e-detector over single payments.

For each of a few sizes of a rise (failure odds times 1.6 to 60) R grows with each failure and shrinks with
each success; the mean of them reaches `threshold` on average no sooner than after `threshold` payments while
the failure share stays at or below the baseline (Shin, Ramdas, Rinaldo 2022). With the payments expected in
30 days as the threshold that is at most one false alarm in 30 days, given the learned baseline.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log

ODDS = (1.6, 2.5, 5.0, 12.0, 60.0)
CAP = 0.6
"""A baseline failure share above this says nothing about a rise."""
RECOVERED = log(100.0)
MOST = 1e5


def drop_evidence(succeeded: Iterable[bool], failure_share: float, threshold: float) -> float:
    """R over `threshold` after these payments, oldest first; 1.0 and more is an alarm.

    `failure_share` is the baseline, 0 < p0 <= 0.6; `threshold` is the number of payments one false alarm may take.
    An alarm stays at 1.0 or more until a sequential test says the baseline is back; then R begins anew.
    """
    p0 = min(max(failure_share, 1e-6), CAP)
    alarm = max(threshold, 1.0)
    factors = [(share / p0, (1 - share) / (1 - p0)) for share in _raised(p0)]
    sums = [0.0] * len(factors)
    since = _SinceOnset(p0)
    recovery: _Recovery | None = None
    mean = 0.0
    for good in succeeded:
        for index, (on_failure, on_success) in enumerate(factors):
            sums[index] = (sums[index] + 1.0) * (on_success if good else on_failure)
        mean = sum(sums) / len(sums)
        since.enter(good)
        if recovery is not None:
            if recovery.over(good):
                sums, recovery, mean = [0.0] * len(factors), None, 0.0
        elif mean >= alarm:
            recovery = _Recovery(p0, since.share)
    if recovery is not None:
        mean = max(mean, alarm)
    # Long total outages overflow nothing useful: a hundred thousand false-alarm periods is certainty enough.
    return float(min(mean / alarm, MOST))


def _raised(p0: float) -> list[float]:
    return [odds * p0 / (1 - p0 + odds * p0) for odds in ODDS]


class _SinceOnset:
    """The failure share since a CUSUM chart for five times the odds last stood at zero: since the likely onset."""

    def __init__(self, p0: float) -> None:
        raised = _raised(p0)[2]
        self._on_failure = log(raised / p0)
        self._on_success = log((1 - raised) / (1 - p0))
        self._chart = 0.0
        self._payments = self._failures = 0

    def enter(self, good: bool) -> None:
        self._chart = max(0.0, self._chart + (self._on_success if good else self._on_failure))
        if self._chart == 0.0:
            self._payments = self._failures = 0
        else:
            self._payments += 1
            self._failures += not good

    @property
    def share(self) -> float:
        return self._failures / self._payments if self._payments else 0.0


class _Recovery:
    """Wald's sequential test of the baseline against half the share seen at the alarm, begun anew at each setback.

    Half: an alarm after a handful of payments overstates the drop, and must not end at the first few successes.
    """

    def __init__(self, p0: float, seen: float) -> None:
        share = max(seen / 2, _raised(p0)[1])
        self._on_failure = log(p0 / share)
        self._on_success = log((1 - p0) / (1 - share))
        self._sum = 0.0

    def over(self, good: bool) -> bool:
        """Enter one payment; True when the baseline is a hundred times likelier than the drop."""
        self._sum = max(0.0, self._sum + (self._on_success if good else self._on_failure))
        return self._sum >= RECOVERED
