"""The `events` feed: PayPal's list of the events it made, which embed the objects they are about."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from payops.clock import from_epoch, iso, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import FeedPage
from payops.domain.feeds import SIGHT
from payops.providers.port import FeedSpec

from . import normalise, windows, wire
from .session import Page, Reader, Session

PATH = "/v1/notifications/webhooks-events"
SPEC = FeedSpec("events", windows.HEAD_EVERY_S, 1, SIGHT["paypal"].sentence, SIGHT["paypal"].delay_s)
_MOST_SUBSCRIPTIONS = 500
_LONGEST = 2_000


def poll(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """One page of the event list: the newest when they are due, the next of what is left otherwise."""
    session, at = reader.session, to_epoch(now)
    cursor = windows.load(text, at)
    read = windows.next_read(cursor, at)
    try:
        page = ask(reader, read.window)
    except ProviderError as error:
        halves = windows.halved(cursor) if read.window.page and error.bucket == "invalid_request" else None
        if halves is None:
            raise
        # The link to a page may not outlive a night.
        cursor = halves
        read = windows.Read(cursor.windows[0], head=False)
        page = ask(reader, read.window)
    events = wire.rows(page.rows, wire.Event)
    found = normalise.facts(events, session.account, session.mode)
    before = windows.progress(cursor)
    try:
        cursor = windows.after(
            cursor,
            read,
            next_page(session, page),
            next((event.id for event in reversed(events) if event.id), None),
            max((to_epoch(event.created_at) for event in found.events), default=None),
            at,
            None if page.at is None else to_epoch(page.at),
        )
    except windows.Repeats as error:
        raise session.error(
            "outage", f"PayPal's event list repeats itself at {error}: reading stopped"
        ) from None
    _remember(session, [each.subscription_id for each in found.subscriptions])
    progress = windows.progress(cursor)
    return FeedPage(
        feed=SPEC.name,
        read=len(page.rows),
        requests=reader.requests,
        cursor=windows.dump(cursor),
        more=bool(cursor.windows),
        data_as_of=None if cursor.proven is None else from_epoch(cursor.proven),
        request_id=page.request_id,
        facts=found,
        account_state=normalise.account_state(events, session.account, session.mode) if read.head else None,
        progress=1.0 if progress is None and before is not None else progress,
    )


def ask(reader: Reader, window: windows.Window, **only: str) -> Page:
    """One page of the event list within a window; `only` narrows it by PayPal's own filters."""
    params = {
        "page_size": str(windows.PAGE),
        "start_time": iso(from_epoch(window.start)),
        "end_time": iso(from_epoch(window.end)),
        **only,
    }
    if window.page is not None:
        params = dict(parse_qsl(window.page))
    return reader.page(PATH, params, "events")


def next_page(session: Session, page: Page) -> str | None:
    """The query of the next page. Only the query: wherever the link leads, we ask the host we know."""
    link = page.listing.next()
    if link is None:
        return None
    parts = urlsplit(link)
    if parts.path != PATH or not parts.query or len(parts.query) > _LONGEST:
        raise session.error("outage", "PayPal's event list names a next page that is none: reading stopped")
    return parts.query


def _remember(session: Session, ids: list[str]) -> None:
    seen = session.seen_subscriptions
    for subscription_id in ids:
        seen.pop(subscription_id, None)
        seen[subscription_id] = None
    while len(seen) > _MOST_SUBSCRIPTIONS:
        seen.pop(next(iter(seen)))
