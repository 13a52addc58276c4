"""The circuit breaker of an account: when it cannot be reached, one question at a time until it answers.

And how long to wait after a failure: doubling, with a jitter that follows from who waits, not from chance.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Literal

from payops.domain.errors import Bucket
from payops.store import Breaker

UNREACHABLE: frozenset[Bucket] = frozenset({"network", "outage"})
"""Failures that say nothing but that nobody answers; any other is an answer."""
OPENS_AFTER = 5
PROBE_S = 30
LONGEST_PROBE_S = 120
PATIENT_AFTER = 60
"""So many probes in vain, about two hours: from then on a short budget decides how often."""
JITTER = 0.25
"""A wait is drawn from this share below and above its middle."""

State = Literal["closed", "open", "half-open"]


def jitter(*who: object) -> float:
    """A factor in [1 - JITTER, 1 + JITTER), always the same for the same `who`."""
    digest = hashlib.sha256("|".join(str(part) for part in who).encode()).digest()
    return 1 + JITTER * (int.from_bytes(digest[:6]) / 2**47 - 1)


def backoff(first_s: float, n: int, longest_s: float, *who: object) -> float:
    """Seconds to wait after the `n`-th failure (from 1): doubling up to `longest_s`, jittered."""
    return min(first_s * 2.0 ** min(n - 1, 30), longest_s) * jitter(*who, n)


def state(breaker: Breaker, now: datetime) -> State:
    """`half-open`: the time of the probe has come, and what it meets decides."""
    if breaker.opened_at is None or breaker.probe_at is None:
        return "closed"
    # A clock that went back must not keep it open until the old time comes again.
    waits = breaker.opened_at - timedelta(minutes=1) <= now < breaker.probe_at
    return "open" if waits else "half-open"


def after(
    breaker: Breaker,
    account: str,
    bucket: Bucket | None,
    now: datetime,
    *,
    patient_s: float = LONGEST_PROBE_S,
    told_s: float = 0.0,
) -> Breaker:
    """The breaker after a poll that ended at `now`; `bucket` None = it was answered.

    An outage of hours is probed every `patient_s`, never before what the provider `told` (Retry-After).
    """
    if bucket not in UNREACHABLE:
        return Breaker()
    failures = breaker.failures + 1
    if failures < OPENS_AFTER:
        return Breaker(failures)
    probes = failures - OPENS_AFTER + 1
    longest = LONGEST_PROBE_S if probes <= PATIENT_AFTER else max(patient_s, LONGEST_PROBE_S)
    wait = max(told_s, backoff(PROBE_S, probes, longest, account, "breaker"))
    return Breaker(failures, breaker.opened_at or now, now + timedelta(seconds=round(wait)))
