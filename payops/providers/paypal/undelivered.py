"""The `undelivered` feed: events an endpoint has not confirmed, as far as PayPal shows its transmissions.

The list cannot be filtered by it, and an event's transmissions go on changing for three days. So what is new is
read as it comes, and what was found open is asked for again. Where no event shows transmissions, what is
undelivered is unknown, and nothing is stated.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import FeedPage, WebhookEvent
from payops.providers.port import FeedSpec

from . import listing, normalise, windows, wire
from .fields import time
from .session import Reader

_RETRIES = timedelta(days=3)
"""PayPal tries a delivery up to 25 times in three days: what is older is not pending any more."""
_PAGES = 10
_AGAIN = 300
_ONE_BY_ONE = 5
_MOST = 1_000
SPEC = FeedSpec(
    "undelivered",
    60,
    2,
    "events of the last 3 days that an endpoint has not confirmed, where PayPal shows their transmissions; "
    f"at most {_MOST}",
    windows.LAG_S,
)


class Open(msgspec.Struct, frozen=True):
    """One event that is not confirmed."""

    id: str
    type: str
    created: int
    pending: int | None = None
    live: bool | None = None
    object_id: str | None = None
    amount: int | None = None
    currency: str | None = None


class Cursor(msgspec.Struct, frozen=True):
    """`mark`: newest event seen. `told`: PayPal has shown transmissions. `open`: oldest first."""

    mark: int
    told: bool = False
    open: tuple[Open, ...] = ()


def poll(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """Everything found unconfirmed, newest first; None where PayPal does not show it."""
    at, mode = to_epoch(now), reader.session.mode
    cursor = _load(text, at)
    seen, request_id = _new(reader, cursor, at)
    ours = [event for event in seen if not normalise.is_other_mode(event, mode)]
    told = cursor.told or any(normalise.pending(event) is not None for event in ours)
    states = {event.id: event for event in ours}
    oldest = at - int(_RETRIES.total_seconds())
    left = [each for each in cursor.open if each.id not in states and each.created >= oldest]
    again = _again(reader, left[:_AGAIN])
    still = {each.id: each for each in (*left[_AGAIN:], *left[:_AGAIN]) if each.id not in again}
    for event in (*again.values(), *ours):
        entry = _open(event, reader.session.account)
        if entry is not None and entry.created >= oldest:
            still[entry.id] = entry
    found = tuple(still.values())[-_MOST:]
    newest = max((to_epoch(t) for t in (time(e.create_time) for e in ours) if t), default=cursor.mark)
    moved = Cursor(max(cursor.mark, min(newest, at)), told, found)
    return FeedPage(
        feed=SPEC.name,
        read=len(seen) + len(again),
        requests=reader.requests,
        cursor=msgspec.json.encode(moved).decode(),
        data_as_of=now if told else None,
        request_id=request_id,
        undelivered=_as_events(found, reader.session.account) if told else None,
    )


def _new(reader: Reader, cursor: Cursor, at: int) -> tuple[list[wire.Event], str | None]:
    """The events since the mark, and some minutes before it."""
    return _listed(reader, windows.Window(min(cursor.mark, at) - windows.OVERLAP_S, at))


def _listed(reader: Reader, window: windows.Window) -> tuple[list[wire.Event], str | None]:
    """Events created within a window, each once, as far as `_PAGES` reach."""
    found: dict[str | None, wire.Event] = {}
    for _ in range(_PAGES):
        page = listing.ask(reader, window)
        before = len(found)
        found.update((event.id, event) for event in wire.rows(page.rows, wire.Event))
        query = listing.next_page(reader.session, page)
        if query is None or len(found) == before:
            break
        window = replace(window, page=query)
    return list(found.values()), page.request_id


def _again(reader: Reader, entries: list[Open]) -> dict[str, wire.Event]:
    """These events as they are now, by id: a few one by one, many by the time they span."""
    if len(entries) > _ONE_BY_ONE:
        created = [entry.created for entry in entries]
        listed, _ = _listed(reader, windows.Window(min(created), max(created) + 1))
        return {event.id: event for event in listed if event.id}
    return {entry.id: _one(reader, entry.id) for entry in entries}


def _one(reader: Reader, event_id: str) -> wire.Event:
    """One event by id; an empty one when it is gone: nobody can deliver it any more."""
    try:
        return reader.one(f"{listing.PATH}/{reader.session.checked(event_id)}", wire.Event)
    except ProviderError as error:
        if error.http_status != 404:
            raise
        return wire.Event()


def _open(event: wire.Event, account: str) -> Open | None:
    webhook = normalise.webhook_event(event, account)
    if webhook is None or not webhook.pending_webhooks:
        return None
    return Open(
        webhook.event_id,
        webhook.type,
        to_epoch(webhook.created_at),
        webhook.pending_webhooks,
        webhook.livemode,
        webhook.object_id,
        webhook.amount_minor,
        webhook.currency,
    )


def _as_events(entries: tuple[Open, ...], account: str) -> tuple[WebhookEvent, ...]:
    newest_first = sorted(entries, key=lambda each: (-each.created, each.id))
    return tuple(
        WebhookEvent(
            account=account,
            event_id=each.id,
            type=each.type,
            created_at=from_epoch(each.created),
            livemode=each.live,
            object_id=each.object_id,
            amount_minor=each.amount,
            currency=each.currency,
            pending_webhooks=each.pending,
        )
        for each in newest_first
    )


def _load(text: str | None, at: int) -> Cursor:
    if text is not None:
        try:
            return msgspec.json.decode(text, type=Cursor)
        except msgspec.DecodeError:
            pass
    return Cursor(mark=at - windows.HISTORY_S)
