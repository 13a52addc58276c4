"""Stripe's bills: one invoice for each period of a subscription, tried again until it is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payops.simulator.account import Account
from payops.simulator.objects import Invoice, Payment, Subscription

from .declines import HARD
from .vocabulary import Shape

if TYPE_CHECKING:
    from .account import StripeAccount

_ADVANCE_MS = 3_600_000
"""How long after it is finalized an invoice is collected by itself."""


class Billing:
    """The invoices of one account."""

    def __init__(self, account: StripeAccount) -> None:
        self._account = account
        self._of: dict[str, list[Invoice]] = {}
        self._trying: dict[str, Invoice] = {}
        """The bill that a try under way is about, by subscription id."""

    def latest(self, subscription: Subscription) -> Invoice | None:
        invoices = self._of.get(subscription.id)
        return invoices[-1] if invoices else None

    def opened(self, subscription: Subscription) -> None:
        """The present period of a subscription was paid for before the world began."""
        invoice = self._add(subscription.at_ms, subscription)
        invoice.status, invoice.paid_ms, invoice.tries = "paid", subscription.at_ms, 1

    def payment(self, at_ms: int, subscription: Subscription) -> Payment:
        """The PaymentIntent of the bill that is due: the same for every try at it."""
        invoice = self._due(at_ms, subscription, again=subscription.failures > 0)
        self._trying[subscription.id] = invoice
        return self._payment_of(at_ms, invoice)

    def _payment_of(self, at_ms: int, invoice: Invoice) -> Payment:
        if invoice.payment is None:
            invoice.payment = Account.bill(self._account, at_ms, invoice.subscription)
        return invoice.payment

    def changed(self, at_ms: int, subscription: Subscription, why: str) -> None:
        tried = self._trying.pop(subscription.id, None)
        if why == "paid":
            assert tried is not None
            self._paid(at_ms, tried)
        elif why == "failed":
            again = subscription.failures > 1
            self._failed(at_ms, tried or self._due(at_ms, subscription, again=again))
        else:
            type_ = "deleted" if why == "canceled" else "updated"
            self._tell(at_ms, type_, subscription, {})

    def _paid(self, at_ms: int, invoice: Invoice) -> None:
        account, subscription = self._account, invoice.subscription
        was = "past_due" if invoice.tries else "active"
        invoice.status, invoice.paid_ms, invoice.next_ms = "paid", at_ms, None
        invoice.tries += 1
        invoice.changed_ms = at_ms
        shape = account.shapes.invoice(invoice)
        account.told(at_ms, "invoice.paid", invoice, shape)
        account.told(at_ms, "invoice.payment_succeeded", invoice, shape)
        self._tell(at_ms, "updated", subscription, {} if was == "active" else {"status": was})

    def _failed(self, at_ms: int, invoice: Invoice) -> None:
        account, subscription = self._account, invoice.subscription
        invoice.tries += 1
        invoice.next_ms, invoice.changed_ms = subscription.try_ms, at_ms
        if not subscription.method and subscription.buyer.customer is not None:
            account.customer_defaults.setdefault(subscription.buyer.customer, None)
            account.subscription_methods[subscription.id] = None
        shape = account.shapes.invoice(invoice)
        account.told(at_ms, "invoice.payment_failed", invoice, shape)
        if invoice.tries == 1:
            self._tell(at_ms, "updated", subscription, {"status": "active"})

    def stick(self, at_ms: int, subscription: Subscription) -> None:
        """A bill that cannot be finalized: it stays a draft, and nobody will try to collect it."""
        account = self._account
        account.traffic.begin_period(at_ms, subscription)
        invoice = self._add(at_ms, subscription)
        invoice.status, invoice.final_ms = "draft", None
        invoice.error = "customer_tax_location_invalid"
        shape = account.shapes.invoice(invoice)
        unhurt = {**shape, "last_finalization_error": None}
        account.told(at_ms, "invoice.created", invoice, unhurt)
        account.told(at_ms, "invoice.finalization_failed", invoice, shape)
        self._tell(at_ms, "updated", subscription, {})

    def free(self, at_ms: int, subscription: Subscription) -> None:
        """What kept the newest bill a draft is put right: it is finalized and paid."""
        invoice = self.latest(subscription)
        if invoice is not None and invoice.status == "draft":
            self.finalize(at_ms, invoice, advance=False)
            self.pay(at_ms, invoice)

    def finalize(self, at_ms: int, invoice: Invoice, *, advance: bool) -> None:
        """Make a draft payable; with `advance` it is collected by itself an hour later."""
        account = self._account
        invoice.status, invoice.error = "open", None
        invoice.final_ms = invoice.changed_ms = at_ms
        invoice.next_ms = at_ms + _ADVANCE_MS if advance else None
        if invoice.next_ms is not None:
            account.agenda.plan(invoice.next_ms, self._collect, invoice)
        shape = account.shapes.invoice(invoice)
        account.told(at_ms, "invoice.finalized", invoice, shape)
        account.told(at_ms, "invoice.updated", invoice, shape, before={"status": "draft"})

    def _collect(self, at_ms: int, invoice: Invoice) -> None:
        if invoice.status == "open" and invoice.next_ms == at_ms:
            self.pay(at_ms, invoice)

    def pay(self, at_ms: int, invoice: Invoice) -> bool:
        """One try to collect now; a card that may not be tried again is refused again.

        A manual try that fails changes neither the count of tries nor the next one's time.
        """
        account, subscription = self._account, invoice.subscription
        last = invoice.payment.charges[-1].decline if invoice.payment and invoice.payment.charges else None
        refused = last is not None and last.code in HARD
        if not refused and subscription.failures and invoice is self.latest(subscription):
            account.traffic.renew(at_ms, subscription, None)
            return True
        account.attempt(at_ms, self._payment_of(at_ms, invoice), last if refused else None)
        if not refused:
            self._paid(at_ms, invoice)
            return True
        shape = account.shapes.invoice(invoice)
        account.told(at_ms, "invoice.payment_failed", invoice, shape)
        return False

    def use_method(self, at_ms: int, subscription: Subscription, method: str) -> None:
        """Let a subscription be paid with a method its customer has."""
        subscription.method, subscription.changed_ms = True, at_ms
        self._account.subscription_methods[subscription.id] = method
        self._tell(at_ms, "updated", subscription, {"default_payment_method": None})

    def _due(self, at_ms: int, subscription: Subscription, *, again: bool) -> Invoice:
        """The bill to be paid now: a new one, or `again` the one that failed."""
        latest = self.latest(subscription)
        if again and latest is not None and latest.status == "open":
            return latest
        return self._add(at_ms, subscription)

    def _add(self, at_ms: int, subscription: Subscription) -> Invoice:
        account = self._account
        number = len(account.invoices) + 1
        invoice = Invoice(
            account.object_id("invoice", number),
            at_ms,
            subscription,
            subscription.amount,
            changed_ms=at_ms,
            final_ms=at_ms,
        )
        account.invoices.add(invoice)
        self._of.setdefault(subscription.id, []).append(invoice)
        return invoice

    def _tell(self, at_ms: int, change: str, subscription: Subscription, before: Shape) -> None:
        shape = self._account.shapes.subscription(subscription)
        type_ = f"customer.subscription.{change}"
        self._account.told(at_ms, type_, subscription, shape, before=before)
