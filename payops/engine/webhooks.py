"""What `payops webhooks` shows: the inbox, each endpoint, and what is missing, as documents of plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from payops.clock import iso, iso_or_none
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain import deadlines
from payops.domain.abilities import CANNOT
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import Endpoint
from payops.domain.forwarding import Forwarding
from payops.domain.gaps import worth
from payops.domain.money import Money
from payops.signals import endpoint_board, object_gaps, signatures, webhooks
from payops.signals.backlog import ACCOUNT_LEVEL
from payops.signals.inboxes import inbox_of
from payops.signals.object_gaps import Gap
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


def whole_row_document(store: Store, row: InboxRow) -> dict[str, Any]:
    """One event with all that is kept of it; `body` is redacted, null where it is not kept."""
    forwards = store.forwards.of_event(row.account, row.event.event_id)
    return {
        **row_document(row),
        "forwarding": [_forward_document(each) for each in forwards],
        "last_received_at": None if row.verdict == "imported" else iso_or_none(row.last_received_at),
        "processed_at": iso_or_none(row.processed_at),
        "next_try_at": iso_or_none(row.next_try_at),
        "same_as": row.same_as,
        "sha256": row.sha256 or None,
        "body": _body(row.body),
    }


def _forward_document(row: Forwarding) -> dict[str, Any]:
    return {
        "endpoint": row.endpoint,
        "state": row.state,
        "tries": row.tries,
        "due_at": iso_or_none(row.due_at),
        "last_at": iso_or_none(row.last_at),
        "last_status": row.last_status,
        "last_error": row.last_error,
        "content": row.content,
        "taken_at": iso_or_none(row.delivered_at),
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
    """For each configured endpoint: what the provider lists and its inbox never saw, and objects without an event."""
    return [
        _gap(store, account, endpoint, now)
        for name in names
        for account in (settings.account(name),)
        for endpoint in account.endpoints
    ]


def _gap(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> dict[str, Any]:
    """`missing` and what follows it: null where it cannot be told, and `unknown` says why."""
    found = object_gaps.read(store, account, endpoint, now)
    inbox, window = inbox_of(store, account, endpoint), webhooks.window(store, account, endpoint, now)
    about: dict[str, Any] = {
        "account": account.name,
        "endpoint": endpoint.name,
        "topology": endpoint.topology,
        "url": endpoint.url,
        **dict.fromkeys(_OF_EVENTS),
        "by_type": None if found.events is None else [_of_type(gap) for gap in found.events],
        "unknown": found.events_unknown or None,
        "objects": None if found.objects is None else [_of_type(gap) for gap in found.objects],
        "objects_unknown": found.objects_unknown or None,
        "estimates": _estimates(account),
    }
    if inbox is None or window is None or found.events is None:
        return about
    types, since, until = window
    events = inbox.missing(types, since, until, MOST_MISSING)
    return {
        **about,
        "missing": len(events),
        "ids": [event.event_id for event in events],
        "money": money_document(worth(events)),
        "first_at": iso(events[0].created_at) if events else None,
        "last_at": iso(events[-1].created_at) if events else None,
        "judged_from": iso(since),
        "judged_until": iso(until),
        "gives_up_at": _first(gap.gives_up_at for gap in found.events),
        "resend_until": _first(gap.resend_until for gap in found.events),
    }


_OF_EVENTS = (
    "missing",
    "ids",
    "money",
    "first_at",
    "last_at",
    "judged_from",
    "judged_until",
    "gives_up_at",
    "resend_until",
)


def _of_type(gap: Gap) -> dict[str, Any]:
    return {
        "type": gap.type,
        "ids": list(gap.ids),
        "money": money_document(gap.money),
        "first_at": iso(gap.first_at),
        "last_at": iso(gap.last_at),
        "gives_up_at": iso_or_none(gap.gives_up_at),
        "resend_until": iso_or_none(gap.resend_until),
        "certain": gap.certain,
        "why": gap.why,
    }


def _first(times: Iterable[datetime | None]) -> str | None:
    return iso_or_none(min((at for at in times if at is not None), default=None))


def _estimates(account: AccountSettings) -> list[str]:
    """Where the deadlines come from: no provider tells them per event."""
    told = (deadlines.gives_up(account.provider, account.mode), deadlines.resends(account.provider))
    return [each.source for each in told if each is not None]


def endpoints(store: Store, settings: Settings, now: datetime) -> list[dict[str, Any]]:
    """Every configured endpoint, then those only the provider knows of."""
    rows: list[dict[str, Any]] = []
    for account in settings.accounts:
        configured = {endpoint.url for endpoint in account.endpoints}
        rows += [_configured(store, account, endpoint, now) for endpoint in account.endpoints]
        rows += [
            _only_there(store, account, known)
            for known in store.facts.endpoints(account.name)
            if known.url not in configured
        ]
    return rows


def _configured(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> dict[str, Any]:
    known = webhooks.at_provider(store, account, endpoint)
    card = endpoint_board.card(store, account, endpoint, now)
    inbox = inbox_of(store, account, endpoint)
    return {
        **_as_listed(store, account, known),
        "endpoint": endpoint.name,
        "url": endpoint.url,
        "topology": endpoint.topology,
        "ours": card.ours,
        "status": known.status if known else "not at the provider" if card.seen_at else None,
        "last_received_at": iso_or_none(card.last_received_at),
        "received": None if inbox is None else _received(store, account, endpoint, now),
        "unprocessed": card.unprocessed,
        "dead": card.dead,
        "success_share": card.share,
        "success_of": card.share_of,
        "account_undelivered": card.undelivered,
        "account_undelivered_means": ACCOUNT_LEVEL,
        "failing_days": card.failing_days,
        "disabled_at": iso_or_none(card.disabled_at),
        "disable_rule": card.disable_rule,
        "forwarding": _forwarding(store, account, endpoint),
        "import": _import(store, account, endpoint),
        "refused": _refused(store, account, endpoint, now),
    }


def _refused(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime
) -> list[dict[str, Any]]:
    """Why webhooks were refused in the last 15 minutes, and what to do: endpoints of ours on one account share them."""
    if not account.receives(endpoint):
        return []
    return [
        {"reason": each.reason, "count": each.count, "fix": each.fix}
        for each in signatures.explained(store, account.name, now)
    ]


def _only_there(store: Store, account: AccountSettings, known: Endpoint) -> dict[str, Any]:
    """An endpoint that is not in the configuration: nothing is known but what the provider says."""
    return {
        **_as_listed(store, account, known),
        "endpoint": None,
        "url": known.url,
        "topology": None,
        "ours": False,
        "status": known.status,
        **dict.fromkeys(_OF_INBOXES),
        "refused": [],
        "account_undelivered_means": ACCOUNT_LEVEL,
    }


_OF_INBOXES = (
    "last_received_at",
    "received",
    "unprocessed",
    "dead",
    "success_share",
    "success_of",
    "account_undelivered",
    "failing_days",
    "disabled_at",
    "disable_rule",
    "forwarding",
    "import",
)


def _as_listed(store: Store, account: AccountSettings, known: Endpoint | None) -> dict[str, Any]:
    """What the provider says of an endpoint, and when it said so."""
    return {
        "account": account.name,
        "provider_id": known.endpoint_id if known else None,
        "mode": _mode(known),
        "api_version": known.api_version if known else None,
        "subscribed": None if known is None else list(known.event_types) or None,
        "missing_types": None if known is None else _types_missing(account, known),
        "as_of": iso_or_none(store.facts.endpoints_seen_at(account.name)),
        "unknown": CANNOT[account.provider].get("list_endpoints"),
    }


def _received(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> int:
    if endpoint.topology == "import":
        return store.applications.received(account.name, endpoint.name)
    return store.inbox.counts(account.name, now).received


def _forwarding(store: Store, account: AccountSettings, endpoint: EndpointSettings) -> dict[str, Any] | None:
    """How what is relayed stands; the address of the application is no secret of ours, but its query may be one."""
    if endpoint.topology != "relay" or endpoint.forward_to is None:
        return None
    counts = store.forwards.counts(account.name, endpoint.name)
    return {
        "to": endpoint.forward_to.partition("?")[0],
        "waiting": counts.waiting,
        "failing": counts.failing,
        "dead": counts.dead,
        "oldest_waiting_at": iso_or_none(counts.oldest_waiting_at),
        "last_taken_at": iso_or_none(counts.last_delivered_at),
        "signs_again": endpoint.resign_secret is not None,
    }


def _import(store: Store, account: AccountSettings, endpoint: EndpointSettings) -> dict[str, Any] | None:
    """How the reading of the application's own inbox stands."""
    if endpoint.topology != "import":
        return None
    state = store.applications.state(account.name, endpoint.name)
    return {
        "source": endpoint.source,
        "read_at": iso_or_none(state.read_at if state else None),
        "judged_from": iso_or_none(state.judged_from if state else None),
        "tells_processed": state.tells_processed if state else None,
        "wrong_lines": state.wrong if state else None,
        "problem": state.problem if state else None,
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
