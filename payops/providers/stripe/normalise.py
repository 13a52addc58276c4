"""Stripe events as facts: the one reading of them, shared by the feed and the inbox. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from payops.clock import from_epoch
from payops.domain.events import Facts, WebhookEvent
from payops.domain.payments import Attempt, AttemptStatus, Mode, Refund

from .wire import Card, Event, Reference, Thing

_STATUS: dict[str, AttemptStatus] = {"succeeded": "succeeded", "failed": "failed", "pending": "pending"}
_LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())
_INT64 = 2**63
_ID_LIMIT = 255
_WORD_LIMIT = 120


def facts(events: Iterable[Event], account: str, mode: Mode) -> Facts:
    """What the events state. Those of the other mode go to `wrong_mode` and teach nothing else.

    An event without id, type or time cannot be kept and is left out. An event that does not say its mode is
    kept as an event, but its object enters no rate.
    """
    attempts: list[Attempt] = []
    refunds: list[Refund] = []
    seen: list[WebhookEvent] = []
    wrong: list[WebhookEvent] = []
    for event in events:
        webhook = webhook_event(event, account)
        if webhook is None:
            continue
        if is_other_mode(event, mode):
            wrong.append(webhook)
            continue
        seen.append(webhook)
        thing = event.data.object if event.data else None
        if thing is None or event.livemode is None:
            continue
        if thing.object == "charge":
            attempt = _attempt(thing, account, webhook.created_at)
            if attempt is not None:
                attempts.append(attempt)
        elif thing.object == "refund":
            refund = _refund(thing, account, webhook.created_at)
            if refund is not None:
                refunds.append(refund)
    return Facts(tuple(attempts), tuple(refunds), tuple(seen), tuple(wrong))


def is_other_mode(event: Event, mode: Mode) -> bool:
    """Whether the event, or the object in it, says that it belongs to the other mode."""
    live = mode == "live"
    thing = event.data.object if event.data else None
    said = (event.livemode, thing.livemode if thing else None)
    return any(each is not None and each != live for each in said)


def webhook_event(event: Event, account: str, created: int | None = None) -> WebhookEvent | None:
    """The event without its body; `created` is used where it states no time of its own."""
    event_id, kind = _id(event.id), _word(event.type)
    at = _time(event.created) or _time(created)
    if event_id is None or kind is None or at is None:
        return None
    thing = event.data.object if event.data else None
    return WebhookEvent(
        account=account,
        event_id=event_id,
        type=kind,
        created_at=at,
        livemode=event.livemode,
        object_id=_id(thing.id) if thing else None,
        amount_minor=_amount(thing.amount) if thing else None,
        currency=_currency(thing.currency) if thing else None,
        pending_webhooks=_amount(event.pending_webhooks),
    )


def _attempt(charge: Thing, account: str, changed_at: datetime) -> Attempt | None:
    attempt_id = _id(charge.id)
    status = _STATUS.get(charge.status or "")
    amount = _amount(charge.amount)
    # A zero amount is a verification of the card: nobody wanted to pay.
    if attempt_id is None or status is None or amount == 0:
        return None
    details = charge.payment_method_details
    card = (details.card or details.card_present if details else None) or Card()
    decline = None
    if status == "failed":
        decline = _word(charge.outcome.reason if charge.outcome else None) or _word(charge.failure_code)
    return Attempt(
        account=account,
        attempt_id=attempt_id,
        at=_time(charge.created) or changed_at,
        status=status,
        changed_at=changed_at,
        payment_id=_ref(charge.payment_intent),
        customer=_ref(charge.customer),
        amount_minor=amount,
        currency=_currency(charge.currency),
        decline_code=decline,
        method=_word(details.type) if details else None,
        card_brand=_word(card.brand),
        country=_word(card.country),
    )


def _refund(refund: Thing, account: str, changed_at: datetime) -> Refund | None:
    refund_id, amount, currency = _id(refund.id), _amount(refund.amount), _currency(refund.currency)
    if refund_id is None or amount is None or currency is None:
        return None
    return Refund(
        account=account,
        refund_id=refund_id,
        payment_id=_ref(refund.payment_intent) or _ref(refund.charge),
        at=_time(refund.created) or changed_at,
        status=_word(refund.status) or "unknown",
        amount_minor=amount,
        currency=currency,
        failure_reason=_word(refund.failure_reason),
    )


def _ref(value: str | Reference | None) -> str | None:
    return _id(value.id if isinstance(value, Reference) else value)


def _id(value: str | None) -> str | None:
    return value if value and len(value) <= _ID_LIMIT else None


def _word(value: str | None) -> str | None:
    return value[:_WORD_LIMIT] if value else None


def _amount(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < _INT64 else None


def _currency(value: str | None) -> str | None:
    if value is None or len(value) != 3 or not value.isascii() or not value.isalpha():
        return None
    return value.upper()


def _time(value: int | None) -> datetime | None:
    return from_epoch(value) if value is not None and 0 < value < _LATEST else None
