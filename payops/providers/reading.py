"""Reading a provider's JSON into the few fields that are wanted, without building anything else.

A field of the wrong type is as if it were absent: one odd object must not hide the other ninety-nine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec


class Unreadable(ValueError):
    """The body is not the JSON it should be."""


T = TypeVar("T", bound=msgspec.Struct)
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def one(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    """The object in `body`; `Unreadable` when it is no JSON object."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        found: T = decoder.decode(body)
        return found
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    return from_mapping(parse(body), kind)


def compact(body: bytes) -> str:
    """The JSON in `body` as text without spaces; `Unreadable` when it is none."""
    try:
        return msgspec.json.format(body, indent=-1).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def parse(body: bytes | msgspec.Raw) -> dict[str, Any]:
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
            lenient = _lenient(given, field.type)
            if lenient is not None:
                fields[field.name] = lenient
    return kind(**fields)


def _lenient(given: object, annotation: Any) -> object:
    """What can be had of a field that does not fit as a whole; None where nothing can."""
    for option in getattr(annotation, "__args__", (annotation,)):
        if isinstance(given, Mapping) and isinstance(option, type) and issubclass(option, msgspec.Struct):
            return from_mapping(given, option)
        if isinstance(given, list) and get_origin(option) is list:
            (inner,) = get_args(option)
            if issubclass(inner, msgspec.Struct):
                return [from_mapping(each, inner) for each in given if isinstance(each, Mapping)]
    return None
