"""Stripe events as facts: the one reading of them, shared by the feed and the inbox. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from payops.domain.event_types import is_read
from payops.domain.events import Facts, WebhookEvent
from payops.domain.payments import Mode

from . import billing, fields, payments
from .wire import Event, Thing

_READERS: dict[str, tuple[str, Any]] = {
    "charge": ("attempts", payments.attempt),
    "refund": ("refunds", payments.refund),
    "subscription": ("subscriptions", billing.subscription),
    "invoice": ("invoices", billing.invoice),
    "dispute": ("disputes", billing.dispute),
    "payout": ("payouts", billing.payout),
}
"""The kind of an object → the field of `Facts` it belongs to, and how it is read."""
_FAILED_INTENT = "payment_intent.payment_failed"


def facts(events: Iterable[Event], account: str, mode: Mode) -> Facts:
    """What the events state. Those of the other mode go to `wrong_mode` and teach nothing else.

    An event without id, type or time cannot be kept and is left out. An event that does not say its mode is
    kept as an event, but its object enters no rate.
    """
    seen: list[WebhookEvent] = []
    wrong: list[WebhookEvent] = []
    learned = Learned(account)
    for event in events:
        webhook = webhook_event(event, account)
        if webhook is None:
            continue
        if is_other_mode(event, mode):
            wrong.append(webhook)
            continue
        seen.append(webhook)
        thing = event.data.object if event.data else None
        if thing is None or event.livemode is None or not is_read("stripe", webhook.type):
            continue
        if webhook.type == _FAILED_INTENT:
            learned.add(
                "attempts", payments.without_charge(thing, account, webhook.event_id, webhook.created_at)
            )
        else:
            learned.read(thing, webhook.created_at)
    return learned.facts(events=tuple(seen), wrong_mode=tuple(wrong))


class Learned:
    """Gathers what objects state, whatever list or event they came in."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._values: dict[str, list[Any]] = {}

    def read(self, thing: Thing, changed_at: datetime) -> None:
        """`changed_at` is Stripe's time of the state the object is in."""
        reader = _READERS.get(thing.object or "")
        if reader is not None:
            self.add(reader[0], reader[1](thing, self._account, changed_at))

    def add(self, kind: str, value: object | None) -> None:
        if value is not None:
            self._values.setdefault(kind, []).append(value)

    def facts(self, **more: Any) -> Facts:
        return Facts(**{kind: tuple(values) for kind, values in self._values.items()}, **more)


def is_other_mode(event: Event, mode: Mode) -> bool:
    """Whether the event, or the object in it, says that it belongs to the other mode."""
    live = mode == "live"
    thing = event.data.object if event.data else None
    return fields.mode_differs(event.livemode, live) or (
        thing is not None and fields.mode_differs(thing.livemode, live)
    )


def webhook_event(event: Event, account: str, created: int | None = None) -> WebhookEvent | None:
    """The event without its body; `created` is used where it states no time of its own."""
    event_id, kind = fields.id_(event.id), fields.word(event.type)
    at = fields.time(event.created) or fields.time(created)
    if event_id is None or kind is None or at is None:
        return None
    thing = event.data.object if event.data else None
    return WebhookEvent(
        account=account,
        event_id=event_id,
        type=kind,
        created_at=at,
        livemode=event.livemode,
        object_id=fields.id_(thing.id) if thing else None,
        amount_minor=fields.amount(thing.amount) if thing else None,
        currency=fields.currency(thing.currency) if thing else None,
        pending_webhooks=fields.amount(event.pending_webhooks),
    )
