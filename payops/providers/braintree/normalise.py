"""Braintree's objects as facts: the one reading of them, shared by the feeds and the inbox. No I/O, no clock.

A sale is an attempt, a credit a refund. Past authorizations stand: what settlement does to one is not a decline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from payops.domain.events import Facts, Remark
from payops.domain.payments import (
    Attempt,
    AttemptStatus,
    Dispute,
    DisputeStatus,
    Initiator,
    PaymentMethod,
    Refund,
    Subscription,
    SubscriptionStatus,
    first_of_next_month,
)

from . import wire

TRANSACTION: wire.Fields = {
    **dict.fromkeys(
        (
            "id",
            "type",
            "status",
            "amount",
            "currency-iso-code",
            "order-id",
            "customer-id",
            "created-at",
            "updated-at",
            "processor-response-code",
            "gateway-rejection-reason",
            "refunded-transaction-id",
            "refund-ids",
            "subscription-id",
            "retried-transaction-id",
            "recurring",
            "payment-instrument-type",
            "authorization-expires-at",
            "custom-fields",
        )
    ),
    "customer": {"id": None},
    "credit-card": {"card-type": None, "country-of-issuance": None},
    "status-history": {"status": None, "timestamp": None, "transaction-source": None},
}
SUBSCRIPTION: wire.Fields = {
    **dict.fromkeys(
        (
            "id",
            "status",
            "balance",
            "price",
            "created-at",
            "updated-at",
            "failure-count",
            "days-past-due",
            "next-billing-date",
            "next-bill-amount",
            "payment-method-token",
            "currency-iso-code",
        )
    ),
    "transactions": TRANSACTION,
    "status-history": {"status": None, "timestamp": None, "currency-iso-code": None},
}
DISPUTE: wire.Fields = {
    **dict.fromkeys(
        (
            "id",
            "status",
            "amount",
            "amount-disputed",
            "currency-iso-code",
            "reason",
            "created-at",
            "updated-at",
            "received-date",
            "reply-by-date",
        )
    ),
    "transaction": {"id": None},
}

VAULT: wire.Fields = {
    "credit-cards": dict.fromkeys(
        ("token", "card-type", "last-4", "default", "expired", "expiration-month", "expiration-year")
    )
}

REFUND_FAILED = frozenset(
    {"processor_declined", "gateway_rejected", "failed", "settlement_declined", "settlement_failed"}
)
_TAKEN = frozenset(
    {"submitted_for_settlement", "settling", "settled", "settlement_confirmed", "settlement_pending"}
)
_FAILED = frozenset({"processor_declined", "gateway_rejected", "failed"})
_SETTLEMENT_FAILED = frozenset({"settlement_declined", "settlement_failed"})
_RELEASED = frozenset({"voided", "authorization_expired"})
_DELAYED = frozenset({"us_bank_account", "sepa_debit_account", "local_payment"})
"""Methods that authorize nothing: whether there is money shows at settlement."""
_BRANDS = {"american express": "amex", "mastercard": "mastercard", "unionpay": "unionpay"}
_SUBSCRIPTION: Mapping[str, SubscriptionStatus] = {
    "Active": "active",
    "Canceled": "canceled",
    "Expired": "expired",
    "Past Due": "past_due",
    "Pending": "trialing",
}
_DISPUTE: Mapping[str, DisputeStatus] = {
    "open": "needs_response",
    "disputed": "under_review",
    "under_review": "under_review",
    "accepted": "accepted",
    "auto_accepted": "accepted",
    "expired": "expired",
    "lost": "lost",
    "won": "won",
}


def facts(transactions: Iterable[Mapping[str, Any]], account: str) -> Facts:
    """What these transactions state; one without id, time or status cannot be kept and is left out."""
    attempts, refunds, remarks = [], [], []
    for each in transactions:
        remarks += _remarks(each)
        if each.get("type") == "credit":
            back = refund(each, account)
            if back is not None:
                refunds.append(back)
        else:
            tried = attempt(each, account)
            if tried is not None:
                attempts.append(tried)
    return Facts(attempts=tuple(attempts), refunds=tuple(refunds), remarks=tuple(remarks))


def _remarks(transaction: Mapping[str, Any]) -> list[Remark]:
    """What the shop wrote into its own fields: Braintree shows these in searches as well as in notifications."""
    transaction_id = wire.identifier(transaction.get("id")) or ""
    return [
        Remark(transaction_id, f"custom_fields.{name}", str(text))
        for name, text in wire.mapping(transaction.get("custom_fields")).items()
        if text is not None
    ]


def attempt(sale: Mapping[str, Any], account: str, told_at: datetime | None = None) -> Attempt | None:
    """A sale as an attempt. `told_at`: when its state was told, for one that does not say when it changed."""
    attempt_id, said = wire.identifier(sale.get("id")), wire.word(sale.get("status"))
    at = wire.time(sale.get("created_at"))
    code = wire.currency(sale.get("currency_iso_code"))
    amount = wire.minor(sale.get("amount"), code)
    # A zero amount is a verification of the card: nobody wanted to pay. Without its own time it fits no rate.
    if attempt_id is None or said is None or at is None or amount == 0:
        return None
    method = wire.word(sale.get("payment_instrument_type"))
    status = _status(said, method)
    card = wire.mapping(sale.get("credit_card"))
    order = wire.identifier(sale.get("order_id"))
    before = wire.identifier(sale.get("retried_transaction_id"))
    return Attempt(
        account=account,
        attempt_id=attempt_id,
        at=at,
        status=status,
        changed_at=_changed_at(sale, told_at) or at,
        payment_id=order or before or attempt_id,
        customer=wire.identifier(wire.mapping(sale.get("customer")).get("id"))
        or wire.identifier(sale.get("customer_id")),
        amount_minor=amount,
        currency=code,
        decline_code=_decline(sale, said) if status == "failed" else None,
        method="card" if method == "credit_card" else method,
        card_brand=_brand(card.get("card_type")),
        country=_country(card.get("country_of_issuance")),
        initiated_by=_initiator(sale, before),
        captured=_captured(said),
        capture_before=wire.time(sale.get("authorization_expires_at")) if said == "authorized" else None,
        amount_refunded_minor=_refunded(sale, said, amount),
        order_id=order,
    )


def refund(credit: Mapping[str, Any], account: str, told_at: datetime | None = None) -> Refund | None:
    """A credit as a refund; `refunded_transaction_fk` is how a `refund_failed` notification names the sale."""
    refund_id = wire.identifier(credit.get("id"))
    at = wire.time(credit.get("created_at")) or told_at
    code = wire.currency(credit.get("currency_iso_code"))
    amount = wire.minor(credit.get("amount"), code)
    if refund_id is None or at is None or code is None or amount is None:
        return None
    said = wire.word(credit.get("status")) or "unknown"
    of = wire.identifier(credit.get("refunded_transaction_id")) or wire.identifier(
        credit.get("refunded_transaction_fk")
    )
    return Refund(
        account=account,
        refund_id=refund_id,
        payment_id=of,
        at=at,
        status=said,
        amount_minor=amount,
        currency=code,
        failure_reason=_decline(credit, said) or said if said in REFUND_FAILED else None,
        attempt_id=of,
        changed_at=_changed_at(credit, told_at) or at,
    )


def method(found: Mapping[str, Any]) -> PaymentMethod | None:
    """A card in the vault."""
    token = wire.identifier(found.get("token"))
    if token is None:
        return None
    month, year = (wire.number(found.get(f"expiration_{name}")) for name in ("month", "year"))
    label = f"{wire.word(found.get('card_type')) or 'card'} ending in {wire.word(found.get('last_4')) or '?'}"
    expires = None
    if month is not None and year is not None and 1 <= month <= 12:
        expires = first_of_next_month(year, month)
    return PaymentMethod(token, label, found.get("default") is True, expires)


def subscription(
    found: Mapping[str, Any],
    account: str,
    *,
    told_at: datetime | None = None,
    read_at: datetime | None = None,
    status: str | None = None,
) -> Subscription | None:
    """`status` stands in for one that is not told: what a notification's kind says about it.

    `read_at`: it was read at this instant, which is as new as a state can be: Braintree does not touch
    `updated_at` for what is counted from day to day. That a token is named does not prove that it still exists.
    """
    subscription_id = wire.identifier(found.get("id"))
    at = wire.time(found.get("created_at")) or told_at
    known = _SUBSCRIPTION.get(wire.word(found.get("status")) or status or "")
    if subscription_id is None or known is None or at is None:
        return None
    transactions = [wire.mapping(each) for each in wire.items(found.get("transactions"))]
    history = [wire.mapping(each) for each in wire.items(found.get("status_history"))]
    money = next(
        (
            code
            for each in (found, *transactions, *history)
            if (code := wire.currency(each.get("currency_iso_code")))
        ),
        None,
    )
    customers = (wire.mapping(each.get("customer")).get("id") for each in transactions)
    balance = wire.minor(found.get("balance"), money)
    return Subscription(
        account=account,
        subscription_id=subscription_id,
        at=at,
        changed_at=read_at or _changed_at(found, told_at) or at,
        status=known,
        customer=next((named for each in customers if (named := wire.identifier(each))), None),
        amount_minor=wire.minor(found.get("price"), money),
        currency=money,
        next_billing_at=wire.time(found.get("next_billing_date")),
        outstanding_minor=balance,
        failed_payments=wire.number(found.get("failure_count")),
        has_payment_method=_has_method(found),
        owing_since=_past_due_since(history) if known == "past_due" else None,
    )


def dispute(found: Mapping[str, Any], account: str, told_at: datetime | None = None) -> Dispute | None:
    dispute_id = wire.identifier(found.get("id"))
    at = wire.time(found.get("created_at")) or wire.time(found.get("received_date")) or told_at
    status = _DISPUTE.get(wire.word(found.get("status")) or "")
    code = wire.currency(found.get("currency_iso_code"))
    amount = wire.minor(found.get("amount_disputed"), code)
    if amount is None:
        amount = wire.minor(found.get("amount"), code)
    if dispute_id is None or at is None or status is None or code is None or amount is None:
        return None
    return Dispute(
        account=account,
        dispute_id=dispute_id,
        at=at,
        changed_at=_changed_at(found, told_at) or at,
        status=status,
        amount_minor=amount,
        currency=code,
        reason=wire.word(found.get("reason")),
        attempt_id=wire.identifier(wire.mapping(found.get("transaction")).get("id")),
        reply_by=wire.time(found.get("reply_by_date")),
    )


def status_at(transaction: Mapping[str, Any], status: str) -> datetime | None:
    """When a transaction last came to be in `status`, as its history says."""
    times = [
        at
        for each in wire.items(transaction.get("status_history"))
        if wire.mapping(each).get("status") == status
        and (at := wire.time(wire.mapping(each).get("timestamp")))
    ]
    return max(times, default=None)


def _status(said: str, method: str | None) -> AttemptStatus:
    if said in _FAILED:
        return "failed"
    if said == "authorizing":
        return "pending"
    if method in _DELAYED:
        if said in _SETTLEMENT_FAILED:
            return "failed"
        if said == "voided":
            return "canceled"
        return "succeeded" if said in ("settled", "settlement_confirmed") else "pending"
    if said == "authorized" or said in _TAKEN or said in _RELEASED or said in _SETTLEMENT_FAILED:
        return "succeeded"
    return "pending"


def _captured(said: str) -> bool | None:
    if said in _TAKEN:
        return True
    return False if said == "authorized" or said in _RELEASED or said in _SETTLEMENT_FAILED else None


def _decline(transaction: Mapping[str, Any], said: str) -> str | None:
    """The gateway's reason where it was the gateway, the processor's code otherwise; a 1000 approves."""
    if said == "gateway_rejected":
        return wire.word(transaction.get("gateway_rejection_reason")) or said
    code = transaction.get("processor_response_code")
    shown = wire.word(str(code) if isinstance(code, int) else code)
    return None if shown is None or shown.startswith("1") else shown


def _initiator(sale: Mapping[str, Any], before: str | None) -> Initiator:
    if wire.identifier(sale.get("subscription_id")) is None:
        return "renewal" if sale.get("recurring") in (True, "true") else "customer"
    if before is not None:
        return "dunning"
    # The schedule charges by itself; a charge of a subscription that somebody asked for is a retry.
    history = wire.items(sale.get("status_history"))
    first = wire.mapping(history[0]).get("transaction_source") if history else None
    return "dunning" if first in ("api", "control_panel") else "renewal"


def _refunded(sale: Mapping[str, Any], said: str, amount: int | None) -> int | None:
    """All of a voided sale, nothing where no refund is named; else unknown: the ids alone do not say how much."""
    if said == "voided":
        return amount
    return 0 if "refund_ids" in sale and not sale["refund_ids"] else None


def _changed_at(thing: Mapping[str, Any], told_at: datetime | None) -> datetime | None:
    return wire.time(thing.get("updated_at")) or told_at


def _past_due_since(history: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the present run of "Past Due" began, as the history of states says."""
    told = [(at, each.get("status")) for each in history if (at := wire.time(each.get("timestamp")))]
    since = None
    for at, status in sorted(told, key=lambda step: step[0], reverse=True):
        if status != "Past Due":
            break
        since = at
    return since


def _has_method(found: Mapping[str, Any]) -> bool | None:
    return False if "payment_method_token" in found and not found["payment_method_token"] else None


def _brand(value: object) -> str | None:
    shown = wire.word(value)
    return None if shown is None else _BRANDS.get(shown.lower(), shown.lower())


def _country(value: object) -> str | None:
    shown = wire.word(value)
    return None if shown in (None, "Unknown") else shown
