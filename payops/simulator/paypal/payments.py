"""Orders, authorizations, captures, refunds and the sales of subscriptions. There is no list of any of them."""

from __future__ import annotations

from collections.abc import Mapping

from payops.simulator.objects import Charge, Payment

from . import errors
from .call import KEPT_ORDERS, KEPT_PAYMENTS, Answer, Call, Route, amount_of, made
from .declines import of_paypal
from .keys import CAPTURES, ORDERS, REFUNDS

_DAY_MS = 24 * 3600 * 1000
_REFUNDABLE_MS = 180 * _DAY_MS
_HONOURED_MS = 3 * _DAY_MS
_VALID_MS = 29 * _DAY_MS
_KEPT = ("invoice_id", "custom_id", "note_to_payer")
"""What a refund keeps of its request."""


def _capture(call: Call) -> Charge:
    charge = call.account.capture_of(call.id) if call.home else None
    if charge is None:
        raise call.missing()
    return charge


def _authorization(call: Call) -> Charge:
    charge = call.account.charges.get(call.id) if call.home else None
    if charge is None or charge.expires_ms is None or charge.test:
        raise call.missing()
    return charge


def _order(call: Call) -> Payment:
    payment = call.account.payments.get(call.id) if call.home else None
    if payment is None or payment.subscription is not None:
        raise call.missing()
    wallet = not call.account.by_card(payment.buyer)
    if not wallet and not any(call.account.leaves_trace(charge) for charge in payment.charges):
        raise call.missing()
    return payment


def _read_capture(call: Call) -> Answer:
    return 200, call.shapes.capture(_capture(call))


def _read_authorization(call: Call) -> Answer:
    return 200, call.shapes.authorization(_authorization(call))


def _read_order(call: Call) -> Answer:
    return 200, call.shapes.order(_order(call))


def _read_refund(call: Call) -> Answer:
    refund = call.account.refunds.get(call.id) if call.home else None
    if refund is None:
        raise call.missing()
    return 200, call.shapes.refund(refund)


def _read_sale(call: Call) -> Answer:
    charge = call.account.charges.get(call.id) if call.home else None
    if charge is None or charge.payment.subscription is None or charge.decline is not None:
        raise call.missing()
    return 200, call.shapes.sale(charge)


def _unrestricted(call: Call) -> None:
    if not call.account.charges_enabled:
        raise errors.refused("PAYEE_ACCOUNT_RESTRICTED")


def _refund(call: Call) -> Answer:
    account, charge = call.account, _capture(call)
    _unrestricted(call)
    currency = charge.payment.buyer.currency
    taken = account.captured_minor(charge)
    left = taken - charge.amount_refunded
    if charge.decline is not None:
        raise errors.refused("REFUND_NOT_ALLOWED")
    if left <= 0:
        raise errors.refused("CAPTURE_FULLY_REFUNDED")
    given = call.body.get("amount")
    amount = left if given is None else amount_of(given, currency, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    if amount > left:
        raise errors.refused("REFUND_AMOUNT_EXCEEDED", field="/amount/value", value=given and given[0])
    if call.at_ms - (charge.captured_ms or charge.at_ms) > _REFUNDABLE_MS:
        raise errors.refused("REFUND_TIME_LIMIT_EXCEEDED")
    if charge.dispute is not None and charge.dispute.status in ("open", "under_review"):
        raise errors.refused("TRANSACTION_DISPUTED")
    if amount > account.taken.get(currency, 0):
        raise errors.refused("REFUND_FAILED_INSUFFICIENT_FUNDS")
    kept: dict[str, str] = {name: call.body[name] for name in _KEPT if name in call.body}
    refund = account.refund(call.at_ms, charge, amount, reason=None, metadata=kept, key=call.key)
    return made(call, call.shapes.refund(refund))


def _open(call: Call) -> Charge:
    """The authorization, which nobody took or gave up."""
    charge = _authorization(call)
    if charge.id in call.account.beside.taken:
        raise errors.refused("AUTHORIZATION_ALREADY_CAPTURED")
    if charge.expires_ms is not None and call.at_ms >= charge.expires_ms:
        raise errors.refused("AUTHORIZATION_EXPIRED")
    if charge.id in call.account.beside.voided:
        raise errors.refused("AUTHORIZATION_VOIDED")
    return charge


def _capture_authorization(call: Call) -> Answer:
    charge = _open(call)
    _unrestricted(call)
    given = call.body.get("amount")
    amount = charge.payment.amount
    if given is not None:
        amount = amount_of(given, charge.payment.buyer.currency, "AUTH_CAPTURE_CURRENCY_MISMATCH")
        if amount > charge.payment.amount:
            raise errors.refused("MAX_CAPTURE_AMOUNT_EXCEEDED", field="/amount/value", value=given[0])
    call.account.take(
        call.at_ms,
        charge,
        amount,
        invoice=call.body.get("invoice_id"),
        final=call.body.get("final_capture", True),
    )
    return made(call, call.shapes.capture(charge))


def _void(call: Call) -> Answer:
    charge = _authorization(call)
    if charge.id in call.account.beside.taken:
        raise errors.refused("PREVIOUSLY_CAPTURED")
    if charge.id in call.account.beside.voided:
        raise errors.refused("PREVIOUSLY_VOIDED")
    call.account.void(call.at_ms, charge)
    return (204, None) if call.brief else (200, call.shapes.authorization(charge))


def _reauthorize(call: Call) -> Answer:
    """The buyer's money is reserved again: from the fourth day to the end, once."""
    charge = _open(call)
    _unrestricted(call)
    amount = amount_of(call.body["amount"], charge.payment.buyer.currency, "AUTH_CURRENCY_MISMATCH")
    if call.at_ms - charge.at_ms < _HONOURED_MS or amount > charge.payment.amount:
        raise errors.refused("REAUTHORIZATION_NOT_SUPPORTED")
    account, payment = call.account, charge.payment
    account.void(call.at_ms, charge)
    again = Charge(
        account.object_id("charge", len(account.charges) + 1),
        call.at_ms,
        payment,
        None,
        captured=False,
        expires_ms=call.at_ms + _VALID_MS,
    )
    account.charges.add(again)
    payment.charges.append(again)
    account.charged(call.at_ms, again)
    return made(call, call.shapes.authorization(again))


def _capture_order(call: Call) -> Answer:
    payment = _order(call)
    seen = [charge for charge in payment.charges if call.account.leaves_trace(charge)]
    if seen:
        raise errors.refused("ORDER_ALREADY_CAPTURED")
    _unrestricted(call)
    refusals = [charge.decline for charge in payment.charges if charge.decline is not None]
    if refusals:  # the buyer has to choose another way to pay first
        raise errors.refused(of_paypal(refusals[-1]).issue)
    call.account.attempt(call.at_ms, payment, None)
    return made(call, call.shapes.order(payment))


ROUTES: Mapping[str, Route] = {
    "GET /v2/checkout/orders/{id}": Route(_read_order, ORDERS),
    "POST /v2/checkout/orders/{id}/capture": Route(_capture_order, ORDERS, True, KEPT_ORDERS),
    "GET /v2/payments/captures/{id}": Route(_read_capture, CAPTURES),
    "POST /v2/payments/captures/{id}/refund": Route(_refund, REFUNDS, True, KEPT_PAYMENTS),
    "GET /v2/payments/refunds/{id}": Route(_read_refund, REFUNDS),
    "GET /v2/payments/authorizations/{id}": Route(_read_authorization, CAPTURES),
    "POST /v2/payments/authorizations/{id}/capture": Route(
        _capture_authorization, CAPTURES, True, KEPT_PAYMENTS
    ),
    "POST /v2/payments/authorizations/{id}/void": Route(_void, CAPTURES, True),
    "POST /v2/payments/authorizations/{id}/reauthorize": Route(_reauthorize, CAPTURES, True, KEPT_PAYMENTS),
    "GET /v1/payments/sale/{id}": Route(_read_sale, CAPTURES),
}
