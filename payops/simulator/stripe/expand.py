"""`expand[]`: ids replaced by the objects they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import errors
from .account import StripeAccount
from .billing_shapes import invoice_payments
from .vocabulary import Shape

_DEEPEST = 4


def expand(account: StripeAccount, body: Shape, path: str) -> None:
    """Replace the ids at `path` (`latest_charge.customer`, in lists `data.latest_charge`) in `body`."""
    parts = path.split(".")
    if len(parts) > _DEEPEST:
        raise errors.invalid("expand", f"You cannot expand more than {_DEEPEST} levels of a property: {path}")
    if body.get("object") == "list":
        if parts[0] != "data" or len(parts) < 2:
            raise errors.invalid(
                "expand",
                f"This property cannot be expanded ({path}). You may want to try expanding 'data.{path}' instead.",
            )
        for row in body["data"]:
            _replace(account, row, parts[1:], path)
    else:
        _replace(account, body, parts, path)


def _replace(account: StripeAccount, body: Shape, parts: list[str], path: str) -> None:
    known = _EXPANDABLE.get(body["object"], {})
    # A property may lie in a plain mapping: `invoice_settings.default_payment_method`.
    length = next((n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in known), 0)
    if length == 0:
        raise errors.invalid("expand", f"This property cannot be expanded ({path}).")
    *into, name = parts[:length]
    holder = body
    for step in into:
        holder = holder[step]
        if holder is None:
            return
    lookup, rest = known[".".join(parts[:length])], parts[length:]
    if name not in holder or isinstance(holder[name], str):
        holder[name] = lookup(account, holder.get(name) or body["id"])
    value = holder[name]
    if rest and isinstance(value, dict):
        if value.get("object") == "list":
            for row in value["data"]:
                _replace(account, row, rest[1:], path)
        else:
            _replace(account, value, rest, path)


def _payment(account: StripeAccount, object_id: str) -> Any:
    row = account.payments.get(object_id)
    return None if row is None else account.shapes.payment(row)


def _charge(account: StripeAccount, object_id: str) -> Any:
    row = account.charges.get(object_id)
    return None if row is None else account.shapes.charge(row)


def _customer(account: StripeAccount, object_id: str) -> Any:
    row = account.customers.get(object_id)
    return None if row is None else account.shapes.customer(row)


def _subscription(account: StripeAccount, object_id: str) -> Any:
    row = account.subscriptions.get(object_id)
    return None if row is None else account.shapes.subscription(row)


def _invoice(account: StripeAccount, object_id: str) -> Any:
    row = account.invoices.get(object_id)
    return None if row is None else account.shapes.invoice(row)


def _invoice_payments(account: StripeAccount, object_id: str) -> Any:
    row = account.invoices.get(object_id)
    data = [] if row is None else invoice_payments(account, row)
    url = f"/v1/invoice_payments?invoice={object_id}"
    return {"object": "list", "data": data, "has_more": False, "url": url}


def _method(account: StripeAccount, object_id: str) -> Any:
    buyer = account.method_owner(object_id)
    return None if buyer is None else account.shapes.method(buyer)


_EXPANDABLE: dict[str, dict[str, Callable[[StripeAccount, str], Any]]] = {
    "payment_intent": {"latest_charge": _charge, "customer": _customer, "payment_method": _method},
    "charge": {"payment_intent": _payment, "customer": _customer},
    "refund": {"charge": _charge, "payment_intent": _payment},
    "customer": {"invoice_settings.default_payment_method": _method},
    "subscription": {
        "customer": _customer,
        "latest_invoice": _invoice,
        "default_payment_method": _method,
    },
    "invoice": {
        "customer": _customer,
        "payments": _invoice_payments,
        "parent.subscription_details.subscription": _subscription,
    },
    "invoice_payment": {"invoice": _invoice, "payment.payment_intent": _payment},
    "dispute": {"charge": _charge, "payment_intent": _payment},
    "payment_method": {"customer": _customer},
}
"""Object → property → what replaces the id in it. What is not there at all is looked up by the object's own id."""
