"""Braintree's account: its ids, its transactions, its notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from payops.domain.payments import OTHER_MODE, Mode, Provider
from payops.simulator.account import Account
from payops.simulator.cards import CURRENCIES, Buyer
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

from .declines import BY_WORD, REFUND_DECLINED, REFUND_OVER_LIMIT, of_braintree, ordinary
from .ids import Codes, lower
from .keys import BraintreeKeyring, merchant_id, other_merchant_id, pair
from .settlement import Settlement
from .shapes import Shapes
from .transactions import REFUNDABLE, SUBMITTED, Book, Transaction
from .webhooks import event_id, payload, secret
from .xml import Drawn, Shape, Value, element

_HOUR_MS = 3600 * 1000
_WEEK_MS = 7 * 24 * _HOUR_MS
_STICKS_MS = 60_000
"""How soon a credit that will not go through is shown as `settlement_pending`."""
# An hour between the tries: for a day in production, for three hours in the sandbox.
_WAITS_MS: dict[Mode, tuple[int, ...]] = {"live": (_HOUR_MS,) * 24, "test": (_HOUR_MS,) * 3}
_KINDS = ("charge", "refund", "subscription", "dispute", "payout", "invoice", "stray")
_DEFAULT_CURRENCY = "usd"
_SHOP = "payops-shop"
"""The user the shop's own server is at Braintree."""


class BraintreeAccount(Account):
    """One merchant in one environment.

    `request_keys`: the merchant may use `api_request_key`; Braintree switches that on per merchant, and so does a
    test. `duplicates_ms`: the gateway rejects a sale through the API that equals one so recent; 0 = it does not.
    `refunds_settling`: its processor refunds what is still settling.
    """

    provider: ClassVar[Provider] = "braintree"
    request_keys: bool = True
    duplicates_ms: int = 30_000
    refunds_settling: bool = True
    tries_without_method: ClassVar[bool] = False
    names_customers_by_charges: ClassVar[bool] = True
    default_currency: ClassVar[str] = _DEFAULT_CURRENCY

    # How Braintree names and words things.

    def own_id(self) -> str:
        self._codes = Codes(self.seed, self.name)
        self.book = Book()
        self._sales: dict[str, Transaction] = {}
        self._credits: dict[str, list[Transaction]] = {}
        self._standing: dict[str, list[tuple[int, str, int]]] = {}
        self._disputed: dict[str, list[tuple[int, str]]] = {}
        self._drawn: dict[tuple[str, str], Drawn] = {}
        self._strays = 0
        self._asked: tuple[str | None, str | None] | None = None
        return merchant_id(self.seed, self.name)

    def make_keyring(self) -> BraintreeKeyring:
        return BraintreeKeyring(self.seed, self.name, self.mode)

    def endpoint_id(self, endpoint: str) -> str:
        return lower(self.ids, f"endpoint/{endpoint}", 16)

    def endpoint_secret(self, endpoint: str) -> str:
        """Notifications carry a signature for every user's key pair, revoked for the API or not."""
        return secret(pair(self.seed, self.name, name) for name in ("monitor", "fallback", "application"))

    @property
    def busiest_event(self) -> str:
        return "transaction_settled"

    @property
    def usual_permission(self) -> tuple[str, ...]:
        return ("transactions",)

    def rotate(self, endpoint: Endpoint, *, back: bool = False) -> None:
        endpoint.secret = (
            self.endpoint_secret(endpoint.name) if back else secret([pair(self.seed, self.name, "fallback")])
        )

    def retry_waits_ms(self) -> tuple[int, ...]:
        return _WAITS_MS[self.mode]

    def object_id(self, kind: str, number: int) -> str:
        if kind == "payment":
            return f"order-{number:06d}"
        return self._codes.code(number * len(_KINDS) + _KINDS.index(kind))

    def decline(self, word: str) -> Decline:
        return BY_WORD[word]

    def ordinary_decline(self, share: float) -> Decline:
        return ordinary(share)

    def merchant_account(self, currency: str) -> str:
        """The id of the merchant account that takes a currency."""
        return f"shop_{currency}"

    @property
    def currencies(self) -> tuple[str, ...]:
        """Those it takes, the default first."""
        return (_DEFAULT_CURRENCY, *(each for each in CURRENCIES if each != _DEFAULT_CURRENCY))

    # The vault.

    def token_of(self, buyer: Buyer) -> str | None:
        """The token of a customer's card; a guest's is not kept."""
        if buyer.customer is None:
            return None
        return lower(self.ids, f"token/{buyer.customer}", 8)

    def token_for(self, subscription: Subscription) -> str | None:
        """What a subscription is charged to: one that has lost its method shows the token that is gone."""
        if subscription.method:
            return self.token_of(subscription.buyer)
        return lower(self.ids, f"gone/{subscription.id}", 8)

    def vaulted(self, token: str) -> Buyer | None:
        """Whose card a token stands for."""
        if not hasattr(self, "_vault"):
            self._vault = {self.token_of(row.buyer): row.buyer for row in self.customers.rows}
        return self._vault.get(token)

    def drawn(self, buyer: Buyer, name: str, draw: Callable[[Buyer], Shape]) -> Drawn:
        """What all of a buyer's transactions show alike, drawn once."""
        found = self._drawn.get((buyer.payment_method, name))
        if found is None:
            found = self._drawn[buyer.payment_method, name] = Drawn(element(name, draw(buyer)))
        return found

    # What became of what.

    def sale_of(self, charge: Charge) -> Transaction:
        return self._sales[charge.id]

    def credits_of(self, transaction: Transaction) -> list[Transaction]:
        """The refunds of a sale, refused ones included."""
        return [] if transaction.refund is not None else self._credits.get(transaction.charge.id, [])

    def subscriptions_of(self, buyer: Buyer) -> list[Subscription]:
        return [each for each in self.subscriptions.rows if each.buyer is buyer]

    def history_of(self, subscription: Subscription) -> list[tuple[int, str, int]]:
        """Instant, status and what was owed then, oldest first."""
        return [(subscription.at_ms, "active", 0), *self._standing.get(subscription.id, [])]

    def past_due_since(self, subscription: Subscription) -> int | None:
        steps = self.history_of(subscription)
        return steps[-1][0] if steps[-1][1] == "past_due" else None

    def history_of_dispute(self, dispute: Dispute) -> list[tuple[int, str]]:
        """Instant and status, oldest first."""
        return self._disputed.get(dispute.id) or [(dispute.at_ms, dispute.status)]

    # What happens.

    def begin(self, at_ms: int, faults: list[Fault]) -> None:
        self.settlement = Settlement(self)
        self.settlement.begin(at_ms)
        super().begin(at_ms, faults)

    def happened(
        self,
        at_ms: int,
        type_: str,
        subject: object,
        version: int = 0,
        key: str | None = None,
        *,
        snapshot: object = None,
        before: object = None,
        test: bool = False,
    ) -> Event:
        """A notification is made: its payload once and for all, as each repetition is the same.

        None is sent of history, so that has no payload and an id of its own.
        """
        if at_ms < self.start_ms:
            name = event_id(f"{type_}/{id_of(subject)}/{at_ms}/{version}")
        else:
            merchant = other_merchant_id(self.seed, self.name) if test else self.id
            snapshot = payload(type_, at_ms, merchant, self._subject(at_ms, subject, test=test))
            name = event_id(snapshot)
        event = Event(name, at_ms, type_, subject, version, key, snapshot=snapshot, before=before, test=test)
        self.events.add(event)
        if at_ms >= self.start_ms:
            self.deliveries.owe(event, self.endpoints.rows)
        return event

    def _subject(self, at_ms: int, subject: object, *, test: bool) -> dict[str, Value]:
        shapes = Shapes(self, at_ms)
        if isinstance(subject, Subscription):
            return {"subscription": shapes.subscription(subject)}
        if isinstance(subject, Dispute):
            return {"dispute": shapes.dispute(subject)}
        if isinstance(subject, Refund):
            return {"transaction": shapes.transaction(self.credit_of(subject))}
        assert isinstance(subject, Charge)
        shape = shapes.transaction(self.sale_of(subject))
        if test:  # the same shop in the other environment: nothing in it is known here
            self._strays += 1
            shape["id"] = self.object_id("stray", self._strays)
            shape["order_id"] = f"{OTHER_MODE[self.mode]}-{self._strays:06d}"
        return {"transaction": shape}

    def strayed(self, at_ms: int) -> None:
        sale = next((row for row in self.book.newest() if row.refund is None and row.response is None), None)
        if sale is not None:
            self.happened(at_ms, "transaction_settled", sale.charge, test=True)

    def charged(self, at_ms: int, charge: Charge) -> None:
        payment = charge.payment
        refused = None if charge.decline is None else of_braintree(charge.decline)
        sale = Transaction(
            charge.id,
            at_ms,
            charge,
            payment.amount,
            self.token_of(payment.buyer),
            response=refused,
            source=None if payment.subscription is None else "recurring",
            order=payment.order,
        )
        if self._asked is not None:
            order, sale.source = self._asked
            sale.order = order or sale.order if payment.subscription is not None else order
        self._sales[charge.id] = sale
        by = _SHOP if self._asked is not None or payment.subscription is None else None
        if refused is not None:
            self.book.open(sale, refused.status, by=by)
            return
        sale.expires_ms = charge.expires_ms or at_ms + _WEEK_MS
        if charge.captured:
            self.book.open(sale, "authorized", SUBMITTED, by=by)
            self.settlement.submitted(at_ms, sale)
        else:
            self.book.open(sale, "authorized", by=by)
            self.agenda.plan(sale.expires_ms, self._expire, sale)

    def _expire(self, at_ms: int, sale: Transaction) -> None:
        if sale.status == "authorized":
            self.book.move(sale, at_ms, "authorization_expired")

    @contextmanager
    def asked_for(self, order: str | None, source: str | None) -> Iterator[None]:
        """Sales made meanwhile were asked for through the API, with this order and source."""
        self._asked = (order, source)
        try:
            yield
        finally:
            self._asked = None

    def captured(self, at_ms: int, charge: Charge) -> None:
        sale = self.sale_of(charge)
        sale.amount = charge.amount_taken
        self.book.move(sale, at_ms, SUBMITTED, by=_SHOP)
        self.settlement.submitted(at_ms, sale)
        owed = charge.payment.subscription
        if owed is not None and owed.status == "past_due":
            self._pay_off(at_ms, owed, sale.amount)

    def void(self, at_ms: int, transaction: Transaction) -> None:
        """Let go what is not settled; the money was never taken."""
        charge = transaction.charge
        if transaction.refund is not None:
            transaction.refund.status, transaction.refund.failure = "failed", "canceled"
            transaction.refund.changed_ms = at_ms
            self.taken[transaction.currency] += transaction.amount
        elif charge.captured:
            charge.captured = False
            self.taken[transaction.currency] -= transaction.amount
        self.book.move(transaction, at_ms, "voided", by=_SHOP)

    def settle(self, at_ms: int, transaction: Transaction) -> None:
        """With everything on the way there; the shop is told of a sale."""
        if transaction.status == SUBMITTED:
            self.book.move(transaction, at_ms, "settling")
        self.book.move(transaction, at_ms, "settled")
        self.settlement.settled(at_ms, transaction)
        if transaction.refund is None:
            self.happened(at_ms, "transaction_settled", transaction.charge)

    def decline_settlement(self, at_ms: int, transaction: Transaction) -> None:
        """The processor does not settle what was authorized."""
        self.book.move(transaction, at_ms, "settlement_declined")
        if transaction.refund is not None:
            self.happened(at_ms, "refund_failed", transaction.refund)
        else:
            self.happened(at_ms, "transaction_settlement_declined", transaction.charge)

    def disburse(self, at_ms: int, transaction: Transaction) -> None:
        self.book.disburse(transaction, at_ms)
        if transaction.refund is None:
            self.happened(at_ms, "transaction_disbursed", transaction.charge)

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
        """Only what is settled can be refunded: where a shop's refund comes sooner, the settlement does too."""
        sale = self.sale_of(charge)
        if sale.status in ("authorized", SUBMITTED, "settling"):
            self.settle(at_ms, sale)
        if sale.status not in REFUNDABLE:
            shape = _declined
        return super().refund(at_ms, charge, amount, reason=reason, metadata=metadata, key=key, shape=shape)

    def refunded(self, at_ms: int, refund: Refund, key: str | None) -> None:
        failed = refund.status == "failed"
        over = refund.failure == "over_limit"
        credit = Transaction(
            refund.id,
            at_ms,
            refund.charge,
            refund.amount,
            self.sale_of(refund.charge).token,
            refund=refund,
            response=(REFUND_OVER_LIMIT if over else REFUND_DECLINED) if failed else None,
            order=refund.metadata.get("order_id", refund.charge.payment.order),
        )
        self._credits.setdefault(refund.charge.id, []).append(credit)
        if failed:
            self.book.open(credit, "processor_declined", by=_SHOP)
            self.happened(at_ms, "refund_failed", refund)
            return
        self.book.open(credit, SUBMITTED, by=_SHOP)
        self.settlement.submitted(at_ms, credit)
        if refund.status == "pending":
            self.agenda.plan(at_ms + _STICKS_MS, self.stick, credit)

    def stick(self, at_ms: int, transaction: Transaction) -> None:
        """It will not settle now."""
        if transaction.status == SUBMITTED:
            self.book.move(transaction, at_ms, "settlement_pending")

    def refund_changed(self, at_ms: int, refund: Refund) -> None:
        credit = self.credit_of(refund)
        if refund.status == "failed":
            self.decline_settlement(at_ms, credit)
        elif refund.status == "succeeded":
            self.settle(at_ms, credit)

    def credit_of(self, refund: Refund) -> Transaction:
        return next(each for each in self._credits[refund.charge.id] if each.refund is refund)

    def subscription_changed(self, at_ms: int, subscription: Subscription, why: str) -> None:
        before = self.history_of(subscription)[-1]
        now = (at_ms, subscription.status, subscription.outstanding)
        if before[1:] != now[1:]:
            self._standing.setdefault(subscription.id, []).append(now)
        kinds = {
            "created": ["subscription_went_active"],
            "paid": ["subscription_charged_successfully"],
            "failed": ["subscription_charged_unsuccessfully"] if subscription.method else [],
            "canceled": ["subscription_canceled"],
        }.get(why, [])
        if before[1] != "past_due" and subscription.status == "past_due":
            kinds.append("subscription_went_past_due")
        if before[1] == "past_due" and subscription.status == "active":
            kinds.append("subscription_went_active")
        for kind in kinds:
            self.happened(at_ms, kind, subscription, len(subscription.payments))

    def stick_invoice(self, at_ms: int, subscription: Subscription) -> None:
        """Braintree bills without invoices."""

    def dispute_changed(self, at_ms: int, dispute: Dispute) -> None:
        self._dispute_moves(at_ms, dispute, dispute.status)
        if dispute.status == "open":
            self.agenda.plan(dispute.reply_ms, self._reply_is_late, dispute)

    def _reply_is_late(self, at_ms: int, dispute: Dispute) -> None:
        if dispute.status == "open":
            dispute.status, dispute.changed_ms = "lost", at_ms
            self._dispute_moves(at_ms, dispute, "expired")

    def _dispute_moves(self, at_ms: int, dispute: Dispute, status: str) -> None:
        self._disputed.setdefault(dispute.id, []).append((at_ms, status))
        kind = "dispute_opened" if status == "open" else f"dispute_{status}"
        self.happened(at_ms, kind, dispute, len(self._disputed[dispute.id]))

    def payout_changed(self, at_ms: int, payout: Payout) -> None:
        """Braintree's disbursements are read with the transactions."""

    def collect(
        self, at_ms: int, subscription: Subscription, amount: int, decline: Decline | None, *, submit: bool
    ) -> Payment:
        """One more try to get what a subscription owes, asked for by the shop.

        Only money that was taken pays the debt: an authorization alone leaves the subscription past due.
        """
        if submit and amount == subscription.outstanding:
            return self.traffic.renew(at_ms, subscription, decline)
        payment = self.bill(at_ms, subscription)
        payment.amount = amount
        subscription.changed_ms = at_ms
        if decline is not None or submit:
            self.attempt(at_ms, payment, decline)
        else:
            self.reserve(at_ms, payment)
        if decline is not None:
            subscription.failures += 1
            self.subscription_changed(at_ms, subscription, "failed")
        elif submit:
            self._pay_off(at_ms, subscription, amount)
        return payment

    def _pay_off(self, at_ms: int, subscription: Subscription, amount: int) -> None:
        """Money was taken for what a subscription owes: with nothing left it is active again."""
        if amount >= subscription.outstanding:
            self.traffic.paid(at_ms, subscription)
        else:
            subscription.outstanding -= amount
            self.subscription_changed(at_ms, subscription, "paid")

    def reserve(self, at_ms: int, payment: Payment) -> Charge:
        """Authorize a purchase without taking the money."""
        charge = Charge(
            self.object_id("charge", len(self.charges) + 1),
            at_ms,
            payment,
            None,
            captured=False,
            expires_ms=at_ms + _WEEK_MS,
        )
        self.charges.add(charge)
        payment.charges.append(charge)
        self.charged(at_ms, charge)
        return charge


def id_of(subject: object) -> str:
    return str(getattr(subject, "id", ""))


def _declined(refund: Refund) -> None:
    refund.status, refund.failure = "failed", "declined"
