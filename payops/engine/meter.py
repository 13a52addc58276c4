"""The read meter: the requests payops really made at an account, probes and dry runs included, against its budget."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.domain.payments import Provider
from payops.store import Store

from .budget import DAY_S, MONTH_S, allowance, reckoned

MONTH = timedelta(seconds=MONTH_S)


@dataclass(frozen=True, slots=True)
class Meter:
    """`used` in the last 30 days of the `allowed`. `forecast`: what 30 days come to; None before the first request."""

    used: int
    allowed: int
    forecast: int | None
    reckoned: str

    def __str__(self) -> str:
        ahead = "" if self.forecast is None else f", forecast {self.forecast:,}"
        return (
            f"payops's requests: {self.used:,} of {self.allowed:,} in 30 days{ahead} ({self.reckoned}); "
            "the application's are unknown"
        )


def transactions(store: Store, account: str, now: datetime) -> float:
    """Successful payments in 30 days; from a history that is shorter, at its pace, a day of it at least."""
    first = store.facts.first_seen_at(account)
    if first is None or first > now:
        return 0.0
    known_s = min(MONTH_S, max(DAY_S, (now - first).total_seconds()))
    window = store.facts.window(account, now - MONTH, now)
    return window.succeeded * MONTH_S / known_s


def read_meter(store: Store, account: str, provider: Provider, now: datetime) -> Meter:
    """How the account's budget stands."""
    since = now - MONTH
    used = store.facts.reads_since(account, since)
    begun = store.facts.first_call_at(account, since)
    plan = store.facts.read_plan(account)
    allowed = plan.allowed if plan else allowance(provider, transactions(store, account, now))
    forecast = None
    if begun is not None:
        known_s = max(0.0, (now - begun).total_seconds())
        ahead = plan.planned if plan else round(used * MONTH_S / max(DAY_S, known_s))
        # Until the first request is 30 days old, all that was used stays in the window.
        full = known_s >= MONTH_S - DAY_S
        forecast = ahead if full else used + round(ahead * (MONTH_S - known_s) / MONTH_S)
    return Meter(used, allowed, forecast, reckoned(provider))


def within_budget(store: Store, account: str, provider: Provider, now: datetime) -> bool:
    """Whether one more request fits; for reading on in a history, which tells the volume as it is read."""
    used = store.facts.reads_since(account, now - MONTH)
    plan = store.facts.read_plan(account)
    if plan is not None and used < plan.allowed:
        return True
    return used < allowance(provider, transactions(store, account, now))
