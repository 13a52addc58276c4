"""Refunds, voids and settlement asked for through the API, and what Braintree refuses of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from payops.simulator.objects import Refund

from . import declines, errors
from .account import BraintreeAccount
from .params import minor
from .sales import sandbox
from .transactions import REFUNDABLE, VOIDABLE, Transaction
from .xml import Params

_LONGEST = 255


def refund(account: BraintreeAccount, at_ms: int, sale: Transaction, params: Params) -> Transaction:
    """The credit that was made of it, declined or not."""
    left = _left(account, sale)
    amount = minor(params["amount"], sale.currency) if "amount" in params else left
    if amount > left:
        raise errors.refuse("91521", "amount")
    order = params.get("order_id")
    if order is not None and len(order) > _LONGEST:
        raise errors.refuse("91501", "order_id")
    refused = sandbox(amount, sale.currency) if account.mode == "test" else None
    made = account.refund(
        at_ms,
        sale.charge,
        amount,
        reason=None,
        metadata={} if order is None else {"order_id": order},
        key=params.get("api_request_key"),
        shape=None if refused is None else _refused,
    )
    return account.credit_of(made)


def _refused(refund: Refund) -> None:
    refund.status, refund.failure = "failed", "declined"


def _left(account: BraintreeAccount, sale: Transaction) -> int:
    """What of a sale can still be refunded: never nothing."""
    if sale.refund is not None:
        raise errors.refuse("91505")
    if sale.status == "settling" and not account.refunds_settling:
        raise errors.refuse("91574")
    if sale.status not in REFUNDABLE:
        raise errors.refuse("91506")
    if not account.charges_enabled:
        raise errors.refuse("91538")
    left = sale.amount - sale.charge.amount_refunded
    if left <= 0:
        raise errors.refuse("91512")
    return left


def void(account: BraintreeAccount, at_ms: int, row: Transaction) -> Transaction:
    if row.status not in VOIDABLE:
        raise errors.refuse("91504")
    account.void(at_ms, row)
    return row


def reverse(account: BraintreeAccount, at_ms: int, row: Transaction, params: Params) -> Transaction:
    """Void what is not settled, refund what is."""
    if row.status in VOIDABLE:
        return void(account, at_ms, row)
    if row.refund is not None or row.status not in REFUNDABLE:
        raise errors.refuse("915282")
    return refund(account, at_ms, row, params)


def submit(account: BraintreeAccount, at_ms: int, row: Transaction, amount: Decimal | None) -> Transaction:
    """Take what was authorized, or less."""
    if row.refund is not None or row.status != "authorized":
        raise errors.refuse("91507")
    wanted = row.amount if amount is None else minor(amount, row.currency)
    if wanted > row.amount:
        raise errors.refuse("91522", "amount")
    account.capture(at_ms, row.charge, wanted)
    return row


def problem(row: Transaction) -> errors.Invalid | None:
    """The refusal that a transaction which was made, and declined, is shown with; None for an approved one."""
    refused = row.response
    if refused is None:
        return None
    problems: list[errors.Problem] = []
    if row.refund is not None and refused is not declines.REFUND_OVER_LIMIT:
        problems.append(errors.Problem("915200" if refused.hard else "915201"))
    message = f"Gateway Rejected: {refused.code}" if refused.blocked else refused.text
    return errors.Invalid(message, problems)


SANDBOX: dict[str, Any] = {
    "settle": BraintreeAccount.settle,
    "settlement_confirm": BraintreeAccount.settle,
    "settlement_decline": BraintreeAccount.decline_settlement,
    "settlement_pending": BraintreeAccount.stick,
}
"""What a test may have done to a transaction in the sandbox."""
