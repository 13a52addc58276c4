"""Which parameters each call takes, in query and body. Anything else is refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from . import errors
from .names import Shape

Kind = Literal[
    "text",
    "count",
    "instant",
    "words",
    "flag",
    "yes_no",
    "money",
    "strings",
    "event_types",
    "patches",
    "object",
]
Fields = Mapping[str, Kind]

_AMOUNT: Fields = {"amount": "money"}
_REASON: Fields = {"reason": "text"}
QUERIES: Mapping[str, Fields] = {
    "GET /v1/notifications/webhooks": {"anchor_type": "text"},
    "GET /v1/notifications/webhooks-events": {
        "page_size": "count",
        "start_time": "instant",
        "end_time": "instant",
        "transaction_id": "text",
        "event_type": "text",
        "page_token": "text",
    },
    "GET /v1/reporting/transactions": {
        "transaction_id": "text",
        "transaction_type": "text",
        "transaction_status": "text",
        "transaction_amount": "text",
        "transaction_currency": "text",
        "start_date": "instant",
        "end_date": "instant",
        "payment_instrument_type": "text",
        "store_id": "text",
        "terminal_id": "text",
        "fields": "words",
        "balance_affecting_records_only": "yes_no",
        "page_size": "count",
        "page": "count",
    },
    "GET /v2/checkout/orders/{id}": {"fields": "words"},
    "GET /v1/billing/subscriptions": {
        "plan_ids": "words",
        "statuses": "words",
        "created_after": "instant",
        "created_before": "instant",
        "status_updated_after": "instant",
        "status_updated_before": "instant",
        "filter": "text",
        "page_size": "count",
        "page": "count",
        "customer_ids": "words",
        "total_required": "flag",
    },
    "GET /v1/billing/subscriptions/{id}": {"fields": "words"},
    "GET /v1/customer/disputes": {
        "start_time": "instant",
        "disputed_transaction_id": "text",
        "page_size": "count",
        "next_page_token": "text",
        "dispute_state": "words",
        "update_time_before": "instant",
        "update_time_after": "instant",
    },
}
"""What the query of a call may say; one that is not listed takes nothing."""
BODIES: Mapping[str, Fields] = {
    "POST /v1/notifications/webhooks": {"url": "text", "event_types": "event_types"},
    "PATCH /v1/notifications/webhooks/{id}": {"": "patches"},
    "POST /v1/notifications/webhooks-events/{id}/resend": {"webhook_ids": "strings"},
    "POST /v1/notifications/simulate-event": {
        "webhook_id": "text",
        "url": "text",
        "event_type": "text",
        "resource_version": "text",
    },
    "POST /v1/notifications/verify-webhook-signature": {
        "auth_algo": "text",
        "cert_url": "text",
        "transmission_id": "text",
        "transmission_sig": "text",
        "transmission_time": "text",
        "webhook_id": "text",
        "webhook_event": "object",
    },
    "POST /v2/checkout/orders/{id}/capture": {"payment_source": "object"},
    "POST /v2/payments/captures/{id}/refund": {
        **_AMOUNT,
        "invoice_id": "text",
        "custom_id": "text",
        "note_to_payer": "text",
        "payment_instruction": "object",
    },
    "POST /v2/payments/authorizations/{id}/capture": {
        **_AMOUNT,
        "invoice_id": "text",
        "final_capture": "flag",
        "note_to_payer": "text",
        "soft_descriptor": "text",
        "payment_instruction": "object",
    },
    "POST /v2/payments/authorizations/{id}/reauthorize": _AMOUNT,
    "POST /v1/billing/subscriptions/{id}/capture": {**_AMOUNT, "note": "text", "capture_type": "text"},
    "POST /v1/billing/subscriptions/{id}/activate": _REASON,
    "POST /v1/billing/subscriptions/{id}/suspend": _REASON,
    "POST /v1/billing/subscriptions/{id}/cancel": _REASON,
}
"""What the body of a call may say; one that is not listed takes nothing."""
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "GET /v1/reporting/transactions": ("start_date", "end_date"),
    "POST /v1/notifications/webhooks": ("url", "event_types"),
    "POST /v1/notifications/simulate-event": ("event_type",),
    "POST /v1/notifications/verify-webhook-signature": tuple(
        BODIES["POST /v1/notifications/verify-webhook-signature"]
    ),
    "POST /v2/payments/authorizations/{id}/reauthorize": ("amount",),
    "POST /v1/billing/subscriptions/{id}/capture": ("note", "capture_type", "amount"),
    "POST /v1/billing/subscriptions/{id}/suspend": ("reason",),
    "POST /v1/billing/subscriptions/{id}/cancel": ("reason",),
}
MOST_PER_PAGE: Mapping[str, int] = {
    "GET /v1/notifications/webhooks-events": 300,
    "GET /v1/reporting/transactions": 500,
    "GET /v1/billing/subscriptions": 20,
    "GET /v1/customer/disputes": 50,
}
_LONGEST: Mapping[str, int] = {
    "invoice_id": 127,
    "custom_id": 127,
    "note_to_payer": 255,
    "soft_descriptor": 22,
    "note": 128,
    "reason": 128,
    "url": 2048,
    "transmission_id": 50,
    "webhook_id": 50,
    "event_type": 50,
}
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_VALUE = re.compile(r"-?([0-9]+|[0-9]*\.[0-9]+)")
_EVENT_TYPE = re.compile(r"\*|[A-Z0-9][A-Z0-9.-]{2,59}")


def family(called: str) -> str:
    """What this part of the API calls a request that is not well-formed."""
    return "VALIDATION_ERROR" if "/v1/notifications/" in called else "INVALID_REQUEST"


def read_query(called: str, text: str) -> Shape:
    """The query's parameters as values of their kinds; `ApiError` 400 names what is unknown or malformed."""
    return _checked(called, dict(parse_qsl(text, keep_blank_values=True)), QUERIES.get(called, {}), "query")


def read_body(called: str, text: str) -> Shape:
    """The body's fields as values of their kinds; no body is an empty one, and so is `null`."""
    try:
        value = msgspec.json.decode(text) if text.strip() else {}
    except msgspec.DecodeError as error:
        raise errors.malformed(family(called), "/", "", "body", "MALFORMED_REQUEST_JSON") from error
    permitted = BODIES.get(called, {})
    if "" in permitted:
        return {"": _KINDS[permitted[""]](called, "", value, "body")}
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise errors.malformed(family(called), "/", "", "body", "MALFORMED_REQUEST_JSON")
    return _checked(called, value, permitted, "body")


def _checked(called: str, raw: Mapping[str, Any], permitted: Fields, location: str) -> Shape:
    for name in raw:
        if name not in permitted:
            raise errors.unknown_parameter(family(called), name, location)
    asked = "query" if called.startswith("GET ") else "body"
    for name in REQUIRED.get(called, ()) if asked == location else ():
        if name not in raw:
            raise errors.malformed(family(called), name, None, location, "MISSING_REQUIRED_PARAMETER")
    return {name: _KINDS[permitted[name]](called, name, value, location) for name, value in raw.items()}


def _text(called: str, name: str, value: Any, location: str) -> str:
    if not isinstance(value, str):
        raise errors.malformed(family(called), name, value, location, "INVALID_PARAMETER_SYNTAX")
    if not 1 <= len(value) <= _LONGEST.get(name, 20_000):
        raise errors.malformed(family(called), name, value, location, "INVALID_STRING_LENGTH")
    return value


def _count(called: str, name: str, value: Any, location: str) -> int:
    most = MOST_PER_PAGE.get(called, 100) if name == "page_size" else 100_000
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= most:
        raise errors.malformed(family(called), name, value, location)
    return int(value)


def _instant(called: str, name: str, value: Any, location: str) -> int:
    """Epoch milliseconds. A `+` of a zone that was not encoded has become a space: refused, as it is there."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise errors.malformed(family(called), name, value, location, "INVALID_PARAMETER_SYNTAX")
    try:
        at = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise errors.malformed(family(called), name, value, location, "INVALID_PARAMETER_SYNTAX") from error
    return round(at.timestamp() * 1000)


def _words(called: str, name: str, value: Any, location: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in _text(called, name, value, location).split(","))


def _flag(called: str, name: str, value: Any, location: str) -> bool:
    if value not in (True, False, "true", "false"):
        raise errors.malformed(family(called), name, value, location)
    return value in (True, "true")


def _yes_no(called: str, name: str, value: Any, location: str) -> bool:
    if value not in ("Y", "N"):
        raise errors.malformed(family(called), name, value, location)
    return bool(value == "Y")


def _money(called: str, name: str, value: Any, location: str) -> tuple[str, str]:
    """The decimal text and the currency, as they came."""
    if not isinstance(value, dict):
        raise errors.malformed(family(called), f"/{name}", value, location, "INVALID_PARAMETER_SYNTAX")
    for part in value:
        if part not in ("value", "currency_code"):
            raise errors.unknown_parameter(family(called), f"/{name}/{part}", location)
    for part in ("value", "currency_code"):
        if part not in value:
            raise errors.malformed(
                family(called), f"/{name}/{part}", None, location, "MISSING_REQUIRED_PARAMETER"
            )
    amount, currency = value["value"], value["currency_code"]
    if not isinstance(amount, str) or len(amount) > 32 or not _VALUE.fullmatch(amount):
        raise errors.malformed(family(called), f"/{name}/value", amount, location, "INVALID_PARAMETER_SYNTAX")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise errors.malformed(
            family(called), f"/{name}/currency_code", currency, location, "INVALID_PARAMETER_SYNTAX"
        )
    return amount, currency


def _strings(called: str, name: str, value: Any, location: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise errors.malformed(family(called), name, value, location, "INVALID_PARAMETER_SYNTAX")
    return tuple(value)


def _event_types(called: str, name: str, value: Any, location: str) -> tuple[str, ...]:
    """Names out of `[{"name": …}]`."""
    fine = isinstance(value, list) and value
    if not fine or not all(isinstance(each, dict) and set(each) <= _TYPE_FIELDS for each in value):
        raise errors.malformed(family(called), name, value, location, "INVALID_PARAMETER_SYNTAX")
    for each in value:
        if not isinstance(each.get("name"), str) or not _EVENT_TYPE.fullmatch(each["name"]):
            raise errors.malformed(family(called), f"{name}.name", each.get("name"), location)
    return tuple(dict.fromkeys(each["name"] for each in value))


_TYPE_FIELDS = frozenset({"name", "description", "status", "resource_versions"})


def _patches(called: str, name: str, value: Any, location: str) -> Shape:
    """`{"url": …, "event_types": […]}` out of a list of `replace` operations."""
    if not isinstance(value, list) or not value:
        raise errors.malformed(family(called), "/", value, location, "INVALID_PARAMETER_SYNTAX")
    wanted: Shape = {}
    for patch in value:
        if not isinstance(patch, dict) or set(patch) != {"op", "path", "value"} or patch["op"] != "replace":
            raise errors.malformed(family(called), "op", patch, location, "INVALID_PATCH_OPERATION")
        if patch["path"] == "/url":
            wanted["url"] = _text(called, "url", patch["value"], location)
        elif patch["path"] == "/event_types":
            wanted["event_types"] = _event_types(called, "event_types", patch["value"], location)
        else:
            raise errors.malformed(family(called), "path", patch["path"], location)
    return wanted


def _object(called: str, name: str, value: Any, location: str) -> Shape:
    if not isinstance(value, dict):
        raise errors.malformed(family(called), name, value, location, "INVALID_PARAMETER_SYNTAX")
    return value


_KINDS: Mapping[Kind, Any] = {
    "text": _text,
    "count": _count,
    "instant": _instant,
    "words": _words,
    "flag": _flag,
    "yes_no": _yes_no,
    "money": _money,
    "strings": _strings,
    "event_types": _event_types,
    "patches": _patches,
    "object": _object,
}
