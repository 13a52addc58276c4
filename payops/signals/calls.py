"""The provider's health as payops's own calls show it. What they do not touch may be well, or ill, all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from payops.config import AccountSettings
from payops.domain.incidents import Value
from payops.store import CallStats, Store

from .rows import account_labels, age_s
from .schema import SignalRow
from .standing import standing

RECENT = timedelta(minutes=5)
RUN = timedelta(hours=1)
USUAL = timedelta(hours=24)
_usual: WeakKeyDictionary[Store, dict[str, tuple[datetime, int | None]]] = WeakKeyDictionary()


def row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `calls` signal of one account."""
    states = [state for state in store.facts.feeds() if state.account == account.name]
    tried = max((state.tried_at for state in states if state.tried_at), default=None)
    answered = max((state.ok_at for state in states if state.ok_at), default=None)
    stats = store.facts.call_stats(account.name, now - RECENT, now)
    run = store.facts.call_stats(account.name, max(answered or now - RUN, now - RUN), now)
    failed = run.outage + run.network + run.rate_limited
    values: dict[str, Value | None] = {
        "n_5m": stats.n,
        "outage_share": _share(stats.outage, stats),
        "network_share": _share(stats.network, stats),
        "rate_limited_share": _share(stats.rate_limited, stats),
        "auth_share": _share(stats.auth, stats),
        "outage_run": run.outage,
        "network_run": run.network,
        "rate_limited_run": run.rate_limited,
        "failing_min": None if answered is None else int((now - answered) / RECENT * 5) if failed else 0,
        "p50_ms": stats.p50_ms,
        "p95_ms": stats.p95_ms,
        "usual_ms": usual_ms(store, account.name, now),
        "slow": standing(store, account.name, "calls").evidence,
        "skew_s": stats.skew_s,
        "last_ok_s": age_s(answered, now),
    }
    return SignalRow(account_labels(account), values, tried)


def usual_ms(store: Store, account: str, now: datetime) -> int | None:
    """The median time of an answer over the 24 hours up to 5 minutes ago; worked out anew every minute."""
    end = (now - RECENT).replace(second=0, microsecond=0)
    known = _usual.setdefault(store, {}).get(account)
    if known is None or known[0] != end:
        known = end, store.facts.call_stats(account, end - USUAL, end).p50_ms
        _usual[store][account] = known
    return known[1]


def _share(count: int, stats: CallStats) -> float | None:
    return count / stats.n if stats.n else None
