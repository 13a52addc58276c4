"""The account cards of the board, from the store and one set of signals."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.clock import iso
from payops.config import AccountSettings, Settings
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.providers.port import FeedSpec, Provider
from payops.signals.arming import armed_remedies
from payops.signals.interval import wilson
from payops.signals.schema import SignalRow, SignalSet
from payops.store import Store

from .board import AccountCard, AccountState, Backlog, WindowRate
from .budget import budget
from .polls import Timetable

WINDOWS = {"5m": 300, "1h": 3600, "24h": 86_400}
SPARK_MINUTES = 60
STALE_AFTER = timedelta(minutes=15)


def rate(n: int, succeeded: int) -> WindowRate:
    """A share with its 95 % interval, unknown when nothing was counted."""
    if n == 0:
        return WindowRate(0, 0, None, None, None)
    low, high = wilson(n, succeeded)
    return WindowRate(n, succeeded, succeeded / n, low, high)


def card(
    store: Store,
    settings: Settings,
    account: AccountSettings,
    signals: SignalSet,
    now: datetime,
    provider: Provider | None = None,
    timetable: Timetable | None = None,
) -> AccountCard:
    """One account as it stands; without a provider (a process that only looks) what the store knows."""
    feeds = {state.feed: state for state in store.facts.feeds() if state.account == account.name}
    sight = SIGHT[account.provider]
    events = feeds.get(sight.payments_feed)
    proof = store.facts.proof(account.name)
    windows = store.facts.windows(account.name, now, tuple(WINDOWS.values()))
    success = {name: rate(window.n, window.succeeded) for name, window in zip(WINDOWS, windows, strict=True)}
    minutes = {
        at: (n, good)
        for at, n, good in store.facts.minutes(account.name, now - timedelta(minutes=SPARK_MINUTES + 1), now)
    }
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=SPARK_MINUTES - 1)
    counted = [minutes.get(first + timedelta(minutes=step), (0, 0)) for step in range(SPARK_MINUTES)]
    failing = [state for state in feeds.values() if state.failures]
    fresh = [
        at
        for at in ((events.ok_at if events else None), store.inbox.counts(account.name, now).last_received_at)
        if at
    ]
    events_spec = (
        next((feed for feed in provider.feeds if feed.name == sight.payments_feed), None)
        if provider
        else None
    )
    stretch = timetable.budget(account.name, now).stretch if timetable else 1.0
    backfilling = events is not None and events.progress is not None and events.progress < 1.0
    state: AccountState
    if failing:
        state = "failed"
    elif not fresh:
        state = "loading"
    elif backfilling:
        state = "backfilling"
    elif now - max(fresh) > _stale_after(events_spec, stretch):
        state = "stale"
    else:
        state = "live"
    problem = ""
    retry_at = None
    if failing:
        worst = max(failing, key=lambda feed: feed.failures)
        problem = f"{worst.feed}: {worst.error_bucket}: {worst.error_message}"
        retry_at = min(
            (at for at, name, _ in (timetable.next_reads(now) if timetable else []) if name == account.name),
            default=None,
        )
    n_24h = success["24h"].n
    allowed = (
        timetable.budget(account.name, now)
        if timetable
        else budget(provider.feeds if provider else (), n_24h)
    )
    reads = store.facts.reads_since(account.name, now - timedelta(days=30))
    return AccountCard(
        account=account.name,
        provider=account.provider,
        mode=account.mode,
        mode_proven=proof.mode if proof and proof.ok else None,
        armed=tuple(sorted(armed_remedies(store, settings, account.name))),
        success=success,
        expected=_number(_row(signals, "success", account.name).get("expected")),
        spark=tuple(good / n if n else None for n, good in counted),
        spark_n=tuple(n for n, _ in counted),
        backlog=_backlog(signals, account, store, now),
        topology=", ".join(dict.fromkeys(endpoint.topology for endpoint in account.endpoints)) or "none",
        budget=f"payops's reads: {reads:,} of {allowed.allowed:,} in 30 days; the application's are unknown",
        reads_month=reads,
        reads_allowed=allowed.allowed,
        fresh_at=max(fresh) if fresh else None,
        state=state,
        problem=problem,
        retry_at=retry_at,
        progress=events.progress if backfilling and events else None,
        sees=sight.sentence,
    )


def _stale_after(events: FeedSpec | None, stretch: float) -> timedelta:
    """Two readings late: an account with a small budget is read seldom, and not broken for that."""
    planned = timedelta(seconds=2 * events.interval_s * stretch) if events else STALE_AFTER
    return max(STALE_AFTER, planned)


def _row(signals: SignalSet, source: str, account: str) -> dict[str, Value | None]:
    for row in signals.get(source, ()):
        if row.labels.get("account") == account:
            return dict(row.values)
    return {}


def _number(value: Value | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _backlog(signals: SignalSet, account: AccountSettings, store: Store, now: datetime) -> Backlog:
    rows: list[SignalRow] = [
        row for row in signals.get("webhooks", ()) if row.labels.get("account") == account.name
    ]
    counts = store.inbox.counts(account.name, now)
    missing = [value for row in rows if isinstance(value := row.values.get("missing"), int)]
    undelivered = [value for row in rows if isinstance(value := row.values.get("undelivered"), int)]
    ages = [
        value
        for row in rows
        for field in ("missing_oldest_s", "oldest_unprocessed_s")
        if isinstance(value := row.values.get(field), int) and value > 0
    ]
    return Backlog(
        undelivered=max(undelivered) if undelivered else None,
        unprocessed=counts.unprocessed,
        dead=counts.dead,
        missing=sum(missing) if missing else None,
        oldest_s=max(ages) if ages else None,
    )


def freshness(at: datetime | None) -> str:
    """`as of 2026-01-15T09:00:00Z`, or that nothing is known yet."""
    return f"as of {iso(at)}" if at else "nothing read yet"
