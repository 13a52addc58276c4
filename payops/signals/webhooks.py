"""Endpoints, backlog and gaps, said per endpoint and never more than is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings, EndpointSettings
from payops.domain import deadlines
from payops.domain.deadlines import drain_s, growth_per_min
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import WRONG_PATH, Endpoint
from payops.domain.feeds import EVENT_LIST, SHOWN_BY
from payops.domain.incidents import Value
from payops.domain.payments import Provider
from payops.store import Store

from . import silence
from .inboxes import GRACE, Inbox, inbox_of
from .rows import endpoint_labels
from .schema import SignalRow

SPAN = timedelta(minutes=15)
"""The growth of a backlog is judged over this long."""

Window = tuple[tuple[str, ...], datetime, datetime]
"""The event types that should have come, and from when until when that can be told."""


@dataclass(frozen=True, slots=True)
class Missing:
    count: int
    oldest_at: datetime | None


def at_provider(store: Store, account: AccountSettings, endpoint: EndpointSettings) -> Endpoint | None:
    """The configured endpoint as the provider reports it, matched by URL."""
    return next((known for known in store.facts.endpoints(account.name) if known.url == endpoint.url), None)


def subscribed(provider: Provider, endpoint: Endpoint | None) -> tuple[str, ...]:
    """The event types we read of those the endpoint is subscribed to; all of them where that is not known."""
    known = EVENT_TYPES[provider]
    if endpoint is None or "*" in endpoint.event_types:
        return known
    return tuple(name for name in known if name in endpoint.event_types)


def unsubscribed(provider: Provider, endpoint: Endpoint | None) -> tuple[str, ...] | None:
    """The event types we read that it is not subscribed to; None where its types are not told."""
    if endpoint is None or not endpoint.event_types:
        return None
    return tuple(name for name in EVENT_TYPES[provider] if name not in subscribed(provider, endpoint))


def window(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> Window | None:
    """What should have reached the endpoint's inbox; None where that cannot be known.

    Judged from its first event on, up to what the provider's list is known to be complete for.
    """
    inbox = inbox_of(store, account, endpoint)
    since, known_until = (None, None) if inbox is None else (inbox.judged_from(), inbox.known_until(now))
    listed = EVENT_LIST[account.provider]
    feed = None if listed is None else store.facts.feed(account.name, listed)
    if since is None or known_until is None or feed is None or feed.data_as_of is None:
        return None
    until = min(known_until, feed.data_as_of)
    return subscribed(account.provider, at_provider(store, account, endpoint)), since, until


def shown_window(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> tuple[datetime, datetime] | None:
    """From when until when it can be told which events objects show that no webhook told of, where none are listed."""
    since, seen = store.inbox.first_verified_at(account.name), seen_until(store, account)
    if not account.receives(endpoint) or since is None or seen is None:
        return None
    return since, min(now - GRACE, seen)


def seen_until(store: Store, account: AccountSettings) -> datetime | None:
    """Up to when it is known what objects show to have happened, where no events are listed."""
    shown = SHOWN_BY[account.provider]
    feed = None if shown is None else store.facts.feed(account.name, shown)
    return None if feed is None else feed.data_as_of


def missing(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> Missing | None:
    """Events generated for the endpoint and not in its inbox; None where that cannot be known."""
    if EVENT_LIST[account.provider] is None:
        span = shown_window(store, account, endpoint, now)
        return None if span is None else Missing(*store.facts.count_untold(account.name, *span))
    inbox, known = inbox_of(store, account, endpoint), window(store, account, endpoint, now)
    return None if inbox is None or known is None else Missing(*inbox.count_missing(*known))


def endpoint_row(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> SignalRow:
    """The `endpoints` signal of one configured endpoint."""
    seen_at = store.facts.endpoints_seen_at(account.name)
    known = at_provider(store, account, endpoint)
    gap = missing(store, account, endpoint, now)
    # What an application subscribes its own endpoint to is its business.
    dropped = unsubscribed(account.provider, known) if account.receives(endpoint) else None
    values: dict[str, Value | None] = {
        "present": None if seen_at is None else known is not None,
        "disabled": None if known is None else known.status == "disabled",
        "sent_here": _sent_here(store, account, endpoint, known is not None if seen_at else None),
        "ours": account.receives(endpoint),
        "disabled_by_user": None
        if known is None or known.disabled_reason is None
        else known.disabled_reason == "user",
        "missing": gap.count if gap else None,
        "types_missing": None if dropped is None else len(dropped),
    }
    return SignalRow(endpoint_labels(account, endpoint), values, seen_at or _told_at(values, now))


def _sent_here(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, present: bool | None
) -> bool | None:
    """Whether the provider sends to the configured URL: by its list, or by where its deliveries arrive.

    Where it has no list, a delivery that verifies at a wrong address of ours tells, until one comes to the right one.
    """
    if present is not None or not account.receives(endpoint):
        return present
    strayed = store.inbox.last_refused_at(account.name, WRONG_PATH)
    good = store.inbox.last_verified_at(account.name, live=account.mode == "live")
    if strayed is not None and (good is None or good < strayed + timedelta(minutes=1)):
        return False
    return None if good is None else True


def _told_at(values: dict[str, Value | None], now: datetime) -> datetime | None:
    """Without a list of the provider's the row is as old as what came here: known now."""
    return None if values["sent_here"] is None else now


def webhook_row(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> SignalRow:
    """The `webhooks` signal of one configured endpoint: nothing of one whose inbox is not known here."""
    gap = missing(store, account, endpoint, now)
    told = store.facts.undelivered_seen_at(account.name) is not None
    values: dict[str, Value | None] = {
        "undelivered": store.facts.undelivered_count(account.name)[0] if told else None,
        "missing": gap.count if gap else None,
        "missing_oldest_s": None
        if gap is None
        else int((now - gap.oldest_at).total_seconds())
        if gap.oldest_at
        else 0,
    }
    inbox = inbox_of(store, account, endpoint)
    if inbox is not None:
        undone = inbox.undone(now)
        oldest, waits = undone.oldest_at, undone.unprocessed
        growth = _growth(inbox, waits, now)
        quiet = quiet_since(store, account, endpoint, now)
        values |= {
            "unprocessed": waits,
            "dead": undone.dead,
            "oldest_unprocessed_s": None
            if waits is None
            else int((now - oldest).total_seconds())
            if oldest
            else 0,
            "received_15m": inbox.received_since(now - SPAN),
            "growth_per_min": growth,
            "drain_s": None if waits is None else drain_s(waits, growth),
            "give_up_s": _give_up_s(store, account, endpoint, gap, now),
            "quiet_s": None if quiet.quiet is None else int(quiet.quiet.total_seconds()),
            "activity": quiet.activity,
            "silent": quiet.silent,
        }
    else:
        values |= dict.fromkeys(_TOLD)
    return SignalRow(endpoint_labels(account, endpoint), values, now)


def _growth(inbox: Inbox, waits: int | None, now: datetime) -> float | None:
    """An empty backlog needs no forecast, and most ticks find it empty."""
    if not waits:
        return None if waits is None else 0.0
    growth = inbox.growth(now - SPAN)
    return None if growth is None else growth_per_min(sum(growth.values()), SPAN)


_TOLD = (
    "unprocessed",
    "dead",
    "oldest_unprocessed_s",
    "received_15m",
    "growth_per_min",
    "drain_s",
    "give_up_s",
    "quiet_s",
    "activity",
    "silent",
)


def quiet_since(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> silence.Silence:
    """Whether nothing reaches an endpoint with an inbox though the provider shows activity."""
    inbox = inbox_of(store, account, endpoint)
    arrivals = [] if inbox is None else inbox.arrivals(silence.SAMPLE)
    if inbox is None or not arrivals:
        return silence.judge(arrivals, None, now)
    last = arrivals[0]
    if EVENT_LIST[account.provider] is None:
        # Payments are events only once they settle, in batches: a rhythm is known after a day of them.
        paid = store.facts.window(account.name, last + timedelta(minutes=1), now - GRACE).n
        return silence.judge(arrivals, paid, now, over=silence.DAY)
    known = window(store, account, endpoint, now)
    if known is None:
        return silence.judge(arrivals, None, now)
    types, since, until = known
    count, _ = inbox.count_missing(types, max(since, last), until)
    return silence.judge(arrivals, count, now)


def _give_up_s(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, gap: Missing | None, now: datetime
) -> int | None:
    """Seconds until the provider stops trying for the next missing event; None when it tries for none."""
    if gap is None or gap.oldest_at is None:
        return None
    tries = deadlines.gives_up(account.provider, account.mode)
    oldest = gap.oldest_at
    if tries.ends_at(oldest) <= now:
        inbox, known = inbox_of(store, account, endpoint), window(store, account, endpoint, now)
        if inbox is None or known is None:
            return None
        types, since, until = known
        after = max(since, now - tries.after + timedelta(seconds=1))
        _, younger = inbox.count_missing(types, after, until)
        if younger is None:
            return None
        oldest = younger
    return int((tries.ends_at(oldest) - now).total_seconds())
