"""Which parameters each write takes, in our own words, and their values out of the XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from payops.domain.money import minor_digits

from . import errors
from .xml import Params, Typed

Spec = Mapping[str, Any]
"""Name → `text`, `money`, `boolean`, `integer`, `map` (texts by name), or the `Spec` of what is in it."""

_PERSON = dict.fromkeys(
    ("id", "first_name", "last_name", "company", "email", "phone", "fax", "website"), "text"
)
_ADDRESS = dict.fromkeys(
    (
        "company",
        "country_code_alpha2",
        "country_code_alpha3",
        "country_code_numeric",
        "country_name",
        "extended_address",
        "first_name",
        "last_name",
        "locality",
        "phone_number",
        "postal_code",
        "region",
        "street_address",
    ),
    "text",
)
_DESCRIPTOR = {"name": "text", "phone": "text", "url": "text"}
_SALE: Spec = {
    "amount": "money",
    "api_request_key": "text",
    "billing": _ADDRESS,
    "channel": "text",
    "custom_fields": "map",
    "customer": _PERSON,
    "customer_id": "text",
    "descriptor": _DESCRIPTOR,
    "device_data": "text",
    "merchant_account_id": "text",
    "options": {
        "submit_for_settlement": "boolean",
        "store_in_vault": "boolean",
        "store_in_vault_on_success": "boolean",
        "skip_advanced_fraud_checking": "boolean",
        "skip_avs": "boolean",
        "skip_cvv": "boolean",
    },
    "order_id": "text",
    "payment_method_nonce": "text",
    "payment_method_token": "text",
    "purchase_order_number": "text",
    "recurring": "boolean",
    "shipping": _ADDRESS,
    "subscription_id": "text",
    "tax_amount": "money",
    "tax_exempt": "boolean",
    "transaction_source": "text",
    "type": "text",
}
"""Card data themselves are not among them: no server of a shop that payops watches should send any."""

PERMITTED: Mapping[tuple[str, str], Spec] = {
    ("POST", "transactions"): {"transaction": _SALE},
    ("POST", "transactions/{id}/clone"): {
        "transaction_clone": {
            "amount": "money",
            "channel": "text",
            "options": {"submit_for_settlement": "boolean"},
        }
    },
    ("POST", "transactions/{id}/refund"): {
        "transaction": {
            "amount": "money",
            "api_request_key": "text",
            "merchant_account_id": "text",
            "order_id": "text",
        }
    },
    ("POST", "transactions/{id}/reverse"): {"transaction": {"api_request_key": "text"}},
    ("PUT", "transactions/{id}/void"): {"transaction": {"api_request_key": "text"}},
    ("PUT", "transactions/{id}/submit_for_settlement"): {
        "transaction": {
            "amount": "money",
            "api_request_key": "text",
            "descriptor": _DESCRIPTOR,
            "order_id": "text",
            "purchase_order_number": "text",
            "tax_amount": "money",
            "tax_exempt": "boolean",
        }
    },
    ("PUT", "transactions/{id}/settle"): {},
    ("PUT", "transactions/{id}/settlement_confirm"): {},
    ("PUT", "transactions/{id}/settlement_decline"): {},
    ("PUT", "transactions/{id}/settlement_pending"): {},
    ("PUT", "subscriptions/{id}"): {"subscription": {"payment_method_token": "text", "price": "money"}},
    ("PUT", "subscriptions/{id}/cancel"): {},
    ("POST", "client_token"): {
        "client_token": {
            "version": "integer",
            "customer_id": "text",
            "merchant_account_id": "text",
        }
    },
}
"""What each write takes. Searches have a table of their own."""

_MONEY = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_LARGEST = 10**15


def check(raw: Params, spec: Spec) -> Params:
    """The parameters as values of their kinds; an empty element is left out. `Invalid` names what is wrong."""
    unknown = list(_unknown(raw, spec, ""))
    if unknown:
        raise errors.unknown_parameters(unknown)
    return _checked(raw, spec, "")


def _unknown(raw: Params, spec: Spec, at: str) -> list[str]:
    found = []
    for name, value in raw.items():
        place = f"{at}[{name}]" if at else name
        if name not in spec:
            found.append(place)
        elif isinstance(spec[name], Mapping) and isinstance(value, dict):
            found += _unknown(value, spec[name], place)
    return found


def _checked(raw: Params, spec: Spec, at: str) -> Params:
    found: Params = {}
    for name, value in raw.items():
        place = f"{at}[{name}]" if at else name
        kind = spec[name]
        if value == "" or (isinstance(value, Typed) and value.text == ""):
            continue
        if isinstance(kind, Mapping):
            if not isinstance(value, dict):
                raise errors.malformed(place, "a group of parameters")
            found[name] = _checked(value, kind, place)
        elif kind == "map":
            found[name] = _map(place, value)
        else:
            found[name] = _plain(place, name, kind, value)
    return found


def _plain(place: str, name: str, kind: str, value: Any) -> Any:
    text = value.text if isinstance(value, Typed) else value
    if not isinstance(text, str):
        raise errors.malformed(place, f"a {kind}")
    if kind == "text":
        return text
    if kind == "boolean":
        if text not in ("true", "false"):
            raise errors.malformed(place, "a boolean")
        return text == "true"
    if kind == "integer":
        if not _INTEGER.fullmatch(text):
            raise errors.malformed(place, "an integer")
        return int(text)
    if not _MONEY.fullmatch(text):
        if name == "price":
            raise errors.refuse("81904", "price", "subscription")
        raise errors.refuse("81503", name)
    return Decimal(text)


def _map(place: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise errors.malformed(place, "a group of texts")
    return value


def minor(amount: Decimal, currency: str) -> int:
    """`19.99`, `eur` → 1999. `Invalid` for what is finer than the currency, not positive, or too large."""
    scaled = amount.scaleb(minor_digits(currency))
    if scaled != scaled.to_integral_value():
        raise errors.refuse("81503", "amount")
    if scaled < 0:
        raise errors.refuse("81501", "amount")
    if scaled == 0:
        raise errors.refuse("81531", "amount")
    if scaled >= _LARGEST:
        raise errors.refuse("81528", "amount")
    return int(scaled)


def echoed(value: Any) -> Any:
    """Parameters as an error repeats them."""
    if isinstance(value, dict):
        return {name: echoed(each) for name, each in value.items()}
    if isinstance(value, list):
        return ", ".join(str(echoed(each)) for each in value)
    return value.text if isinstance(value, Typed) else value
