"""What a buyer wanted (a payment), what was tried at the provider (an attempt), and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Provider = Literal["stripe", "braintree", "paypal"]
Mode = Literal["live", "test"]
AttemptStatus = Literal["succeeded", "failed", "pending", "canceled"]
Initiator = Literal["customer", "renewal", "dunning"]
SubscriptionStatus = Literal[
    "incomplete", "trialing", "active", "past_due", "unpaid", "paused", "suspended", "canceled", "expired"
]
InvoiceStatus = Literal["draft", "open", "paid", "uncollectible", "void"]
DisputeStatus = Literal["needs_response", "under_review", "accepted", "won", "lost", "expired", "closed"]
PayoutStatus = Literal["pending", "in_transit", "paid", "failed", "canceled"]
OWING: tuple[SubscriptionStatus, ...] = ("past_due", "unpaid", "suspended")
"""States of a subscription whose last bill is unpaid; a suspended one (PayPal) is so after too many refusals."""
PROVIDERS: tuple[Provider, ...] = ("stripe", "braintree", "paypal")
PROVIDER_NAMES: Mapping[Provider, str] = {"stripe": "Stripe", "braintree": "Braintree", "paypal": "PayPal"}
"""As a person writes them: in titles, handoffs and reports."""
OTHER_MODE: Mapping[Mode, Mode] = {"live": "test", "test": "live"}


def first_of_next_month(year: int, month: int) -> datetime:
    """The instant from which on a card that is good through that month has expired."""
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def provider_named(name: str) -> Provider:
    """The provider of that name; `ValueError` for any other word."""
    for known in PROVIDERS:
        if known == name:
            return known
    raise ValueError(f"no provider {name!r}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One authorization at the provider. `payment_id` is the purchase it belongs to, where known.

    `changed_at` is the provider's time of the state shown here: of two states of one attempt the later wins.
    `decline_code` is a key of `domain.decline` for the account's provider, or the provider's own unknown code.
    `initiated_by` None = not told. `captured` False: authorized only, the money is not taken; `capture_before` is
    when the authorization ends. `amount_refunded_minor` sums what went back, as the provider says.
    """

    account: str
    attempt_id: str
    at: datetime
    status: AttemptStatus
    changed_at: datetime
    payment_id: str | None = None
    customer: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    decline_code: str | None = None
    method: str | None = None
    card_brand: str | None = None
    country: str | None = None
    initiated_by: Initiator | None = None
    captured: bool | None = None
    capture_before: datetime | None = None
    amount_refunded_minor: int | None = None
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. `status` is the provider's own word; `failure_reason` only where it failed.

    `payment_id` is that of the refunded attempt's payment, `attempt_id` the attempt itself, where told.
    `pending_reason` is the provider's word for what a pending one waits for.
    """

    account: str
    refund_id: str
    payment_id: str | None
    at: datetime
    status: str
    amount_minor: int
    currency: str
    failure_reason: str | None = None
    attempt_id: str | None = None
    changed_at: datetime | None = None
    pending_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a customer pays again and again. Of two states of one subscription the later `changed_at` wins.

    `outstanding_minor` is what is due and unpaid; `failed_payments` counts renewals refused in a row.
    `has_payment_method` None = not told. `owing_since`: when the bill fell due that is unpaid now.
    """

    account: str
    subscription_id: str
    at: datetime
    changed_at: datetime
    status: SubscriptionStatus
    customer: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    next_billing_at: datetime | None = None
    outstanding_minor: int | None = None
    failed_payments: int | None = None
    cancel_at_period_end: bool | None = None
    has_payment_method: bool | None = None
    owing_since: datetime | None = None
    next_try_at: datetime | None = None
    """When the provider itself tries to collect next, told by a read of this one only; None = not told."""
    charged: bool | None = None
    """False: the customer is sent invoices and pays by hand. Told by a read of this one only; None = not told."""


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """Something a customer has stored to pay with. `chosen`: it is the customer's own default; None = not told."""

    method_id: str
    label: str
    """Brand and last four digits."""
    chosen: bool | None = None
    expires_at: datetime | None = None
    """The first instant at which it is expired; None = not told, or it does not expire."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """One bill (Stripe). `next_attempt_at` None on an open one: the provider will not try again by itself."""

    account: str
    invoice_id: str
    at: datetime
    changed_at: datetime
    status: InvoiceStatus
    amount_due_minor: int
    currency: str
    subscription_id: str | None = None
    attempt_count: int | None = None
    next_attempt_at: datetime | None = None
    finalization_error: str | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A customer's bank asks the money back. `reply_by`: no reply by then = lost."""

    account: str
    dispute_id: str
    at: datetime
    changed_at: datetime
    status: DisputeStatus
    amount_minor: int
    currency: str
    reason: str | None = None
    attempt_id: str | None = None
    reply_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Payout:
    """The provider's transfer to the merchant's bank."""

    account: str
    payout_id: str
    at: datetime
    changed_at: datetime
    status: PayoutStatus
    amount_minor: int
    currency: str
    arrives_at: datetime | None = None
    failure_code: str | None = None
