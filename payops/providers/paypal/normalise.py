"""PayPal's events as facts: the one reading of them, shared by the feeds and the inbox. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from payops.domain.events import AccountState, Facts, WebhookEvent
from payops.domain.payments import Attempt, Dispute, Mode, Refund, Subscription

from . import amounts
from .agreements import as_dispute, as_subscription
from .fields import above_in, as_id, kept, mode_of, time, word
from .payments import as_authorization, as_capture, as_refund, decline_of
from .wire import Event

_RESTRICTED = frozenset(
    {"PAYEE_ACCOUNT_RESTRICTED", "PAYEE_ACCOUNT_LOCKED_OR_CLOSED", "PAYEE_ACCOUNT_NOT_VERIFIED"}
)
"""Reasons of a refused payment that are about our own account."""


def facts(events: Iterable[Event], account: str, mode: Mode) -> Facts:
    """What the events state. Those of the other mode go to `wrong_mode` and teach nothing else.

    An event without id, type or time cannot be kept and is left out.
    """
    attempts: list[Attempt] = []
    refunds: list[Refund] = []
    seen: list[WebhookEvent] = []
    wrong: list[WebhookEvent] = []
    subscriptions: list[Subscription] = []
    disputes: list[Dispute] = []
    for event in events:
        webhook = webhook_event(event, account)
        if webhook is None:
            continue
        if is_other_mode(event, mode):
            wrong.append(webhook)
            continue
        seen.append(webhook)
        thing, at = event.resource, webhook.created_at
        if thing is None:
            continue
        kind = kind_of(event)
        if kind == "capture":
            attempts += kept(as_capture(thing, account, at))
        elif kind == "authorization":
            attempts += kept(as_authorization(thing, account, at))
        elif kind == "refund":
            refunds += kept(as_refund(thing, account, at))
        elif kind == "subscription":
            subscriptions += kept(as_subscription(thing, account, at))
        elif kind == "dispute":
            disputes += kept(as_dispute(thing, account, at))
    return Facts(
        attempts=tuple(attempts),
        refunds=tuple(refunds),
        events=tuple(seen),
        wrong_mode=tuple(wrong),
        subscriptions=tuple(subscriptions),
        disputes=tuple(disputes),
    )


def kind_of(event: Event) -> str | None:
    """What the resource of an event is: `capture` (a sale too), `authorization`, `refund`, `subscription`, `dispute`.

    An event about money that went back carries the refund, not the capture it is named after.
    """
    name, thing = event.event_type or "", event.resource
    said = (event.resource_type or "").lower()
    if name.startswith(("PAYMENT.CAPTURE.", "PAYMENT.SALE.", "PAYMENT.REFUND.")):
        if thing and (
            said == "refund" or thing.capture_id or thing.sale_id or above_in(thing.links, "captures")
        ):
            return "refund"
        return "refund" if name.startswith("PAYMENT.REFUND.") else "capture"
    if name.startswith("PAYMENT.AUTHORIZATION."):
        return "authorization"
    if name.startswith("BILLING.SUBSCRIPTION."):
        return "subscription"
    if name.startswith("CUSTOMER.DISPUTE."):
        return "dispute"
    return None


def is_other_mode(event: Event, mode: Mode) -> bool:
    """Whether a link of the event, or of the object in it, leads to the other mode's host."""
    thing = event.resource
    said = (mode_of(event.links), mode_of(thing.links) if thing else None)
    return any(each is not None and each != mode for each in said)


def webhook_event(event: Event, account: str) -> WebhookEvent | None:
    """The event without its body; None when it lacks what makes it one."""
    event_id, kind, at = as_id(event.id), word(event.event_type), time(event.create_time)
    if event_id is None or kind is None or at is None:
        return None
    thing = event.resource
    mode = mode_of(event.links) or (mode_of(thing.links) if thing else None)
    amount, currency = (None, None) if thing is None else amounts.read(thing.amount or thing.dispute_amount)
    return WebhookEvent(
        account=account,
        event_id=event_id,
        type=kind,
        created_at=at,
        livemode=None if mode is None else mode == "live",
        object_id=as_id(thing.id or thing.dispute_id) if thing else None,
        amount_minor=None if amount is None else abs(amount),
        currency=currency,
        pending_webhooks=pending(event),
    )


def pending(event: Event) -> int | None:
    """How many endpoints have not confirmed the event; None where PayPal does not show its transmissions.

    The last transmission to an address is the one that counts.
    """
    if event.transmissions:
        last = {each.webhook_url: each.status for each in event.transmissions}
        return sum(status != "SUCCESS" for status in last.values())
    if event.status is None:
        return None
    return 0 if event.status == "SUCCESS" else 1


def account_state(events: Iterable[Event], account: str, mode: Mode) -> AccountState | None:
    """Whether the account may take money, from the latest event that tells; None where none does.

    PayPal says so nowhere but in the payments themselves: refused because of us, or taken.
    """
    told: tuple[datetime, str | None] | None = None
    for event in events:
        at, thing = time(event.create_time), event.resource
        if thing is None or at is None or (told and at < told[0]) or is_other_mode(event, mode):
            continue
        failed = thing.billing_info.last_failed_payment if thing.billing_info else None
        refused = decline_of(thing) or (failed.reason_code if failed else None)
        if refused in _RESTRICTED and (event.event_type or "").endswith((".FAILED", ".DENIED", ".DECLINED")):
            told = at, refused
        elif event.event_type in ("PAYMENT.CAPTURE.COMPLETED", "PAYMENT.SALE.COMPLETED"):
            told = at, None
    if told is None:
        return None
    return AccountState(account, told[0], charges_enabled=told[1] is None, reason=told[1])
