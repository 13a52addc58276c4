"""PayPal's events: what each embeds, how it is summed up, and what became of its transmissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payops.domain.payments import OTHER_MODE, Mode
from payops.simulator.objects import Charge, Dispute, Endpoint, Event, Payment, Refund, Subscription

from .names import Shape, fine_instant, instant, link, spoken
from .shapes import Shapes

if TYPE_CHECKING:
    from .account import PayPalAccount

_LIFE_MS = 30 * 24 * 3600 * 1000
_SUMMARIES = {
    "PAYMENT.CAPTURE.COMPLETED": "Payment completed for {amount}",
    "PAYMENT.CAPTURE.DECLINED": "A {amount} capture payment was declined",
    "PAYMENT.CAPTURE.DENIED": "A {amount} capture payment was denied",
    "PAYMENT.CAPTURE.REFUNDED": "A {amount} capture payment was refunded",
    "PAYMENT.REFUND.PENDING": "A refund of {amount} is pending: ECHECK",
    "PAYMENT.REFUND.FAILED": "A refund of {amount} failed: {why}",
    "PAYMENT.AUTHORIZATION.CREATED": "A successful payment authorization was created for {amount}",
    "PAYMENT.AUTHORIZATION.VOIDED": "A payment authorization was voided for {amount}",
    "PAYMENT.SALE.COMPLETED": "Payment completed for {amount}",
    "PAYMENT.SALE.REFUNDED": "A {amount} sale payment was refunded",
    "CHECKOUT.ORDER.APPROVED": "An order has been approved by buyer",
    "BILLING.SUBSCRIPTION.ACTIVATED": "A billing agreement was activated.",
    "BILLING.SUBSCRIPTION.CANCELLED": "A billing subscription was cancelled",
    "BILLING.SUBSCRIPTION.SUSPENDED": "A billing subscription was suspended",
    "BILLING.SUBSCRIPTION.PAYMENT.FAILED": "Payment failed for subscription",
    "CUSTOMER.DISPUTE.CREATED": "A new dispute opened with Case # {id}",
    "CUSTOMER.DISPUTE.UPDATED": "A dispute was updated with case # {id}",
    "CUSTOMER.DISPUTE.RESOLVED": "A dispute was resolved with case # {id}",
}
_FAILURES = {"over_limit": "REFUND_AMOUNT_EXCEEDED"}


def mode_of(account: PayPalAccount, event: Event) -> Mode:
    """The environment it was made in."""
    return OTHER_MODE[account.mode] if event.test else account.mode


def listed(account: PayPalAccount, event: Event, now_ms: int) -> bool:
    """Whether the list of events has it: nobody subscribed, and there is no event; after 30 days it is gone."""
    return (
        not event.test and bool(account.beside.listeners.get(event.id)) and now_ms - _LIFE_MS <= event.at_ms
    )


def delivered(account: PayPalAccount, event: Event) -> Shape:
    """The event as it is sent: without what became of its transmissions."""
    shapes = Shapes(account, mode_of(account, event))
    resource_type, version, resource, minor = _resource(shapes, event)
    subject = event.subject
    currency = _currency(subject)
    why = _FAILURES.get(getattr(subject, "failure", None) or "", "REFUND_FAILED_INSUFFICIENT_FUNDS")
    summary = _SUMMARIES.get(event.type, event.type).format(
        amount=spoken(minor, currency), why=why, id=getattr(subject, "id", "")
    )
    path = f"/v1/notifications/webhooks-events/{event.id}"
    return {
        "id": event.id,
        "event_version": "1.0",
        "create_time": fine_instant(event.at_ms),
        "resource_type": resource_type,
        "resource_version": version,
        "event_type": event.type,
        "summary": summary,
        "resource": resource,
        "links": [
            {**link(shapes.base, path, "self"), "encType": "application/json"},
            {**link(shapes.base, f"{path}/resend", "resend", "POST"), "encType": "application/json"},
        ],
    }


def looked_up(account: PayPalAccount, event: Event) -> Shape:
    """The event as the list and the look-up show it, with the undocumented `status` and `transmissions`."""
    transmissions = [
        _transmission(account, event, endpoint)
        for endpoint in account.beside.listeners.get(event.id, ())
        if endpoint.id not in account.beside.deleted
    ]
    states = {each["status"] for each in transmissions}
    status = next((each for each in ("FAILURE", "PENDING") if each in states), "SUCCESS")
    return {**delivered(account, event), "status": status, "transmissions": transmissions}


def pending(account: PayPalAccount, event: Event, endpoint: Endpoint) -> bool:
    """Whether its first delivery has not been tried yet."""
    tried = any(each.endpoint is endpoint for each in account.deliveries.tries.get(event.id, ()))
    return endpoint in event.waiting and not tried


def transmission_id(account: PayPalAccount, event: Event, endpoint: Endpoint, number: int) -> str:
    """Of the `number`th delivery of an event to an endpoint, from 0: each has its own."""
    return account.names.uuid(f"transmission/{event.id}/{endpoint.id}/{number}")


def _transmission(account: PayPalAccount, event: Event, endpoint: Endpoint) -> Shape:
    """The last delivery to one webhook. One that was lost on the way is shown as delivered."""
    tries = [each for each in account.deliveries.tries.get(event.id, ()) if each.endpoint is endpoint]
    shape: Shape = {
        "webhook_url": endpoint.url,
        "transmission_id": transmission_id(account, event, endpoint, max(0, len(tries) - 1)),
        "timestamp": instant(tries[-1].at_ms if tries else event.at_ms + 1_000),
    }
    if endpoint not in event.waiting:
        return {
            **shape,
            "status": "SUCCESS",
            "http_status": 200,
            "reason_phrase": "OK",
            "response_headers": {},
        }
    if pending(account, event, endpoint):
        return {**shape, "status": "PENDING"}
    said = {"http_status": 503, "reason_phrase": "Service Unavailable", "response_headers": {}}
    return {**shape, "status": "FAILURE", **said}


def _currency(subject: object) -> str:
    match subject:
        case Charge(payment=payment) | Refund(charge=Charge(payment=payment)):
            return payment.buyer.currency
        case Payment(buyer=buyer) | Subscription(buyer=buyer):
            return buyer.currency
        case Dispute(charge=charge):
            return charge.payment.buyer.currency
    raise TypeError(f"no event is made of {subject!r}")


def _resource(shapes: Shapes, event: Event) -> tuple[str, str, Shape, int]:
    """Type, version and embedded shape of what it happened to, and its amount in minor units."""
    match event.subject:
        case Payment() as payment:
            return "checkout-order", "2.0", shapes.order(payment, approved=True), payment.amount
        case Charge() as charge if charge.payment.subscription is not None:
            return "sale", "1.0", shapes.sale(charge), charge.payment.amount
        case Charge() as charge if event.type.startswith("PAYMENT.AUTHORIZATION."):
            fresh = event.version == 0
            return "authorization", "2.0", shapes.authorization(charge, fresh=fresh), charge.payment.amount
        case Charge() as charge:
            return "capture", "2.0", shapes.capture(charge, 0), charge.payment.amount
        case Refund() as refund:
            return "refund", "2.0", _kept(event), refund.amount
        case Subscription() as subscription:
            return "subscription", "2.0", _kept(event), subscription.amount
        case Dispute() as dispute:
            return "dispute", "1.0", _kept(event), dispute.amount
    raise TypeError(f"no event is made of {event.subject!r}")


def _kept(event: Event) -> Shape:
    assert isinstance(event.snapshot, dict)
    return event.snapshot
