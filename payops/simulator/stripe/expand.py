"""`expand[]`: ids replaced by the objects they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from payops.simulator.account import Account

from . import errors
from .shapes import Shape, Shapes

_DEEPEST = 4


def expand(account: Account, body: Shape, path: str) -> None:
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


def _replace(account: Account, body: Shape, parts: list[str], path: str) -> None:
    name, *rest = parts
    lookup = _EXPANDABLE.get(body["object"], {}).get(name)
    if lookup is None:
        raise errors.invalid("expand", f"This property cannot be expanded ({path}).")
    value = body.get(name)
    if isinstance(value, str):
        body[name] = value = lookup(account, value)
    if rest and isinstance(value, dict):
        _replace(account, value, rest, path)


def _payment(account: Account, object_id: str) -> Any:
    row = account.payments.get(object_id)
    return None if row is None else Shapes(account).payment(row)


def _charge(account: Account, object_id: str) -> Any:
    row = account.charges.get(object_id)
    return None if row is None else Shapes(account).charge(row)


def _customer(account: Account, object_id: str) -> Any:
    row = account.customers.get(object_id)
    return None if row is None else Shapes(account).customer(row)


_EXPANDABLE: dict[str, dict[str, Callable[[Account, str], Any]]] = {
    "payment_intent": {"latest_charge": _charge, "customer": _customer},
    "charge": {"payment_intent": _payment, "customer": _customer},
    "refund": {"charge": _charge, "payment_intent": _payment},
}
