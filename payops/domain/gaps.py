"""What missing events are worth."""

from __future__ import annotations

from collections.abc import Iterable

from .event_types import PURCHASE_EVENTS
from .events import WebhookEvent
from .money import Money, totals

_KINDS = tuple(kind for kinds in PURCHASE_EVENTS.values() for kind in kinds)


def paid(events: Iterable[WebhookEvent]) -> list[WebhookEvent]:
    """One event for each paid purchase among `events`.

    A provider sends several events for one purchase; only one type of them is taken.
    """
    events = list(events)
    for kind in _KINDS:
        found = {event.object_id or event.event_id: event for event in events if event.type == kind}
        if found:
            return list(found.values())
    return []


def worth(events: Iterable[WebhookEvent]) -> tuple[Money, ...]:
    """What the paid purchases among `events` are worth, per currency, largest first."""
    return totals(
        Money(event.amount_minor, event.currency.upper())
        for event in paid(events)
        if event.amount_minor is not None and event.currency
    )


def amounts(money: Iterable[Money]) -> str:
    """`1,234.00 EUR, 12.00 USD and 900 JPY`; `no amount known` when there is none."""
    shown = [str(each) for each in money]
    if len(shown) < 2:
        return shown[0] if shown else "no amount known"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
