"""Money that is due: an authorization about to end, and what a subscription owes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payops.domain.decline import lookup
from payops.domain.events import Facts
from payops.domain.money import Money
from payops.domain.payments import Attempt, Provider, Subscription
from payops.domain.plans import Effect
from payops.providers.port import ActionAnswer
from payops.signals import authorizations, subscriptions

from .moving import Left, Target
from .results import Context

OWN_TRY = timedelta(hours=24)
"""Nothing is collected beside the provider's own next try within this."""
MAY_OWE = ("past_due", "unpaid", "suspended")
RETRIED = frozenset({"same_card_later"})
"""Only after these declines the same card may be asked again."""


class CaptureAuthorization:
    """Take what was authorized, all of it, before the authorization ends."""

    id = "capture-authorization"
    action = "payments.capture_authorization"
    effect: Effect = "money"
    verb = "capture"
    undo = "none: give it back by a refund"
    done = "captured"

    def objects(self, context: Context) -> Sequence[str]:
        return list(_expiring(context))

    def judge(self, context: Context, object_id: str) -> Target | Left:
        if object_id not in _expiring(context):
            return Left(object_id, "it no longer stands as about to end")
        attempt = context.provider.attempt(object_id, context.now)
        if attempt.status != "succeeded" or attempt.captured is not False:
            said = "captured" if attempt.captured else attempt.status
            return Left(object_id, f"it is {said} at the provider")
        if attempt.amount_minor is None or attempt.currency is None:
            return Left(object_id, "the provider does not tell its amount")
        if attempt.amount_refunded_minor:
            return Left(object_id, "it was let go: nothing is reserved any more")
        ends = attempt.capture_before or _expiring(context)[object_id].capture_before
        if ends is None or ends <= context.now:
            return Left(object_id, "the authorization has ended: the buyer must pay anew")
        paid = _paid_besides(context, attempt)
        if paid is not None:
            return Left(
                object_id, f"order {attempt.order_id} was paid by {paid}: capturing would take it twice"
            )
        amount = Money(attempt.amount_minor, attempt.currency)
        order = f" for order {attempt.order_id}" if attempt.order_id else ""
        return Target(
            object_id,
            f"capture {amount} of {object_id}{order}: the authorization ends {ends:%Y-%m-%d %H:%M} UTC",
            amount,
        )

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        return context.provider.capture(target.id, target.money, key, context.now)

    def took(self, context: Context, target: Target) -> bool:
        return context.provider.attempt(target.id, context.now).captured is True

    def proved(self, context: Context, target: Target) -> str | None:
        captured = context.provider.attempt(target.id, context.now).captured
        return None if captured else f"{target.id} is not captured at the provider"

    def facts(self, context: Context, target: Target) -> Facts:
        return Facts(attempts=(context.provider.attempt(target.id, context.now),))


class CollectOnce:
    """Ask once for what a subscription owes, with the method its customer set for it."""

    id = "collect-once"
    action = "subscriptions.collect_once"
    effect: Effect = "money"
    verb = "collect"
    undo = "none: give it back by a refund"
    done = "collected"

    def objects(self, context: Context) -> Sequence[str]:
        return [each.subscription_id for each in _owing(context)]

    def judge(self, context: Context, object_id: str) -> Target | Left:
        subscription = context.provider.subscription(object_id, context.now)
        why = _not_now(context, subscription)
        if why is not None:
            return Left(object_id, why)
        assert subscription.outstanding_minor is not None and subscription.currency is not None
        owed = Money(subscription.outstanding_minor, subscription.currency)
        since = subscription.owing_since or next(
            (each.owing_since for each in _owing(context) if each.subscription_id == object_id), None
        )
        period = (
            f", for the period billed {since:%Y-%m-%d}"
            if since
            else ", the provider does not tell since when"
        )
        own = (
            f"the provider tries by itself {subscription.next_try_at:%Y-%m-%d %H:%M} UTC"
            if subscription.next_try_at
            else "when the provider tries by itself is not told"
        )
        return Target(
            object_id,
            f"collect {owed} that {object_id} owes{period}; {own}",
            owed,
            # What PayPal holds as outstanding spans whole service periods: somebody else must look at it too.
            people=2 if context.account.provider == "paypal" else 1,
        )

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        assert target.money is not None
        reference = f"payops-{context.store.identity[:12]}-{target.id}"
        return context.provider.collect(target.id, target.money, reference, key, context.now)

    def took(self, context: Context, target: Target) -> bool:
        return _paid(context, target)

    def proved(self, context: Context, target: Target) -> str | None:
        return None if _paid(context, target) else f"{target.id} still owes it at the provider"

    def facts(self, context: Context, target: Target) -> Facts:
        return Facts(subscriptions=(context.provider.subscription(target.id, context.now),))


def _paid(context: Context, target: Target) -> bool:
    """It owes less than what was asked for."""
    owed = context.provider.subscription(target.id, context.now).outstanding_minor
    return owed is not None and target.money is not None and owed < target.money.amount_minor


def _not_now(context: Context, subscription: Subscription) -> str | None:
    """Why nothing is collected for this subscription now."""
    if subscription.status not in MAY_OWE:
        return f"it is {subscription.status}: nothing is collected for it"
    if subscription.cancel_at_period_end:
        return "it ends with this period: the customer has left"
    if subscription.charged is False:
        return "its customer gets invoices to pay by hand"
    if subscription.has_payment_method is False:
        return "it has nothing to charge: the customer must set a payment method"
    if not subscription.outstanding_minor or subscription.currency is None:
        return "the provider tells of nothing outstanding"
    soon = _own_try(subscription, context.now)
    if soon is not None:
        return soon
    return _never_again(context, subscription)


def _own_try(subscription: Subscription, now: datetime) -> str | None:
    at = subscription.next_try_at
    if at is None or at > now + OWN_TRY:
        return None
    return f"the provider tries by itself at {at:%Y-%m-%d %H:%M} UTC: one more beside it could take it twice"


def _never_again(context: Context, subscription: Subscription) -> str | None:
    """Why its card must not be asked again: the last try's decline, from the ledger of all attempts seen."""
    provider: Provider = context.account.provider
    if provider == "paypal":
        return None  # PayPal decides what of the buyer's it charges; its refusals leave no code
    last = _last_try(context, subscription)
    if last is None or last.decline_code is None:
        return "why its last try failed is not known here: unknown permits nothing"
    decline = lookup(provider, last.decline_code)
    if decline.retry not in RETRIED:
        return f"its last try failed with {last.decline_code}: {decline.sentence} The same card is not asked again"
    contested = {
        each.attempt_id
        for each in context.store.facts.disputes(context.account.name, ["needs_response", "under_review"])
    }
    if last.attempt_id in contested:
        return "its customer disputes a charge of it"
    return None


def _last_try(context: Context, subscription: Subscription) -> Attempt | None:
    if subscription.customer is None or subscription.currency is None:
        return None
    return context.store.facts.last_attempt(
        context.account.name,
        subscription.customer,
        subscription.outstanding_minor or 0,
        subscription.currency,
    )


def _owing(context: Context) -> tuple[Subscription, ...]:
    return subscriptions.past_due(context.store, context.account, context.now)


def _expiring(context: Context) -> dict[str, Attempt]:
    found = authorizations.expiring(context.store, context.account, context.now)
    return {each.attempt_id: each for each in found}


def _paid_besides(context: Context, attempt: Attempt) -> str | None:
    """Another success for the same order."""
    if attempt.order_id is None:
        return None
    return next(
        (
            each.attempt_id
            for each in context.store.facts.attempts_of_order(context.account.name, attempt.order_id)
            if each.attempt_id != attempt.attempt_id
            and each.status == "succeeded"
            and each.captured is not False
        ),
        None,
    )
