"""The world's things, as small as they can be: what Stripe shows of them is drawn on demand."""

from __future__ import annotations

from dataclasses import dataclass, field

from .cards import Buyer
from .declines import Decline


@dataclass(slots=True, eq=False)
class Payment:
    """What a buyer wanted: one PaymentIntent. Amounts are minor units of the buyer's currency."""

    id: str
    number: int
    at_ms: int
    buyer: Buyer
    amount: int
    charges: list[Charge] = field(default_factory=list)

    @property
    def paid(self) -> Charge | None:
        """The charge that took the money."""
        return next((charge for charge in self.charges if charge.decline is None), None)


@dataclass(slots=True, eq=False)
class Charge:
    """One attempt to take the money; `decline` None = it succeeded."""

    id: str
    at_ms: int
    payment: Payment
    decline: Decline | None
    refunds: tuple[Refund, ...] = ()

    @property
    def amount_refunded(self) -> int:
        return sum(refund.amount for refund in self.refunds)


@dataclass(slots=True, eq=False)
class Refund:
    """Money on its way back. `referenced`: the card network has given it a reference."""

    id: str
    at_ms: int
    charge: Charge
    amount: int
    reason: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    referenced: bool = False


@dataclass(slots=True, eq=False)
class Customer:
    id: str
    at_ms: int
    buyer: Buyer


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
    received: set[str] = field(default_factory=set)
    """Ids of the events it answered with 2xx since the run's start."""

    def wants(self, event_type: str) -> bool:
        return event_type in self.enabled_events or "*" in self.enabled_events


@dataclass(slots=True, eq=False)
class Event:
    """Something that happened to `subject`, which it shows as it was then.

    `version` says how it was: a payment's number of charges, a charge's number of refunds, for a refund 1 once
    it is referenced. `waiting` are the endpoints that should have it and have not answered 2xx.
    """

    id: str
    at_ms: int
    type: str
    subject: Payment | Charge | Refund
    version: int
    key: str | None = None
    """The idempotency key of the request that caused it, where one did."""
    waiting: tuple[Endpoint, ...] = ()
