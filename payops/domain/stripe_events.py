"""The Stripe event types payops lives on: polled, subscribed to, and counted in gaps."""

from __future__ import annotations

EVENT_TYPES: tuple[str, ...] = (
    "charge.failed",
    "charge.pending",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
    "refund.created",
    "refund.failed",
    "refund.updated",
)
