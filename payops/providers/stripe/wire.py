"""The few fields of Stripe's JSON that payops reads, decoded without building anything else.

A field of an unexpected type counts as absent: one odd event must not hide the other ninety-nine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec


class Reference(msgspec.Struct, frozen=True):
    """An expanded object where an id was asked for."""

    id: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    type: str | None = None
    reason: str | None = None


class Card(msgspec.Struct, frozen=True):
    brand: str | None = None
    country: str | None = None


class MethodDetails(msgspec.Struct, frozen=True):
    type: str | None = None
    card: Card | None = None
    card_present: Card | None = None


class Thing(msgspec.Struct, frozen=True):
    """A charge, refund, payment intent or anything else an event carries."""

    id: str | None = None
    object: str | None = None
    created: int | None = None
    livemode: bool | None = None
    amount: int | None = None
    currency: str | None = None
    status: str | None = None
    customer: str | Reference | None = None
    payment_intent: str | Reference | None = None
    charge: str | Reference | None = None
    failure_code: str | None = None
    failure_reason: str | None = None
    outcome: Outcome | None = None
    payment_method_details: MethodDetails | None = None


class EventData(msgspec.Struct, frozen=True):
    object: Thing | None = None


class Event(msgspec.Struct, frozen=True):
    id: str | None = None
    type: str | None = None
    created: int | None = None
    livemode: bool | None = None
    pending_webhooks: int | None = None
    data: EventData | None = None


class WebhookEndpoint(msgspec.Struct, frozen=True):
    id: str | None = None
    url: str | None = None
    status: str | None = None
    enabled_events: list[str] | None = None
    livemode: bool | None = None
    api_version: str | None = None
    created: int | None = None


class DisabledDetails(msgspec.Struct, frozen=True):
    reason: str | None = None


class StatusDetails(msgspec.Struct, frozen=True):
    disabled: DisabledDetails | None = None


class EventDestination(msgspec.Struct, frozen=True):
    status: str | None = None
    status_details: StatusDetails | None = None


class Balance(msgspec.Struct, frozen=True):
    livemode: bool | None = None


class Account(msgspec.Struct, frozen=True):
    id: str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]
    has_more: bool = False


class Unreadable(ValueError):
    """The body is not the JSON it should be."""


T = TypeVar("T", bound=msgspec.Struct)
_page = msgspec.json.Decoder(_Page)
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def one(body: bytes, kind: type[T]) -> T:
    """The object in `body`; `Unreadable` when it is no JSON object."""
    decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    try:
        found: T = decoder.decode(body)
        return found
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    return from_mapping(parse(body), kind)


def page(body: bytes, kind: type[T]) -> tuple[list[T], bool]:
    """The objects of a list answer and whether there are more; `Unreadable` when it is no list."""
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


def parse(body: bytes) -> dict[str, Any]:
    """`body` as plain values; `Unreadable` when it is no JSON object."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return value


def from_mapping(value: Mapping[str, object], kind: type[T]) -> T:
    """`kind` from plain values; a field of the wrong type is as if it were absent."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        pass
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in value:
            continue
        given = value[field.name]
        try:
            fields[field.name] = msgspec.convert(given, field.type)
        except msgspec.ValidationError:
            nested = _struct_in(field.type)
            if nested is not None and isinstance(given, Mapping):
                fields[field.name] = from_mapping(given, nested)
    return kind(**fields)


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    for option in getattr(annotation, "__args__", (annotation,)):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None
