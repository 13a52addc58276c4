"""The account cards of the board, from the store and one set of signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from payops.clock import iso
from payops.config import AccountSettings, Settings
from payops.domain.abilities import CANNOT
from payops.domain.feeds import SIGHT, Sight
from payops.domain.incidents import Value
from payops.signals.arming import armed_remedies
from payops.signals.drop_words import few
from payops.signals.interval import wilson
from payops.signals.schema import SignalRow, SignalSet
from payops.store import Breaker, FeedState, Store

from . import breaker
from .board import AccountCard, AccountState, Backlog, FeedRow, WindowRate
from .meter import read_meter
from .timetable import next_read

WINDOWS = {"5m": 300, "1h": 3600, "24h": 86_400}
SPARK_MINUTES = 60
STALE_AFTER = timedelta(minutes=15)


def rate(n: int, succeeded: int) -> WindowRate:
    """A share with its 95 % interval, unknown when nothing was counted."""
    if n == 0:
        return WindowRate(0, 0, None, None, None)
    low, high = wilson(n, succeeded)
    return WindowRate(n, succeeded, succeeded / n, low, high)


def completions(n: int, succeeded: int) -> WindowRate:
    """Payments of a feed that shows not all failures: counted, and of no known rate."""
    return WindowRate(n, succeeded, None, None, None)


def card(
    store: Store, settings: Settings, account: AccountSettings, signals: SignalSet, now: datetime
) -> AccountCard:
    """One account as the store knows it, the same for the engine's own screen and for one that only looks."""
    name = account.name
    sight = SIGHT[account.provider]
    feeds = {state.feed: state for state in store.facts.feeds() if state.account == name}
    events = feeds.get(sight.payments_feed)
    proof = store.facts.proof(name)
    shut = store.facts.breaker(name)
    rows = feed_rows(store, name, sight, feeds, shut)
    upcoming = min(((row.next_at, row.feed) for row in rows if row.next_at), default=(None, ""))
    windows = store.facts.windows(name, now, tuple(WINDOWS.values()))
    judged = rate if sight.all_declines else completions
    minutes = {
        at: (n, good)
        for at, n, good in store.facts.minutes(name, now - timedelta(minutes=SPARK_MINUTES + 1), now)
    }
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=SPARK_MINUTES - 1)
    counted = [minutes.get(first + timedelta(minutes=step), (0, 0)) for step in range(SPARK_MINUTES)]
    received = store.inbox.counts(name, now).last_received_at
    fresh_at = max((at for at in (events.ok_at if events else None, received) if at), default=None)
    failing = [state for state in feeds.values() if state.failures]
    worst = max(failing, key=lambda state: (state is events, state.failures), default=None)
    backfilling = events is not None and events.progress is not None and events.progress < 1.0
    meter = read_meter(store, name, account.provider, now)
    return AccountCard(
        account=name,
        provider=account.provider,
        mode=account.mode,
        mode_proven=proof.mode if proof and proof.ok else None,
        armed=tuple(sorted(armed_remedies(store, settings, name))),
        success={
            key: judged(window.n, window.succeeded) for key, window in zip(WINDOWS, windows, strict=True)
        },
        expected=_number(_row(signals, "success", name).get("expected")) if sight.all_declines else None,
        spark=tuple(good / n if n and sight.all_declines else None for n, good in counted),
        spark_n=tuple(n for n, _ in counted),
        backlog=_backlog(signals, account, store, now),
        topology=", ".join(dict.fromkeys(endpoint.topology for endpoint in account.endpoints)) or "none",
        budget=str(meter),
        reads_month=meter.used,
        reads_allowed=meter.allowed,
        fresh_at=fresh_at,
        state=_state(events, failing, shut, fresh_at, now, rows),
        problem=f"{worst.feed}: {worst.error_bucket}: {worst.error_message}" if worst else "",
        retry_at=upcoming[0] if failing else None,
        progress=events.progress if backfilling and events else None,
        sees=sight.sentence,
        reads_forecast=meter.forecast,
        breaker=breaker.state(shut, now),
        breaker_since=shut.opened_at,
        next_read_at=upcoming[0],
        next_feed=upcoming[1],
        feeds=rows,
        cannot=tuple(sorted(CANNOT[account.provider].items())),
        noticed=noticed(_row(signals, "success", name), now),
        declines_visible=sight.all_declines,
    )


def noticed(success: Mapping[str, Value | None], now: datetime) -> str:
    """`alarm since 14:02 UTC: 61 of 240 failed, 12 expected, card brand visa`, or what is on watch below that."""
    where = f", {success['slice']}" if success.get("slice") else ""
    if success.get("alarm") is True:
        n, failed, expected, since = (
            success.get(name) for name in ("n_since", "failed_since", "expected_since", "since_s")
        )
        if not (isinstance(n, int) and isinstance(expected, float) and isinstance(since, int)):
            return f"alarm: acceptance fell{where}"
        began = now - timedelta(seconds=since)
        return f"alarm since {began:%H:%M} UTC: {failed} of {n} failed, {few(expected)} expected{where}"
    if success.get("watch") is True:
        return f"watch: more failures than usual{where}; not enough for an alarm"
    return ""


def feed_rows(
    store: Store, account: str, sight: Sight, feeds: Mapping[str, FeedState], shut: Breaker
) -> tuple[FeedRow, ...]:
    """Every feed ever asked, the payments feed first."""
    plan = store.facts.read_plan(account)
    ordered = sorted(feeds.values(), key=lambda state: (state.feed != sight.payments_feed, state.feed))
    rows = []
    for state in ordered:
        factor = (plan.main if state.feed == sight.payments_feed else plan.rest) if plan else 1.0
        error = f"{state.error_bucket}: {state.error_message}" if state.failures else ""
        rows.append(
            FeedRow(
                feed=state.feed,
                ok_at=state.ok_at,
                data_as_of=state.data_as_of,
                delay_s=state.delay_s,
                sees=state.sees or "",
                failures=state.failures,
                error=error,
                # While nobody answers, only the breaker's probe goes out.
                next_at=shut.probe_at or next_read(state, factor),
            )
        )
    return tuple(rows)


def _state(
    events: FeedState | None,
    failing: Sequence[FeedState],
    shut: Breaker,
    fresh_at: datetime | None,
    now: datetime,
    rows: Sequence[FeedRow],
) -> AccountState:
    """A side feed that fails is a problem said beside; what fails the account is not to see its payments."""
    if shut.opened_at is not None or events in failing or (events is None and failing):
        return "failed"
    if fresh_at is None:
        return "loading"
    if events is not None and events.progress is not None and events.progress < 1.0:
        return "backfilling"
    planned_s = 0.0
    if events is not None and events.tried_at is not None and rows and rows[0].next_at is not None:
        planned_s = 2 * (rows[0].next_at - events.tried_at).total_seconds()
    # Two readings late: an account with a small budget is read seldom, and not broken for that.
    return "stale" if now - fresh_at > max(STALE_AFTER, timedelta(seconds=planned_s)) else "live"


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
    # Behind a relay what is processed is the application's to say; an import is an inbox beside ours.
    relayed = [row for row in rows if row.labels.get("topology") == "relay"]
    beside = [row for row in rows if row.labels.get("topology") == "import"]
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
        unprocessed=_total(relayed, "unprocessed", counts.unprocessed) + _total(beside, "unprocessed", 0),
        dead=_total(relayed, "dead", counts.dead),
        missing=sum(missing) if missing else None,
        oldest_s=max(ages) if ages else None,
    )


def _total(rows: Sequence[SignalRow], field: str, without: int) -> int:
    """The sum over the rows that tell it; `without`: where there is none."""
    told = [value for row in rows if isinstance(value := row.values.get(field), int)]
    return sum(told) if rows else without


def freshness(at: datetime | None) -> str:
    """`as of 2026-01-15T09:00:00Z`, or that nothing is known yet."""
    return f"as of {iso(at)}" if at else "nothing read yet"
