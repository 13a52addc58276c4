"""What missing events are worth."""

from __future__ import annotations

from collections.abc import Iterable

from .events import WebhookEvent
from .money import Money, totals

PURCHASE_EVENTS = ("charge.succeeded", "payment_intent.succeeded")
"""Events that each say once that a purchase was paid, in the order of preference."""


def worth(events: Iterable[WebhookEvent]) -> tuple[Money, ...]:
    """The paid purchases among `events`, per currency, largest first.

    A provider sends several events for one purchase; only one type of them is summed.
    """
    events = list(events)
    for kind in PURCHASE_EVENTS:
        paid = {
            event.object_id or event.event_id: Money(event.amount_minor, event.currency.upper())
            for event in events
            if event.type == kind and event.amount_minor is not None and event.currency
        }
        if paid:
            return totals(paid.values())
    return ()


def amounts(money: Iterable[Money]) -> str:
    """`1,234.00 EUR and 12.00 USD`; `no amount known` when there is none."""
    return " and ".join(str(each) for each in money) or "no amount known"
