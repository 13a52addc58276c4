"""People buying: Poisson arrivals, cards that are refused and tried again, money asked back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from payops.domain.money import minor_digits

from .declines import BLOCKED, Decline
from .ids import share, stream
from .objects import Payment, Subscription
from .scenario_model import ProviderOptions

if TYPE_CHECKING:
    from .account import Account

_MINUTE_MS = 60_000
_RETRY_SHARE = 0.45
_RETRY_SUCCESS = 0.55
_MOST_TRIES = 4
_RETRY_MS = (20_000, 240_000)
_REFUND_SHARE = 0.02
_REFUND_PARTIAL = 0.2
_REFUND_MS = (10 * _MINUTE_MS, 8 * 60 * _MINUTE_MS)
_SUBSCRIBERS = 40
_MONTH_MS = 30 * 24 * 60 * _MINUTE_MS
_DUNNING_MS = 3 * 24 * 60 * _MINUTE_MS
_LATER_MS = 10 * _MINUTE_MS
"""When what the provider cannot do now is tried again."""
_DAY_MS = 24 * 60 * _MINUTE_MS
_BUSIEST_MS = 15 * 60 * _MINUTE_MS
"""The time of the day, in UTC, at which most is bought."""
_SPREAD = 0.7
"""Standard deviation of the logarithm of an amount."""


class Traffic:
    """One account's buyers at work. Each kind of chance has its own stream, and every payment draws the same
    number from each: the same buyers come at the same instants with and without a fault.
    """

    def __init__(self, account: Account, options: ProviderOptions, seed: int) -> None:
        self._account = account
        self._success = options.success_rate
        self._swing = options.daily_swing
        self._per_ms = options.payments_per_minute * (1 + self._swing) / _MINUTE_MS
        """At the busiest time of the day: of what arrives at any other, a part stays away."""
        self._arrivals = stream(seed, f"{account.name}/arrivals")
        self._fates = stream(seed, f"{account.name}/fates")
        self._retries = stream(seed, f"{account.name}/retries")
        self._renewals = stream(seed, f"{account.name}/renewals")
        self._beside: list[dict[str, str]] = []

    def begin(self, at_ms: int) -> None:
        if self._per_ms > 0:
            self._plan_next(at_ms)
            self._subscribe(at_ms)

    def write_beside(self, metadata: dict[str, str], count: int) -> None:
        """The shop writes this beside its next `count` purchases."""
        self._beside += [dict(metadata) for _ in range(count)]

    def _subscribe(self, at_ms: int) -> None:
        """Some buyers also pay each month; their renewals are spread over it."""
        account, draw = self._account, self._renewals
        known = [buyer for buyer in account.buyers if buyer.customer is not None]
        renewals = sorted(
            at_ms + int(draw.random() * _MONTH_MS) for _ in range(min(_SUBSCRIBERS, len(known)))
        )
        for number, next_ms in enumerate(renewals):
            buyer = known[number * len(known) // len(renewals)]
            amount = round(buyer.typical_amount * 10 ** minor_digits(buyer.currency))
            subscription = Subscription(
                account.object_id("subscription", number + 1),
                next_ms - _MONTH_MS,
                buyer,
                amount,
                next_ms,
                changed_ms=next_ms - _MONTH_MS,
                period_ms=next_ms - _MONTH_MS,
            )
            account.subscriptions.add(subscription)
            account.subscribed(subscription)
            self._collect_at(next_ms, subscription)

    def _collect_at(self, at_ms: int, subscription: Subscription) -> None:
        subscription.try_ms = at_ms
        self._account.agenda.plan(at_ms, self._renewal, subscription)

    def _renewal(self, at_ms: int, subscription: Subscription) -> None:
        if subscription.status == "canceled" or at_ms != subscription.try_ms:
            return  # collected, or put off, meanwhile
        if self._account.faults.halted:
            self._collect_at(at_ms + _LATER_MS, subscription)
            return
        account = self._account
        luck, reason = (
            share(account.seed, f"{account.name}/{what}/{subscription.id}/{at_ms}")
            for what in ("luck", "reason")
        )
        if not subscription.method and not account.tries_without_method:
            self.miss(at_ms, subscription)
            return
        fine = subscription.method and luck < max(self._success, 0.9)
        self.renew(at_ms, subscription, None if fine else account.ordinary_decline(reason))

    def renew(self, at_ms: int, subscription: Subscription, decline: Decline | None) -> Payment:
        """A subscription's bill is due: one try to collect it."""
        payment = self._account.bill(at_ms, subscription)
        self._account.attempt(at_ms, payment, decline)
        if decline is None:
            self.paid(at_ms, subscription)
        else:
            self._owed(at_ms, subscription)
        return payment

    def miss(self, at_ms: int, subscription: Subscription) -> None:
        """A subscription's bill is due, and there is nothing to charge: no try is made."""
        self._owed(at_ms, subscription)

    def begin_period(self, at_ms: int, subscription: Subscription) -> None:
        """A new period has begun and is billed, whatever becomes of the bill: the next one is due in a month."""
        subscription.period_ms = subscription.changed_ms = at_ms
        subscription.next_ms = at_ms + _MONTH_MS
        self._collect_at(subscription.next_ms, subscription)

    def paid(self, at_ms: int, subscription: Subscription) -> None:
        if not subscription.failures:
            subscription.period_ms = at_ms
        subscription.status, subscription.failures, subscription.outstanding = "active", 0, 0
        subscription.changed_ms = at_ms
        subscription.next_ms = subscription.period_ms + _MONTH_MS
        self._collect_at(subscription.next_ms, subscription)
        self._account.subscription_changed(at_ms, subscription, "paid")

    def _owed(self, at_ms: int, subscription: Subscription) -> None:
        if not subscription.failures:
            subscription.period_ms = at_ms
        subscription.failures += 1
        subscription.outstanding = subscription.amount
        subscription.status = "past_due"
        subscription.changed_ms = at_ms
        self._collect_at(at_ms + _DUNNING_MS, subscription)
        self._account.subscription_changed(at_ms, subscription, "failed")

    def _plan_next(self, at_ms: int) -> None:
        gap_ms = 1 + int(self._arrivals.expovariate(self._per_ms))
        self._account.agenda.plan(at_ms + gap_ms, self._arrive)

    def _arrive(self, at_ms: int, _: object) -> None:
        self._plan_next(at_ms)
        draw, fate = self._arrivals, self._fates.random
        if self._swing and draw.random() * (1 + self._swing) > self._busy(at_ms):
            return
        buyers = self._account.buyers
        buyer = buyers[int(draw.random() * len(buyers))]
        amount = buyer.typical_amount * math.exp(draw.gauss(0.0, _SPREAD))
        luck, reason, again, wants_back, when = fate(), fate(), fate(), fate(), fate()
        if self._account.faults.silent:
            return
        payment = self._account.intend(
            at_ms, buyer, max(50, round(amount * 10 ** minor_digits(buyer.currency)))
        )
        if self._beside:
            payment.metadata.update(self._beside.pop(0))
        self._try(at_ms, payment, self._success, luck, reason, again)
        if payment.charges[0].decline is None and wants_back < _REFUND_SHARE:
            how_much = wants_back / _REFUND_SHARE
            after_ms = int(_REFUND_MS[0] + when * (_REFUND_MS[1] - _REFUND_MS[0]))
            part = amount_part(payment.amount, how_much / _REFUND_PARTIAL)
            self._account.agenda.plan(at_ms + after_ms, self._ask_back, (payment, part))

    def _busy(self, at_ms: int) -> float:
        """Payments a minute at this time of the day, 1.0 = as on average."""
        turn = (at_ms - _BUSIEST_MS) % _DAY_MS / _DAY_MS
        return 1 + self._swing * math.cos(2 * math.pi * turn)

    def _try(
        self, at_ms: int, payment: Payment, success: float, luck: float, reason: float, again: float
    ) -> None:
        decline = self._decline(payment, success, luck, reason)
        self._account.attempt(at_ms, payment, decline)
        if decline is not None and again < _RETRY_SHARE and len(payment.charges) < _MOST_TRIES:
            after_ms = int(_RETRY_MS[0] + again / _RETRY_SHARE * (_RETRY_MS[1] - _RETRY_MS[0]))
            self._account.agenda.plan(at_ms + after_ms, self._try_again, payment)

    def _decline(self, payment: Payment, success: float, luck: float, reason: float) -> Decline | None:
        account = self._account
        rejecting = account.faults.now("gateway_rejections")
        if rejecting is not None and luck < rejecting.share:
            return account.decline(BLOCKED)
        surge = account.faults.surge(payment.buyer)
        if surge is not None and surge.success_rate <= luck < success:
            return account.decline(surge.decline)
        return None if luck < success else account.ordinary_decline(reason)

    def _try_again(self, at_ms: int, payment: Payment) -> None:
        draw = self._retries.random
        luck, reason, again = draw(), draw(), draw()
        if self._account.faults.silent or payment.paid is not None:
            return
        self._try(at_ms, payment, min(_RETRY_SUCCESS, self._success), luck, reason, again)

    def _ask_back(self, at_ms: int, asked: tuple[Payment, int]) -> None:
        if self._account.faults.halted:
            self._account.agenda.plan(at_ms + _LATER_MS, self._ask_back, asked)
            return
        payment, amount = asked
        charge = payment.charges[0]
        left = payment.amount - charge.amount_refunded
        if left > 0:
            self._account.refund(at_ms, charge, min(amount, left), reason="requested_by_customer")


def amount_part(amount: int, share: float) -> int:
    """`share` of an amount when below 1, else all of it; never nothing."""
    return amount if share >= 1 else max(1, int(amount * share))
