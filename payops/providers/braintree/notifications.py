"""A verified notification, as plain values, turned into facts. It may come back redacted from the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from payops.domain.event_types import is_read
from payops.domain.events import Facts, WebhookEvent
from payops.domain.payments import Mode

from . import normalise, wire

_KIND_SAYS = {
    "subscription_canceled": "Canceled",
    "subscription_charged_successfully": "Active",
    "subscription_expired": "Expired",
    "subscription_went_active": "Active",
    "subscription_went_past_due": "Past Due",
}
_SUBJECTS = ("transaction", "subscription", "dispute", "disbursement", "merchant_account")


def event(told: Mapping[str, Any], account: str, mode: Mode, merchant_id: str) -> WebhookEvent | None:
    """The notification without its subject; None when it has no id, kind or time.

    It is signed with our key pair, so it is of our mode unless it names another merchant.
    """
    event_id, kind = wire.identifier(told.get("id")), wire.word(told.get("kind"))
    at = wire.time(told.get("timestamp"))
    if event_id is None or kind is None or at is None:
        return None
    thing = _subject(told)[1]
    money = wire.currency(thing.get("currency_iso_code"))
    return WebhookEvent(
        account=account,
        event_id=event_id,
        type=kind,
        created_at=at,
        livemode=None if is_foreign(told, merchant_id) else mode == "live",
        object_id=wire.identifier(thing.get("id")),
        amount_minor=wire.minor(thing.get("amount"), money),
        currency=money,
    )


def facts(told: Mapping[str, Any], account: str, mode: Mode, merchant_id: str) -> Facts:
    """What the notification states. One that names another merchant goes to `wrong_mode` and teaches nothing else."""
    seen = event(told, account, mode, merchant_id)
    if seen is None:
        return Facts()
    if is_foreign(told, merchant_id):
        return Facts(wrong_mode=(seen,))
    name, thing = _subject(told)
    found = Facts()
    if not is_read("braintree", seen.type):
        pass
    elif name == "transaction":
        found = _transaction(thing, account, seen)
    elif name == "subscription":
        found = _subscription(thing, account, seen)
    elif name == "dispute":
        opened = normalise.dispute(thing, account, seen.created_at)
        found = Facts(disputes=(opened,) if opened else ())
    return replace(found, events=(seen,))


def is_foreign(told: Mapping[str, Any], merchant_id: str) -> bool:
    """Whether it names a merchant that is not ours: another account, or ours in the other environment."""
    source = told.get("source_merchant_id")
    return source is not None and source != merchant_id


def _transaction(thing: Mapping[str, Any], account: str, seen: WebhookEvent) -> Facts:
    if thing.get("type") == "credit" or seen.type == "refund_failed":
        back = normalise.refund(thing, account, seen.created_at)
        return Facts(refunds=(back,) if back else ())
    tried = normalise.attempt(thing, account, seen.created_at)
    return Facts(attempts=(tried,) if tried else ())


def _subscription(thing: Mapping[str, Any], account: str, seen: WebhookEvent) -> Facts:
    known = normalise.subscription(thing, account, told_at=seen.created_at, status=_KIND_SAYS.get(seen.type))
    charged = [wire.mapping(each) for each in wire.items(thing.get("transactions"))]
    # Each carries its own last change; the notification's time says nothing about the older ones.
    return replace(normalise.facts(charged, account), subscriptions=(known,) if known else ())


def _subject(told: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    subject = wire.mapping(told.get("subject"))
    subject = wire.mapping(subject.get("api_error_response")) or subject
    for name in _SUBJECTS:
        if name in subject:
            return name, wire.mapping(subject[name])
    return "", {}
