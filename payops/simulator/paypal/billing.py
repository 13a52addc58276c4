"""Subscriptions: read, listed as the newer API does, and put right."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from payops.simulator.objects import Subscription

from . import errors
from .call import KEPT_SUBSCRIPTIONS, Answer, Call, Route, amount_of
from .keys import SUBSCRIPTIONS
from .names import Shape, instant, link, money

_PATH = "/v1/billing/subscriptions"
_STATUSES = ("APPROVAL_PENDING", "APPROVED", "ACTIVE", "SUSPENDED", "CANCELLED", "EXPIRED")


def _found(call: Call) -> Subscription:
    subscription = call.account.subscriptions.get(call.id) if call.home else None
    if subscription is None or subscription.at_ms > call.at_ms:
        raise call.missing()
    return subscription


def _read(call: Call) -> Answer:
    subscription = _found(call)
    shape = call.shapes.subscription(subscription)
    if "plan" in call.query.get("fields", ()):
        shape["plan"] = call.shapes.plan(subscription)
    return 200, shape


def _list(call: Call) -> Answer:
    """Newest first. Not in the description of 2024; as PayPal's own newer client calls it."""
    query = call.query
    for status in query.get("statuses", ()):
        if status not in _STATUSES:
            raise errors.malformed("INVALID_REQUEST", "statuses", status, "query")
    rows = reversed(call.account.subscriptions.rows) if call.home else iter(())
    chosen = [shape for row in rows if _wanted(call, row, shape := call.shapes.subscription(row))]
    size, page = query.get("page_size", 10), query.get("page", 1)
    pages = max(1, -(-len(chosen) // size))
    links = [link(call.base, f"{_PATH}?{_with_page(call, page)}", "self")]
    if page < pages:
        links.append(link(call.base, f"{_PATH}?{_with_page(call, page + 1)}", "next"))
    body: Shape = {"subscriptions": chosen[(page - 1) * size : page * size], "links": links}
    if query.get("total_required"):
        body |= {"total_items": len(chosen), "total_pages": pages}
    return 200, body


def _with_page(call: Call, page: int) -> str:
    asked = {name: _as_sent(value) for name, value in call.query.items()}
    return urlencode({**asked, "page": page})


def _as_sent(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return instant(value) if isinstance(value, int) and value > 1_000_000_000 else str(value)


def _wanted(call: Call, row: Subscription, shape: Shape) -> bool:
    query = call.query
    return (
        shape["status"] in query.get("statuses", (shape["status"],))
        and shape["plan_id"] in query.get("plan_ids", (shape["plan_id"],))
        and row.at_ms >= query.get("created_after", row.at_ms)
        and row.at_ms <= query.get("created_before", row.at_ms)
        and row.changed_ms >= query.get("status_updated_after", row.changed_ms)
        and row.changed_ms <= query.get("status_updated_before", row.changed_ms)
    )


def _capture(call: Call) -> Answer:
    """Take what is outstanding, all of it or a part."""
    subscription, body = _found(call), call.body
    if body["capture_type"] != "OUTSTANDING_BALANCE":
        raise errors.malformed("INVALID_REQUEST", "/capture_type", body["capture_type"], "body")
    if call.shapes.subscription(subscription)["status"] not in ("ACTIVE", "SUSPENDED"):
        raise errors.refused("SUBSCRIPTION_STATUS_INVALID")
    if subscription.outstanding == 0:
        raise errors.refused("ZERO_OUTSTANDING_BALANCE")
    currency = subscription.buyer.currency
    amount = amount_of(body["amount"], currency, "CURRENCY_MISMATCH")
    if amount > subscription.outstanding:
        raise errors.refused("AMOUNT_GREATER_THAN_OUTSTANDING_BALANCE")
    if not call.account.charges_enabled:
        raise errors.refused("PAYEE_ACCOUNT_RESTRICTED")
    charge = call.account.collect(call.at_ms, subscription, amount)
    given, _, family = subscription.buyer.name.partition(" ")
    return 200, {
        "id": charge.id,
        "status": "COMPLETED",
        "amount_with_breakdown": {"gross_amount": money(amount, currency)},
        "payer_name": {"given_name": given, "surname": family},
        "payer_email": subscription.buyer.email,
        "time": instant(call.at_ms),
    }


def _activate(call: Call) -> Answer:
    subscription = _found(call)
    if subscription.id not in call.account.beside.suspended:
        raise errors.refused("SUBSCRIPTION_STATUS_INVALID")
    call.account.activate(call.at_ms, subscription)
    return 204, None


def _active(call: Call) -> Subscription:
    subscription = _found(call)
    if call.shapes.subscription(subscription)["status"] != "ACTIVE":
        raise errors.refused("SUBSCRIPTION_STATUS_INVALID")
    return subscription


def _suspend(call: Call) -> Answer:
    call.account.suspend(call.at_ms, _active(call), call.body["reason"])
    return 204, None


def _cancel(call: Call) -> Answer:
    subscription = _found(call)
    if call.shapes.subscription(subscription)["status"] not in ("ACTIVE", "SUSPENDED"):
        raise errors.refused("SUBSCRIPTION_STATUS_INVALID")
    call.account.cancel(call.at_ms, subscription)
    return 204, None


ROUTES: Mapping[str, Route] = {
    f"GET {_PATH}": Route(_list, SUBSCRIPTIONS),
    f"GET {_PATH}/{{id}}": Route(_read, SUBSCRIPTIONS),
    f"POST {_PATH}/{{id}}/capture": Route(_capture, SUBSCRIPTIONS, True, KEPT_SUBSCRIPTIONS),
    f"POST {_PATH}/{{id}}/activate": Route(_activate, SUBSCRIPTIONS, True),
    f"POST {_PATH}/{{id}}/suspend": Route(_suspend, SUBSCRIPTIONS, True),
    f"POST {_PATH}/{{id}}/cancel": Route(_cancel, SUBSCRIPTIONS, True),
}
