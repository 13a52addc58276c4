"""The feeds: what is asked, what the answer proves, and as which facts it is handed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import AccountState, Endpoint, Facts, FeedPage, WebhookEvent
from payops.domain.feeds import SIGHT
from payops.domain.payments import Subscription
from payops.providers.port import FeedSpec
from payops.text import safe_line

from . import billing, errors, history, normalise, wire
from .session import Reader, Session

_RETRIES_S = 3 * 24 * 3600
"""Stripe retries a live delivery for up to three days: what is older is not pending any more."""
_UNDELIVERED_PAGES = 20
_LATEST_S = 2**37
_WORD = 120
_MOST_DUE = 50

EVENTS = FeedSpec(
    "events",
    history.HEAD_EVERY_S,
    1,
    SIGHT["stripe"].sentence,
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
CREDENTIAL = FeedSpec("credential", 60, 1, "whether Stripe accepts the key, and for which mode", 0)
"""The account a key belongs to is asked once for each key."""
ACCOUNT = FeedSpec(
    "account", 300, 1, "whether Stripe lets the account take and pay out money, what it wants to know", 0
)
_LOOK_CLOSER = 5
_OWING = ("past_due", "unpaid", "incomplete")


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
    _note_version(session, read, found)
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
    facts = _with_debts(reader, normalise.facts(found, session.account, session.mode), now)
    return FeedPage(
        feed=EVENTS.name,
        read=len(found),
        requests=reader.requests,
        cursor=history.dump(cursor),
        more=bool(cursor.gaps),
        data_as_of=None if cursor.proven is None else from_epoch(cursor.proven),
        request_id=answer.request_id,
        facts=facts,
        progress=1.0 if progress is None and before is not None else progress,
    )


def account(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """What Stripe lets the account do. A key that may not read it leaves that unknown, and says so."""
    session = reader.session
    request_id = None
    state = AccountState(session.account, now)
    try:
        found, answer = reader.answered("/v1/account", wire.Account)
        request_id = answer.request_id
        wants = found.requirements or wire.Requirements()
        due = tuple(safe_line(each, limit=_WORD) for each in (wants.currently_due or ())[:_MOST_DUE])
        reason = safe_line(wants.disabled_reason or "", limit=_WORD) or None
        state = replace(
            state,
            charges_enabled=found.charges_enabled,
            payouts_enabled=found.payouts_enabled,
            due=due,
            reason=reason,
        )
    except ProviderError as error:
        if error.bucket != "permission":
            raise
        permission = errors.permission_in(error.message) or "rak_accounts_kyc_basic_read"
        state = replace(state, reason=f"not told: the key may not read the account ({permission})")
    return FeedPage(
        feed=ACCOUNT.name,
        read=1,
        requests=reader.requests,
        data_as_of=now,
        request_id=request_id,
        account_state=replace(state, api_version=session.event_version),
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


def owing(reader: Reader, subscription_id: str, now: datetime) -> Subscription | None:
    """A subscription as it is now, with what it owes and whether there is a method to charge."""
    found, answer = reader.answered(
        f"/v1/subscriptions/{subscription_id}", wire.Thing, {"expand": ["customer", "latest_invoice"]}
    )
    return billing.subscription(found, reader.session.account, min(now, answer.at or now))


def _with_debts(reader: Reader, facts: Facts, now: datetime) -> Facts:
    """The same facts, and of subscriptions that just came to owe what their events do not tell.

    A few at a time: a page of history may hold hundreds. Those left out are read by the look-back. Events are listed
    again and again while they are new: each is looked at once.
    """
    looked = reader.session.looked_at
    latest = {each.subscription_id: each for each in sorted(facts.subscriptions, key=lambda s: s.changed_at)}
    owe = [
        each
        for each in latest.values()
        if each.status in _OWING
        and each.outstanding_minor is None
        and looked.get(each.subscription_id) != each.changed_at
    ]
    closer = []
    for each in sorted(owe, key=lambda s: s.changed_at, reverse=True)[:_LOOK_CLOSER]:
        try:
            found = owing(reader, each.subscription_id, now)
        except ProviderError:
            break  # what the event says stands
        looked[each.subscription_id] = each.changed_at
        if found is not None and found.changed_at >= each.changed_at:
            closer.append(found)
    return replace(facts, subscriptions=(*facts.subscriptions, *closer)) if closer else facts


def _note_version(session: Session, read: history.Read, found: list[wire.Event]) -> None:
    """The list renders an event in the version the account had then: that of the newest one is today's."""
    if not read.gap and found and found[0].api_version:
        session.event_version = safe_line(found[0].api_version, limit=40)


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
