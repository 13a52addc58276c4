"""Stripe's writes that take money, or decide what it is taken from."""

from __future__ import annotations

from payops.simulator.ids import share
from payops.simulator.objects import Charge

from . import errors
from .call import Call, Handler, expanded, find, merged, method
from .declines import HARD, code_shown, of_stripe
from .errors import ApiError
from .vocabulary import Shape, default_method

_AGAIN_SUCCESS = 0.55
"""How often a card that was refused softly is accepted the next time."""
_CONFIRMABLE = "requires_payment_method"


def _confirm(call: Call) -> Shape:
    account = call.account
    payment = find(call, "payment_intents", account.payments, call.id)
    shape = call.shapes.payment(payment)
    if shape["status"] != _CONFIRMABLE:
        raise _unexpected(
            shape,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
            if shape["status"] == "succeeded"
            else f"You cannot confirm this PaymentIntent because it has a status of {shape['status']}.",
        )
    if "payment_method" not in call.params:
        raise _unexpected(
            shape,
            "You cannot confirm this PaymentIntent because it's missing a payment method. Specify a payment method "
            "attached to its customer.",
        )
    method(call, call.params["payment_method"], param="payment_method", customer=payment.buyer.customer)
    last = payment.charges[-1].decline if payment.charges else None
    luck = share(account.seed, f"{account.name}/confirm/{payment.id}/{len(payment.charges)}")
    refused = last is not None and (last.code in HARD or luck >= _AGAIN_SUCCESS)
    charge = account.attempt(call.at_ms, payment, last if refused else None)
    if refused:
        raise _declined(call, charge)
    return expanded(call, call.shapes.payment(payment))


def _capture(call: Call) -> Shape:
    account = call.account
    payment = find(call, "payment_intents", account.payments, call.id)
    shape = call.shapes.payment(payment)
    if shape["status"] != "requires_capture":
        raise _unexpected(
            shape,
            f"This PaymentIntent could not be captured because it has a status of {shape['status']}. Only a "
            "PaymentIntent with one of the following statuses may be captured: requires_capture.",
        )
    amount = call.params.get("amount_to_capture")
    if amount is not None and amount < 1:
        raise errors.invalid("amount_to_capture", "Invalid positive integer", "parameter_invalid_integer")
    if amount is not None and amount > payment.amount:
        raise ApiError(
            400,
            f"The provided amount ({amount}) is greater than the amount capturable ({payment.amount}).",
            code="amount_too_large",
            param="amount_to_capture",
            executed=True,
        )
    charge = payment.paid
    assert charge is not None
    account.capture(call.at_ms, charge, amount)
    return expanded(call, call.shapes.payment(payment))


def _pay(call: Call) -> Shape:
    account = call.account
    invoice = find(call, "invoices", account.invoices, call.id)
    subscription = invoice.subscription
    if invoice.status == "paid":
        raise ApiError(400, "Invoice is already paid", executed=True)
    if invoice.status != "open":
        raise ApiError(
            400,
            f"Invoice {invoice.id} is a {invoice.status} and cannot be paid; finalize it first.",
            executed=True,
        )
    buyer = subscription.buyer
    if "payment_method" in call.params:
        method(call, call.params["payment_method"], param="payment_method", customer=buyer.customer)
    elif account.method_of(subscription) is None and default_method(account, buyer) is None:
        raise ApiError(
            400,
            "There is no `default_payment_method` set on this Customer or Invoice. Please set either and try again.",
            code="missing",
            executed=True,
        )
    if not account.billing.pay(call.at_ms, invoice):
        assert invoice.payment is not None
        raise _declined(call, invoice.payment.charges[-1])
    return expanded(call, call.shapes.invoice(invoice))


def _finalize(call: Call) -> Shape:
    invoice = find(call, "invoices", call.account.invoices, call.id)
    if invoice.status != "draft":
        raise ApiError(
            400,
            f"This invoice is already finalized: it is {invoice.status}.",
            code="invoice_not_editable",
            executed=True,
        )
    call.account.billing.finalize(call.at_ms, invoice, advance=call.params.get("auto_advance", True))
    return expanded(call, call.shapes.invoice(invoice))


def _update_subscription(call: Call) -> Shape:
    account = call.account
    subscription = find(call, "subscriptions", account.subscriptions, call.id)
    if subscription.status == "canceled":
        raise ApiError(
            400, "A canceled subscription can only update its cancellation_details.", executed=True
        )
    chosen = call.params.get("default_payment_method")
    if chosen:
        method(call, chosen, param="default_payment_method", customer=subscription.buyer.customer)
        account.billing.use_method(call.at_ms, subscription, chosen)
    return expanded(call, call.shapes.subscription(subscription))


def _update_customer(call: Call) -> Shape:
    account = call.account
    customer = find(call, "customers", account.customers, call.id)
    params, notes = call.params, account.customer_notes.setdefault(call.id, {})
    settings = params.get("invoice_settings", {})
    foreign = [name for name in settings if name not in ("default_payment_method", "footer")]
    if foreign:
        raise errors.unknown_parameters([f"invoice_settings[{name}]" for name in foreign])
    if settings.get("default_payment_method"):
        chosen = settings["default_payment_method"]
        method(call, chosen, param="invoice_settings[default_payment_method]", customer=customer.id)
        account.customer_defaults[customer.id] = chosen
        for subscription in account.subscriptions.rows:
            if subscription.buyer.customer == customer.id:
                subscription.method = True
    if "description" in params:
        notes["description"] = params["description"] or None
    if "metadata" in params:
        notes["metadata"] = merged(notes.get("metadata", {}), params["metadata"])
    return expanded(call, call.shapes.customer(customer))


def _unexpected(payment: Shape, message: str) -> ApiError:
    return ApiError(
        400,
        message,
        code="payment_intent_unexpected_state",
        executed=True,
        more={"payment_intent": payment},
    )


def _declined(call: Call, charge: Charge) -> ApiError:
    """402, with the state the purchase is in now."""
    assert charge.decline is not None
    decline, payment = of_stripe(charge.decline), charge.payment
    return ApiError(
        402,
        decline.message,
        code=decline.failure_code,
        type_="card_error",
        executed=True,
        more={
            "advice_code": decline.advice,
            "charge": charge.id,
            "decline_code": code_shown(decline),
            "network_decline_code": decline.network,
            "payment_intent": call.shapes.payment(payment),
            "payment_method": call.shapes.method(payment.buyer),
        },
    )


HANDLERS: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/payment_intents/{id}/confirm"): _confirm,
    ("POST", "/v1/payment_intents/{id}/capture"): _capture,
    ("POST", "/v1/invoices/{id}/pay"): _pay,
    ("POST", "/v1/invoices/{id}/finalize"): _finalize,
    ("POST", "/v1/subscriptions/{id}"): _update_subscription,
    ("POST", "/v1/customers/{id}"): _update_customer,
}
