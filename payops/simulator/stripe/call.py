"""One call of Stripe's API, and how objects are found and listed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from payops.domain.payments import OTHER_MODE, Mode
from payops.simulator.cards import Buyer
from payops.simulator.log import Log, Row

from . import errors
from .account import StripeAccount
from .errors import ApiError
from .expand import expand
from .params import Params, paging
from .shapes import Shapes
from .vocabulary import Shape

R = TypeVar("R", bound=Row)

SINGULAR = {
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "customers": "customer",
    "events": "event",
    "webhook_endpoints": "webhook endpoint",
    "subscriptions": "subscription",
    "invoices": "invoice",
    "disputes": "dispute",
    "payouts": "payout",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is allowed and well-formed. `mode` is the key's, `id` the one in the path."""

    account: StripeAccount
    mode: Mode
    id: str
    params: Params
    at_ms: int
    key: str | None = None

    @property
    def home(self) -> bool:
        """The key opens the mode that has anything in it."""
        return self.mode == self.account.mode

    @property
    def shapes(self) -> Shapes:
        return Shapes(self.account)


Handler = Callable[[Call], Shape]


def find(call: Call, plural: str, log: Log[R], object_id: str, *, param: str = "id") -> R:
    """The object, or Stripe's refusal: with a key of the other mode it exists elsewhere."""
    account = call.account
    stray: Any = account.strays.get(object_id)
    row: R | None = log.get(object_id) or stray
    foreign = stray is not None or getattr(row, "test", False)
    mode = OTHER_MODE[account.mode] if foreign else account.mode
    if row is not None and call.mode == mode:
        return row
    raise errors.missing(SINGULAR[plural], object_id, param=param, elsewhere=None if row is None else mode)


def listed(
    call: Call, plural: str, log: Log[R], draw: Callable[[R], Shape], where: Callable[[R], bool] | None = None
) -> Shape:
    """One page of a list. The other mode's is empty but for what `where` lets through."""
    wanted = paging(call.params)
    for param in ("starting_after", "ending_before"):
        if param in call.params:
            find(call, plural, log, call.params[param], param=param)
    rows, more = log.page(
        wanted.limit,
        wanted.span,
        starting_after=wanted.starting_after,
        ending_before=wanted.ending_before,
        where=lambda row: getattr(row, "test", False) is not call.home and (where is None or where(row)),
    )
    return page(call, f"/v1/{plural}", [draw(row) for row in rows], more)


def page(call: Call, url: str, data: list[Shape], more: bool = False) -> Shape:
    return expanded(call, {"object": "list", "url": url, "has_more": more, "data": data})


def expanded(call: Call, body: Shape) -> Shape:
    for path in call.params.get("expand", ()):
        expand(call.account, body, path)
    return body


def merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Stripe merges metadata by key; an empty value removes one, an empty mapping all."""
    return {key: value for key, value in ({**old, **new} if new else {}).items() if value != ""}


def method(call: Call, object_id: str, *, param: str, customer: str | None) -> Buyer:
    """Whose payment method it is; refused unless it is attached to `customer`."""
    buyer = call.account.method_owner(object_id) if call.home else None
    if buyer is None:
        raise errors.missing("PaymentMethod", object_id, param=param)
    if buyer.customer is None:
        raise ApiError(
            400,
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
            "with a connected account without Customer attachment, or was detached from a Customer. It may not be "
            "used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.",
            param=param,
        )
    if buyer.customer != customer:
        raise ApiError(
            400,
            f"The customer does not have a payment method with the ID {object_id}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param=param,
        )
    return buyer
