"""What each call of Stripe's API does to the world, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from payops.domain.payments import Mode
from payops.simulator.account import Account
from payops.simulator.log import Log, Row
from payops.simulator.objects import Charge, Event

from . import errors
from .errors import ApiError
from .expand import expand
from .params import Params, paging, wanted_type
from .shapes import Shape, Shapes, account_shape, balance

R = TypeVar("R", bound=Row)

_EVENT_LIFE_S = 30 * 24 * 3600
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_SINGULAR = {
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "customers": "customer",
    "events": "event",
    "webhook_endpoints": "webhook endpoint",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is allowed and well-formed. `mode` is the key's, `id` the one in the path."""

    account: Account
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


def _balance(call: Call) -> Shape:
    return balance(call.account, call.mode)


def _account(call: Call) -> Shape:
    return account_shape(call.account)


def _payments(call: Call) -> Shape:
    customer = call.params.get("customer")
    where = None if customer is None else (lambda row: row.buyer.customer == customer)
    return _list(call, "payment_intents", call.account.payments, call.shapes.payment, where)


def _charges(call: Call) -> Shape:
    customer, intent = call.params.get("customer"), call.params.get("payment_intent")

    def where(row: Charge) -> bool:
        return customer in (None, row.payment.buyer.customer) and intent in (None, row.payment.id)

    return _list(call, "charges", call.account.charges, call.shapes.charge, where)


def _refunds(call: Call) -> Shape:
    charge, intent = call.params.get("charge"), call.params.get("payment_intent")
    return _list(
        call,
        "refunds",
        call.account.refunds,
        call.shapes.refund,
        lambda row: charge in (None, row.charge.id) and intent in (None, row.charge.payment.id),
    )


def _customers(call: Call) -> Shape:
    email = call.params.get("email")
    where = None if email is None else (lambda row: row.buyer.email == email)
    return _list(call, "customers", call.account.customers, call.shapes.customer, where)


def _events(call: Call) -> Shape:
    oldest_ms = call.at_ms - _EVENT_LIFE_S * 1000
    wanted, success = wanted_type(call.params), call.params.get("delivery_success")
    undelivered = call.account.deliveries.undelivered

    def where(row: Event) -> bool:
        return (
            (wanted is None or wanted(row.type))
            and (success is None or (row.id not in undelivered) is success)
            and row.at_ms >= oldest_ms
        )

    return _list(call, "events", call.account.events, call.shapes.event, where)


def _endpoints(call: Call) -> Shape:
    return _list(call, "webhook_endpoints", call.account.endpoints, call.shapes.endpoint, None)


def _update_endpoint(call: Call) -> Shape:
    endpoint = _find(call, "webhook_endpoints", call.account.endpoints, call.id)
    params = call.params
    if "enabled_events" in params and not params["enabled_events"]:
        raise errors.invalid("enabled_events", "You must specify at least one event type.")
    if "url" in params and not re.match(r"https?://[^\s/]", params["url"]):
        raise errors.invalid("url", "Invalid URL: An explicit scheme (such as https) must be provided.")
    endpoint.url = params.get("url", endpoint.url)
    endpoint.enabled_events = tuple(params.get("enabled_events", endpoint.enabled_events))
    endpoint.enabled = not params.get("disabled", not endpoint.enabled)
    endpoint.description = params.get("description", endpoint.description) or None
    if "metadata" in params:
        endpoint.metadata = _merged(endpoint.metadata, params["metadata"])
    return call.shapes.endpoint(endpoint)


def _retry_event(call: Call) -> Shape:
    account = call.account
    event = _find(call, "events", account.events, call.id)
    if "webhook_endpoint" not in call.params:
        raise errors.missing_parameter("webhook_endpoint")
    endpoint = _find(
        call,
        "webhook_endpoints",
        account.endpoints,
        call.params["webhook_endpoint"],
        param="webhook_endpoint",
    )
    if not endpoint.enabled:
        raise errors.invalid(
            "webhook_endpoint", f"The webhook endpoint {endpoint.id} is disabled; enable it first."
        )
    if call.at_ms - event.at_ms > _EVENT_LIFE_S * 1000:
        raise errors.missing("event", call.id)
    account.deliveries.resend(event, endpoint, call.at_ms)
    return call.shapes.event(event)


def _create_refund(call: Call) -> Shape:
    charge = _refundable(call)
    left = charge.payment.amount - charge.amount_refunded
    amount = call.params.get("amount", left)
    reason = call.params.get("reason")
    if "amount" in call.params and amount < 1:
        raise errors.invalid("amount", "Invalid positive integer", "parameter_invalid_integer")
    if reason is not None and reason not in _REASONS:
        raise errors.invalid("reason", f"Invalid reason: must be one of {', '.join(_REASONS)}")
    if left == 0:
        raise ApiError(
            400,
            f"Charge {charge.id} has already been refunded.",
            code="charge_already_refunded",
            executed=True,
        )
    if amount > left:
        raise ApiError(
            400,
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
            executed=True,
        )
    refund = call.account.refund(
        call.at_ms, charge, amount, reason=reason, metadata=call.params.get("metadata"), key=call.key
    )
    return _expanded(call, call.shapes.refund(refund))


def _refundable(call: Call) -> Charge:
    account, params = call.account, call.params
    if "charge" in params:
        charge = _find(call, "charges", account.charges, params["charge"], param="charge")
        if charge.decline is not None:
            raise ApiError(400, f"Charge {charge.id} did not succeed and cannot be refunded.", executed=True)
        return charge
    if "payment_intent" not in params:
        raise ApiError(
            400,
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    intent = params["payment_intent"]
    payment = _find(call, "payment_intents", account.payments, intent, param="payment_intent")
    if payment.paid is None:
        raise ApiError(
            400,
            f"This PaymentIntent ({payment.id}) does not have a successful charge to refund.",
            executed=True,
        )
    return payment.paid


def _merged(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    """Stripe merges metadata by key; an empty value removes one, an empty mapping all."""
    return {key: value for key, value in ({**old, **new} if new else {}).items() if value != ""}


def _find(call: Call, plural: str, log: Log[R], object_id: str, *, param: str = "id") -> R:
    """The object, or Stripe's refusal: with a key of the other mode it exists elsewhere."""
    row = log.get(object_id)
    if row is not None and call.home:
        return row
    elsewhere = call.account.mode if row is not None else None
    raise errors.missing(_SINGULAR[plural], object_id, param=param, elsewhere=elsewhere)


def _list(
    call: Call, plural: str, log: Log[R], draw: Callable[[R], Shape], where: Callable[[R], bool] | None
) -> Shape:
    wanted = paging(call.params)
    for param in ("starting_after", "ending_before"):
        if param in call.params:
            _find(call, plural, log, call.params[param], param=param)
    rows: list[R] = []
    more = False
    if call.home:
        rows, more = log.page(
            wanted.limit,
            wanted.span,
            starting_after=wanted.starting_after,
            ending_before=wanted.ending_before,
            where=where,
        )
    data = [draw(row) for row in rows]
    return _expanded(call, {"object": "list", "url": f"/v1/{plural}", "has_more": more, "data": data})


def _expanded(call: Call, body: Shape) -> Shape:
    for path in call.params.get("expand", ()):
        expand(call.account, body, path)
    return body


def _reader(plural: str, log: Callable[[Account], Log[Any]], draw: Callable[[Shapes, Any], Shape]) -> Handler:
    def read(call: Call) -> Shape:
        return _expanded(call, draw(call.shapes, _find(call, plural, log(call.account), call.id)))

    return read


HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "/v1/balance"): _balance,
    ("GET", "/v1/account"): _account,
    ("GET", "/v1/payment_intents"): _payments,
    ("GET", "/v1/payment_intents/{id}"): _reader("payment_intents", lambda a: a.payments, Shapes.payment),
    ("GET", "/v1/charges"): _charges,
    ("GET", "/v1/charges/{id}"): _reader("charges", lambda a: a.charges, Shapes.charge),
    ("GET", "/v1/refunds"): _refunds,
    ("GET", "/v1/refunds/{id}"): _reader("refunds", lambda a: a.refunds, Shapes.refund),
    ("GET", "/v1/customers"): _customers,
    ("GET", "/v1/customers/{id}"): _reader("customers", lambda a: a.customers, Shapes.customer),
    ("GET", "/v1/events"): _events,
    ("GET", "/v1/events/{id}"): _reader("events", lambda a: a.events, Shapes.event),
    ("GET", "/v1/webhook_endpoints"): _endpoints,
    ("GET", "/v1/webhook_endpoints/{id}"): _reader(
        "webhook_endpoints", lambda a: a.endpoints, Shapes.endpoint
    ),
    ("POST", "/v1/webhook_endpoints/{id}"): _update_endpoint,
    ("POST", "/v1/events/{id}/retry"): _retry_event,
    ("POST", "/v1/refunds"): _create_refund,
}


def route(method: str, path: str) -> tuple[tuple[str, str], str]:
    """The call a path names, as a key of `HANDLERS`, and the id in it; `ApiError` 404 when there is none."""
    parts = path.strip("/").split("/")
    object_id = parts[2] if len(parts) > 2 else ""
    pattern = "/" + "/".join([*parts[:2], *(["{id}"] if object_id else []), *parts[3:]])
    if (method, pattern) not in HANDLERS:
        raise errors.unknown_url(method, path)
    return (method, pattern), object_id
