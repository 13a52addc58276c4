"""PayPal's events and objects as facts: the one reading of them, shared by feeds, read-backs and inbox. No I/O, no clock.

An attempt is a capture, a sale of a subscription, or an authorization; what is captured of an authorization is that
same attempt, not another. A wallet payment PayPal refused is in none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar

from payops.domain.events import AccountState, Facts, WebhookEvent
from payops.domain.payments import (
    Attempt,
    AttemptStatus,
    Dispute,
    DisputeStatus,
    Mode,
    Refund,
    Subscription,
    SubscriptionStatus,
)

from . import amounts
from .hosts import mode_of_link
from .wire import Billing, Event, Link, Thing

Fact = TypeVar("Fact")
_ID_LIMIT = 255
_WORD_LIMIT = 120
_HONOUR = timedelta(days=29)
"""How long a PayPal authorization can be captured where it does not say."""

_RESTRICTED = frozenset(
    {"PAYEE_ACCOUNT_RESTRICTED", "PAYEE_ACCOUNT_LOCKED_OR_CLOSED", "PAYEE_ACCOUNT_NOT_VERIFIED"}
)
"""Reasons of a refused payment that are about our own account."""
_CAPTURE: Mapping[str, AttemptStatus] = {
    "COMPLETED": "succeeded",
    "PARTIALLY_REFUNDED": "succeeded",
    "REFUNDED": "succeeded",
    "REVERSED": "succeeded",
    "DECLINED": "failed",
    "DENIED": "failed",
    "FAILED": "failed",
    "PENDING": "pending",
}
"""Status of a capture or sale, also in version 1's words. Money that went back later was taken before."""
_AUTHORIZATION: Mapping[str, AttemptStatus] = {
    "CREATED": "succeeded",
    "AUTHORIZED": "succeeded",
    "CAPTURED": "succeeded",
    "PARTIALLY_CAPTURED": "succeeded",
    "EXPIRED": "succeeded",
    "VOIDED": "canceled",
    "DENIED": "failed",
    "PENDING": "pending",
}
_SUBSCRIPTION: Mapping[str, SubscriptionStatus] = {
    "APPROVAL_PENDING": "incomplete",
    "APPROVED": "incomplete",
    "ACTIVE": "active",
    "SUSPENDED": "suspended",
    "CANCELLED": "canceled",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "COMPLETED": "expired",
}
_DISPUTE: Mapping[str, DisputeStatus] = {
    "OPEN": "needs_response",
    "WAITING_FOR_SELLER_RESPONSE": "needs_response",
    "WAITING_FOR_BUYER_RESPONSE": "under_review",
    "UNDER_REVIEW": "under_review",
    "RESOLVED": "closed",
    "OTHER": "under_review",
}
_OUTCOME: Mapping[str, DisputeStatus] = {
    "RESOLVED_BUYER_FAVOUR": "lost",
    "RESOLVED_SELLER_FAVOUR": "won",
    "RESOLVED_WITH_PAYOUT": "won",
    "CANCELED_BY_BUYER": "won",
    "ACCEPTED": "accepted",
    "DENIED": "lost",
}


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
            said == "refund" or thing.capture_id or thing.sale_id or _above(thing.links, "captures")
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
    said = (_mode(event.links), _mode(thing.links) if thing else None)
    return any(each is not None and each != mode for each in said)


def webhook_event(event: Event, account: str) -> WebhookEvent | None:
    """The event without its body; None when it lacks what makes it one."""
    event_id, kind, at = _id(event.id), _word(event.event_type), time(event.create_time)
    if event_id is None or kind is None or at is None:
        return None
    thing = event.resource
    mode = _mode(event.links) or (_mode(thing.links) if thing else None)
    amount, currency = (None, None) if thing is None else amounts.read(thing.amount or thing.dispute_amount)
    return WebhookEvent(
        account=account,
        event_id=event_id,
        type=kind,
        created_at=at,
        livemode=None if mode is None else mode == "live",
        object_id=_id(thing.id or thing.dispute_id) if thing else None,
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


def as_capture(thing: Thing, account: str, changed_at: datetime) -> Attempt | None:
    """A capture, or version 1's sale; None when it lacks what makes it one."""
    own_id = _id(thing.id)
    status = _CAPTURE.get((thing.status or thing.state or "").upper())
    amount, currency = amounts.read(thing.amount)
    # A zero amount is a verification: nobody wanted to pay.
    if own_id is None or status is None or amount == 0:
        return None
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    authorization = _id(related.authorization_id) if related else None
    said = (thing.status or "").upper()
    return Attempt(
        account=account,
        attempt_id=authorization or own_id,
        at=time(thing.create_time) or changed_at,
        status=status,
        changed_at=max(time(thing.update_time) or changed_at, changed_at),
        payment_id=_payment(thing) or authorization or own_id,
        customer=_customer(thing),
        amount_minor=None if amount is None else abs(amount),
        currency=currency,
        decline_code=_decline(thing) if status == "failed" else None,
        method=_method(thing),
        card_brand=_brand(thing),
        initiated_by="renewal" if thing.billing_agreement_id else None,
        captured=True if status == "succeeded" else None,
        amount_refunded_minor=0 if said == "COMPLETED" else amount if said == "REFUNDED" else None,
        order_id=_order(thing),
    )


def as_authorization(thing: Thing, account: str, changed_at: datetime) -> Attempt | None:
    """Money that is reserved; None when it lacks what makes it one."""
    own_id, said = _id(thing.id), (thing.status or thing.state or "").upper()
    status = _AUTHORIZATION.get(said)
    amount, currency = amounts.read(thing.amount)
    if own_id is None or status is None or amount == 0:
        return None
    at = time(thing.create_time) or changed_at
    captured = said == "CAPTURED"
    return Attempt(
        account=account,
        attempt_id=own_id,
        at=at,
        status=status,
        changed_at=max(time(thing.update_time) or changed_at, changed_at),
        payment_id=_payment(thing) or own_id,
        customer=_customer(thing),
        amount_minor=amount,
        currency=currency,
        decline_code=_decline(thing) if status == "failed" else None,
        method=_method(thing),
        card_brand=_brand(thing),
        captured=captured if status == "succeeded" else None,
        capture_before=None
        if captured or status != "succeeded"
        else time(thing.expiration_time) or time(thing.valid_until) or at + _HONOUR,
        order_id=_order(thing),
    )


def as_refund(thing: Thing, account: str, changed_at: datetime, of: str | None = None) -> Refund | None:
    """Money on its way back; `of` is the capture where the refund itself does not say."""
    refund_id = _id(thing.id)
    amount, currency = amounts.read(thing.amount)
    if refund_id is None or amount is None or currency is None:
        return None
    capture = refunded_capture(thing) or of
    failed = (thing.status or thing.state or "").upper() in ("FAILED", "CANCELLED")
    reason = thing.status_details.reason if thing.status_details else None
    return Refund(
        account=account,
        refund_id=refund_id,
        payment_id=_payment(thing) or capture,
        at=time(thing.create_time) or changed_at,
        status=_word(thing.status or thing.state) or "unknown",
        amount_minor=abs(amount),
        currency=currency,
        failure_reason=(_word(reason) or _word(thing.reason_code)) if failed else None,
        attempt_id=capture,
        changed_at=max(time(thing.update_time) or changed_at, changed_at),
    )


def as_subscription(thing: Thing, account: str, changed_at: datetime) -> Subscription | None:
    """What a customer pays again and again. PayPal has no past due: money owed, or payments failed, is that."""
    own_id = _id(thing.id)
    status = _SUBSCRIPTION.get((thing.status or thing.state or "").upper())
    if own_id is None or status is None:
        return None
    billing = thing.billing_info or Billing()
    owed, currency = amounts.read(billing.outstanding_balance)
    last = billing.last_payment.amount if billing.last_payment else None
    failed = billing.last_failed_payment.amount if billing.last_failed_payment else None
    amount, paid_in = amounts.read(last or failed)
    failures = billing.failed_payments_count
    if status == "active" and ((owed or 0) > 0 or (failures or 0) > 0):
        status = "past_due"
    customer = thing.subscriber or thing.payer
    return Subscription(
        account=account,
        subscription_id=own_id,
        at=time(thing.create_time) or time(thing.start_time) or changed_at,
        changed_at=max(time(thing.update_time) or changed_at, changed_at),
        status=status,
        customer=_id(customer.payer_id) if customer else None,
        amount_minor=amount,
        currency=currency or paid_in,
        next_billing_at=time(billing.next_billing_time),
        outstanding_minor=owed,
        failed_payments=failures,
    )


def as_dispute(thing: Thing, account: str, changed_at: datetime) -> Dispute | None:
    """A case of the buyer or of the buyer's bank; None when it lacks what makes it one."""
    own_id = _id(thing.dispute_id or thing.id)
    amount, currency = amounts.read(thing.dispute_amount)
    if own_id is None or amount is None or currency is None:
        return None
    status = _DISPUTE.get((thing.status or "").upper(), "under_review")
    if status == "closed" and thing.dispute_outcome is not None:
        status = _OUTCOME.get(thing.dispute_outcome.outcome_code or "", "closed")
    about = thing.disputed_transactions[0] if thing.disputed_transactions else None
    return Dispute(
        account=account,
        dispute_id=own_id,
        at=time(thing.create_time) or changed_at,
        changed_at=max(time(thing.update_time) or changed_at, changed_at),
        status=status,
        amount_minor=amount,
        currency=currency,
        reason=_word(thing.reason),
        attempt_id=_id(about.seller_transaction_id) if about else None,
        reply_by=time(thing.seller_response_due_date),
    )


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
        refused = _decline(thing) or (failed.reason_code if failed else None)
        if refused in _RESTRICTED and (event.event_type or "").endswith((".FAILED", ".DENIED", ".DECLINED")):
            told = at, refused
        elif event.event_type in ("PAYMENT.CAPTURE.COMPLETED", "PAYMENT.SALE.COMPLETED"):
            told = at, None
    if told is None:
        return None
    return AccountState(account, told[0], charges_enabled=told[1] is None, reason=told[1])


def refunded_capture(thing: Thing) -> str | None:
    """The capture or sale a refund is of."""
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    return (
        _id(thing.capture_id or thing.sale_id)
        or _above(thing.links, "captures")
        or _above(thing.links, "sale")
        or (_id(related.capture_id) if related else None)
    )


def above(thing: Thing, kind: str) -> str | None:
    """The id of the object of `kind` (`authorizations`, …) a link of this one leads up to."""
    return _above(thing.links, kind)


def reference_of(thing: Thing) -> str | None:
    """What payops wrote on a refund, or anybody else on theirs."""
    return _word(thing.custom_id) or _word(thing.invoice_id)


@lru_cache(maxsize=4096)
def time(text: str | None) -> datetime | None:
    """An instant in any of PayPal's ways of writing it, to the second; UTC where no offset is given."""
    if not text or len(text) > 40:
        return None
    try:
        at = datetime.fromisoformat(text).replace(microsecond=0)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def kept(fact: Fact | None) -> tuple[Fact, ...]:
    """The fact as a tuple, which is empty where there is none."""
    return () if fact is None else (fact,)


def _mode(links: list[Link] | None) -> Mode | None:
    for link in links or ():
        if link.href:
            mode = mode_of_link(link.href)
            if mode is not None:
                return mode
    return None


def _above(links: list[Link] | None, kind: str) -> str | None:
    """The id at the end of the link to the object above, where that is of `kind`."""
    for link in links or ():
        if link.rel in ("up", kind.removesuffix("s")) and link.href:
            parts = link.href.rsplit("/", 2)
            if len(parts) == 3 and parts[1].removesuffix("s") == kind.removesuffix("s"):
                return _id(parts[2])
    return None


def _payment(thing: Thing) -> str | None:
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    return (_id(related.order_id) if related else None) or _id(thing.parent_payment)


def _order(thing: Thing) -> str | None:
    """The merchant's own number for what was bought."""
    return _id(thing.invoice_id or thing.invoice_number)


def _customer(thing: Thing) -> str | None:
    return _id(thing.payer.payer_id) if thing.payer else None


def _method(thing: Thing) -> str | None:
    """`card` or `paypal`, where the object tells: only a card has a processor's answer."""
    source = thing.payment_source
    if (source and source.card) or thing.processor_response or thing.network_transaction_reference:
        return "card"
    return "paypal" if source and source.paypal is not None else None


def _brand(thing: Thing) -> str | None:
    source, network = thing.payment_source, thing.network_transaction_reference
    brand = _word(source.card.brand if source and source.card else None) or _word(
        network.network if network else None
    )
    return brand.lower() if brand else None


def _decline(thing: Thing) -> str | None:
    answered = thing.processor_response
    return (
        _word(answered.response_code if answered else None)
        or _word(thing.status_details.reason if thing.status_details else None)
        or _word(thing.reason_code)
    )


def _id(value: str | None) -> str | None:
    return value if value and len(value) <= _ID_LIMIT else None


def _word(value: str | None) -> str | None:
    return value[:_WORD_LIMIT] if value else None
