"""Evidence that a failure share rose: a mixture Shiryaev-Roberts e-detector over single payments.

For each of a few sizes of a rise (failure odds times 1.6 to 60) R grows with each failure and shrinks with
each success; the mean of them reaches `threshold` on average no sooner than after `threshold` payments while
the failure share stays at or below the baseline (Shin, Ramdas, Rinaldo 2022). With the payments expected in
30 days as the threshold that is at most one false alarm in 30 days, given the learned baseline.
"""

from __future__ import annotations

from collections.abc import Iterable

ODDS = (1.6, 2.5, 5.0, 12.0, 60.0)
CAP = 0.6
"""A baseline failure share above this says nothing about a rise."""


def drop_evidence(succeeded: Iterable[bool], failure_share: float, threshold: float) -> float:
    """R over `threshold` after these payments, oldest first; 1.0 and more is an alarm.

    `failure_share` is the baseline, 0 < p0 <= 0.6; `threshold` is the number of payments one false alarm may take.
    """
    p0 = min(max(failure_share, 1e-6), CAP)
    factors = []
    for odds in ODDS:
        q = odds * p0 / (1 - p0 + odds * p0)
        factors.append((q / p0, (1 - q) / (1 - p0)))
    sums = [0.0] * len(factors)
    for ok in succeeded:
        for index, (on_failure, on_success) in enumerate(factors):
            sums[index] = (sums[index] + 1.0) * (on_success if ok else on_failure)
    # Long total outages overflow nothing useful: a hundred thousand false-alarm periods is certainty enough.
    return float(min(sum(sums) / len(sums) / max(threshold, 1.0), 1e5))
