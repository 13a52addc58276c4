"""When a rise of failures began, and how strongly payments speak for it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

LOOK_BACK = 2_000
"""So many of the last payments are searched; a rise older than that began before them."""


def likelihood_ratio(n: float, failed: float, expected: float) -> float:
    """By how many nats a raised share explains `failed` of `n` better than `expected` failures do; 0 for none."""
    if failed <= expected or expected <= 0.0:
        return 0.0
    nats = failed * log(failed / expected)
    passed = n - failed
    return nats + passed * log(passed / (n - expected)) if passed > 0.0 else nats


def onset(failed: Sequence[bool], p0: Sequence[float]) -> int | None:
    """The index from which on the payments speak most for a rise; None where none of them do.

    Oldest first, each with the failure share expected of it. It is the most likely first payment of the rise: a
    failure, so the true one may be a success or two before it.
    """
    best, found = 0.0, None
    failures, expected = 0, 0.0
    searched = range(len(failed) - 1, max(0, len(failed) - LOOK_BACK) - 1, -1)
    for n, index in enumerate(searched, 1):
        expected += p0[index]
        if failed[index]:
            failures += 1
            nats = likelihood_ratio(n, failures, expected)
            if nats > best:
                best, found = nats, index
    return found
