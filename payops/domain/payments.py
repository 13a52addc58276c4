"""What a buyer wanted (a payment), what was tried at the provider (an attempt), and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Provider = Literal["stripe", "braintree", "paypal"]
Mode = Literal["live", "test"]
AttemptStatus = Literal["succeeded", "failed", "pending", "canceled"]
PROVIDERS: tuple[Provider, ...] = ("stripe", "braintree", "paypal")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One authorization at the provider. `payment_id` is the purchase it belongs to, where known.

    `changed_at` is the provider's time of the state shown here: of two states of one attempt the later wins.
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


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back. `status` is the provider's own word; `failure_reason` only where it failed."""

    account: str
    refund_id: str
    payment_id: str | None
    at: datetime
    status: str
    amount_minor: int
    currency: str
    failure_reason: str | None = None
