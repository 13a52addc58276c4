"""Acceptance: first attempts that became authorized, of all first attempts, against their own baseline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.store import Store

from .evidence import drop_evidence
from .interval import Z_ONE_SIDED_95, wilson
from .schema import SignalRow

RECENT = timedelta(hours=2)
BASELINE = timedelta(hours=24)
MOST = 2_000
LEAST_BASELINE = 50
"""Below this many payments of history the expected acceptance is unknown."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What acceptance to expect: `share` as observed over n, `failure_upper` its one-sided 95 % bound for alarms."""

    n: int
    share: float
    failure_upper: float
    per_30_days: float


def baseline(store: Store, account: str, now: datetime) -> Baseline | None:
    """The account's acceptance over the 24 hours before the last 2; None while history is too short."""
    end = now - RECENT
    counts = store.facts.minutes(account, end - BASELINE, end)
    n = sum(count for _, count, _ in counts)
    succeeded = sum(good for _, _, good in counts)
    if n < LEAST_BASELINE:
        return None
    span = max((end - counts[0][0]).total_seconds(), 3600.0)
    _, upper = wilson(n, n - succeeded, Z_ONE_SIDED_95)
    return Baseline(n, succeeded / n, upper, n / span * 86_400 * 30)


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `success` signal of one account."""
    values: dict[str, Value | None] = {}
    for name, minutes in (("5m", 5), ("15m", 15), ("1h", 60)):
        n, good = store.facts.window(account.name, now - timedelta(minutes=minutes), now)
        values[f"n_{name}"] = n
        values[f"rate_{name}"] = good / n if n else None
    expected = baseline(store, account.name, now)
    values["n_baseline"] = expected.n if expected else 0
    values["expected"] = expected.share if expected else None
    values["evidence"] = values["lost_1h"] = None
    if expected:
        attempts = store.facts.first_attempts(account.name, now - RECENT, MOST)
        values["evidence"] = drop_evidence(
            (attempt.succeeded for attempt in attempts), expected.failure_upper, expected.per_30_days
        )
        n, good = store.facts.window(account.name, now - timedelta(hours=1), now)
        values["lost_1h"] = max(0.0, (n - good) - n * (1 - expected.share))
    state = store.facts.feed(account.name, "events")
    inbox = store.inbox.counts(account.name, now)
    known = [at for at in (state.data_as_of if state else None, inbox.last_received_at) if at]
    return SignalRow(
        {"account": account.name, "provider": account.provider, "mode": account.mode},
        values,
        max(known) if known else None,
    )
