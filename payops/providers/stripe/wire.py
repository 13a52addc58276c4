"""The few fields of Stripe's JSON that payops reads, decoded without building anything else.

A field of an unexpected type counts as absent: one odd event must not hide the other ninety-nine.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from payops.providers.reading import Unreadable, compact, from_mapping, one, parse

__all__ = ["Unreadable", "compact", "from_mapping", "one", "page", "parse", "resource"]


class Reference(msgspec.Struct, frozen=True, gc=False):
    """An expanded object where an id was asked for."""

    id: str | None = None


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """The two keys payops reads of what a merchant writes beside an object."""

    order_id: str | None = None
    payops_attempt: str | None = None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    type: str | None = None
    reason: str | None = None


class ThreeDSecure(msgspec.Struct, frozen=True, gc=False):
    authentication_flow: str | None = None


class Card(msgspec.Struct, frozen=True, gc=False):
    brand: str | None = None
    country: str | None = None
    capture_before: int | None = None
    three_d_secure: ThreeDSecure | None = None


class MethodDetails(msgspec.Struct, frozen=True, gc=False):
    type: str | None = None
    card: Card | None = None
    card_present: Card | None = None


class Method(msgspec.Struct, frozen=True, gc=False):
    """A payment method inside an error: the same fields as the details of a charge."""

    id: str | None = None
    type: str | None = None
    card: Card | None = None


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Why a payment or a bill could not be made."""

    type: str | None = None
    code: str | None = None
    decline_code: str | None = None
    charge: str | Reference | None = None
    payment_method: Method | None = None


class EvidenceDetails(msgspec.Struct, frozen=True, gc=False):
    due_by: int | None = None


class Price(msgspec.Struct, frozen=True, gc=False):
    unit_amount: int | None = None


class Item(msgspec.Struct, frozen=True, gc=False):
    price: Price | None = None
    quantity: int | None = None
    current_period_end: int | None = None


class Items(msgspec.Struct, frozen=True, gc=False):
    data: list[Item] = []


class SubscriptionDetails(msgspec.Struct, frozen=True, gc=False):
    subscription: str | Reference | None = None


class Parent(msgspec.Struct, frozen=True, gc=False):
    """What a bill was made from."""

    subscription_details: SubscriptionDetails | None = None


class InvoiceSettings(msgspec.Struct, frozen=True, gc=False):
    default_payment_method: str | Reference | None = None


class Customer(msgspec.Struct, frozen=True, gc=False):
    """A customer as far as it tells what could be charged."""

    id: str | None = None
    default_source: str | Reference | None = None
    invoice_settings: InvoiceSettings | None = None


class Bill(msgspec.Struct, frozen=True, gc=False):
    """An invoice inside its subscription."""

    id: str | None = None
    status: str | None = None
    amount_remaining: int | None = None
    attempt_count: int | None = None
    created: int | None = None
    next_payment_attempt: int | None = None


class Paused(msgspec.Struct, frozen=True, gc=False):
    behavior: str | None = None


class Thing(msgspec.Struct, frozen=True, gc=False):
    """Any object an event or a list carries, by the fields payops reads; `object` says which it is."""

    id: str | None = None
    object: str | None = None
    created: int | None = None
    livemode: bool | None = None
    amount: int | None = None
    currency: str | None = None
    status: str | None = None
    customer: str | Customer | None = None
    metadata: Metadata | None = None
    reason: str | None = None
    # charges, refunds, disputes, payouts
    payment_intent: str | Reference | None = None
    charge: str | Reference | None = None
    description: str | None = None
    captured: bool | None = None
    disputed: bool | None = None
    amount_refunded: int | None = None
    failure_code: str | None = None
    failure_reason: str | None = None
    pending_reason: str | None = None
    outcome: Outcome | None = None
    payment_method_details: MethodDetails | None = None
    evidence_details: EvidenceDetails | None = None
    arrival_date: int | None = None
    # payment intents
    last_payment_error: Problem | None = None
    # invoices
    amount_due: int | None = None
    amount_remaining: int | None = None
    attempt_count: int | None = None
    next_payment_attempt: int | None = None
    last_finalization_error: Problem | None = None
    parent: Parent | None = None
    subscription: str | Reference | None = None
    # subscriptions
    items: Items | None = None
    current_period_end: int | None = None
    latest_invoice: str | Bill | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool | None = None
    pause_collection: Paused | None = None
    collection_method: str | None = None
    default_payment_method: str | Reference | None = None
    default_source: str | Reference | None = None


class StoredCard(msgspec.Struct, frozen=True, gc=False):
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None


class StoredMethod(msgspec.Struct, frozen=True, gc=False):
    """What a customer has stored to pay with."""

    id: str | None = None
    type: str | None = None
    card: StoredCard | None = None


class EventData(msgspec.Struct, frozen=True, gc=False):
    object: Thing | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None
    type: str | None = None
    created: int | None = None
    livemode: bool | None = None
    pending_webhooks: int | None = None
    api_version: str | None = None
    data: EventData | None = None


class WebhookEndpoint(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None
    url: str | None = None
    status: str | None = None
    enabled_events: list[str] | None = None
    livemode: bool | None = None
    api_version: str | None = None
    created: int | None = None


class DisabledDetails(msgspec.Struct, frozen=True, gc=False):
    reason: str | None = None


class StatusDetails(msgspec.Struct, frozen=True, gc=False):
    disabled: DisabledDetails | None = None


class EventDestination(msgspec.Struct, frozen=True, gc=False):
    status: str | None = None
    status_details: StatusDetails | None = None


class Balance(msgspec.Struct, frozen=True, gc=False):
    livemode: bool | None = None


class Requirements(msgspec.Struct, frozen=True, gc=False):
    currently_due: list[str] | None = None
    disabled_reason: str | None = None


class Account(msgspec.Struct, frozen=True, gc=False):
    id: str | None = None
    charges_enabled: bool | None = None
    payouts_enabled: bool | None = None
    requirements: Requirements | None = None


class _Page(msgspec.Struct, frozen=True, gc=False):
    data: list[msgspec.Raw]
    has_more: bool = False


class _Events(msgspec.Struct, frozen=True, gc=False):
    data: list[Event]
    has_more: bool = False


class _Things(msgspec.Struct, frozen=True, gc=False):
    data: list[Thing]
    has_more: bool = False


T = TypeVar("T", bound=msgspec.Struct)
_page = msgspec.json.Decoder(_Page)
_pages: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {
    Event: msgspec.json.Decoder(_Events),
    Thing: msgspec.json.Decoder(_Things),
}


def page(body: bytes, kind: type[T]) -> tuple[list[T], bool]:
    """The objects of a list answer and whether there are more; `Unreadable` when it is no list."""
    whole = _pages.get(kind)
    if whole is not None:
        try:
            fine = whole.decode(body)
            return fine.data, fine.has_more
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # one of its objects is odd, or all of it: looked at one by one
    try:
        envelope = _page.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    found = []
    for raw in envelope.data:
        try:
            found.append(one(bytes(raw), kind))
        except Unreadable:
            continue
    return found, envelope.has_more


def resource(path: str) -> str:
    """`/v1/events/evt_1` → `events`: what calls are paced, counted and permitted by."""
    parts = path.split("/")
    return "/".join(parts[3:4]) if path.startswith("/v2/core/") else parts[2] if len(parts) > 2 else path
