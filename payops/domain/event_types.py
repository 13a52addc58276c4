"""The event types payops lives on, per provider: subscribed to, polled where there is a list, counted in gaps."""

from __future__ import annotations

from collections.abc import Mapping

from .payments import Provider

EVENT_TYPES: Mapping[Provider, tuple[str, ...]] = {
    "stripe": (
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.failed",
        "charge.pending",
        "charge.refunded",
        "charge.succeeded",
        "charge.updated",
        "customer.subscription.created",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "invoice.finalization_failed",
        "invoice.paid",
        "invoice.payment_failed",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "payout.failed",
        "refund.created",
        "refund.failed",
        "refund.updated",
    ),
    "braintree": (
        "dispute_expired",
        "dispute_lost",
        "dispute_opened",
        "dispute_won",
        "refund_failed",
        "subscription_canceled",
        "subscription_charged_successfully",
        "subscription_charged_unsuccessfully",
        "subscription_went_active",
        "subscription_went_past_due",
        "transaction_disbursed",
        "transaction_settled",
        "transaction_settlement_declined",
    ),
    "paypal": (
        "BILLING.SUBSCRIPTION.ACTIVATED",
        "BILLING.SUBSCRIPTION.CANCELLED",
        "BILLING.SUBSCRIPTION.EXPIRED",
        "BILLING.SUBSCRIPTION.PAYMENT.FAILED",
        "BILLING.SUBSCRIPTION.SUSPENDED",
        "CHECKOUT.ORDER.APPROVED",
        "CUSTOMER.DISPUTE.CREATED",
        "CUSTOMER.DISPUTE.RESOLVED",
        "CUSTOMER.DISPUTE.UPDATED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "PAYMENT.AUTHORIZATION.VOIDED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.CAPTURE.DECLINED",
        "PAYMENT.CAPTURE.DENIED",
        "PAYMENT.CAPTURE.PENDING",
        "PAYMENT.CAPTURE.REFUNDED",
        "PAYMENT.CAPTURE.REVERSED",
        "PAYMENT.REFUND.FAILED",
        "PAYMENT.REFUND.PENDING",
        "PAYMENT.SALE.COMPLETED",
        "PAYMENT.SALE.DENIED",
    ),
}
"""Braintree sends no event for a plain card sale : its payments are found by search alone."""

PURCHASE_EVENTS: Mapping[Provider, tuple[str, ...]] = {
    "stripe": ("charge.succeeded", "payment_intent.succeeded"),
    "braintree": ("subscription_charged_successfully", "transaction_settled"),
    "paypal": ("PAYMENT.CAPTURE.COMPLETED", "PAYMENT.SALE.COMPLETED"),
}
"""Events that each say once that a purchase was paid, in the order of preference."""


_BORDER: Mapping[Provider, str] = {"stripe": ".", "paypal": ".", "braintree": "_"}


def _families() -> Mapping[Provider, frozenset[str]]:
    return {
        provider: frozenset(name.partition(_BORDER[provider])[0] for name in names)
        for provider, names in EVENT_TYPES.items()
    }


_FAMILIES = _families()


def is_read(provider: Provider, event_type: str) -> bool:
    """Whether payops knows what events of such a type are about. Of others it keeps that they came, no more."""
    return event_type.partition(_BORDER[provider])[0] in _FAMILIES[provider]
