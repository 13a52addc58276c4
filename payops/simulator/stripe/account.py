"""Stripe's account: its ids, its events, its retries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from payops.domain.money import minor_digits
from payops.domain.payments import Mode, Provider
from payops.simulator.account import Account
from payops.simulator.cards import Buyer
from payops.simulator.objects import (
    Charge,
    Dispute,
    Endpoint,
    Event,
    Invoice,
    Payment,
    Payout,
    Refund,
    Subscription,
)

from .billing import Billing
from .declines import BY_CODE, Decline, ordinary
from .keys import StripeKeyring, webhook_secret
from .shapes import Shapes
from .vocabulary import PING, Shape

_MINUTE_MS = 60_000
# Stripe says "up to three days with exponential back-off" (live) and "three times over a few hours" (test), and
# publishes no schedule: these are the waits after each failed try.
_WAITS_MS: dict[Mode, tuple[int, ...]] = {
    "live": tuple(minutes * _MINUTE_MS for minutes in (5, 30, 120, 300, 600, 600, 720, 720, 720)),
    "test": tuple(minutes * _MINUTE_MS for minutes in (30, 120)),
}
_REFERENCE_MS = 90_000
"""How long the card network takes to give a refund its reference."""
_PREFIXES = {
    "payment": "pi",
    "charge": "ch",
    "refund": "re",
    "event": "evt",
    "subscription": "sub",
    "invoice": "in",
    "dispute": "dp",
    "payout": "po",
}


class StripeAccount(Account):
    provider: ClassVar[Provider] = "stripe"
    tries_without_method: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.billing = Billing(self)
        self._owners = {buyer.payment_method: buyer for buyer in self.buyers}
        self.strays: dict[str, Charge | Payment] = {}
        """Objects of the other mode, by id: they are in none of this mode's lists."""
        self.customer_defaults: dict[str, str | None] = {}
        """Where a customer's default payment method is not the card it came with."""
        self.subscription_methods: dict[str, str | None] = {}
        """Where a subscription's own payment method is not the card it began with."""
        self.customer_notes: dict[str, dict[str, Any]] = {}
        """What API calls have written on customers: `metadata`, `description`."""
        self.still_signed: dict[str, tuple[str, int]] = {}
        """Endpoint id → the secret before a roll, and until when deliveries are signed with it too."""

    @property
    def shapes(self) -> Shapes:
        return Shapes(self)

    def own_id(self) -> str:
        return self.ids.long("acct", "account").replace("acct_3", "acct_1")

    def make_keyring(self) -> StripeKeyring:
        return StripeKeyring(self.seed, self.name, self.mode)

    def endpoint_id(self, endpoint: str) -> str:
        return self.ids.long("we", endpoint)

    def endpoint_secret(self, endpoint: str) -> str:
        return webhook_secret(self.seed, self.name, endpoint)

    @property
    def busiest_event(self) -> str:
        return "charge.succeeded"

    @property
    def usual_permission(self) -> tuple[str, ...]:
        return ("rak_event_read",)

    def rotate(self, endpoint: Endpoint, *, back: bool = False) -> None:
        name = endpoint.name if back else f"{endpoint.name}/next"
        endpoint.secret = webhook_secret(self.seed, self.name, name)

    def roll(self, at_ms: int, endpoint: Endpoint, overlap_ms: int) -> None:
        """Rotate with a time (at most a day) in which deliveries carry a signature of each secret."""
        self.still_signed[endpoint.id] = (endpoint.secret, at_ms + overlap_ms)
        self.rotate(endpoint)

    def secrets(self, endpoint: Endpoint, event: Event, at_ms: int) -> tuple[str, ...]:
        """What one delivery is signed with."""
        if event.test and self.faults.now("webhook_wrong_mode_secret") is not None:
            # What payops has stored is the secret of the other mode's endpoint at the same URL.
            return (self.endpoint_secret(endpoint.name),)
        before, until_ms = self.still_signed.get(endpoint.id, ("", 0))
        return (endpoint.secret, before) if at_ms < until_ms else (endpoint.secret,)

    def strayed(self, at_ms: int) -> None:
        number = len(self.strays) // 2 + 1
        buyer = self.buyers[number * 13 % len(self.buyers)]
        method = self.ids.long("pm", f"test/{number}")
        tester = replace(buyer, customer=None, payment_method=method, brand="visa", last4="4242")
        amount = max(50, round(buyer.typical_amount * 10 ** minor_digits(buyer.currency)))
        payment = Payment(self.ids.long("pi", f"test/{number}"), number, at_ms, tester, amount)
        charge = Charge(self.ids.long("ch", f"test/{number}"), at_ms, payment, None, test=True)
        payment.charges.append(charge)
        self.strays[payment.id], self.strays[charge.id] = payment, charge
        self.happened(at_ms, "charge.succeeded", charge, 0, test=True)

    def retry_waits_ms(self) -> tuple[int, ...]:
        return _WAITS_MS[self.mode]

    def object_id(self, kind: str, number: int) -> str:
        return self.ids.long(_PREFIXES[kind], number)

    def decline(self, word: str) -> Decline:
        return BY_CODE[word]

    def ordinary_decline(self, share: float) -> Decline:
        return ordinary(share)

    def told(
        self,
        at_ms: int,
        type_: str,
        subject: object,
        shape: Shape,
        *,
        before: Shape | None = None,
        number: int = 0,
        key: str | None = None,
    ) -> None:
        """Make an event that shows its subject as `shape`, and what was `before` the change."""
        self.happened(at_ms, type_, subject, number, key, snapshot=shape).before = before

    # Money in.

    def charged(self, at_ms: int, charge: Charge) -> None:
        payment = charge.payment
        if charge.decline is not None:
            self.happened(at_ms, "charge.failed", charge)
            self.happened(at_ms, "payment_intent.payment_failed", payment, len(payment.charges))
        elif charge.captured:
            self.happened(at_ms, "charge.succeeded", charge)
            self.happened(at_ms, "payment_intent.succeeded", payment, len(payment.charges))
        else:
            held = "payment_intent.amount_capturable_updated"
            number = len(payment.charges)
            self.told(at_ms, "charge.succeeded", charge, self.shapes.charge(charge))
            self.told(at_ms, held, payment, self.shapes.payment(payment), number=number)

    def captured(self, at_ms: int, charge: Charge) -> None:
        now, before = self.shapes.charge(charge), {"amount_captured": 0, "captured": False}
        self.told(at_ms, "charge.captured", charge, now)
        self.told(at_ms, "charge.updated", charge, now, before=before)
        payment = charge.payment
        paid = self.shapes.payment(payment)
        self.told(at_ms, "payment_intent.succeeded", payment, paid, number=len(payment.charges))

    # Money back.

    def refunded(self, at_ms: int, refund: Refund, key: str | None) -> None:
        charge, now = refund.charge, self.shapes.refund(refund)
        if refund.status == "failed":
            # It was accepted, and failed afterwards.
            accepted = {name: value for name, value in now.items() if not name.startswith("failure_")}
            accepted |= {"status": "pending", "pending_reason": "processing"}
            self.told(at_ms, "refund.created", refund, accepted, key=key)
            self.refund_changed(at_ms, refund)
            return
        total = charge.amount_refunded
        before = {"amount_refunded": total - refund.amount, "refunded": False}
        shown, number = self.shapes.charge(charge), len(charge.refunds)
        self.told(at_ms, "charge.refunded", charge, shown, number=number, key=key, before=before)
        self.told(at_ms, "refund.created", refund, now, key=key)
        if refund.status == "succeeded":
            self.agenda.plan(at_ms + _REFERENCE_MS, self._reference, refund)

    def _reference(self, at_ms: int, refund: Refund) -> None:
        refund.referenced, refund.changed_ms = True, at_ms
        before = {"destination_details": {"card": {"reference": None, "reference_status": "pending"}}}
        self.told(at_ms, "refund.updated", refund, self.shapes.refund(refund), before=before)

    def refund_changed(self, at_ms: int, refund: Refund) -> None:
        now, before = self.shapes.refund(refund), {"status": "pending"}
        self.told(at_ms, "charge.refund.updated", refund, now, before=before)
        self.told(at_ms, "refund.updated", refund, now, before=before)
        if refund.status == "failed":
            self.told(at_ms, "refund.failed", refund, now)

    def dispute_changed(self, at_ms: int, dispute: Dispute) -> None:
        now = self.shapes.dispute(dispute)
        if dispute.status == "open":
            self.told(at_ms, "charge.dispute.created", dispute, now)
            self.told(at_ms, "charge.dispute.funds_withdrawn", dispute, now)
            self.agenda.plan(dispute.reply_ms, self._unanswered, dispute)
        elif dispute.status == "under_review":
            self.told(at_ms, "charge.dispute.updated", dispute, now)
        else:
            self.told(at_ms, "charge.dispute.closed", dispute, now)

    def _unanswered(self, at_ms: int, dispute: Dispute) -> None:
        if dispute.status == "open":
            dispute.status, dispute.changed_ms = "lost", at_ms
            self.dispute_changed(at_ms, dispute)

    def payout_changed(self, at_ms: int, payout: Payout) -> None:
        now = self.shapes.payout(payout)
        if at_ms == payout.at_ms:
            ids = ("failure_balance_transaction", "failure_code", "failure_message")
            made = {**now, **dict.fromkeys(ids), "status": "pending"}
            self.told(at_ms, "payout.created", payout, made)
        if payout.status != "pending":
            self.told(at_ms, f"payout.{payout.status}", payout, now)

    # Subscriptions: the bills are in `billing`.

    def subscribed(self, subscription: Subscription) -> None:
        self.billing.opened(subscription)

    def bill(self, at_ms: int, subscription: Subscription) -> Payment:
        return self.billing.payment(at_ms, subscription)

    def subscription_changed(self, at_ms: int, subscription: Subscription, why: str) -> None:
        self.billing.changed(at_ms, subscription, why)

    def stick_invoice(self, at_ms: int, subscription: Subscription) -> None:
        self.billing.stick(at_ms, subscription)

    def free_invoice(self, at_ms: int, subscription: Subscription) -> None:
        self.billing.free(at_ms, subscription)

    def give_method(self, at_ms: int, subscription: Subscription) -> None:
        self.billing.use_method(at_ms, subscription, subscription.buyer.payment_method)

    def latest_invoice(self, subscription: Subscription) -> Invoice | None:
        return self.billing.latest(subscription)

    def method_of(self, subscription: Subscription) -> str | None:
        """The payment method set on a subscription itself."""
        return self.subscription_methods.get(subscription.id, subscription.buyer.payment_method)

    def method_owner(self, method: str) -> Buyer | None:
        """Whose payment method it is."""
        return self._owners.get(method)

    # What the API asks for.

    def ping(self, at_ms: int, endpoint: Endpoint) -> Event:
        """A test event for one endpoint alone; it is in no list."""
        event = Event(self.ids.long("evt", f"ping/{endpoint.id}/{at_ms}"), at_ms, PING, endpoint, 0)
        self.deliveries.resend(event, endpoint, at_ms)
        return event


def of_stripe(account: Account) -> StripeAccount:
    """The account, known to be one at Stripe."""
    assert isinstance(account, StripeAccount)
    return account
