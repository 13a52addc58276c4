"""One provider account: its objects, what happened to them, and who was told.

What is common to all providers is here: who pays, what is owed, what breaks. A provider's own account says how its
objects are named, which events it makes of what happened, and how a refusal is worded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from payops.domain.event_types import EVENT_TYPES
from payops.domain.payments import Mode, Provider

from .agenda import Agenda
from .applications import Application
from .cards import Buyer, population
from .declines import Decline
from .deliveries import Deliveries
from .faults import Faults
from .ids import Ids
from .keys import Keyring
from .log import Log
from .objects import (
    Charge,
    Customer,
    Dispute,
    Endpoint,
    Event,
    Invoice,
    Payment,
    Payout,
    Refund,
    Subscription,
)
from .scenario_model import OWN_ENDPOINT, Fault, ProviderOptions
from .traffic import Traffic

_OPENED = timedelta(days=400)
APPS = "apps/"
"""Under this path the simulator plays the applications behind endpoints that are not payops's."""


def public_url(public_base: str, account: str, endpoint: str) -> str:
    """Where an endpoint is reached from outside: payops's own at its receiver, any other at the application's."""
    if endpoint == OWN_ENDPOINT:
        return f"{public_base}/webhooks/{account}"
    return application_url(public_base, endpoint)


def application_url(public_base: str, name: str) -> str:
    """Where the application of that name answers."""
    return f"{public_base}/{APPS}{name}"


class Account(ABC):
    """`name` is `PROVIDER-MODE`. Everything is of `mode`; the other mode of the same account is empty.

    Before `start_ms` is history: its events count as delivered.
    """

    provider: ClassVar[Provider]
    tries_without_method: ClassVar[bool] = True
    names_customers_by_charges: ClassVar[bool] = False
    """A subscription does not say whose it is; its charges do."""
    """Whether the provider makes an attempt, which fails, when a subscription has nothing to be charged."""

    def __init__(
        self,
        name: str,
        options: ProviderOptions,
        *,
        seed: int,
        agenda: Agenda,
        began_ms: int,
        start_ms: int,
        public_base: str,
    ) -> None:
        self.name = name
        self.seed = seed
        self.options = options
        self.mode: Mode = options.mode
        self.agenda = agenda
        self.start_ms = start_ms
        self.opened_ms = began_ms - int(_OPENED.total_seconds() * 1000)
        self.ids = Ids(seed, name)
        self.id = self.own_id()
        self.keyring: Keyring = self.make_keyring()
        expected = int(options.payments_per_minute * 360)
        self.buyers = population(seed, name, self.ids, max(200, min(4000, expected)), began_ms)
        self.customers: Log[Customer] = Log()
        for buyer in self.buyers:
            if buyer.customer is not None:
                self.customers.add(Customer(buyer.customer, buyer.created_ms, buyer))
        self.endpoints: Log[Endpoint] = Log()
        self.applications: dict[str, Application] = {}
        for endpoint in options.all_endpoints:
            url = public_url(public_base, name, endpoint.key)
            if endpoint.topology != "observer":
                self.applications[endpoint.name] = Application(endpoint.name, endpoint.application, start_ms)
            self.endpoints.add(
                Endpoint(
                    id=self.endpoint_id(endpoint.key),
                    at_ms=self.opened_ms,
                    name=endpoint.key,
                    url=url,
                    home=url,
                    own=endpoint.own,
                    secret=self.endpoint_secret(endpoint.key),
                    enabled_events=EVENT_TYPES[self.provider],
                )
            )
        self.payments: Log[Payment] = Log()
        self.charges: Log[Charge] = Log()
        self.refunds: Log[Refund] = Log()
        self.events: Log[Event] = Log()
        self.subscriptions: Log[Subscription] = Log()
        self.invoices: Log[Invoice] = Log()
        self.disputes: Log[Dispute] = Log()
        self.payouts: Log[Payout] = Log()
        self.charges_enabled = True
        self.payouts_enabled = True
        self.requirements_due: tuple[str, ...] = ()
        self.drifted = False
        """The account's own API version is not the one its endpoints were made with."""
        self.taken: dict[str, int] = {}
        """Minor units taken and not given back, by currency."""
        by_name = {endpoint.name: endpoint for endpoint in self.endpoints.rows}
        self.faults = Faults(self, by_name)
        self.deliveries = Deliveries(agenda, self.retry_waits_ms(), self.faults)
        self.own_endpoint = by_name[OWN_ENDPOINT]
        self.subscribed_at_start = self.own_endpoint.enabled_events
        self.traffic = Traffic(self, options, seed)

    # How the provider names and words things.

    @abstractmethod
    def own_id(self) -> str:
        """The provider's id of the account itself."""

    @abstractmethod
    def make_keyring(self) -> Keyring: ...

    @abstractmethod
    def endpoint_id(self, endpoint: str) -> str: ...

    @abstractmethod
    def endpoint_secret(self, endpoint: str) -> str:
        """What deliveries to the endpoint are signed with."""

    @property
    @abstractmethod
    def busiest_event(self) -> str:
        """The event type most payments make: what `webhook_event_type_unsubscribed` drops."""

    @property
    @abstractmethod
    def usual_permission(self) -> tuple[str, ...]:
        """What `permission_missing` takes from the monitor credential, by the provider's names."""

    @abstractmethod
    def rotate(self, endpoint: Endpoint, *, back: bool = False) -> None:
        """Sign what is sent to `endpoint` with the secret a scenario stores in its fallback credential, or as before."""

    @abstractmethod
    def strayed(self, at_ms: int) -> None:
        """An event of the other mode is sent to this account's endpoints; it is in no list of this mode."""

    @abstractmethod
    def retry_waits_ms(self) -> tuple[int, ...]:
        """The waits after each failed delivery; after the last one the provider gives up."""

    @abstractmethod
    def object_id(self, kind: str, number: int) -> str:
        """The id of the `number`th object of a kind: the lower-case name of its class (`payment`, `charge`, …)."""

    @abstractmethod
    def decline(self, word: str) -> Decline:
        """The provider's refusal for a word of `declines.WORDS`."""

    @abstractmethod
    def ordinary_decline(self, share: float) -> Decline:
        """The refusal at `share` (0..1) of the provider's everyday mix."""

    # What the provider makes of what happened: events, mostly.

    @abstractmethod
    def charged(self, at_ms: int, charge: Charge) -> None:
        """One try to take money was answered."""

    @abstractmethod
    def refunded(self, at_ms: int, refund: Refund, key: str | None) -> None:
        """Money went back, or was refused to (`refund.status`); `key` is the idempotency key of the request."""

    @abstractmethod
    def stick_invoice(self, at_ms: int, subscription: Subscription) -> None:
        """A bill that nobody will try to collect."""

    def free_invoice(self, at_ms: int, subscription: Subscription) -> None:
        """The bill that was stuck is put right and paid."""
        return

    def give_method(self, at_ms: int, subscription: Subscription) -> None:
        """Its customer names a method to be charged."""
        subscription.method = True

    @abstractmethod
    def refund_changed(self, at_ms: int, refund: Refund) -> None:
        """A refund's state changed later."""

    @abstractmethod
    def captured(self, at_ms: int, charge: Charge) -> None:
        """An authorization's money was taken."""

    @abstractmethod
    def subscription_changed(self, at_ms: int, subscription: Subscription, why: str) -> None:
        """`why`: `created`, `paid`, `failed`, `past_due`, `canceled`, `updated`."""

    @abstractmethod
    def dispute_changed(self, at_ms: int, dispute: Dispute) -> None:
        """A dispute was opened or its state changed."""

    @abstractmethod
    def payout_changed(self, at_ms: int, payout: Payout) -> None:
        """A payout was made or its state changed."""

    def subscribed(self, subscription: Subscription) -> None:
        """A subscription of before the world's time: `at_ms` is when its present period was paid."""
        return

    # What happens.

    def begin(self, at_ms: int, faults: list[Fault]) -> None:
        """Plan the faults, then let the buyers in."""
        keys = {endpoint.name: endpoint.key for endpoint in self.options.all_endpoints}
        for named in faults:
            fault = named.model_copy(update={"endpoint": keys.get(named.endpoint, named.endpoint)})
            self.agenda.plan(self.start_ms + _ms(fault.at), self.faults.begin, fault)
            if fault.ends is not None:
                self.agenda.plan(self.start_ms + _ms(fault.ends), self.faults.end, fault)
        self.traffic.begin(at_ms)

    def intend(self, at_ms: int, buyer: Buyer, amount: int) -> Payment:
        """A buyer wants to pay."""
        number = len(self.payments) + 1
        payment = Payment(self.object_id("payment", number), number, at_ms, buyer, amount)
        self.payments.add(payment)
        return payment

    def authorize(self, at_ms: int, buyer: Buyer, amount: int, *, expires_ms: int) -> Charge:
        """Money is reserved and not taken."""
        payment = self.intend(at_ms, buyer, amount)
        charge = Charge(
            self.object_id("charge", len(self.charges) + 1),
            at_ms,
            payment,
            None,
            captured=False,
            expires_ms=expires_ms,
        )
        self.charges.add(charge)
        payment.charges.append(charge)
        self.charged(at_ms, charge)
        return charge

    def bill(self, at_ms: int, subscription: Subscription) -> Payment:
        """The purchase that a try to collect a subscription's bill belongs to."""
        payment = self.intend(at_ms, subscription.buyer, subscription.amount)
        payment.subscription = subscription
        subscription.payments.append(payment)
        return payment

    def capture(self, at_ms: int, charge: Charge, amount: int | None = None) -> None:
        """Take what was reserved, or `amount` of it; the rest is let go."""
        charge.captured, charge.captured_ms, charge.captured_amount = True, at_ms, amount
        currency = charge.payment.buyer.currency
        self.taken[currency] = self.taken.get(currency, 0) + charge.amount_taken
        self.captured(at_ms, charge)

    def duplicate(self, at_ms: int, charge: Charge) -> Charge:
        """The shop charges a paid purchase again: the same customer, amount and order, as a purchase of its own."""
        first = charge.payment
        payment = self.intend(at_ms, first.buyer, first.amount)
        payment.doubles = first
        return self.attempt(at_ms, payment, None)

    def attempt(self, at_ms: int, payment: Payment, decline: Decline | None) -> Charge:
        """One try to take the money, answered at once."""
        charge = Charge(self.object_id("charge", len(self.charges) + 1), at_ms, payment, decline)
        self.charges.add(charge)
        payment.charges.append(charge)
        if decline is None:
            currency = payment.buyer.currency
            self.taken[currency] = self.taken.get(currency, 0) + payment.amount
        self.charged(at_ms, charge)
        return charge

    def refund(
        self,
        at_ms: int,
        charge: Charge,
        amount: int,
        *,
        reason: str | None,
        metadata: dict[str, str] | None = None,
        key: str | None = None,
        shape: Callable[[Refund], None] | None = None,
    ) -> Refund:
        """Money goes back; `amount` is at most what is left of the charge. `shape` may make it fail or wait."""
        number = len(self.refunds) + 1
        refund = Refund(
            self.object_id("refund", number), at_ms, charge, amount, reason, metadata or {}, changed_ms=at_ms
        )
        if shape is not None:
            shape(refund)
        self.refunds.add(refund)
        charge.refunds = (*charge.refunds, refund)
        if refund.status != "failed":
            self.taken[charge.payment.buyer.currency] -= refund.amount
        self.refunded(at_ms, refund, key)
        return refund

    def happened(
        self,
        at_ms: int,
        type_: str,
        subject: object,
        version: int = 0,
        key: str | None = None,
        *,
        snapshot: object = None,
        test: bool = False,
    ) -> Event:
        """The provider makes an event of it; whoever subscribed is owed it."""
        event_id = self.object_id("event", len(self.events) + 1)
        event = Event(
            event_id,
            at_ms,
            type_,
            subject,
            version,
            key,
            snapshot=snapshot,
            test=test,
            drifted=self.drifted,
        )
        self.events.add(event)
        if at_ms >= self.start_ms:
            self.deliveries.owe(event, self.endpoints.rows)
        return event


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
