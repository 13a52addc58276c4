"""Endpoints, backlog and gaps, said per endpoint and never more than is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings, EndpointSettings
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import Endpoint
from payops.domain.feeds import EVENT_LIST
from payops.domain.incidents import Value
from payops.domain.payments import Provider
from payops.store import Store

from .rows import endpoint_labels
from .schema import SignalRow

GRACE = timedelta(seconds=120)
"""A provider needs a moment to deliver; an event younger than this is not missing."""


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


def missing(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> Missing | None:
    """Events generated for our endpoint and not in our inbox; None where that cannot be known.

    Judged from the first verified event on, up to what the provider's list is known to be complete for.
    """
    if not account.receives(endpoint):
        return None
    since = store.inbox.first_verified_at(account.name)
    listed = EVENT_LIST[account.provider]
    feed = None if listed is None else store.facts.feed(account.name, listed)
    if since is None or feed is None or feed.data_as_of is None:
        return None
    until = min(now - GRACE, feed.data_as_of)
    count, oldest = store.facts.count_missing(
        account.name, subscribed(account.provider, at_provider(store, account, endpoint)), since, until
    )
    return Missing(count, oldest)


def endpoint_row(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> SignalRow:
    """The `endpoints` signal of one configured endpoint."""
    seen_at = store.facts.endpoints_seen_at(account.name)
    known = at_provider(store, account, endpoint)
    gap = missing(store, account, endpoint, now)
    values: dict[str, Value | None] = {
        "present": None if seen_at is None else known is not None,
        "disabled": None if known is None else known.status == "disabled",
        "ours": account.receives(endpoint),
        "disabled_by_user": None
        if known is None or known.disabled_reason is None
        else known.disabled_reason == "user",
        "missing": gap.count if gap else None,
    }
    return SignalRow(endpoint_labels(account, endpoint), values, seen_at)


def webhook_row(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> SignalRow:
    """The `webhooks` signal of one configured endpoint."""
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
    if account.receives(endpoint):
        counts = store.inbox.counts(account.name, now)
        oldest = counts.oldest_unprocessed_at
        values |= {
            "unprocessed": counts.unprocessed,
            "dead": counts.dead,
            "oldest_unprocessed_s": int((now - oldest).total_seconds()) if oldest else 0,
            "received_15m": store.inbox.received_since(account.name, now - timedelta(minutes=15)),
        }
    else:
        values |= dict.fromkeys(("unprocessed", "dead", "oldest_unprocessed_s", "received_15m"))
    return SignalRow(endpoint_labels(account, endpoint), values, now)
