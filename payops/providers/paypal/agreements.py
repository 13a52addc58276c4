"""Subscriptions and disputes as facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from payops.domain.payments import OWING, Dispute, DisputeStatus, Subscription, SubscriptionStatus

from . import amounts
from .fields import as_id, time, word
from .wire import Billing, Thing

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


def as_subscription(thing: Thing, account: str, changed_at: datetime) -> Subscription | None:
    """What a customer pays again and again. PayPal has no past due: money owed, or payments failed, is that."""
    own_id = as_id(thing.id)
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
        customer=as_id(customer.payer_id) if customer else None,
        amount_minor=amount,
        currency=currency or paid_in,
        next_billing_at=time(billing.next_billing_time),
        outstanding_minor=owed,
        failed_payments=failures,
        # Of several failures in a row only the last one's time is told.
        owing_since=time(billing.last_failed_payment.time)
        if failures == 1 and billing.last_failed_payment and status in OWING
        else None,
        next_try_at=time(billing.last_failed_payment.next_payment_retry_time)
        if billing.last_failed_payment
        else None,
    )


def as_dispute(thing: Thing, account: str, changed_at: datetime) -> Dispute | None:
    """A case of the buyer or of the buyer's bank; None when it lacks what makes it one."""
    own_id = as_id(thing.dispute_id or thing.id)
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
        reason=word(thing.reason),
        attempt_id=as_id(about.seller_transaction_id) if about else None,
        reply_by=time(thing.seller_response_due_date),
    )
