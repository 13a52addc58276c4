"""Captures, sales, authorizations and refunds as facts.

An attempt is a capture, a sale of a subscription, or an authorization; what is captured of an authorization is that
same attempt, not another. A wallet payment PayPal refused is in none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from payops.domain.payments import Attempt, AttemptStatus, Refund

from . import amounts
from .fields import above_in, as_id, time, word
from .wire import Thing

_HONOUR = timedelta(days=29)
"""How long a PayPal authorization can be captured where it does not say."""
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


def as_capture(thing: Thing, account: str, changed_at: datetime) -> Attempt | None:
    """A capture, or version 1's sale; None when it lacks what makes it one."""
    own_id = as_id(thing.id)
    status = _CAPTURE.get((thing.status or thing.state or "").upper())
    amount, currency = amounts.read(thing.amount)
    # A zero amount is a verification: nobody wanted to pay.
    if own_id is None or status is None or amount == 0:
        return None
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    authorization = as_id(related.authorization_id) if related else None
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
        decline_code=decline_of(thing) if status == "failed" else None,
        method=_method(thing),
        card_brand=_brand(thing),
        initiated_by="renewal" if thing.billing_agreement_id else None,
        captured=True if status == "succeeded" else None,
        amount_refunded_minor=0 if said == "COMPLETED" else amount if said == "REFUNDED" else None,
        order_id=_order(thing),
    )


def as_authorization(thing: Thing, account: str, changed_at: datetime) -> Attempt | None:
    """Money that is reserved; None when it lacks what makes it one."""
    own_id, said = as_id(thing.id), (thing.status or thing.state or "").upper()
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
        decline_code=decline_of(thing) if status == "failed" else None,
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
    refund_id = as_id(thing.id)
    amount, currency = amounts.read(thing.amount)
    if refund_id is None or amount is None or currency is None:
        return None
    capture = refunded_capture(thing) or of
    said = (thing.status or thing.state or "").upper()
    failed = said in ("FAILED", "CANCELLED")
    reason = thing.status_details.reason if thing.status_details else None
    return Refund(
        account=account,
        refund_id=refund_id,
        payment_id=_payment(thing) or capture,
        at=time(thing.create_time) or changed_at,
        status=word(thing.status or thing.state) or "unknown",
        amount_minor=abs(amount),
        currency=currency,
        failure_reason=(word(reason) or word(thing.reason_code)) if failed else None,
        attempt_id=capture,
        changed_at=max(time(thing.update_time) or changed_at, changed_at),
        pending_reason=word(reason) if said == "PENDING" else None,
    )


def refunded_capture(thing: Thing) -> str | None:
    """The capture or sale a refund is of."""
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    return (
        as_id(thing.capture_id or thing.sale_id)
        or above_in(thing.links, "captures")
        or above_in(thing.links, "sale")
        or (as_id(related.capture_id) if related else None)
    )


def above(thing: Thing, kind: str) -> str | None:
    """The id of the object of `kind` (`authorizations`, …) a link of this one leads up to."""
    return above_in(thing.links, kind)


def reference_of(thing: Thing) -> str | None:
    """What payops wrote on a refund, or anybody else on theirs."""
    return word(thing.custom_id) or word(thing.invoice_id)


def _payment(thing: Thing) -> str | None:
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    return (as_id(related.order_id) if related else None) or as_id(thing.parent_payment)


def _order(thing: Thing) -> str | None:
    """The merchant's own number for what was bought."""
    return as_id(thing.invoice_id or thing.invoice_number)


def _customer(thing: Thing) -> str | None:
    return as_id(thing.payer.payer_id) if thing.payer else None


def _method(thing: Thing) -> str | None:
    """`card` or `paypal`, where the object tells: only a card has a processor's answer."""
    source = thing.payment_source
    if (source and source.card) or thing.processor_response or thing.network_transaction_reference:
        return "card"
    return "paypal" if source and source.paypal is not None else None


def _brand(thing: Thing) -> str | None:
    source, network = thing.payment_source, thing.network_transaction_reference
    brand = word(source.card.brand if source and source.card else None) or word(
        network.network if network else None
    )
    return brand.lower() if brand else None


def decline_of(thing: Thing) -> str | None:
    """The processor's code, else the reason PayPal gives."""
    answered = thing.processor_response
    return (
        word(answered.response_code if answered else None)
        or word(thing.status_details.reason if thing.status_details else None)
        or word(thing.reason_code)
    )
