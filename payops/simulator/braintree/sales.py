"""Sales asked for through the API: what they are charged to, what comes of them, what is refused before."""

from __future__ import annotations

from decimal import Decimal

from payops.simulator.cards import Buyer
from payops.simulator.declines import BLOCKED, Decline
from payops.simulator.ids import share
from payops.simulator.objects import Payment

from . import declines, errors
from .account import BraintreeAccount
from .params import minor
from .transactions import UNPAID, Transaction
from .xml import Params

SOURCES = ("recurring", "recurring_first", "unscheduled", "installment", "installment_first", "moto", "")
_NONCE = "fake-valid-nonce"
_LONGEST = 255
_METHODS = ("payment_method_token", "payment_method_nonce", "customer_id")


def sale(account: BraintreeAccount, at_ms: int, params: Params) -> Transaction:
    """A new sale, whatever came of it. Refusals: no method or an unknown one, amount, order, source, merchant."""
    if params.get("type") is None:
        raise errors.refuse("91524", "type")
    if params["type"] != "sale":
        raise errors.refuse("91523", "type")
    if params.get("transaction_source", "") not in SOURCES:
        raise errors.refuse("915133", "transaction_source")
    order: str | None = params.get("order_id")
    if order is not None and len(order) > _LONGEST:
        raise errors.refuse("91501", "order_id")
    if "subscription_id" in params:
        return retry_charge(account, at_ms, params)
    if "amount" not in params:
        raise errors.refuse("81502", "amount")
    buyer = _payer(account, params)
    _open_for_business(account, buyer, params.get("merchant_account_id"))
    amount = minor(params["amount"], buyer.currency)
    return charge(
        account,
        at_ms,
        _purchase(account, at_ms, buyer, amount, order, params.get("custom_fields", {})),
        order=order,
        source=params.get("transaction_source") or None,
        submit=params.get("options", {}).get("submit_for_settlement", False),
        keyed="api_request_key" in params,
    )


def clone(account: BraintreeAccount, at_ms: int, first: Transaction, params: Params) -> Transaction:
    """The same sale again for `amount`."""
    if first.refund is not None:
        raise errors.refuse("91543")
    if "amount" not in params:
        raise errors.refuse("81502", "amount")
    buyer = first.charge.payment.buyer
    _open_for_business(account, buyer, None)
    amount = minor(params["amount"], buyer.currency)
    payment = _purchase(account, at_ms, buyer, amount, first.order, dict(first.charge.payment.metadata))
    submit = params.get("options", {}).get("submit_for_settlement", False)
    return charge(account, at_ms, payment, order=first.order, source=None, submit=submit, keyed=False)


def retry_charge(account: BraintreeAccount, at_ms: int, params: Params) -> Transaction:
    """One more try to collect what a subscription owes: all of it unless told, authorized only unless told."""
    subscription = account.subscriptions.get(params["subscription_id"])
    if subscription is None:
        raise errors.refuse("91528", "subscription_id")
    if subscription.status != "past_due":
        raise errors.refuse("91531", "subscription_id")
    buyer = subscription.buyer
    if params.get("payment_method_token") not in (None, account.token_for(subscription)):
        raise errors.refuse("91527", "payment_method_token")
    if not subscription.method:
        raise errors.refuse("91518", "payment_method_token")
    _open_for_business(account, buyer, params.get("merchant_account_id"))
    amount = minor(params["amount"], buyer.currency) if "amount" in params else subscription.outstanding
    with account.asked_for(None, "api"):
        payment = account.collect(
            at_ms,
            subscription,
            amount,
            _verdict(account, at_ms, buyer, amount),
            submit=params.get("options", {}).get("submit_for_settlement", False),
        )
    return account.sale_of(payment.charges[-1])


def charge(
    account: BraintreeAccount,
    at_ms: int,
    payment: Payment,
    *,
    order: str | None,
    source: str | None,
    submit: bool,
    keyed: bool,
) -> Transaction:
    """One try. The gateway's own check for duplicates is left out where a request key stands in for it."""
    decline = _verdict(account, at_ms, payment.buyer, payment.amount)
    if not keyed and _repeats(account, at_ms, payment, order):
        decline = declines.DUPLICATE
    with account.asked_for(order, source):
        if decline is not None or submit:
            made = account.attempt(at_ms, payment, decline)
        else:
            made = account.reserve(at_ms, payment)
    return account.sale_of(made)


def _payer(account: BraintreeAccount, params: Params) -> Buyer:
    given = [name for name in _METHODS if name in params]
    if not given:
        raise errors.refuse("91508")
    if "payment_method_token" in params and "payment_method_nonce" in params:
        raise errors.refuse("91515")
    if "payment_method_token" in params:
        buyer = account.vaulted(params["payment_method_token"])
        if buyer is None or params.get("customer_id", buyer.customer) != buyer.customer:
            raise errors.refuse("91518", "payment_method_token")
        return buyer
    if "customer_id" in params:
        customer = account.customers.get(params["customer_id"])
        if customer is None:
            raise errors.refuse("91510", "customer_id")
        return customer.buyer
    if params["payment_method_nonce"] != _NONCE:
        raise errors.refuse("91565", "payment_method_nonce")
    return next(buyer for buyer in account.buyers if buyer.customer is None)


def _open_for_business(account: BraintreeAccount, buyer: Buyer, wanted: str | None) -> None:
    if wanted not in (None, account.merchant_account(buyer.currency)):
        raise errors.refuse("91513", "merchant_account_id")
    if not account.charges_enabled:
        raise errors.refuse("91514", "merchant_account_id")


def _purchase(
    account: BraintreeAccount,
    at_ms: int,
    buyer: Buyer,
    amount: int,
    order: str | None,
    fields: dict[str, str],
) -> Payment:
    """The purchase this is a try of: that of an earlier try with the same order, buyer and amount, or a new one."""
    for earlier in account.book.of_order(order) if order else ():
        payment = earlier.charge.payment
        if earlier.refund is None and payment.buyer is buyer and payment.amount == amount:
            return payment
    payment = account.intend(at_ms, buyer, amount)
    payment.metadata.update(fields)
    return payment


def _repeats(account: BraintreeAccount, at_ms: int, payment: Payment, order: str | None) -> bool:
    """Whether a sale of the same order, amount and method was taken a moment ago."""
    return order is not None and any(
        earlier.charge.payment.buyer is payment.buyer
        and earlier.refund is None
        and earlier.amount == payment.amount
        and earlier.status not in UNPAID
        and at_ms - earlier.at_ms < account.duplicates_ms
        for earlier in account.book.of_order(order)
    )


def _verdict(account: BraintreeAccount, at_ms: int, buyer: Buyer, amount: int) -> Decline | None:
    """In production what a fault makes of it, else approved; in the sandbox what the amount asks for."""
    if account.mode == "test":
        return sandbox(amount, buyer.currency)
    luck = share(account.seed, f"{account.name}/api/{len(account.charges)}/{at_ms}")
    rejecting = account.faults.now("gateway_rejections")
    if rejecting is not None and luck < rejecting.share:
        return account.decline(BLOCKED)
    surge = account.faults.surge(buyer)
    return account.decline(surge.decline) if surge is not None and luck >= surge.success_rate else None


def sandbox(amount: int, currency: str) -> Decline | None:
    """2000 to 2999 and 3000: the processor's answer of that number; 5001: a gateway rejection; else approved."""
    from .shapes import money

    whole = int(Decimal(money(amount, currency)))
    if 2000 <= whole <= 3000:
        return declines.by_code(str(whole))
    return declines.APPLICATION_INCOMPLETE if whole == 5001 else None
