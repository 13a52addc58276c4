"""The world's things, as small as they can be: what a provider shows of them is drawn on demand.

The words are one provider's for all of them: a charge is one attempt to take money, whatever its provider calls it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .applications import Arrival
from .cards import Buyer
from .declines import Decline

RefundStatus = Literal["succeeded", "pending", "failed"]
SubscriptionStatus = Literal["active", "past_due", "canceled"]


@dataclass(slots=True, eq=False)
class Payment:
    """What a buyer wanted: one purchase. Amounts are minor units of the buyer's currency.

    `metadata` is what the shop wrote beside it. `subscription`: it is a renewal.
    """

    id: str
    number: int
    at_ms: int
    buyer: Buyer
    amount: int
    charges: list[Charge] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    subscription: Subscription | None = None
    doubles: Payment | None = None
    """The purchase this one repeats by mistake: they share their order."""

    @property
    def paid(self) -> Charge | None:
        """The charge that took the money."""
        return next((charge for charge in self.charges if charge.decline is None), None)

    @property
    def order(self) -> str:
        """The shop's own number for it."""
        return f"order-{(self.doubles or self).number:06d}"


@dataclass(slots=True, eq=False)
class Charge:
    """One attempt to take the money; `decline` None = it succeeded.

    `captured` False: only authorized, until `expires_ms`. `test`: an object of the other mode that strayed in.
    """

    id: str
    at_ms: int
    payment: Payment
    decline: Decline | None
    refunds: tuple[Refund, ...] = ()
    captured: bool = True
    captured_ms: int | None = None
    expires_ms: int | None = None
    captured_amount: int | None = None
    """What was taken of an authorization; None = all of it."""
    dispute: Dispute | None = None
    test: bool = False

    @property
    def amount_taken(self) -> int:
        """The money it brought, before anything went back."""
        if self.decline is not None or not self.captured:
            return 0
        return self.payment.amount if self.captured_amount is None else self.captured_amount

    @property
    def amount_refunded(self) -> int:
        return sum(refund.amount for refund in self.refunds if refund.status != "failed")


@dataclass(slots=True, eq=False)
class Refund:
    """Money on its way back. `referenced`: the card network has given it a reference.

    `failure` is the word for why it failed, `waiting` why it is pending.
    """

    id: str
    at_ms: int
    charge: Charge
    amount: int
    reason: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    referenced: bool = False
    status: RefundStatus = "succeeded"
    failure: str | None = None
    waiting: str | None = None
    changed_ms: int = 0


@dataclass(slots=True, eq=False)
class Customer:
    id: str
    at_ms: int
    buyer: Buyer


@dataclass(slots=True, eq=False)
class Subscription:
    """`outstanding` is what is due and unpaid, `failures` renewals refused in a row. `method`: it has one to charge."""

    id: str
    at_ms: int
    buyer: Buyer
    amount: int
    next_ms: int
    status: SubscriptionStatus = "active"
    outstanding: int = 0
    failures: int = 0
    method: bool = True
    changed_ms: int = 0
    payments: list[Payment] = field(default_factory=list)
    try_ms: int = 0
    """When the provider tries to collect next."""
    period_ms: int = 0
    """When the period began that was billed last."""


@dataclass(slots=True, eq=False)
class Invoice:
    """One bill of a subscription. `status` draft: not yet payable; `next_ms` None: nobody will try again."""

    id: str
    at_ms: int
    subscription: Subscription
    amount: int
    status: Literal["draft", "open", "paid", "void"] = "open"
    tries: int = 0
    next_ms: int | None = None
    changed_ms: int = 0
    payment: Payment | None = None
    error: str | None = None
    final_ms: int | None = None
    """When it became payable."""
    paid_ms: int | None = None


@dataclass(slots=True, eq=False)
class Dispute:
    """The buyer's bank asks a charge back; without a reply by `reply_ms` it is lost."""

    id: str
    at_ms: int
    charge: Charge
    amount: int
    reply_ms: int
    reason: str = "fraudulent"
    status: Literal["open", "under_review", "won", "lost"] = "open"
    changed_ms: int = 0


@dataclass(slots=True, eq=False)
class Payout:
    """The provider's transfer to the merchant's bank."""

    id: str
    at_ms: int
    amount: int
    currency: str
    arrives_ms: int
    status: Literal["pending", "paid", "failed"] = "pending"
    failure: str | None = None
    changed_ms: int = 0


@dataclass(slots=True, eq=False)
class Endpoint:
    """A webhook endpoint at the provider. `own` = payops's; any other is an application the simulator plays."""

    id: str
    at_ms: int
    name: str
    url: str
    own: bool
    secret: str
    enabled_events: tuple[str, ...]
    enabled: bool = True
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    home: str = ""
    """Where what it is meant for really answers; `url` is what the provider believes."""
    disabled_by_user: bool = False
    """Of one that is not `enabled`: whether somebody switched it off, rather than the provider."""
    received: set[str] = field(default_factory=set)
    """Ids of the events it answered with 2xx since the run's start."""
    arrivals: list[Arrival] = field(default_factory=list)
    """The same in order, of an application's."""

    def wants(self, event_type: str) -> bool:
        return event_type in self.enabled_events or "*" in self.enabled_events


@dataclass(slots=True, eq=False)
class Event:
    """Something that happened to `subject`, which it shows as it was then.

    `version` says how it was: a payment's number of charges, a charge's number of refunds, for a refund 1 once it
    is referenced. `snapshot` is the subject as the provider showed it then, where that cannot be drawn later.
    `before` is what a change replaced. `waiting` are the endpoints that should have it and have not answered 2xx.
    `test`: made in the other mode. `drifted`: while the account's API version was another.
    """

    id: str
    at_ms: int
    type: str
    subject: object
    version: int
    key: str | None = None
    """The idempotency key of the request that caused it, where one did."""
    waiting: tuple[Endpoint, ...] = ()
    snapshot: object = None
    before: object = None
    test: bool = False
    drifted: bool = False
