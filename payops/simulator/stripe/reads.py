"""Stripe's reads: lists and single objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from payops.simulator.log import Log
from payops.simulator.objects import Charge, Dispute, Event, Invoice, Payout, Subscription

from . import errors
from .account import StripeAccount
from .billing_shapes import invoice_payments
from .call import Call, Handler, expanded, find, listed, page
from .money_shapes import account_shape, balance
from .params import paging, wanted_type
from .shapes import Shapes
from .vocabulary import Shape

EVENT_LIFE_S = 30 * 24 * 3600
_ENDED = ("canceled", "incomplete_expired")


def _balance(call: Call) -> Shape:
    return balance(call.account, call.mode)


def _account(call: Call) -> Shape:
    return account_shape(call.account)


def _payments(call: Call) -> Shape:
    customer = call.params.get("customer")
    return listed(
        call,
        "payment_intents",
        call.account.payments,
        call.shapes.payment,
        lambda row: customer in (None, row.buyer.customer),
    )


def _charges(call: Call) -> Shape:
    customer, intent = call.params.get("customer"), call.params.get("payment_intent")

    def where(row: Charge) -> bool:
        return customer in (None, row.payment.buyer.customer) and intent in (None, row.payment.id)

    return listed(call, "charges", call.account.charges, call.shapes.charge, where)


def _refunds(call: Call) -> Shape:
    charge, intent = call.params.get("charge"), call.params.get("payment_intent")
    return listed(
        call,
        "refunds",
        call.account.refunds,
        call.shapes.refund,
        lambda row: charge in (None, row.charge.id) and intent in (None, row.charge.payment.id),
    )


def _customers(call: Call) -> Shape:
    email = call.params.get("email")
    return listed(
        call,
        "customers",
        call.account.customers,
        call.shapes.customer,
        lambda row: email in (None, row.buyer.email),
    )


def _events(call: Call) -> Shape:
    oldest_ms = call.at_ms - EVENT_LIFE_S * 1000
    wanted, success = wanted_type(call.params), call.params.get("delivery_success")
    undelivered = call.account.deliveries.undelivered

    def where(row: Event) -> bool:
        return (
            (wanted is None or wanted(row.type))
            and (success is None or (row.id not in undelivered) is success)
            and row.at_ms >= oldest_ms
        )

    return listed(call, "events", call.account.events, call.shapes.event, where)


def _endpoints(call: Call) -> Shape:
    return listed(call, "webhook_endpoints", call.account.endpoints, call.shapes.endpoint)


def _subscriptions(call: Call) -> Shape:
    status, customer = call.params.get("status"), call.params.get("customer")

    def where(row: Subscription) -> bool:
        if customer not in (None, row.buyer.customer):
            return False
        if status is None:
            return row.status != "canceled"
        return status == "all" or (row.status in _ENDED if status == "ended" else row.status == status)

    return listed(call, "subscriptions", call.account.subscriptions, call.shapes.subscription, where)


def _invoices(call: Call) -> Shape:
    params = call.params
    status, customer, of = params.get("status"), params.get("customer"), params.get("subscription")

    def where(row: Invoice) -> bool:
        subscription = row.subscription
        return (
            status in (None, row.status)
            and customer in (None, subscription.buyer.customer)
            and of in (None, subscription.id)
        )

    return listed(call, "invoices", call.account.invoices, call.shapes.invoice, where)


def _invoice_payments(call: Call) -> Shape:
    params = call.params
    made = params.get("payment", {})
    if made and made.get("type") != "payment_intent":
        raise errors.invalid("payment[type]", "Invalid payment[type]: must be payment_intent here")
    intent, of, status = made.get("payment_intent"), params.get("invoice"), params.get("status")
    found: list[Shape] = []
    if call.home:
        if of is not None:
            find(call, "invoices", call.account.invoices, of, param="invoice")
        for invoice in reversed(call.account.invoices.rows):
            for shape in invoice_payments(call.account, invoice):
                if (
                    of in (None, invoice.id)
                    and intent in (None, shape["payment"]["payment_intent"])
                    and status in (None, shape["status"])
                ):
                    found.append(shape)
    limit = paging(params).limit
    return page(call, "/v1/invoice_payments", found[:limit], len(found) > limit)


def _disputes(call: Call) -> Shape:
    charge, intent = call.params.get("charge"), call.params.get("payment_intent")

    def where(row: Dispute) -> bool:
        return charge in (None, row.charge.id) and intent in (None, row.charge.payment.id)

    return listed(call, "disputes", call.account.disputes, call.shapes.dispute, where)


def _payouts(call: Call) -> Shape:
    status = call.params.get("status")

    def where(row: Payout) -> bool:
        return status in (None, row.status)

    return listed(call, "payouts", call.account.payouts, call.shapes.payout, where)


def _method(call: Call) -> Shape:
    buyer = call.account.method_owner(call.id) if call.home else None
    if buyer is None:
        raise errors.missing("PaymentMethod", call.id)
    return expanded(call, call.shapes.method(buyer))


def _methods_of_customer(call: Call) -> Shape:
    customer = find(call, "customers", call.account.customers, call.id)
    return page(call, f"/v1/customers/{call.id}/payment_methods", [call.shapes.method(customer.buyer)])


def _reader(
    plural: str, log: Callable[[StripeAccount], Log[Any]], draw: Callable[[Shapes, Any], Shape]
) -> Handler:
    def read(call: Call) -> Shape:
        return expanded(call, draw(call.shapes, find(call, plural, log(call.account), call.id)))

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
    ("GET", "/v1/customers/{id}/payment_methods"): _methods_of_customer,
    ("GET", "/v1/payment_methods/{id}"): _method,
    ("GET", "/v1/events"): _events,
    ("GET", "/v1/events/{id}"): _reader("events", lambda a: a.events, Shapes.event),
    ("GET", "/v1/webhook_endpoints"): _endpoints,
    ("GET", "/v1/webhook_endpoints/{id}"): _reader(
        "webhook_endpoints", lambda a: a.endpoints, Shapes.endpoint
    ),
    ("GET", "/v1/subscriptions"): _subscriptions,
    ("GET", "/v1/subscriptions/{id}"): _reader(
        "subscriptions", lambda a: a.subscriptions, Shapes.subscription
    ),
    ("GET", "/v1/invoices"): _invoices,
    ("GET", "/v1/invoices/{id}"): _reader("invoices", lambda a: a.invoices, Shapes.invoice),
    ("GET", "/v1/invoice_payments"): _invoice_payments,
    ("GET", "/v1/disputes"): _disputes,
    ("GET", "/v1/disputes/{id}"): _reader("disputes", lambda a: a.disputes, Shapes.dispute),
    ("GET", "/v1/payouts"): _payouts,
    ("GET", "/v1/payouts/{id}"): _reader("payouts", lambda a: a.payouts, Shapes.payout),
}
