"""What `payops webhooks` shows: the inbox, each endpoint, and what is missing, as documents of plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from payops.clock import iso, iso_or_none
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.abilities import CANNOT
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import Endpoint
from payops.domain.feeds import EVENT_LIST
from payops.domain.gaps import worth
from payops.domain.money import Money
from payops.signals.webhooks import GRACE, at_provider, subscribed
from payops.store import Store
from payops.store.inbox import InboxFound, InboxRow

from .replay import ReplayPlan

MOST_MISSING = 10_000


def row_document(row: InboxRow) -> dict[str, Any]:
    """One event of the inbox, without its body."""
    event = row.event
    return {
        "account": row.account,
        "event_id": event.event_id,
        "type": event.type,
        "object_id": event.object_id,
        "state": row.state,
        "created_at": iso(event.created_at),
        "received_at": None if row.verdict == "imported" else iso(row.received_at),
        "amount_minor": event.amount_minor,
        "currency": event.currency and event.currency.upper(),
        "livemode": event.livemode,
        "verdict": row.verdict,
        "deliveries": None if row.verdict == "imported" else row.delivery_count,
        "tries": row.tries,
        "error": row.error,
    }


def whole_row_document(row: InboxRow) -> dict[str, Any]:
    """One event with all that is kept of it; `body` is redacted, null where it is not kept."""
    return {
        **row_document(row),
        "last_received_at": None if row.verdict == "imported" else iso_or_none(row.last_received_at),
        "processed_at": iso_or_none(row.processed_at),
        "next_try_at": iso_or_none(row.next_try_at),
        "sha256": row.sha256 or None,
        "body": _body(row.body),
    }


def _body(text: str) -> object:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def found_document(found: InboxFound) -> dict[str, Any]:
    return {
        "count": found.count,
        "oldest_at": iso_or_none(found.oldest_at),
        "newest_at": iso_or_none(found.newest_at),
        "money": money_document(found.money),
    }


def plan_document(plan: ReplayPlan) -> dict[str, Any]:
    """The preview of a replay from the inbox."""
    return {
        "events": len(plan.rows),
        "oldest_at": iso_or_none(plan.oldest_at),
        "newest_at": iso_or_none(plan.newest_at),
        "money": money_document(plan.money),
        "skipped": [
            {"account": each.row.account, "event_id": each.row.event.event_id, "why": each.why}
            for each in plan.skipped
        ],
    }


def money_document(money: Iterable[Money]) -> list[dict[str, Any]]:
    return [{"currency": each.currency, "amount_minor": each.amount_minor} for each in money]


def gaps(store: Store, settings: Settings, names: Iterable[str], now: datetime) -> list[dict[str, Any]]:
    """For each configured endpoint: what the provider lists and our inbox never saw; null and why where unknown."""
    return [
        _gap(store, account, endpoint, now)
        for name in names
        for account in (settings.account(name),)
        for endpoint in account.endpoints
    ]


def _gap(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> dict[str, Any]:
    about = {"account": account.name, "endpoint": endpoint.name, "url": endpoint.url}
    unknown = dict.fromkeys(("missing", "ids", "money", "first_at", "last_at", "judged_from", "judged_until"))
    if not account.receives(endpoint):
        why = "what the application behind this endpoint received is not known here"
        return {**about, **unknown, "unknown": why}
    listed = EVENT_LIST[account.provider]
    if listed is None:
        return {**about, **unknown, "unknown": CANNOT[account.provider]["list_events"]}
    since = store.inbox.first_verified_at(account.name)
    feed = store.facts.feed(account.name, listed)
    if since is None or feed is None or feed.data_as_of is None:
        what = "no event was received here yet" if since is None else "the provider's list was not read yet"
        return {**about, **unknown, "unknown": what}
    until = min(now - GRACE, feed.data_as_of)
    types = subscribed(account.provider, at_provider(store, account, endpoint))
    events = store.facts.missing_events(account.name, types, since, until, limit=MOST_MISSING)
    return {
        **about,
        "missing": len(events),
        "ids": [event.event_id for event in events],
        "money": money_document(worth(events)),
        "first_at": iso(events[0].created_at) if events else None,
        "last_at": iso(events[-1].created_at) if events else None,
        "judged_from": iso(since),
        "judged_until": iso(until),
        "unknown": None,
    }


def endpoints(store: Store, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """Every configured endpoint, then those only the provider knows of."""
    rows: list[dict[str, Any]] = []
    for account in settings.accounts:
        configured = {endpoint.url: endpoint for endpoint in account.endpoints}
        rows += [
            _endpoint(store, account, endpoint, at_provider(store, account, endpoint), now)
            for endpoint in account.endpoints
        ]
        rows += [
            _endpoint(store, account, None, known, now)
            for known in store.facts.endpoints(account.name)
            if known.url not in configured
        ]
    return rows


def _endpoint(
    store: Store,
    account: AccountSettings,
    configured: EndpointSettings | None,
    known: Endpoint | None,
    now: datetime,
) -> dict[str, Any]:
    ours = configured is not None and account.receives(configured)
    seen_at = store.facts.endpoints_seen_at(account.name)
    counts = store.inbox.counts(account.name, now) if ours else None
    live = account.mode == "live"
    url = known.url if configured is None and known is not None else configured.url if configured else ""
    return {
        "account": account.name,
        "endpoint": configured.name if configured else None,
        "url": url,
        "topology": configured.topology if configured else None,
        "ours": ours,
        "provider_id": known.endpoint_id if known else None,
        "status": known.status if known else "not at the provider" if seen_at else None,
        "mode": _mode(known),
        "api_version": known.api_version if known else None,
        "missing_types": None if known is None else _types_missing(account, known),
        "last_received_at": iso_or_none(store.inbox.last_verified_at(account.name, live=live))
        if ours
        else None,
        "received": counts.received if counts else None,
        "unprocessed": counts.unprocessed if counts else None,
        "dead": counts.dead if counts else None,
        "as_of": iso_or_none(seen_at),
        "unknown": CANNOT[account.provider].get("list_endpoints"),
    }


def _mode(known: Endpoint | None) -> str | None:
    if known is None or known.livemode is None:
        return None
    return "live" if known.livemode else "test"


def _types_missing(account: AccountSettings, known: Endpoint) -> list[str]:
    """The event types payops lives on that the endpoint is not subscribed to."""
    if "*" in known.event_types:
        return []
    return [name for name in EVENT_TYPES[account.provider] if name not in known.event_types]
