"""The objects a rule test's signal counts, and the scripted provider's answers about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from payops.domain.errors import NotPossible
from payops.domain.events import Facts
from payops.domain.money import Money
from payops.domain.payments import (
    Attempt,
    Invoice,
    PaymentMethod,
    Provider,
    Refund,
    Subscription,
)
from payops.providers.cannot import Cannot
from payops.providers.port import ActionAnswer

T = TypeVar("T")
EUR = "EUR"
AMOUNT = 1_000
EARLIER = timedelta(minutes=10)
_SOFT = {"stripe": "insufficient_funds", "braintree": "2001", "paypal": "5120"}
Effect = Callable[[], None]


class ScriptedObjects(Cannot):
    """One of each kind for each that the signal's `count` says; a write changes what is read afterwards."""

    account: str
    provider: Provider
    _write: Callable[[str, Effect], ActionAnswer]

    def __init__(self) -> None:
        self._made = 0
        self._attempts: dict[str, Attempt] = {}
        self._refunds: dict[str, list[tuple[Refund, str | None]]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._invoices: dict[str, Invoice] = {}

    def seed(self, source: str, count: int, now: datetime) -> Facts:
        """As many new objects as the signal counts more; empty for a source that counts none of these."""
        make = _MAKERS.get(source)
        facts = Facts()
        for _ in range(count if make is not None else 0):
            self._made += 1
            assert make is not None
            made = make(self, self._made, now)
            facts = Facts(
                attempts=(*facts.attempts, *made.attempts),
                refunds=(*facts.refunds, *made.refunds),
                subscriptions=(*facts.subscriptions, *made.subscriptions),
                invoices=(*facts.invoices, *made.invoices),
            )
        self._attempts |= {each.attempt_id: each for each in facts.attempts}
        self._subscriptions |= {each.subscription_id: each for each in facts.subscriptions}
        self._invoices |= {each.invoice_id: each for each in facts.invoices}
        for each in facts.refunds:
            self._refunds.setdefault(each.attempt_id or "", []).append((each, None))
        return facts

    def sold(self, attempt_id: str, at: datetime) -> None:
        """A sale that is only read back: what an event was about."""
        self._attempts[attempt_id] = Attempt(
            self.account, attempt_id, at, "succeeded", at, amount_minor=AMOUNT, currency=EUR, captured=True
        )

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        return _known(self._attempts, attempt_id)

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        return tuple(self._refunds.get(attempt_id, ()))

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        known = _known(self._refunds, attempt_id, default=[])
        action = "refunds.reissue" if known else "payments.refund_duplicate"
        given = amount or Money(AMOUNT, EUR)

        def effect() -> None:
            made = Refund(
                self.account, f"re_{reference}", None, now, "succeeded", given.amount_minor, given.currency,
                attempt_id=attempt_id,
            )  # fmt: skip
            self._refunds[attempt_id] = [*known, (made, reference)]

        return self._write(action, effect)

    def capture(
        self, attempt_id: str, amount: Money | None, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        def effect() -> None:
            self._attempts[attempt_id] = replace(self._attempts[attempt_id], captured=True)

        return self._write("payments.capture_authorization", effect)

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        return _known(self._subscriptions, subscription_id)

    def collect(
        self, subscription_id: str, amount: Money, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        def effect() -> None:
            owing = self._subscriptions[subscription_id]
            self._subscriptions[subscription_id] = replace(owing, status="active", outstanding_minor=0)

        return self._write("subscriptions.collect_once", effect)

    def methods_of(self, subscription_id: str, now: datetime) -> tuple[PaymentMethod, ...]:
        return (PaymentMethod(f"pm_{subscription_id}", "visa ending in 4242", chosen=True),)

    def use_payment_method(
        self, subscription_id: str, method_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        def effect() -> None:
            known = self._subscriptions[subscription_id]
            self._subscriptions[subscription_id] = replace(known, has_payment_method=True)

        return self._write("subscriptions.attach_payment_method", effect)

    def invoice(self, invoice_id: str, now: datetime) -> Invoice:
        return _known(self._invoices, invoice_id)

    def finalize_invoice(self, invoice_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        def effect() -> None:
            self._invoices[invoice_id] = replace(self._invoices[invoice_id], status="open")

        return self._write("subscriptions.finalize_invoice", effect)

    # One of each kind.

    def _taken(self, name: str, at: datetime, **more: object) -> Attempt:
        plain = Attempt(
            self.account, name, at, "succeeded", at, amount_minor=AMOUNT, currency=EUR, captured=True
        )
        return replace(plain, **more)  # type: ignore[arg-type]

    def _double(self, n: int, now: datetime) -> Facts:
        order, buyer = f"order_{n}", f"cus_{n}"
        first = self._taken(f"ch_{n}_1", now - EARLIER, order_id=order, customer=buyer)
        second = self._taken(f"ch_{n}_2", now - EARLIER / 2, order_id=order, customer=buyer)
        return Facts(attempts=(first, second))

    def _failed_refund(self, n: int, now: datetime) -> Facts:
        paid = self._taken(f"ch_{n}", now - EARLIER)
        status = {"stripe": "failed", "braintree": "processor_declined", "paypal": "FAILED"}[self.provider]
        failed = Refund(
            self.account, f"re_{n}", None, now - EARLIER / 2, status, AMOUNT, EUR, "declined", paid.attempt_id
        )
        return Facts(attempts=(paid,), refunds=(failed,))

    def _authorization(self, n: int, now: datetime) -> Facts:
        ends = now + timedelta(hours=12)
        return Facts(attempts=(self._taken(f"ch_{n}", now - EARLIER, captured=False, capture_before=ends),))

    def _owing(self, n: int, now: datetime) -> Facts:
        since, buyer = now - EARLIER, f"cus_{n}"
        tried = self._taken(
            f"ch_{n}",
            since,
            status="failed",
            captured=None,
            customer=buyer,
            decline_code=_SOFT[self.provider],
        )
        return Facts(attempts=(tried,), subscriptions=(self._subscribed(n, since, has_payment_method=True),))

    def _unpayable(self, n: int, now: datetime) -> Facts:
        return Facts(subscriptions=(self._subscribed(n, now - EARLIER, has_payment_method=False),))

    def _stuck(self, n: int, now: datetime) -> Facts:
        since = now - EARLIER
        owing = replace(
            self._subscribed(n, since, has_payment_method=True), status="active", outstanding_minor=0
        )
        bill = Invoice(
            self.account, f"in_{n}", since, since, "draft", AMOUNT, EUR, owing.subscription_id,
            finalization_error="customer_tax_location_invalid",
        )  # fmt: skip
        return Facts(subscriptions=(owing,), invoices=(bill,))

    def _subscribed(self, n: int, since: datetime, *, has_payment_method: bool) -> Subscription:
        return Subscription(
            self.account, f"sub_{n}", since, since, "past_due", f"cus_{n}", AMOUNT, EUR, outstanding_minor=AMOUNT,
            failed_payments=1, has_payment_method=has_payment_method, owing_since=since,
        )  # fmt: skip


_MAKERS: dict[str, Callable[[ScriptedObjects, int, datetime], Facts]] = {
    "duplicates": ScriptedObjects._double,
    "failed_refunds": ScriptedObjects._failed_refund,
    "authorizations": ScriptedObjects._authorization,
    "past_due_subscriptions": ScriptedObjects._owing,
    "unpayable_subscriptions": ScriptedObjects._unpayable,
    "stuck_invoices": ScriptedObjects._stuck,
}


def _known(found: dict[str, T], object_id: str, default: T | None = None) -> T:
    value = found.get(object_id, default)
    if value is None:
        raise NotPossible(f"a rule test has no {object_id}")
    return value
