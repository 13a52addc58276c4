"""The slower feeds: webhook endpoints, subscriptions, disputes, and what the credential is."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import msgspec

from payops.clock import from_epoch, iso, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import Endpoint, Facts, FeedPage
from payops.domain.payments import Dispute, Subscription
from payops.providers.port import FeedSpec

from . import agreements, wire
from .fields import time
from .hosts import mode_of_link
from .session import Page, Reader

WEBHOOKS = "/v1/notifications/webhooks"
SUBSCRIPTIONS = "/v1/billing/subscriptions"
DISPUTES = "/v1/customer/disputes"
_SUBSCRIPTION_PAGE = 20
_DISPUTE_PAGE = 20
_MOST_PAGES = 500
_ONE_BY_ONE = 20
_OVERLAP = timedelta(minutes=5)
_DISPUTES_BACK = timedelta(days=90)

ENDPOINTS_SPEC = FeedSpec("endpoints", 60, 1, "which webhooks exist, where they lead and what they get", 0)
SUBSCRIPTIONS_SPEC = FeedSpec(
    "subscriptions", 900, 2, "subscriptions that owe money or whose payments failed", 0
)
DISPUTES_SPEC = FeedSpec("disputes", 300, 1, "disputes and their deadlines", 0)
CREDENTIAL_SPEC = FeedSpec(
    "credential", 60, 2, "whether PayPal accepts the client, for which mode and scopes", 0
)


def endpoints(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """All webhooks of the app. PayPal has no disabled ones: a webhook exists, or it does not."""
    page = webhooks(reader)
    found = []
    for row in wire.rows(page.rows, wire.Webhook):
        endpoint = as_endpoint(row, reader.session.account)
        if endpoint is not None:
            found.append(endpoint)
    return FeedPage(
        feed=ENDPOINTS_SPEC.name,
        read=len(page.rows),
        requests=reader.requests,
        data_as_of=now,
        request_id=page.request_id,
        endpoints=tuple(found),
    )


def webhooks(reader: Reader) -> Page:
    return reader.page(WEBHOOKS, None, "webhooks")


def as_endpoint(found: wire.Webhook, account: str) -> Endpoint | None:
    """None when it lacks what makes it one. An event type switched off counts as not subscribed."""
    if not found.id or not found.url:
        return None
    modes = {mode_of_link(link.href) for link in found.links or () if link.href} - {None}
    return Endpoint(
        account=account,
        endpoint_id=found.id,
        url=found.url,
        status="enabled",
        event_types=tuple(
            each.name for each in found.event_types or () if each.name and each.status in (None, "ENABLED")
        ),
        livemode="live" in modes if len(modes) == 1 else None,
    )


class Paging(msgspec.Struct, frozen=True):
    """Where a pass over a list stands. `since`: how far the last whole pass reached; `began`: this one's start.

    `by_id`: PayPal does not list these; `known` are the ids to read one by one, `left` those of this pass.
    """

    page: int = 1
    token: str | None = None
    first: str | None = None
    since: int | None = None
    began: int | None = None
    by_id: bool = False
    known: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def subscriptions(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """A page of the subscriptions that can owe something; one by one where PayPal does not list them."""
    at = _load(text)
    if at.by_id and at.left:
        return _one_by_one(reader, at, now)
    params = {
        "statuses": "ACTIVE,SUSPENDED",
        "page_size": str(_SUBSCRIPTION_PAGE),
        "page": str(at.page),
        "total_required": "true",
    }
    try:
        page = reader.page(SUBSCRIPTIONS, params, "subscriptions")
    except ProviderError as error:
        if error.http_status not in (404, 405):
            raise
        known = tuple(dict.fromkeys((*at.known, *reader.session.seen_subscriptions)))[-500:]
        return _one_by_one(reader, Paging(by_id=True, known=known, left=known), now)
    rows = wire.rows(page.rows, wire.Thing)
    first = rows[0].id if rows else None
    if first is not None and first == at.first:
        raise reader.session.error("outage", "PayPal lists the same subscriptions again: reading stopped")
    pages = page.listing.total_pages
    full = len(rows) >= _SUBSCRIPTION_PAGE if pages is None else at.page < pages
    more = bool(rows) and full and at.page < _MOST_PAGES
    moved = Paging(page=at.page + 1, first=first) if more else Paging()
    return FeedPage(
        feed=SUBSCRIPTIONS_SPEC.name,
        read=len(rows),
        requests=reader.requests,
        cursor=msgspec.json.encode(moved).decode(),
        more=more,
        data_as_of=None if more else now,
        request_id=page.request_id,
        facts=Facts(subscriptions=_subscriptions(reader, rows)),
    )


def _one_by_one(reader: Reader, at: Paging, now: datetime) -> FeedPage:
    rows = []
    known, batch, left = at.known, at.left[:_ONE_BY_ONE], at.left[_ONE_BY_ONE:]
    for subscription_id in batch:
        try:
            rows.append(reader.one(f"{SUBSCRIPTIONS}/{reader.session.checked(subscription_id)}", wire.Thing))
        except ProviderError as error:
            if error.http_status != 404:
                raise
            known = tuple(each for each in known if each != subscription_id)
    moved = Paging(by_id=True, known=known, left=left)
    return FeedPage(
        feed=SUBSCRIPTIONS_SPEC.name,
        read=len(rows),
        requests=reader.requests,
        cursor=msgspec.json.encode(moved).decode(),
        more=bool(left),
        data_as_of=None if left else now,
        facts=Facts(subscriptions=_subscriptions(reader, rows)),
    )


def _subscriptions(reader: Reader, rows: list[wire.Thing]) -> tuple[Subscription, ...]:
    found = (agreements.as_subscription(each, reader.session.account, reader.seen_at) for each in rows)
    return tuple(each for each in found if each is not None)


def disputes(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """A page of the disputes that changed since the last whole pass."""
    at = _load(text)
    since = at.since
    params = {"page_size": str(_DISPUTE_PAGE)}
    if at.token:
        params["next_page_token"] = at.token
    after = now - _DISPUTES_BACK if since is None else from_epoch(min(since, to_epoch(now))) - _OVERLAP
    params["update_time_after"] = iso(after)
    page = reader.page(DISPUTES, params, "items")
    began = at.began if at.token and at.began is not None else to_epoch(reader.seen_at)
    rows = wire.rows(page.rows, wire.Thing)
    token = _token(page)
    first = rows[0].dispute_id if rows else None
    if token is not None and (token == at.token or not rows or first == at.first):
        raise reader.session.error("outage", "PayPal lists the same disputes again: reading stopped")
    found = (_dispute(reader, each) for each in rows)
    disputes_found = tuple(each for each in found if each is not None)
    moved = Paging(token=token, first=first, since=since, began=began) if token else Paging(since=began)
    return FeedPage(
        feed=DISPUTES_SPEC.name,
        read=len(rows),
        requests=reader.requests,
        cursor=msgspec.json.encode(moved).decode(),
        more=token is not None,
        data_as_of=None if token else now,
        request_id=page.request_id,
        facts=Facts(disputes=disputes_found),
    )


def _dispute(reader: Reader, row: wire.Thing) -> Dispute | None:
    """A dispute as a whole: its row in the list says neither what was disputed nor how it ended."""
    session = reader.session
    if row.dispute_id and row.disputed_transactions is None:
        try:
            row = reader.one(f"{DISPUTES}/{session.checked(row.dispute_id)}", wire.Thing)
        except ProviderError as error:
            if error.bucket not in ("invalid_request", "permission"):
                raise
    return agreements.as_dispute(row, session.account, time(row.update_time) or reader.seen_at)


def _token(page: Page) -> str | None:
    """What asks for the next page, from the link to it. Only the token: we ask the host we know."""
    link = page.listing.next()
    if link is None:
        return None
    return dict(parse_qsl(urlsplit(link).query)).get("next_page_token")


def _load(text: str | None) -> Paging:
    if text is not None:
        try:
            return msgspec.json.decode(text, type=Paging)
        except msgspec.DecodeError:
            pass
    return Paging()
