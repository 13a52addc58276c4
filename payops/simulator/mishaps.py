"""Things that go wrong with single payments, refunds, subscriptions, disputes and payouts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .objects import Charge, Dispute, Endpoint, Payout, Refund, Subscription
from .scenario_model import Fault

if TYPE_CHECKING:
    from .account import Account

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_REPLY_MS = 3 * _DAY_MS
_EVERY_MS = 20_000
_SPACING_MS = 30_000
_GRACE_MS = 5_000
_TESTING_EVERY_MS = 1_500
_TEST_NUMBER = "4242 4242 4242 4242"
"""The card number every provider gives out for tests: it belongs to nobody."""


def _settled(account: Account, at_ms: int, count: int) -> list[Charge]:
    """The newest `count` charges that took money, were not given back and are not contested."""
    found: list[Charge] = []
    for charge in reversed(account.charges.rows):
        fine = charge.decline is None and charge.captured and not charge.refunds and charge.dispute is None
        if (
            fine
            and not charge.test
            and charge.at_ms <= at_ms - _GRACE_MS
            and charge.payment.subscription is None
        ):
            found.append(charge)
            if len(found) == count:
                break
    return found


def _stray(account: Account, at_ms: int, fault: Fault) -> None:
    for number in range(fault.count):
        account.agenda.plan(at_ms + number * _EVERY_MS, _one_stray, account)


def _one_stray(at_ms: int, account: Account) -> None:
    account.strayed(at_ms)


def _wrong_mode(account: Account, at_ms: int, fault: Fault) -> None:
    """The stored secret opens the other mode's events: they arrive, and verify, until the right one is in its place."""
    endpoint = next(each for each in account.endpoints.rows if each.name == fault.endpoint)
    _trickle(at_ms, (account, fault, endpoint, at_ms))


def _trickle(at_ms: int, what: tuple[Account, Fault, Endpoint, int]) -> None:
    account, fault, endpoint, began_ms = what
    mended = account.deliveries.taken_ms.get(endpoint.id, began_ms) > began_ms
    if account.faults.holds(fault) and not mended:
        account.strayed(at_ms)
        account.agenda.plan(at_ms + _MINUTE_MS, _trickle, what)


def _test_cards(account: Account, at_ms: int, fault: Fault) -> None:
    _try_card(at_ms, (account, fault, 0))


def _try_card(at_ms: int, what: tuple[Account, Fault, int]) -> None:
    """Somebody tries stolen cards, one after the other, with little money."""
    account, fault, number = what
    if not account.faults.holds(fault):
        return
    guests = [buyer for buyer in account.buyers if buyer.customer is None]
    buyer = guests[number % len(guests)]
    payment = account.intend(at_ms, buyer, 100 + number % 3 * 50)
    word = ("incorrect_number", "do_not_honor", "incorrect_cvc", "stolen_card", None)[number % 5]
    account.attempt(at_ms, payment, None if word is None else account.decline(word))
    account.agenda.plan(at_ms + _TESTING_EVERY_MS, _try_card, (account, fault, number + 1))


def _double(account: Account, at_ms: int, fault: Fault) -> None:
    """A shop that retried although the first charge had succeeded."""
    for number, charge in enumerate(_settled(account, at_ms, fault.count)):
        account.agenda.plan(at_ms + number * _SPACING_MS, _charge_again, (account, fault, charge))


def _charge_again(at_ms: int, what: tuple[Account, Fault, Charge]) -> None:
    account, fault, charge = what
    if account.faults.holds(fault):
        account.faults.touch(fault, account.duplicate(at_ms, charge))


def _give_back(account: Account, at_ms: int, fault: Fault) -> None:
    """The shop gives the second charge back itself."""
    for charge in account.faults.touched(fault, Charge):
        if charge.amount_refunded < charge.amount_taken:
            account.refund(at_ms, charge, charge.amount_taken - charge.amount_refunded, reason="duplicate")


def _authorize_only(account: Account, at_ms: int, fault: Fault) -> None:
    """Authorizations nobody captured, about to end."""
    for number in range(fault.count):
        buyer = account.buyers[(7 * number + 3) % len(account.buyers)]
        charge = account.authorize(
            at_ms + number, buyer, 5_000 + 100 * number, expires_ms=at_ms + 12 * _HOUR_MS
        )
        account.faults.touch(fault, charge)


def _capture(account: Account, at_ms: int, fault: Fault) -> None:
    """The shop takes what it had reserved, while there is time."""
    for charge in account.faults.touched(fault, Charge):
        if not charge.captured and charge.expires_ms is not None and at_ms < charge.expires_ms:
            account.capture(at_ms, charge)


def _refund(account: Account, at_ms: int, fault: Fault, shape: Callable[[Refund], None]) -> None:
    for charge in _settled(account, at_ms, fault.count):
        refund = account.refund(
            at_ms, charge, charge.payment.amount, reason="requested_by_customer", shape=shape
        )
        account.faults.touch(fault, refund)


def _refund_again(account: Account, at_ms: int, fault: Fault) -> None:
    """The shop makes each refund once more, of what is left of its charge, and it goes through."""
    for refund in account.faults.touched(fault, Refund):
        left = refund.charge.amount_taken - refund.charge.amount_refunded
        if refund.status == "failed" and left > 0:
            account.refund(at_ms, refund.charge, left, reason="requested_by_customer")


def _refund_arrives(account: Account, at_ms: int, fault: Fault) -> None:
    for refund in account.faults.touched(fault, Refund):
        if refund.status == "pending":
            refund.status, refund.waiting, refund.changed_ms = "succeeded", None, at_ms
            account.refund_changed(at_ms, refund)


def _refund_fails(account: Account, at_ms: int, fault: Fault) -> None:
    def failed(refund: Refund) -> None:
        refund.status, refund.failure = "failed", "declined"

    _refund(account, at_ms, fault, failed)


def _refund_sticks(account: Account, at_ms: int, fault: Fault) -> None:
    def waits(refund: Refund) -> None:
        refund.status, refund.waiting = "pending", "insufficient_funds"

    _refund(account, at_ms, fault, waits)


def _refund_too_much(account: Account, at_ms: int, fault: Fault) -> None:
    """The shop asks for more than is left; the provider refuses and keeps the refused try."""

    def too_much(refund: Refund) -> None:
        refund.amount = 2 * refund.charge.payment.amount
        refund.status, refund.failure = "failed", "over_limit"

    _refund(account, at_ms, fault, too_much)


def _dispute(account: Account, at_ms: int, fault: Fault) -> None:
    for charge in _settled(account, at_ms, fault.count):
        number = len(account.disputes) + 1
        dispute = Dispute(
            account.object_id("dispute", number),
            at_ms,
            charge,
            charge.payment.amount,
            at_ms + _REPLY_MS,
            changed_ms=at_ms,
        )
        account.disputes.add(dispute)
        charge.dispute = dispute
        account.dispute_changed(at_ms, dispute)
        account.faults.touch(fault, dispute)


def _reply(account: Account, at_ms: int, fault: Fault) -> None:
    """The shop sends its evidence: the bank looks at it."""
    for dispute in account.faults.touched(fault, Dispute):
        if dispute.status == "open" and at_ms < dispute.reply_ms:
            dispute.status, dispute.changed_ms = "under_review", at_ms
            account.dispute_changed(at_ms, dispute)


def _payout_fails(account: Account, at_ms: int, fault: Fault) -> None:
    currency = max(account.taken, key=lambda name: account.taken[name], default="usd")
    amount = max(10_000, account.taken.get(currency, 0) // 2)
    account.faults.touch(fault, _pay_out(account, at_ms, amount, currency, "account_closed"))


def _pay_out(account: Account, at_ms: int, amount: int, currency: str, failure: str | None) -> Payout:
    payout = Payout(
        account.object_id("payout", len(account.payouts) + 1),
        at_ms,
        amount,
        currency,
        at_ms + _DAY_MS,
        "paid" if failure is None else "failed",
        failure,
        at_ms,
    )
    account.payouts.add(payout)
    account.payout_changed(at_ms, payout)
    return payout


def _pay_out_again(account: Account, at_ms: int, fault: Fault) -> None:
    """Another bank account is on file: the same money goes out."""
    for payout in account.faults.touched(fault, Payout):
        _pay_out(account, at_ms, payout.amount, payout.currency, None)


def _subscribers(account: Account, count: int) -> list[Subscription]:
    return [each for each in account.subscriptions.rows if each.status == "active"][:count]


def _past_due(account: Account, at_ms: int, fault: Fault) -> None:
    for number, subscription in enumerate(_subscribers(account, fault.count)):
        account.agenda.plan(at_ms + number * _EVERY_MS, _renewal_fails, (account, fault, subscription))


def _no_method(account: Account, at_ms: int, fault: Fault) -> None:
    for number, subscription in enumerate(_subscribers(account, fault.count)):
        account.agenda.plan(at_ms + number * _EVERY_MS, _renewal_misses, (account, fault, subscription))


def _renewal_fails(at_ms: int, what: tuple[Account, Fault, Subscription]) -> None:
    account, fault, subscription = what
    if account.faults.holds(fault):
        account.faults.touch(fault, subscription)
        account.traffic.renew(at_ms, subscription, account.decline("insufficient_funds"))


def _renewal_misses(at_ms: int, what: tuple[Account, Fault, Subscription]) -> None:
    account, fault, subscription = what
    if not account.faults.holds(fault):
        return
    account.faults.touch(fault, subscription)
    if account.names_customers_by_charges:
        # Without a charge nobody could tell whose the subscription is.
        account.traffic.renew(at_ms, subscription, account.decline("expired_card"))
        subscription.method = False
        return
    subscription.method = False
    if account.tries_without_method:
        account.traffic.renew(at_ms, subscription, account.decline("insufficient_funds"))
    else:
        account.traffic.miss(at_ms, subscription)


def _pay_debt(account: Account, at_ms: int, fault: Fault) -> None:
    """The customers put things right, and a little later the bills are collected."""
    for subscription in account.faults.touched(fault, Subscription):
        if subscription.status == "past_due" and not subscription.method:
            account.give_method(at_ms, subscription)
        account.agenda.plan(at_ms + _GRACE_MS, _collect, (account, subscription))


def _collect(at_ms: int, what: tuple[Account, Subscription]) -> None:
    account, subscription = what
    if subscription.status == "past_due":
        account.traffic.renew(at_ms, subscription, None)


def _stuck_invoice(account: Account, at_ms: int, fault: Fault) -> None:
    for subscription in _subscribers(account, fault.count):
        account.stick_invoice(at_ms, subscription)
        account.faults.touch(fault, subscription)


def _free_invoice(account: Account, at_ms: int, fault: Fault) -> None:
    for subscription in account.faults.touched(fault, Subscription):
        account.free_invoice(at_ms, subscription)


def _pan(account: Account, at_ms: int, fault: Fault) -> None:
    account.traffic.write_beside({"note": f"card {_TEST_NUMBER}"}, fault.count)


def _cvv(account: Account, at_ms: int, fault: Fault) -> None:
    account.traffic.write_beside({"cvv": "123", "checkout": "v2"}, fault.count)


OF: dict[str, Callable[[Account, int, Fault], None]] = {
    "test_object_in_live": _stray,
    "webhook_wrong_mode_secret": _wrong_mode,
    "card_testing": _test_cards,
    "duplicate_charge": _double,
    "authorization_expiring": _authorize_only,
    "refund_failed": _refund_fails,
    "refund_stuck": _refund_sticks,
    "refund_over_limit": _refund_too_much,
    "dispute_opened": _dispute,
    "payout_failed": _payout_fails,
    "subscription_past_due": _past_due,
    "subscription_missing_payment_method": _no_method,
    "subscription_invoice_stuck": _stuck_invoice,
    "pan_in_metadata": _pan,
    "cvv_in_webhook": _cvv,
}
"""Fault kind → what it does at the instant it begins."""
HEALS: dict[str, Callable[[Account, int, Fault], None]] = {
    "duplicate_charge": _give_back,
    "authorization_expiring": _capture,
    "refund_failed": _refund_again,
    "refund_stuck": _refund_arrives,
    "refund_over_limit": _refund_again,
    "dispute_opened": _reply,
    "payout_failed": _pay_out_again,
    "subscription_past_due": _pay_debt,
    "subscription_missing_payment_method": _pay_debt,
    "subscription_invoice_stuck": _free_invoice,
}
"""Fault kind → what people outside do about it at its end, where nobody has done so before."""
