"""Acceptance: customers' first attempts that became authorized, of all of them, against their own baseline."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.store import Store, Window
from payops.store.streams import StreamRow

from .rows import account_labels, age_s
from .schema import SOURCES, SignalRow
from .slices import said
from .standing import Standing, standing

WINDOWS = {"5m": 300, "15m": 900, "1h": 3600}


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `success` signal of one account."""
    windows = dict(zip(WINDOWS, store.facts.windows(account.name, now, tuple(WINDOWS.values())), strict=True))
    values: dict[str, Value | None] = dict.fromkeys(SOURCES["success"].fields)
    if SIGHT[account.provider].all_declines:
        values |= _compared(standing(store, account.name, "acceptance"), windows, now)
    else:
        # Where declines leave no trace what is seen has no rate: a share of it would always be near 100 %.
        values |= {f"n_{name}": window.succeeded for name, window in windows.items()}
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def seen_at(store: Store, account: AccountSettings, now: datetime) -> datetime | None:
    """Up to when the account's payments are known: by its feed, or by a webhook."""
    state = store.facts.feed(account.name, SIGHT[account.provider].payments_feed)
    inbox = store.inbox.counts(account.name, now)
    known = [at for at in (state.data_as_of if state else None, inbox.last_received_at) if at]
    return max(known) if known else None


def _compared(known: Standing, windows: dict[str, Window], now: datetime) -> dict[str, Value | None]:
    values: dict[str, Value | None] = {}
    for name, window in windows.items():
        values[f"n_{name}"] = window.n
        values[f"rate_{name}"] = window.succeeded / window.n if window.n else None
    if known.watch and known.strongest is not None:
        values["slice"] = said(known.strongest.slice)
    whole = known.whole
    values["n_baseline"] = whole.n if whole else 0
    values["evidence"], values["watch"] = known.evidence, known.watch
    values["alarm"] = None if known.evidence is None else known.alarm is not None
    if whole is not None and whole.expected is not None:
        hour = windows["1h"]
        values["expected"] = 1.0 - whole.expected
        values["lost_1h"] = max(0.0, hour.n * (1.0 - whole.expected) - hour.succeeded)
    return values | running(known.alarm, now)


def running(alarm: StreamRow | None, now: datetime) -> dict[str, Value | None]:
    """The counts of a running alarm since its onset; nothing where none runs."""
    if alarm is None or not alarm.since_n:
        return {}
    failed = alarm.since_failed or 0
    return {
        "slice": said(alarm.slice),
        "n_since": alarm.since_n,
        "failed_since": failed,
        "expected_since": alarm.since_expected,
        "rate_since": 1.0 - failed / alarm.since_n,
        "since_s": age_s(alarm.onset_at, now),
    }
