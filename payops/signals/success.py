"""Acceptance: customers' first attempts that became authorized, of all of them, against their own baseline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.store import Store, Window

from .evidence import drop_evidence
from .interval import Z_ONE_SIDED_95, wilson
from .rows import account_labels
from .schema import SignalRow

LONGEST_RECENT = timedelta(hours=2)
SHORTEST_RECENT = timedelta(minutes=30)
BASELINE = timedelta(hours=24)
WINDOWS = {"5m": 300, "15m": 900, "1h": 3600}
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


def recent(store: Store, account: str, now: datetime) -> timedelta:
    """How much of the past is judged rather than learned from: 2 hours, less while history is short."""
    first = store.facts.first_seen_at(account)
    history = now - first if first else timedelta()
    return max(SHORTEST_RECENT, min(LONGEST_RECENT, history / 4))


def learned(store: Store, account: str, now: datetime) -> tuple[datetime, datetime]:
    """The 24 hours before what is judged."""
    end = now - recent(store, account, now)
    return end - BASELINE, end


def baseline(store: Store, account: str, now: datetime) -> Baseline | None:
    """The account's acceptance over the 24 hours before what is judged; None while history is too short."""
    start, end = learned(store, account, now)
    counted = store.facts.window(account, start, end)
    n, succeeded = counted.n, counted.succeeded
    if n < LEAST_BASELINE:
        return None
    first = store.facts.first_seen_at(account)
    began = max(first, start) if first else start
    span = max((end - began).total_seconds(), 3600.0)
    _, upper = wilson(n, n - succeeded, Z_ONE_SIDED_95)
    return Baseline(n, succeeded / n, upper, n / span * 86_400 * 30)


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `success` signal of one account."""
    windows = dict(zip(WINDOWS, store.facts.windows(account.name, now, tuple(WINDOWS.values())), strict=True))
    if SIGHT[account.provider].all_declines:
        values = _compared(store, account, windows, now)
    else:
        values = _completions(store, account, windows, now)
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def seen_at(store: Store, account: AccountSettings, now: datetime) -> datetime | None:
    """Up to when the account's payments are known: by its feed, or by a webhook."""
    state = store.facts.feed(account.name, SIGHT[account.provider].payments_feed)
    inbox = store.inbox.counts(account.name, now)
    known = [at for at in (state.data_as_of if state else None, inbox.last_received_at) if at]
    return max(known) if known else None


def _compared(
    store: Store, account: AccountSettings, windows: dict[str, Window], now: datetime
) -> dict[str, Value | None]:
    values: dict[str, Value | None] = {}
    for name, window in windows.items():
        values[f"n_{name}"] = window.n
        values[f"rate_{name}"] = window.succeeded / window.n if window.n else None
    expected = None if _reading_history(store, account) else baseline(store, account.name, now)
    values["n_baseline"] = expected.n if expected else 0
    values["expected"] = expected.share if expected else None
    values["evidence"] = values["lost_1h"] = None
    if expected:
        outcomes = store.facts.first_outcomes(account.name, now - recent(store, account.name, now), MOST)
        values["evidence"] = drop_evidence(outcomes, expected.failure_upper, expected.per_30_days)
        hour = windows["1h"]
        values["lost_1h"] = max(0.0, hour.n * expected.share - hour.succeeded)
    return values


def _reading_history(store: Store, account: AccountSettings) -> bool:
    """Half a history is no baseline: what is read first need not look like the rest."""
    state = store.facts.feed(account.name, SIGHT[account.provider].payments_feed)
    return state is not None and state.progress is not None and state.progress < 1.0


def _completions(
    store: Store, account: AccountSettings, windows: dict[str, Window], now: datetime
) -> dict[str, Value | None]:
    """Where declines leave no trace what is seen has no rate: a share of it would always be near 100 %."""
    values: dict[str, Value | None] = dict.fromkeys(("expected", "evidence", "lost_1h"))
    for name, window in windows.items():
        values[f"n_{name}"] = window.succeeded
        values[f"rate_{name}"] = None
    values["n_baseline"] = store.facts.window(account.name, *learned(store, account.name, now)).succeeded
    return values
