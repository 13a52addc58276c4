"""Subscriptions, invoices, disputes and payouts as the domain's values. No I/O, no clock."""

from __future__ import annotations

from datetime import datetime

from payops.domain.payments import (
    Dispute,
    DisputeStatus,
    Invoice,
    InvoiceStatus,
    PaymentMethod,
    Payout,
    PayoutStatus,
    Subscription,
    SubscriptionStatus,
    first_of_next_month,
)

from . import fields
from .wire import Bill, Customer, StoredMethod, Thing

_SUBSCRIPTION: dict[str, SubscriptionStatus] = {
    "incomplete": "incomplete",
    "incomplete_expired": "expired",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "paused": "paused",
    "canceled": "canceled",
}
_ENDED = ("canceled", "expired")
_INVOICE: dict[str, InvoiceStatus] = {
    "draft": "draft",
    "open": "open",
    "paid": "paid",
    "uncollectible": "uncollectible",
    "void": "void",
}
_DISPUTE: dict[str, DisputeStatus] = {
    "warning_needs_response": "needs_response",
    "needs_response": "needs_response",
    "warning_under_review": "under_review",
    "under_review": "under_review",
    "warning_closed": "closed",
    "prevented": "closed",
    "charge_refunded": "accepted",
    "won": "won",
    "lost": "lost",
}
_PAYOUT: dict[str, PayoutStatus] = {
    "pending": "pending",
    "in_transit": "in_transit",
    "paid": "paid",
    "failed": "failed",
    "canceled": "canceled",
}


def subscription(thing: Thing, account: str, changed_at: datetime) -> Subscription | None:
    """What is owed and whether there is a method to charge is told only with customer and latest invoice expanded."""
    subscription_id = fields.id_(thing.id)
    status = _SUBSCRIPTION.get(thing.status or "")
    if subscription_id is None or status is None:
        return None
    if thing.pause_collection is not None and status not in _ENDED:
        status = "paused"
    bill = thing.latest_invoice if isinstance(thing.latest_invoice, Bill) else None
    ends = thing.cancel_at_period_end
    return Subscription(
        account=account,
        subscription_id=subscription_id,
        at=fields.time(thing.created) or changed_at,
        changed_at=changed_at,
        status=status,
        customer=fields.ref(thing.customer),
        amount_minor=_price(thing),
        currency=fields.currency(thing.currency),
        next_billing_at=None if status in _ENDED else _next(thing),
        outstanding_minor=_outstanding(bill),
        failed_payments=_failures(bill),
        cancel_at_period_end=True if thing.cancel_at is not None else ends,
        has_payment_method=_has_method(thing),
        owing_since=fields.time(bill.created) if bill and _outstanding(bill) else None,
        next_try_at=fields.time(bill.next_payment_attempt) if bill and bill.status == "open" else None,
        charged=None if thing.collection_method is None else thing.collection_method != "send_invoice",
    )


def method(found: StoredMethod, chosen: str | None) -> PaymentMethod | None:
    """A stored method; `chosen` is the id of the customer's default, where there is one."""
    method_id, card = fields.id_(found.id), found.card
    if method_id is None:
        return None
    if card is None:
        return PaymentMethod(method_id, fields.word(found.type) or "method", chosen == method_id)
    expires = None
    if card.exp_year is not None and card.exp_month is not None and 1 <= card.exp_month <= 12:
        expires = first_of_next_month(card.exp_year, card.exp_month)
    label = f"{fields.word(card.brand) or 'card'} ending in {fields.word(card.last4) or '?'}"
    return PaymentMethod(method_id, label, chosen == method_id, expires)


def invoice(thing: Thing, account: str, changed_at: datetime) -> Invoice | None:
    invoice_id, currency = fields.id_(thing.id), fields.currency(thing.currency)
    status = _INVOICE.get(thing.status or "")
    due = fields.amount(thing.amount_due if thing.amount_remaining is None else thing.amount_remaining)
    if invoice_id is None or currency is None or status is None or due is None:
        return None
    error = thing.last_finalization_error
    details = thing.parent.subscription_details if thing.parent else None
    return Invoice(
        account=account,
        invoice_id=invoice_id,
        at=fields.time(thing.created) or changed_at,
        changed_at=changed_at,
        status=status,
        amount_due_minor=due,
        currency=currency,
        # Before the version `2025-03-31.basil` the subscription stood on the invoice itself.
        subscription_id=fields.ref(details.subscription if details else None)
        or fields.ref(thing.subscription),
        attempt_count=fields.amount(thing.attempt_count),
        next_attempt_at=fields.time(thing.next_payment_attempt),
        finalization_error=None if error is None else fields.word(error.code) or fields.word(error.type),
    )


def dispute(thing: Thing, account: str, changed_at: datetime) -> Dispute | None:
    dispute_id, currency = fields.id_(thing.id), fields.currency(thing.currency)
    status, amount = _DISPUTE.get(thing.status or ""), fields.amount(thing.amount)
    if dispute_id is None or currency is None or status is None or amount is None:
        return None
    return Dispute(
        account=account,
        dispute_id=dispute_id,
        at=fields.time(thing.created) or changed_at,
        changed_at=changed_at,
        status=status,
        amount_minor=amount,
        currency=currency,
        reason=fields.word(thing.reason),
        attempt_id=fields.ref(thing.charge),
        reply_by=fields.time(thing.evidence_details.due_by if thing.evidence_details else None),
    )


def payout(thing: Thing, account: str, changed_at: datetime) -> Payout | None:
    payout_id, currency = fields.id_(thing.id), fields.currency(thing.currency)
    status, amount = _PAYOUT.get(thing.status or ""), fields.amount(thing.amount)
    if payout_id is None or currency is None or status is None or amount is None:
        return None
    return Payout(
        account=account,
        payout_id=payout_id,
        at=fields.time(thing.created) or changed_at,
        changed_at=changed_at,
        status=status,
        amount_minor=amount,
        currency=currency,
        arrives_at=fields.time(thing.arrival_date),
        failure_code=fields.word(thing.failure_code),
    )


def _price(thing: Thing) -> int | None:
    """What one period costs; None when an item has no fixed price (metered, tiered)."""
    items = thing.items.data if thing.items else []
    sums = [
        None
        if item.price is None or item.price.unit_amount is None
        else item.price.unit_amount * (1 if item.quantity is None else item.quantity)
        for item in items
    ]
    known = [each for each in sums if each is not None]
    return fields.amount(sum(known)) if known and len(known) == len(sums) else None


def _next(thing: Thing) -> datetime | None:
    """The end of the period, which stands on the items, in older versions on the subscription."""
    items = thing.items.data if thing.items else []
    ends = [item.current_period_end for item in items if item.current_period_end is not None]
    return fields.time(min(ends) if ends else thing.current_period_end)


def _outstanding(bill: Bill | None) -> int | None:
    if bill is None or bill.status is None:
        return None
    return fields.amount(bill.amount_remaining) if bill.status in ("open", "uncollectible") else 0


def _failures(bill: Bill | None) -> int | None:
    if bill is None or bill.status is None:
        return None
    return fields.amount(bill.attempt_count) if bill.status in ("open", "uncollectible") else 0


def _has_method(thing: Thing) -> bool | None:
    """Stripe charges the subscription's own method, then what its customer has set."""
    if thing.default_payment_method is not None or thing.default_source is not None:
        return True
    customer = thing.customer
    if not isinstance(customer, Customer):
        return None
    set_for_invoices = customer.invoice_settings.default_payment_method if customer.invoice_settings else None
    return set_for_invoices is not None or customer.default_source is not None
