"""Stripe's form encoding, and which parameters each call takes. Anything else is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from payops.simulator.log import Span

from . import errors

Kind = Literal["string", "integer", "boolean", "strings", "map", "created"]
Params = dict[str, Any]

_LIST: dict[str, Kind] = {
    "limit": "integer",
    "starting_after": "string",
    "ending_before": "string",
    "expand": "strings",
}
_READ: dict[str, Kind] = {"expand": "strings"}
_V2: dict[str, Kind] = {"include": "strings"}
PERMITTED: dict[tuple[str, str], dict[str, Kind]] = {
    ("GET", "/v1/balance"): _READ,
    ("GET", "/v1/account"): _READ,
    ("GET", "/v1/payment_intents"): {
        **_LIST,
        "created": "created",
        "customer": "string",
        "customer_account": "string",
    },
    ("GET", "/v1/payment_intents/{id}"): {**_READ, "client_secret": "string"},
    ("GET", "/v1/charges"): {
        **_LIST,
        "created": "created",
        "customer": "string",
        "payment_intent": "string",
        "transfer_group": "string",
    },
    ("GET", "/v1/charges/{id}"): _READ,
    ("GET", "/v1/refunds"): {
        **_LIST,
        "created": "created",
        "charge": "string",
        "payment_intent": "string",
    },
    ("GET", "/v1/refunds/{id}"): _READ,
    ("GET", "/v1/customers"): {**_LIST, "created": "created", "email": "string", "test_clock": "string"},
    ("GET", "/v1/customers/{id}"): _READ,
    ("POST", "/v1/customers/{id}"): {
        **_READ,
        "description": "string",
        "invoice_settings": "map",
        "metadata": "map",
    },
    ("GET", "/v1/customers/{id}/payment_methods"): {
        "limit": "integer",
        "expand": "strings",
        "type": "string",
    },
    ("GET", "/v1/payment_methods/{id}"): _READ,
    ("POST", "/v1/payment_intents/{id}/confirm"): {
        **_READ,
        "error_on_requires_action": "boolean",
        "off_session": "boolean",
        "payment_method": "string",
        "return_url": "string",
    },
    ("POST", "/v1/payment_intents/{id}/capture"): {
        **_READ,
        "amount_to_capture": "integer",
        "metadata": "map",
    },
    ("GET", "/v1/subscriptions"): {
        **_LIST,
        "collection_method": "string",
        "created": "created",
        "customer": "string",
        "status": "string",
    },
    ("GET", "/v1/subscriptions/{id}"): _READ,
    ("POST", "/v1/subscriptions/{id}"): {**_READ, "default_payment_method": "string"},
    ("GET", "/v1/invoices"): {
        **_LIST,
        "collection_method": "string",
        "created": "created",
        "customer": "string",
        "status": "string",
        "subscription": "string",
    },
    ("GET", "/v1/invoices/{id}"): _READ,
    ("POST", "/v1/invoices/{id}/pay"): {
        **_READ,
        "off_session": "boolean",
        "payment_method": "string",
    },
    ("POST", "/v1/invoices/{id}/finalize"): {**_READ, "auto_advance": "boolean"},
    ("GET", "/v1/invoice_payments"): {
        "expand": "strings",
        "invoice": "string",
        "limit": "integer",
        "payment": "map",
        "status": "string",
    },
    ("GET", "/v1/disputes"): {
        **_LIST,
        "charge": "string",
        "created": "created",
        "payment_intent": "string",
    },
    ("GET", "/v1/disputes/{id}"): _READ,
    ("GET", "/v1/payouts"): {**_LIST, "created": "created", "status": "string"},
    ("GET", "/v1/payouts/{id}"): _READ,
    ("GET", "/v2/core/event_destinations"): {**_V2, "limit": "integer", "page": "string"},
    ("GET", "/v2/core/event_destinations/{id}"): _V2,
    ("POST", "/v2/core/event_destinations/{id}/enable"): _V2,
    ("POST", "/v2/core/event_destinations/{id}/disable"): _V2,
    ("POST", "/v2/core/event_destinations/{id}/ping"): _V2,
    ("GET", "/v1/events"): {
        **_LIST,
        "created": "created",
        "delivery_success": "boolean",
        "type": "string",
        "types": "strings",
    },
    ("GET", "/v1/events/{id}"): _READ,
    ("GET", "/v1/webhook_endpoints"): _LIST,
    ("GET", "/v1/webhook_endpoints/{id}"): _READ,
    ("POST", "/v1/webhook_endpoints/{id}"): {
        **_READ,
        "description": "string",
        "disabled": "boolean",
        "enabled_events": "strings",
        "metadata": "map",
        "url": "string",
    },
    ("POST", "/v1/events/{id}/retry"): {**_READ, "webhook_endpoint": "string", "account": "string"},
    ("POST", "/v1/refunds/{id}/cancel"): _READ,
    ("POST", "/v1/refunds"): {
        **_READ,
        "amount": "integer",
        "charge": "string",
        "currency": "string",
        "customer": "string",
        "instructions_email": "string",
        "metadata": "map",
        "origin": "string",
        "payment_intent": "string",
        "reason": "string",
        "refund_application_fee": "boolean",
        "reverse_transfer": "boolean",
    },
}
"""What the API takes, call by call, in its current version, as far as the simulator acts on it or may ignore it."""

ONE_OF: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    ("GET", "/v1/subscriptions"): {
        "collection_method": ("charge_automatically", "send_invoice"),
        "status": (
            "active",
            "all",
            "canceled",
            "ended",
            "incomplete",
            "incomplete_expired",
            "past_due",
            "paused",
            "trialing",
            "unpaid",
        ),
    },
    ("GET", "/v1/invoices"): {
        "collection_method": ("charge_automatically", "send_invoice"),
        "status": ("draft", "open", "paid", "uncollectible", "void"),
    },
    ("GET", "/v1/invoice_payments"): {"status": ("canceled", "open", "paid")},
    ("GET", "/v1/payouts"): {"status": ("canceled", "failed", "in_transit", "paid", "pending")},
}
"""The values a parameter may have, where there are few."""

NEWER: dict[tuple[str, str], dict[str, str]] = {
    ("GET", "/v1/payment_intents"): {"customer_account": "stripe 16.1 PaymentIntentListParams"},
    ("GET", "/v1/invoice_payments"): {
        "*": "stripe 16.1 InvoicePaymentListParams: the resource came with basil"
    },
    ("POST", "/v1/events/{id}/retry"): {
        "*": "stripe-cli pkg/cmd/resource/events_resend.go: not in the API reference"
    },
}
"""What is permitted and not in Stripe's published description of version 2024-04-10, and where it stands instead.
`*`: the whole call. Version 2 of the API (`/v2/…`) is not in that description at all: stripe 16.1 v2/core."""

_MOST_TYPES = 20
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_BOUNDS = ("gt", "gte", "lt", "lte")


def decode(text: str) -> Params:
    """`a=1&b[]=x&c[0]=y&d[e]=z` as `{"a": "1", "b": ["x"], "c": ["y"], "d": {"e": "z"}}`."""
    tree: Params = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=2000):
        match = _NAME.fullmatch(name)
        if match is None:
            raise errors.invalid(name, f"Invalid hash or array syntax: {name}")
        path = [match.group(1), *_BRACKET.findall(match.group(2))]
        if len(path) > 5:
            raise errors.invalid(name, f"Invalid hash: too deeply nested: {name}")
        _put(tree, path, value, name)
    return {name: _listed(value) for name, value in tree.items()}


def decode_json(text: str) -> Params:
    """The body of a v2 call; an empty one has no parameters."""
    if not text.strip():
        return {}
    try:
        body = msgspec.json.decode(text)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise errors.not_json()
    return body


def _put(tree: Params, path: list[str], value: str, name: str) -> None:
    *parents, last = path
    for key in parents:
        tree = tree.setdefault(key or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise errors.invalid(name, f"Invalid hash or array syntax: {name}")
    tree[last or str(len(tree))] = value


def _listed(value: Any) -> Any:
    """A mapping whose keys are 0, 1, 2… is a list."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(child) for key, child in value.items()}


def check(raw: Params, called: tuple[str, str]) -> Params:
    """The parameters as values of their kinds; `ApiError` 400 names the first that is unknown or malformed."""
    permitted = PERMITTED[called]
    unknown = [name for name in raw if name not in permitted]
    if unknown:
        raise errors.unknown_parameters(unknown)
    params = {name: _CHECKS[permitted[name]](name, value) for name, value in raw.items()}
    for name, known in ONE_OF.get(called, {}).items():
        if name in params and params[name] not in known:
            raise errors.invalid(name, f"Invalid {name}: must be one of {', '.join(known)}")
    return params


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise errors.invalid(name, f"Invalid string: {name}")
    return value


def _integer(name: str, value: Any) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise errors.invalid(name, f"Invalid integer: {value}", "parameter_invalid_integer")
    return int(value)


def _boolean(name: str, value: Any) -> bool:
    if value not in ("true", "false"):
        raise errors.invalid(name, f"Invalid boolean: {value}")
    return bool(value == "true")


def _strings(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise errors.invalid(name, "Invalid array")
    return value


def _map(name: str, value: Any) -> dict[str, str]:
    if value == "":  # how a client unsets everything
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise errors.invalid(name, "Invalid hash")
    return value


def _created(name: str, value: Any) -> Span:
    if isinstance(value, str):
        at = _integer(name, value)
        return Span(at, at)
    if not isinstance(value, dict):
        raise errors.invalid(name, "Invalid hash")
    foreign = [bound for bound in value if bound not in _BOUNDS]
    if foreign:
        raise errors.unknown_parameters([f"{name}[{bound}]" for bound in foreign])
    bounds = {bound: _integer(f"{name}[{bound}]", at) for bound, at in value.items()}
    firsts = [bounds[b] + (b == "gt") for b in ("gt", "gte") if b in bounds]
    lasts = [bounds[b] - (b == "lt") for b in ("lt", "lte") if b in bounds]
    return Span(max(firsts, default=None), min(lasts, default=None))


_CHECKS: dict[Kind, Any] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "strings": _strings,
    "map": _map,
    "created": _created,
}


@dataclass(frozen=True, slots=True)
class Paging:
    limit: int
    starting_after: str | None
    ending_before: str | None
    span: Span


def paging(params: Params) -> Paging:
    """A list call's cursors; 10 rows unless told, 1 to 100."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        word = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise errors.invalid("limit", f"This value must be {word}.", "parameter_invalid_integer")
    if "starting_after" in params and "ending_before" in params:
        raise errors.exclusive("starting_after", "ending_before")
    return Paging(
        limit, params.get("starting_after"), params.get("ending_before"), params.get("created", Span())
    )


def wanted_type(params: Params) -> Callable[[str], bool] | None:
    """Which event types a list is limited to; None = all. `type` may be a group such as `charge.*`."""
    if "type" in params and "types" in params:
        raise errors.exclusive("type", "types")
    if "type" in params:
        group: str = params["type"]
        return lambda type_: fnmatchcase(type_, group)
    if "types" not in params:
        return None
    if len(params["types"]) > _MOST_TYPES:
        raise errors.invalid("types", f"Array types exceeded maximum {_MOST_TYPES} allowed elements.")
    return frozenset(params["types"]).__contains__
