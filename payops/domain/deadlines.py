"""When an event is given up, until when it can be sent again, and when a backlog is gone: estimates all three.

No provider tells the first two per event: each carries its source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from .payments import Mode, Provider


@dataclass(frozen=True, slots=True)
class Horizon:
    """A length of time from an event's creation. `source` says where it is from: no provider tells it per event."""

    after: timedelta
    source: str

    def ends_at(self, created_at: datetime) -> datetime:
        return created_at + self.after


_STRIPE_RESEND = Horizon(
    timedelta(days=30), "Stripe's documentation: events are kept 30 days (the Dashboard resends for 15)"
)
_PAYPAL_TRIES = Horizon(timedelta(days=3), "PayPal's documentation: up to 25 tries over 3 days")
_PAYPAL_RESEND = Horizon(timedelta(days=30), "PayPal's documentation: events are listed for 30 days")

_GIVES_UP: Mapping[tuple[Provider, Mode], Horizon] = {
    ("stripe", "live"): Horizon(
        timedelta(days=3), "Stripe's documentation: live mode retries for up to 3 days"
    ),
    ("stripe", "test"): Horizon(
        timedelta(hours=3), "Stripe's documentation: test mode retries 3 times over a few hours"
    ),
    ("paypal", "live"): _PAYPAL_TRIES,
    ("paypal", "test"): _PAYPAL_TRIES,
    ("braintree", "live"): Horizon(
        timedelta(hours=24), "Braintree's documentation: production repeats hourly for 24 hours"
    ),
    ("braintree", "test"): Horizon(
        timedelta(hours=3), "Braintree's documentation: the sandbox repeats hourly for 3 hours"
    ),
}
_RESENDS: Mapping[Provider, Horizon | None] = {
    "stripe": _STRIPE_RESEND,
    "paypal": _PAYPAL_RESEND,
    "braintree": None,
}

DISABLES_AFTER: Mapping[Provider, Horizon | None] = {
    "stripe": Horizon(
        timedelta(days=9),
        "mails that users quote (nine consecutive days); Stripe documents only 'multiple days in a row'",
    ),
    "paypal": None,
    "braintree": None,
}
"""Consecutive failure after which the provider disables an endpoint by itself; None where no such rule is known."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What the clock says of one event: both are estimates. `resend_until` None = it can never be sent again."""

    gives_up_at: datetime
    resend_until: datetime | None
    sources: tuple[str, ...]


def gives_up(provider: Provider, mode: Mode) -> Horizon:
    """How long the provider itself goes on trying."""
    return _GIVES_UP[provider, mode]


def resends(provider: Provider) -> Horizon | None:
    """How long it sends an event again when asked; None = it has no such call."""
    return _RESENDS[provider]


def of_event(provider: Provider, mode: Mode, created_at: datetime) -> Deadlines:
    """The deadlines of an event made at `created_at`."""
    tries, again = gives_up(provider, mode), resends(provider)
    return Deadlines(
        tries.ends_at(created_at),
        None if again is None else again.ends_at(created_at),
        (tries.source,) if again is None else (tries.source, again.source),
    )


def growth_per_min(more: int, span: timedelta) -> float:
    """By how much a backlog grew a minute, when `more` wait than `span` ago."""
    return more * 60 / span.total_seconds()


def drain_s(waiting: int, growth_per_min: float | None) -> int | None:
    """Seconds until nothing waits if it goes on like this; 0 when nothing does, None when that is never."""
    if waiting <= 0:
        return 0
    if growth_per_min is None or growth_per_min >= 0:
        return None
    return math.ceil(waiting * 60 / -growth_per_min)
