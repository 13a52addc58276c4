"""Money back to the buyer: the second charge of a purchase paid twice, and a refund that failed.

All refunds of the payment are summed first, whoever made them; what is pending counts as gone. The reference of a
refund of ours names what it is for, so that a second attempt knows the first one's.
"""

from __future__ import annotations

from collections.abc import Sequence

from payops.domain.events import Facts
from payops.domain.money import Money
from payops.domain.payments import Attempt, Refund
from payops.domain.plans import Effect
from payops.domain.refunds import CONTESTED, FAILED, NOT_THIS_CARD, wait_of, went_through
from payops.providers.port import ActionAnswer
from payops.signals import duplicates, refunds

from .moving import Left, Target
from .results import Context

Made = Sequence[tuple[Refund, str | None]]
UNDO = "none: money that was given back cannot be taken again without the buyer"


class RefundDuplicate:
    """The second of two successes for one order, all of it."""

    id = "refund-duplicate"
    action = "payments.refund_duplicate"
    effect: Effect = "money"
    verb = "refund"
    undo = UNDO
    done = "refunded"

    def objects(self, context: Context) -> Sequence[str]:
        return [each.second.attempt_id for each in _pairs(context).values()]

    def judge(self, context: Context, object_id: str) -> Target | Left:
        pair = _pairs(context).get(object_id)
        if pair is None:
            return Left(object_id, "it no longer stands as a duplicate")
        if not pair.proven:
            return Left(object_id, "that both were for one order is not proved: ask the buyer or the shop")
        second, first = (
            context.provider.attempt(each.attempt_id, context.now) for each in (pair.second, pair.first)
        )
        whole = _whole(second)
        if whole is None:
            return Left(object_id, "the provider does not tell its amount")
        if not _kept(first) or (first.amount_minor, first.currency) != (second.amount_minor, second.currency):
            return Left(
                object_id, f"the first charge, {first.attempt_id}, was not kept whole: nothing is double"
            )
        made = context.provider.refunds_of(object_id, context.now)
        why = _against(context, second, made, whole)
        if why is not None:
            return Left(object_id, why)
        order = f" for order {pair.second.order_id}" if pair.second.order_id else ""
        return Target(
            object_id,
            f"give back {object_id}, {whole}: {first.attempt_id} took the same{order} "
            f"{int((second.at - first.at).total_seconds())} s before it",
            whole,
            {"of": object_id, "first": first.attempt_id},
        )

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        return _refund(context, target, key)

    def took(self, context: Context, target: Target) -> bool:
        return _took(context, target)

    def proved(self, context: Context, target: Target) -> str | None:
        return _proved(context, target)

    def facts(self, context: Context, target: Target) -> Facts:
        return _facts(context, target)


class ReissueRefund:
    """A refund that failed for a reason that may pass, once more, of the same amount."""

    id = "reissue-refund"
    action = "refunds.reissue"
    effect: Effect = "money"
    verb = "reissue"
    undo = UNDO
    done = "re-issued"

    def objects(self, context: Context) -> Sequence[str]:
        return list(_failed(context))

    def judge(self, context: Context, object_id: str) -> Target | Left:
        failed = _failed(context).get(object_id)
        if failed is None:
            return Left(object_id, "it no longer stands as failed")
        if failed.attempt_id is None:
            return Left(object_id, "the provider does not tell which payment it is of: look it up there")
        reason = failed.failure_reason or ""
        if reason in NOT_THIS_CARD:
            return Left(
                object_id, f"{reason}: it would fail again, pay the buyer another way (bank transfer)"
            )
        if reason in CONTESTED:
            return Left(
                object_id, f"{reason}: the buyer's bank takes the money back itself, answer the dispute"
            )
        attempt = context.provider.attempt(failed.attempt_id, context.now)
        made = context.provider.refunds_of(failed.attempt_id, context.now)
        now = next((refund for refund, _ in made if refund.refund_id == object_id), None)
        if now is not None and now.status not in FAILED:
            return Left(object_id, f"it is {now.status} by now: not failed")
        again = next(
            (
                refund
                for refund, said in made
                if refund.refund_id != object_id
                and went_through(refund)
                and (said == _reference(context, object_id) or refund.at >= failed.at)
            ),
            None,
        )
        if again is not None:
            return Left(
                object_id,
                f"{again.refund_id} of {again.amount_minor} {again.currency} made it good: {again.status}",
            )
        amount = Money(failed.amount_minor, failed.currency)
        why = _against(context, attempt, made, amount)
        if why is not None:
            return Left(object_id, why)
        said = f" ({failed.failure_reason})" if failed.failure_reason else ""
        return Target(
            object_id,
            f"refund {amount} of {failed.attempt_id} once more: {object_id} failed{said} and nothing of it went back",
            amount,
            {"of": failed.attempt_id},
        )

    def call(self, context: Context, target: Target, key: str) -> ActionAnswer:
        return _refund(context, target, key)

    def took(self, context: Context, target: Target) -> bool:
        return _took(context, target)

    def proved(self, context: Context, target: Target) -> str | None:
        return _proved(context, target)

    def facts(self, context: Context, target: Target) -> Facts:
        return _facts(context, target)


def _reference(context: Context, object_id: str) -> str:
    """What stands with a refund of ours at the provider: this store, and what it is for."""
    return f"payops-{context.store.identity[:12]}-{object_id}"


def _refund(context: Context, target: Target, key: str) -> ActionAnswer:
    assert target.money is not None
    return context.provider.refund(
        target.more["of"], target.money, _reference(context, target.id), key, context.now
    )


def _took(context: Context, target: Target) -> bool:
    """A refund with our reference, or a sale that was let go whole before it settled."""
    attempt_id, reference = target.more["of"], _reference(context, target.id)
    made = context.provider.refunds_of(attempt_id, context.now)
    if any(ours == reference for _, ours in made):
        return True
    return not made and _all_back(context.provider.attempt(attempt_id, context.now))


def _proved(context: Context, target: Target) -> str | None:
    attempt_id, reference = target.more["of"], _reference(context, target.id)
    made = context.provider.refunds_of(attempt_id, context.now)
    ours = [refund for refund, said in made if said == reference]
    if any(went_through(refund) for refund in ours):
        return None
    if not made and _all_back(context.provider.attempt(attempt_id, context.now)):
        return None
    return f"the refund of {attempt_id} is {ours[-1].status if ours else 'not there'} at the provider"


def _facts(context: Context, target: Target) -> Facts:
    attempt_id = target.more["of"]
    made = context.provider.refunds_of(attempt_id, context.now)
    return Facts(
        attempts=(context.provider.attempt(attempt_id, context.now),),
        refunds=tuple(refund for refund, _ in made),
    )


def _against(context: Context, attempt: Attempt, made: Made, amount: Money) -> str | None:
    """Why `amount` must not go back of this payment now."""
    if attempt.status != "succeeded" or attempt.captured is False:
        return f"{attempt.attempt_id} took no money ({attempt.status}): there is nothing to give back"
    if attempt.currency != amount.currency:
        return f"{attempt.attempt_id} is in {attempt.currency or 'an unknown currency'}, not in {amount.currency}"
    contested = next(
        (
            each
            for each in context.store.facts.disputes(context.account.name)
            if each.attempt_id == attempt.attempt_id and each.status not in ("won", "closed")
        ),
        None,
    )
    if contested is not None:
        return f"dispute {contested.dispute_id} is {contested.status}: a refund besides would pay twice"
    for refund, _ in made:
        wait = wait_of(context.account.provider, refund)
        if wait is not None:
            return f"refund {refund.refund_id} is {refund.status} until about {wait.until(refund):%Y-%m-%d}: {wait.advice}"
    back = max(
        sum(refund.amount_minor for refund, _ in made if went_through(refund)),
        attempt.amount_refunded_minor or 0,
    )
    if attempt.amount_minor is None or back + amount.amount_minor > attempt.amount_minor:
        return f"{Money(back, amount.currency)} of it went back already: {amount} more is too much"
    return None


def _whole(attempt: Attempt) -> Money | None:
    if attempt.amount_minor is None or attempt.currency is None:
        return None
    return Money(attempt.amount_minor, attempt.currency)


def _kept(attempt: Attempt) -> bool:
    """The merchant has this money, all of it."""
    return (
        attempt.status == "succeeded" and attempt.captured is not False and not attempt.amount_refunded_minor
    )


def _all_back(attempt: Attempt) -> bool:
    return attempt.amount_minor is not None and (attempt.amount_refunded_minor or 0) >= attempt.amount_minor


def _pairs(context: Context) -> dict[str, duplicates.Duplicate]:
    found = duplicates.listed(context.store, context.account, context.now)
    return {each.second.attempt_id: each for each in found}


def _failed(context: Context) -> dict[str, Refund]:
    found = refunds.failed(context.store, context.account, context.now)
    return {each.refund_id: each for each in found}
