"""The feeds: what is asked, what the answer proves, and as which facts it is handed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import Endpoint, FeedPage, WebhookEvent
from payops.providers.port import FeedSpec

from . import history, normalise, wire
from .session import Reader

_RETRIES_S = 3 * 24 * 3600
"""Stripe retries a live delivery for up to three days: what is older is not pending any more."""
_UNDELIVERED_PAGES = 20
_LATEST_S = 2**37

EVENTS = FeedSpec(
    "events",
    history.HEAD_EVERY_S,
    1,
    "every charge Stripe made an event for: declines, blocks and failed authentications included",
    history.LAG_S,
)
ENDPOINTS = FeedSpec("endpoints", 60, 1, "whether Stripe sends to an endpoint", 0)
UNDELIVERED = FeedSpec(
    "undelivered",
    60,
    1,
    "events of the last 3 days not delivered to at least one endpoint, "
    f"at most {_UNDELIVERED_PAGES * history.PAGE}",
    history.LAG_S,
)
CREDENTIAL = FeedSpec("credential", 60, 2, "whether Stripe accepts the key, and for which mode", 0)


def events(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """One page of the event list: the newest when they are due, the next older ones of a gap otherwise."""
    session, at = reader.session, to_epoch(now)
    reader.refuse_known_wrong_mode()
    cursor = history.load(text, at)
    read = history.next_read(cursor, at)
    try:
        found, more, answer = reader.page("/v1/events", _params(read), wire.Event)
    except ProviderError as error:
        if not (read.gap and read.after and error.bucket == "invalid_request"):
            raise
        # The event reading stopped at may have left the list; in the other mode it never was in it.
        reader.require_mode()
        cursor = history.without_anchor(cursor)
        read = history.next_gap(cursor)
        found, more, answer = reader.page("/v1/events", _params(read), wire.Event)
    listed = [
        history.Listed(event.id, event.created, not normalise.is_other_mode(event, session.mode))
        for event in found
        if event.id is not None and event.created is not None
    ]
    if not any(each.counts for each in listed):
        reader.require_mode(suspect=bool(listed))
    before = history.progress(cursor)
    try:
        if read.gap:
            cursor = history.after_gap(cursor, listed, more)
        else:
            cursor = history.after_head(cursor, read, listed, more, at)
    except history.Repeats as error:
        raise session.error(
            "outage", f"Stripe's event list repeats itself at {error}: reading stopped", answer
        ) from None
    progress = history.progress(cursor)
    return FeedPage(
        feed=EVENTS.name,
        read=len(found),
        requests=reader.requests,
        cursor=history.dump(cursor),
        more=bool(cursor.gaps),
        data_as_of=None if cursor.proven is None else from_epoch(cursor.proven),
        request_id=answer.request_id,
        facts=normalise.facts(found, session.account, session.mode),
        progress=1.0 if progress is None and before is not None else progress,
    )


def endpoints(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """All endpoints of the account's mode."""
    session = reader.session
    reader.refuse_known_wrong_mode()
    listed, more, answer = reader.page("/v1/webhook_endpoints", {"limit": 100}, wire.WebhookEndpoint)
    if more:
        # An account has at most 16.
        raise session.error("outage", "Stripe lists more than 100 webhook endpoints", answer)
    ours = [each for each in listed if each.livemode in (None, session.mode == "live")]
    if not ours:
        reader.require_mode(suspect=bool(listed))
    found = []
    for each in ours:
        endpoint = as_endpoint(each, session.account)
        if endpoint is not None and endpoint.status == "disabled":
            try:
                reason = disabled_reason(reader, endpoint.endpoint_id)
            except ProviderError:
                reason = None  # that it is disabled is worth knowing without it
            endpoint = replace(endpoint, disabled_reason=reason)
        if endpoint is not None:
            found.append(endpoint)
    return FeedPage(
        feed=ENDPOINTS.name,
        read=len(listed),
        requests=reader.requests,
        data_as_of=now,
        request_id=answer.request_id,
        endpoints=tuple(found),
    )


def undelivered(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """All events that at least one endpoint has not confirmed, newest first."""
    session = reader.session
    reader.refuse_known_wrong_mode()
    params: dict[str, Any] = {
        "limit": history.PAGE,
        "delivery_success": False,
        "created": {"gte": to_epoch(now) - _RETRIES_S},
    }
    found: dict[str, WebhookEvent] = {}
    read = 0
    for _ in range(_UNDELIVERED_PAGES):
        listed, more, answer = reader.page("/v1/events", params, wire.Event)
        read += len(listed)
        known = len(found)
        for event in listed:
            webhook = normalise.webhook_event(event, session.account)
            if webhook is not None and not normalise.is_other_mode(event, session.mode):
                found[webhook.event_id] = webhook
        if not more:
            break
        if len(found) == known or not listed[-1].id:
            raise session.error("outage", "Stripe's list of undelivered events repeats itself", answer)
        params["starting_after"] = listed[-1].id
    if not found and reader.slot not in session.shown_mode:
        reader.require_mode()
    return FeedPage(
        feed=UNDELIVERED.name,
        read=read,
        requests=reader.requests,
        data_as_of=now,
        request_id=answer.request_id,
        undelivered=tuple(found.values()),
    )


def as_endpoint(found: wire.WebhookEndpoint, account: str) -> Endpoint | None:
    """None when it lacks what makes it one."""
    if found.id is None or found.url is None or found.status not in ("enabled", "disabled"):
        return None
    created = found.created if found.created and 0 < found.created < _LATEST_S else None
    return Endpoint(
        account=account,
        endpoint_id=found.id,
        url=found.url,
        status="enabled" if found.status == "enabled" else "disabled",
        event_types=tuple(found.enabled_events or ()),
        livemode=found.livemode,
        api_version=found.api_version,
        created_at=None if created is None else from_epoch(created),
    )


def disabled_reason(reader: Reader, endpoint_id: str) -> str | None:
    """Who or what disabled an endpoint (`user`, …); None where this account or key is not told."""
    try:
        found = reader.one(f"/v2/core/event_destinations/{endpoint_id}", wire.EventDestination)
    except ProviderError as error:
        if error.bucket in ("invalid_request", "permission"):
            return None
        raise
    details = found.status_details
    return details.disabled.reason if details and details.disabled else None


def _params(read: history.Read) -> dict[str, Any]:
    created = {"gte": read.gte} if read.lte is None else {"gte": read.gte, "lte": read.lte}
    params: dict[str, Any] = {"limit": history.PAGE, "types": list(EVENT_TYPES["stripe"]), "created": created}
    if read.after is not None:
        params["starting_after"] = read.after
    return params
