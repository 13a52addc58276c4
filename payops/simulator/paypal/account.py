"""PayPal's account: its ids, its events, its retries, and what it keeps beside what every provider keeps.

Seen of payments: buyers with a card (about a third) leave a capture whatever the answer; buyers with a wallet
approve an order first, and a refusal of theirs leaves no capture and makes no event. A refused card is tried again
on the same order. The account is set to take several payments under one invoice id.

While the account is restricted (`account_restricted`) no payment comes through and PayPal says why in two places:
captures and refunds are answered 422 PAYEE_ACCOUNT_RESTRICTED, and the subscriptions that fall due fail with that
reason code, in their billing information and in BILLING.SUBSCRIPTION.PAYMENT.FAILED.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from payops.domain.payments import Provider
from payops.simulator.account import Account
from payops.simulator.cards import Buyer
from payops.simulator.declines import Decline
from payops.simulator.objects import (
    Charge,
    Dispute,
    Endpoint,
    Event,
    Payment,
    Payout,
    Refund,
    Subscription,
)
from payops.simulator.scenario_model import Fault

from .declines import BY_WORD, RESTRICTED, of_paypal, ordinary
from .keys import REPORTING, PayPalKeyring, webhook_id
from .names import Names
from .shapes import Shapes

CARD_SHARE = 35
"""Of 100 buyers, those who pay with a card."""
_MINUTES = (
    1,
    2,
    3,
    4,
    5,
    5,
    5,
    10,
    10,
    15,
    30,
    30,
    60,
    60,
    120,
    180,
    240,
    240,
    300,
    360,
    420,
    480,
    480,
    600,
    660,
)
# PayPal says "up to 25 times over 3 days" and publishes no schedule.
_WAITS_MS = tuple(minutes * 60_000 for minutes in _MINUTES)
_DAY_MS = 24 * 3600 * 1000
_DUE_WHILE_RESTRICTED_MS = (20_000, 80_000)


@dataclass(frozen=True, slots=True)
class LateCapture:
    """The money of an authorization, taken later than it was authorized."""

    id: str
    charge: Charge
    amount: int
    at_ms: int
    invoice: str | None
    final: bool


@dataclass(slots=True)
class Beside:
    """What was done through the API and only PayPal knows."""

    late: dict[str, LateCapture] = field(default_factory=dict)
    """By the id of the capture."""
    taken: dict[str, LateCapture] = field(default_factory=dict)
    """By the id of the authorization."""
    voided: dict[str, int] = field(default_factory=dict)
    """When, by the id of the authorization."""
    suspended: dict[str, str] = field(default_factory=dict)
    """Why, by the id of the subscription."""
    refusals: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Reason code and instant of a subscription's last refused payment."""
    listeners: dict[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    """The webhooks that wanted an event when it was made, by its id."""
    simulated: set[str] = field(default_factory=set)
    """Events made by simulate-event."""
    deleted: set[str] = field(default_factory=set)
    """Webhooks that are gone, by the endpoint's id."""


class PayPalAccount(Account):
    provider: ClassVar[Provider] = "paypal"

    reporting_lag_ms = int(timedelta(minutes=90).total_seconds() * 1000)
    """How long a transaction takes to appear in reporting: PayPal says up to three hours."""
    list_lag_ms = 3_000
    """How long an event takes to appear in the list of events."""
    most_failures = 3
    """After so many refused payments in a row a subscription is suspended."""

    def own_id(self) -> str:
        self.names = Names(self.seed, self.name)
        self.beside = Beside()
        return self.names.text("merchant", 13)

    def make_keyring(self) -> PayPalKeyring:
        return PayPalKeyring(self.seed, self.name, self.mode)

    def endpoint_id(self, endpoint: str) -> str:
        return webhook_id(self.seed, self.name, endpoint)

    def endpoint_secret(self, endpoint: str) -> str:
        """The id the webhook is known by now: what its deliveries are signed over."""
        return webhook_id(self.seed, self.name, endpoint)

    @property
    def busiest_event(self) -> str:
        return "PAYMENT.CAPTURE.COMPLETED"

    @property
    def usual_permission(self) -> tuple[str, ...]:
        return (REPORTING,)

    def rotate(self, endpoint: Endpoint, *, back: bool = False) -> None:
        """The webhook was deleted and made anew, as it was, under another id."""
        name = endpoint.name if back else f"{endpoint.name}/next"
        endpoint.secret = webhook_id(self.seed, self.name, name)

    def strayed(self, at_ms: int) -> None:
        like = next((c for c in reversed(self.charges.rows) if self.shows_capture(c)), None)
        if like is None:
            return
        number = len(self.events) + 1
        payment = Payment(
            self.names.text(f"stray/order/{number}"), number, at_ms, like.payment.buyer, like.payment.amount
        )
        charge = Charge(self.names.text(f"stray/{number}"), at_ms, payment, None, test=True)
        payment.charges.append(charge)
        self.happened(at_ms, "PAYMENT.CAPTURE.COMPLETED", charge, 0, test=True)

    def retry_waits_ms(self) -> tuple[int, ...]:
        return _WAITS_MS

    def object_id(self, kind: str, number: int) -> str:
        write = _WRITTEN.get(kind)
        return self.names.text(f"{kind}/{number}") if write is None else write(self.names, f"{kind}/{number}")

    def decline(self, word: str) -> Decline:
        return BY_WORD[word]

    def ordinary_decline(self, share: float) -> Decline:
        return ordinary(share)

    # What there is to be seen.

    @staticmethod
    def by_card(buyer: Buyer) -> bool:
        """Whether the buyer pays with a card; everybody else has a wallet."""
        return zlib.crc32(buyer.fingerprint.encode()) % 100 < CARD_SHARE

    def leaves_trace(self, charge: Charge) -> bool:
        """Whether PayPal keeps anything of this try: of a wallet's or a subscription's refusal it does not."""
        if charge.decline is None:
            return True
        by_card = self.by_card(charge.payment.buyer) and charge.payment.subscription is None
        return by_card and not of_paypal(charge.decline).nowhere

    def shows_capture(self, charge: Charge) -> bool:
        """Whether the charge is a capture under its own id."""
        return (
            charge.expires_ms is None
            and charge.payment.subscription is None
            and not charge.test
            and self.leaves_trace(charge)
        )

    def capture_of(self, capture_id: str) -> Charge | None:
        charge = self.charges.get(capture_id)
        if charge is not None and self.shows_capture(charge):
            return charge
        late = self.beside.late.get(capture_id)
        return None if late is None else late.charge

    def capture_id(self, charge: Charge) -> str:
        late = self.beside.taken.get(charge.id)
        return charge.id if late is None else late.id

    def captured_minor(self, charge: Charge) -> int:
        """What was taken of a charge, in minor units."""
        late = self.beside.taken.get(charge.id)
        return charge.payment.amount if late is None else late.amount

    @property
    def shapes(self) -> Shapes:
        return Shapes(self, self.mode)

    # What PayPal makes of what happened.

    def begin(self, at_ms: int, faults: list[Fault]) -> None:
        super().begin(at_ms, faults)
        for fault in faults:
            if fault.kind == "account_restricted":
                begins_ms = self.start_ms + int(fault.at.total_seconds() * 1000)
                for number, after_ms in enumerate(_DUE_WHILE_RESTRICTED_MS):
                    self.agenda.plan(begins_ms + after_ms, self._falls_due, number)

    def _falls_due(self, at_ms: int, number: int) -> None:
        due = [each for each in self.subscriptions.rows if each.status == "active"]
        if not self.charges_enabled and number < len(due):
            self.traffic.renew(at_ms, due[number], RESTRICTED)

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
        event = super().happened(at_ms, type_, subject, version, key, snapshot=snapshot, test=test)
        self.beside.listeners[event.id] = tuple(
            e for e in self.endpoints.rows if e.enabled and e.wants(type_)
        )
        return event

    def charged(self, at_ms: int, charge: Charge) -> None:
        payment = charge.payment
        if payment.subscription is not None:
            if charge.decline is None:
                self.happened(at_ms, "PAYMENT.SALE.COMPLETED", charge)
            return
        if len(payment.charges) == 1 and not self.by_card(payment.buyer):
            self.happened(at_ms, "CHECKOUT.ORDER.APPROVED", payment)
        if charge.decline is not None:
            if self.leaves_trace(charge):
                said = "DENIED" if charge.decline.blocked else "DECLINED"
                self.happened(at_ms, f"PAYMENT.CAPTURE.{said}", charge)
        elif charge.expires_ms is not None:
            self.happened(at_ms, "PAYMENT.AUTHORIZATION.CREATED", charge)
            self.agenda.plan(charge.expires_ms, self._expire, charge)
        else:
            self.happened(at_ms, "PAYMENT.CAPTURE.COMPLETED", charge)

    def _expire(self, at_ms: int, charge: Charge) -> None:
        if not charge.captured and charge.expires_ms is not None and charge.expires_ms <= at_ms:
            self.void(at_ms, charge)

    def void(self, at_ms: int, charge: Charge) -> None:
        """An authorization ends, and its money is not taken."""
        if charge.id not in self.beside.voided:
            self.beside.voided[charge.id] = at_ms
            self.happened(at_ms, "PAYMENT.AUTHORIZATION.VOIDED", charge, 1)

    def take(
        self, at_ms: int, charge: Charge, amount: int, *, invoice: str | None, final: bool
    ) -> LateCapture:
        """Take `amount` of an authorization."""
        late = self._late(at_ms, charge, amount, invoice, final)
        self.capture(at_ms, charge, amount)
        return late

    def _late(self, at_ms: int, charge: Charge, amount: int, invoice: str | None, final: bool) -> LateCapture:
        late = LateCapture(self.names.text(f"taken/{charge.id}"), charge, amount, at_ms, invoice, final)
        self.beside.late[late.id] = self.beside.taken[charge.id] = late
        return late

    def captured(self, at_ms: int, charge: Charge) -> None:
        if charge.id not in self.beside.taken:
            self._late(at_ms, charge, charge.payment.amount, None, True)
        self.happened(at_ms, "PAYMENT.CAPTURE.COMPLETED", charge)

    def refunded(self, at_ms: int, refund: Refund, key: str | None) -> None:
        self._refund_event(at_ms, refund, key)

    def refund_changed(self, at_ms: int, refund: Refund) -> None:
        self._refund_event(at_ms, refund, None)

    def _refund_event(self, at_ms: int, refund: Refund, key: str | None) -> None:
        sale = refund.charge.payment.subscription is not None
        done = "PAYMENT.SALE.REFUNDED" if sale else "PAYMENT.CAPTURE.REFUNDED"
        type_ = {"failed": "PAYMENT.REFUND.FAILED", "pending": "PAYMENT.REFUND.PENDING"}.get(
            refund.status, done
        )
        self.happened(at_ms, type_, refund, key=key, snapshot=self.shapes.refund(refund))

    def subscription_changed(self, at_ms: int, subscription: Subscription, why: str) -> None:
        if why == "failed":
            last = subscription.payments[-1].charges[-1].decline
            if last is not None:
                self.beside.refusals[subscription.id] = (of_paypal(last).reason, at_ms)
            self._subscription_event(at_ms, subscription, "PAYMENT.FAILED")
            if subscription.failures >= self.most_failures:
                self.suspend(at_ms, subscription, "The payment failed too often.")
        elif why == "canceled":
            self._subscription_event(at_ms, subscription, "CANCELLED")

    def _subscription_event(self, at_ms: int, subscription: Subscription, what: str) -> None:
        snapshot = self.shapes.subscription(subscription)
        self.happened(at_ms, f"BILLING.SUBSCRIPTION.{what}", subscription, snapshot=snapshot)

    def suspend(self, at_ms: int, subscription: Subscription, note: str) -> None:
        """Nothing is billed any more, until somebody activates it."""
        self.beside.suspended[subscription.id] = note
        subscription.status, subscription.changed_ms = "canceled", at_ms
        self._subscription_event(at_ms, subscription, "SUSPENDED")

    def activate(self, at_ms: int, subscription: Subscription) -> None:
        del self.beside.suspended[subscription.id]
        subscription.status = "past_due" if subscription.outstanding else "active"
        subscription.changed_ms = at_ms
        self._bill_at(max(subscription.next_ms, at_ms + _DAY_MS), subscription)
        self._subscription_event(at_ms, subscription, "ACTIVATED")

    def cancel(self, at_ms: int, subscription: Subscription) -> None:
        self.beside.suspended.pop(subscription.id, None)
        subscription.status, subscription.changed_ms = "canceled", at_ms
        self.subscription_changed(at_ms, subscription, "canceled")

    def collect(self, at_ms: int, subscription: Subscription, amount: int) -> Charge:
        """The merchant asks for what a subscription owes, now."""
        payment = self.bill(at_ms, subscription)
        payment.amount = amount
        charge = self.attempt(at_ms, payment, None)
        if amount < subscription.outstanding or subscription.id in self.beside.suspended:
            subscription.outstanding -= amount
            subscription.failures = subscription.failures if subscription.outstanding else 0
            subscription.changed_ms = at_ms
        else:
            self.traffic.paid(at_ms, subscription)
        return charge

    def _bill_at(self, at_ms: int, subscription: Subscription) -> None:
        subscription.next_ms = subscription.try_ms = at_ms
        self.agenda.plan(at_ms, self._bill, subscription)

    def _bill(self, at_ms: int, subscription: Subscription) -> None:
        if subscription.status != "canceled" and subscription.try_ms == at_ms:
            self.traffic.renew(at_ms, subscription, None if self.charges_enabled else RESTRICTED)

    def stick_invoice(self, at_ms: int, subscription: Subscription) -> None:
        return  # PayPal bills without invoices

    def dispute_changed(self, at_ms: int, dispute: Dispute) -> None:
        what = "CREATED" if dispute.changed_ms == dispute.at_ms else "UPDATED"
        if dispute.status in ("won", "lost"):
            what = "RESOLVED"
        self.happened(
            at_ms, f"CUSTOMER.DISPUTE.{what}", dispute, snapshot=self.shapes.dispute(dispute, whole=True)
        )

    def payout_changed(self, at_ms: int, payout: Payout) -> None:
        return  # transfers to the merchant's bank are not in its API


_WRITTEN: Mapping[str, Callable[[Names, str], str]] = {
    "event": Names.event,
    "dispute": Names.dispute,
    "subscription": lambda names, name: f"I-{names.text(name, 12)}",
}
"""How the ids of a kind are written where they are not 17 characters."""
