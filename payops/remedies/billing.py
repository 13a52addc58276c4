"""What keeps a subscription from being billed: no method where the provider looks for one, a bill that is stuck."""

from __future__ import annotations

from collections.abc import Sequence

from payops.domain.events import Facts
from payops.domain.money import Money
from payops.domain.payments import Invoice, PaymentMethod
from payops.domain.plans import Effect
from payops.providers.port import ActionAnswer
from payops.signals import subscriptions

from .moving import Left, Target
from .results import Context

ENDED = ("canceled", "expired", "paused", "incomplete")


class AttachPaymentMethod:
    """Let the subscription be paid with what its customer has stored already: their default, or the only one."""

    id = "attach-payment-method"
    action = "subscriptions.attach_payment_method"
    effect: Effect = "external"
    verb = "attach"
    undo = "none by payops: the method can be taken off the subscription at the provider; what it pays meanwhile stays"
    done = "given a method"

    def objects(self, context: Context) -> Sequence[str]:
        found = subscriptions.unpayable(context.store, context.account, context.now)
        return [each.subscription_id for each in found]

    def judge(self, context: Context, object_id: str) -> Target | Left:
        subscription = context.provider.subscription(object_id, context.now)
        if subscription.status in ENDED or subscription.cancel_at_period_end:
            return Left(object_id, f"it is {subscription.status} or about to end: the customer has left")
        if subscription.has_payment_method:
            return Left(object_id, "it has a method by now")
        stored = context.provider.methods_of(object_id, context.now)
        valid = [each for each in stored if each.expires_at is None or each.expires_at > context.now]
        chosen = next((each for each in valid if each.chosen), None) or (
            valid[0] if len(valid) == 1 else None
        )
        if chosen is None:
            return Left(object_id, _without(stored, valid))
        own = "their default" if chosen.chosen else "the only one they have stored"
        return Target(
            object_id,
            f"let {object_id} be paid with {chosen.method_id}, {chosen.label}, {own}; nothing is charged by that",
            more={"method": chosen.method_id},
        )

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        return context.provider.use_payment_method(target.id, target.more["method"], key, context.now)

    def took(self, context: Context, target: Target) -> bool:
        return context.provider.subscription(target.id, context.now).has_payment_method is True

    def proved(self, context: Context, target: Target) -> str | None:
        known = context.provider.subscription(target.id, context.now).has_payment_method
        return None if known is not False else f"{target.id} still has nothing to charge at the provider"

    def facts(self, context: Context, target: Target) -> Facts:
        return Facts(subscriptions=(context.provider.subscription(target.id, context.now),))


class FinalizeInvoice:
    """Turn a draft that could not be finalized into a bill that is paid; one of an unpaid subscription takes two."""

    id = "finalize-invoice"
    action = "subscriptions.finalize_invoice"
    effect: Effect = "money"
    verb = "finalize"
    undo = "none: an invoice that is finalized can only be paid, voided or written off"
    done = "finalized"

    def objects(self, context: Context) -> Sequence[str]:
        return list(_stuck(context))

    def judge(self, context: Context, object_id: str) -> Target | Left:
        known = _stuck(context).get(object_id)
        if known is None:
            return Left(object_id, "it no longer stands as stuck")
        invoice = context.provider.invoice(object_id, context.now)
        if invoice.status != "draft":
            return Left(object_id, f"it is {invoice.status} by now")
        if invoice.subscription_id is None:
            return Left(object_id, "it is of no subscription: whoever wrote it must look at it")
        subscription = context.provider.subscription(invoice.subscription_id, context.now)
        if subscription.status in ENDED:
            return Left(
                object_id, f"{invoice.subscription_id} is {subscription.status}: nothing is due for it"
            )
        if subscription.charged is False:
            return Left(object_id, "its customer gets invoices to pay by hand: correct it there")
        amount = Money(invoice.amount_due_minor, invoice.currency)
        said = f" (it failed with {invoice.finalization_error})" if invoice.finalization_error else ""
        ends = f" to {subscription.next_billing_at:%Y-%m-%d}" if subscription.next_billing_at else ""
        return Target(
            object_id,
            f"finalize {object_id}, {amount}, of {invoice.subscription_id} ({subscription.status}), service period "
            f"{invoice.at:%Y-%m-%d}{ends}{said}; the provider collects it by itself after that",
            amount,
            people=2 if subscription.status == "unpaid" else 1,
        )

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        return context.provider.finalize_invoice(target.id, key, context.now)

    def took(self, context: Context, target: Target) -> bool:
        return context.provider.invoice(target.id, context.now).status != "draft"

    def proved(self, context: Context, target: Target) -> str | None:
        status = context.provider.invoice(target.id, context.now).status
        return None if status in ("open", "paid") else f"{target.id} is {status} at the provider"

    def facts(self, context: Context, target: Target) -> Facts:
        return Facts(invoices=(context.provider.invoice(target.id, context.now),))


def _without(stored: Sequence[PaymentMethod], valid: Sequence[PaymentMethod]) -> str:
    if not stored:
        return "its customer has nothing stored to pay with: ask them for a method"
    if not valid:
        return "what its customer has stored is expired: ask them for a new one"
    return f"its customer has {len(valid)} methods and set none for this: ask which"


def _stuck(context: Context) -> dict[str, Invoice]:
    found = subscriptions.stuck_invoices(context.store, context.account, context.now)
    return {each.invoice_id: each for each in found}
