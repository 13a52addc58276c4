"""One provider account: its objects, what happened to them, and who was told."""

from __future__ import annotations

from datetime import timedelta

from payops.domain.payments import Mode
from payops.domain.stripe_events import EVENT_TYPES

from .agenda import Agenda
from .cards import Buyer, population
from .declines import Decline
from .deliveries import Deliveries
from .faults import Faults
from .ids import Ids
from .keys import Keyring, webhook_secret
from .log import Log
from .objects import Charge, Customer, Endpoint, Event, Payment, Refund
from .scenario import OWN_ENDPOINT, Fault, ProviderOptions
from .traffic import Traffic

_REFERENCE_MS = 90_000
"""How long the card network takes to give a refund its reference."""
_OPENED = timedelta(days=400)
APPS = "apps/"
"""Under this path the simulator plays the applications behind endpoints that are not payops's."""


def public_url(public_base: str, account: str, endpoint: str) -> str:
    """Where an endpoint is reached from outside: payops's own at its receiver, any other at the application's."""
    if endpoint == OWN_ENDPOINT:
        return f"{public_base}/webhooks/{account}"
    return f"{public_base}/{APPS}{endpoint}"


class Account:
    """`name` is `PROVIDER-MODE`. Everything is of `mode`; the other mode of the same account is empty.

    Before `start_ms` is history: its events count as delivered.
    """

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
        self.mode: Mode = options.mode
        self.agenda = agenda
        self.start_ms = start_ms
        self.opened_ms = began_ms - int(_OPENED.total_seconds() * 1000)
        self.ids = Ids(seed, name)
        self.id = self.ids.long("acct", "account").replace("acct_3", "acct_1")
        self.keyring = Keyring(seed, name, options.mode)
        expected = int(options.payments_per_minute * 360)
        self.buyers = population(seed, name, self.ids, max(200, min(4000, expected)), began_ms)
        self.customers: Log[Customer] = Log()
        for buyer in self.buyers:
            if buyer.customer is not None:
                self.customers.add(Customer(buyer.customer, buyer.created_ms, buyer))
        self.endpoints: Log[Endpoint] = Log()
        for endpoint in options.all_endpoints:
            self.endpoints.add(
                Endpoint(
                    id=self.ids.long("we", endpoint.name),
                    at_ms=self.opened_ms,
                    name=endpoint.name,
                    url=public_url(public_base, name, endpoint.name),
                    own=endpoint.name == OWN_ENDPOINT,
                    secret=webhook_secret(seed, name, endpoint.name),
                    enabled_events=EVENT_TYPES,
                )
            )
        self.payments: Log[Payment] = Log()
        self.charges: Log[Charge] = Log()
        self.refunds: Log[Refund] = Log()
        self.events: Log[Event] = Log()
        self.taken: dict[str, int] = {}
        """Minor units taken and not given back, by currency."""
        by_name = {endpoint.name: endpoint for endpoint in self.endpoints.rows}
        self.faults = Faults(by_name, self.keyring)
        self.deliveries = Deliveries(agenda, self.mode, self.faults.closed)
        self.own_endpoint = by_name[OWN_ENDPOINT]
        self.subscribed_at_start = self.own_endpoint.enabled_events
        self._traffic = Traffic(self, options, seed)

    def begin(self, at_ms: int, faults: list[Fault]) -> None:
        """Plan the faults, then let the buyers in."""
        for fault in faults:
            self.agenda.plan(self.start_ms + _ms(fault.at), self.faults.begin, fault)
            if fault.ends is not None:
                self.agenda.plan(self.start_ms + _ms(fault.ends), self.faults.end, fault)
        self._traffic.begin(at_ms)

    def intend(self, at_ms: int, buyer: Buyer, amount: int) -> Payment:
        """A buyer wants to pay."""
        number = len(self.payments) + 1
        payment = Payment(self.ids.long("pi", number), number, at_ms, buyer, amount)
        self.payments.add(payment)
        return payment

    def attempt(self, at_ms: int, payment: Payment, decline: Decline | None) -> Charge:
        """One try to take the money, answered at once."""
        charge = Charge(self.ids.long("ch", len(self.charges) + 1), at_ms, payment, decline)
        self.charges.add(charge)
        payment.charges.append(charge)
        if decline is None:
            currency = payment.buyer.currency
            self.taken[currency] = self.taken.get(currency, 0) + payment.amount
            self._happened(at_ms, "charge.succeeded", charge, 0)
            self._happened(at_ms, "payment_intent.succeeded", payment, len(payment.charges))
        else:
            self._happened(at_ms, "charge.failed", charge, 0)
            self._happened(at_ms, "payment_intent.payment_failed", payment, len(payment.charges))
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
    ) -> Refund:
        """Money goes back; `amount` is at most what is left of the charge."""
        refund = Refund(
            self.ids.long("re", len(self.refunds) + 1), at_ms, charge, amount, reason, metadata or {}
        )
        self.refunds.add(refund)
        charge.refunds = (*charge.refunds, refund)
        self.taken[charge.payment.buyer.currency] -= amount
        self._happened(at_ms, "charge.refunded", charge, len(charge.refunds), key)
        self._happened(at_ms, "refund.created", refund, 0, key)
        self.agenda.plan(at_ms + _REFERENCE_MS, self._reference, refund)
        return refund

    def _reference(self, at_ms: int, refund: Refund) -> None:
        refund.referenced = True
        self._happened(at_ms, "refund.updated", refund, 1)

    def _happened(
        self, at_ms: int, type_: str, subject: Payment | Charge | Refund, version: int, key: str | None = None
    ) -> None:
        event = Event(self.ids.long("evt", len(self.events) + 1), at_ms, type_, subject, version, key)
        self.events.add(event)
        if at_ms >= self.start_ms:
            self.deliveries.owe(event, self.endpoints.rows)


def _ms(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
