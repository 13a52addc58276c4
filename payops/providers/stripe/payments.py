"""Charges, failed payment intents and refunds as attempts and refunds. No I/O, no clock."""

from __future__ import annotations

from datetime import datetime

from payops.domain.payments import Attempt, AttemptStatus, Initiator, Refund

from . import fields
from .wire import Card, MethodDetails, Thing

_STATUS: dict[str, AttemptStatus] = {"succeeded": "succeeded", "failed": "failed", "pending": "pending"}
_INITIATED: dict[str, Initiator] = {
    # What Stripe's Billing writes on the charges of its invoices; a charge made otherwise does not tell.
    "Subscription update": "renewal",
    "Subscription creation": "customer",
}
_PRESENT = ("challenge", "frictionless")
"""Ways to authenticate in which the customer's browser took part."""
_NO_CARD = Card()


def attempt(charge: Thing, account: str, changed_at: datetime) -> Attempt | None:
    """The try to take money that a charge is; None when it is none."""
    attempt_id = fields.id_(charge.id)
    status = _STATUS.get(charge.status or "")
    amount = fields.amount(charge.amount)
    # A zero amount is a verification of the card: nobody wanted to pay.
    if attempt_id is None or status is None or amount == 0:
        return None
    details = charge.payment_method_details
    card = _card(details)
    refunded = fields.amount(charge.amount_refunded)
    captured = charge.captured if status == "succeeded" else None
    # An authorization that was let go reads as refunded: it no longer ends at some time.
    waits = captured is False and not refunded
    return Attempt(
        account=account,
        attempt_id=attempt_id,
        at=fields.time(charge.created) or changed_at,
        status=status,
        changed_at=changed_at,
        payment_id=fields.ref(charge.payment_intent),
        customer=fields.ref(charge.customer),
        amount_minor=amount,
        currency=fields.currency(charge.currency),
        decline_code=_decline(charge) if status == "failed" else None,
        method=fields.word(details.type) if details else None,
        card_brand=fields.word(card.brand),
        country=fields.word(card.country),
        initiated_by=_initiator(charge, card),
        captured=captured,
        capture_before=fields.time(card.capture_before) if waits else None,
        amount_refunded_minor=refunded,
        order_id=_order(charge),
    )


def settled(charge: Thing) -> bool:
    """Whether a listed charge is as it was when it was made: nothing that could have come late shows on it."""
    details = charge.payment_method_details
    if details is None or details.type != "card" or charge.amount_refunded or charge.disputed:
        return False
    return charge.status == "failed" or (
        charge.status == "succeeded" and charge.captured is True and _card(details).capture_before is None
    )


def without_charge(intent: Thing, account: str, event_id: str, at: datetime) -> Attempt | None:
    """A try that ended before there was a charge: a failed authentication, a method refused outright.

    Such a try has no id of its own at Stripe; it is known by the one event that tells of it.
    """
    error = intent.last_payment_error
    if error is None or fields.ref(error.charge) is not None or fields.amount(intent.amount) == 0:
        return None
    method = error.payment_method
    card = (method.card if method else None) or _NO_CARD
    return Attempt(
        account=account,
        attempt_id=event_id,
        at=at,
        status="failed",
        changed_at=at,
        payment_id=fields.id_(intent.id),
        customer=fields.ref(intent.customer),
        amount_minor=fields.amount(intent.amount),
        currency=fields.currency(intent.currency),
        decline_code=fields.word(error.decline_code) or fields.word(error.code),
        method=fields.word(method.type) if method else None,
        card_brand=fields.word(card.brand),
        country=fields.word(card.country),
        initiated_by=_INITIATED.get(intent.description or ""),
        order_id=_order(intent),
    )


def refund(thing: Thing, account: str, changed_at: datetime) -> Refund | None:
    refund_id, amount = fields.id_(thing.id), fields.amount(thing.amount)
    currency = fields.currency(thing.currency)
    if refund_id is None or amount is None or currency is None:
        return None
    charge = fields.ref(thing.charge)
    return Refund(
        account=account,
        refund_id=refund_id,
        payment_id=fields.ref(thing.payment_intent) or charge,
        at=fields.time(thing.created) or changed_at,
        status=fields.word(thing.status) or "unknown",
        amount_minor=amount,
        currency=currency,
        failure_reason=fields.word(thing.failure_reason),
        attempt_id=charge,
        changed_at=changed_at,
        pending_reason=fields.word(thing.pending_reason),
    )


def _card(details: MethodDetails | None) -> Card:
    return (details.card or details.card_present if details else None) or _NO_CARD


def _decline(charge: Thing) -> str | None:
    outcome = charge.outcome
    told = fields.word(outcome.reason if outcome else None)
    if told is None and outcome is not None and outcome.type == "blocked":
        return "blocked"
    return told or fields.word(charge.failure_code)


def _initiator(charge: Thing, card: Card) -> Initiator | None:
    told = _INITIATED.get(charge.description or "")
    if told is None and card.three_d_secure and card.three_d_secure.authentication_flow in _PRESENT:
        return "customer"
    return told


def _order(thing: Thing) -> str | None:
    return fields.id_(thing.metadata.order_id) if thing.metadata else None
