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
        account.agenda.plan(at_ms + number * _SPACING_MS, _charge_again, (account, charge))


def _charge_again(at_ms: int, what: tuple[Account, Charge]) -> None:
    account, charge = what
    account.duplicate(at_ms, charge)


def _authorize_only(account: Account, at_ms: int, fault: Fault) -> None:
    """Authorizations nobody captured, about to end."""
    for number in range(fault.count):
        buyer = account.buyers[(7 * number + 3) % len(account.buyers)]
        account.authorize(at_ms + number, buyer, 5_000 + 100 * number, expires_ms=at_ms + 12 * _HOUR_MS)


def _refund(account: Account, at_ms: int, fault: Fault, shape: Callable[[Refund], None]) -> None:
    for charge in _settled(account, at_ms, fault.count):
        account.refund(at_ms, charge, charge.payment.amount, reason="requested_by_customer", shape=shape)


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


def _payout_fails(account: Account, at_ms: int, fault: Fault) -> None:
    currency = max(account.taken, key=lambda name: account.taken[name], default="usd")
    payout = Payout(
        account.object_id("payout", len(account.payouts) + 1),
        at_ms,
        max(10_000, account.taken.get(currency, 0) // 2),
        currency,
        at_ms + _DAY_MS,
        "failed",
        "account_closed",
        at_ms,
    )
    account.payouts.add(payout)
    account.payout_changed(at_ms, payout)


def _subscribers(account: Account, count: int) -> list[Subscription]:
    return [each for each in account.subscriptions.rows if each.status == "active"][:count]


def _past_due(account: Account, at_ms: int, fault: Fault) -> None:
    for number, subscription in enumerate(_subscribers(account, fault.count)):
        account.agenda.plan(at_ms + number * _EVERY_MS, _renewal_fails, (account, subscription, False))


def _no_method(account: Account, at_ms: int, fault: Fault) -> None:
    for number, subscription in enumerate(_subscribers(account, fault.count)):
        account.agenda.plan(at_ms + number * _EVERY_MS, _renewal_fails, (account, subscription, True))


def _renewal_fails(at_ms: int, what: tuple[Account, Subscription, bool]) -> None:
    account, subscription, no_method = what
    if no_method:
        if account.names_customers_by_charges:
            # Without a charge nobody could tell whose the subscription is.
            account.traffic.renew(at_ms, subscription, account.decline("expired_card"))
            subscription.method = False
            return
        subscription.method = False
        if not account.tries_without_method:
            account.traffic.miss(at_ms, subscription)
            return
    account.traffic.renew(at_ms, subscription, account.decline("insufficient_funds"))


def _stuck_invoice(account: Account, at_ms: int, fault: Fault) -> None:
    for subscription in _subscribers(account, fault.count):
        account.stick_invoice(at_ms, subscription)


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
