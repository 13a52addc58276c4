"""People buying: Poisson arrivals, cards that are refused and tried again, money asked back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from payops.domain.money import minor_digits

from .declines import BY_CODE, Decline, ordinary
from .ids import stream
from .objects import Payment
from .scenario import ProviderOptions

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
_SPREAD = 0.7
"""Standard deviation of the logarithm of an amount."""


class Traffic:
    """One account's buyers at work. Each kind of chance has its own stream, and every payment draws the same
    number from each: the same buyers come at the same instants with and without a fault.
    """

    def __init__(self, account: Account, options: ProviderOptions, seed: int) -> None:
        self._account = account
        self._success = options.success_rate
        self._per_ms = options.payments_per_minute / _MINUTE_MS
        self._arrivals = stream(seed, f"{account.name}/arrivals")
        self._fates = stream(seed, f"{account.name}/fates")
        self._retries = stream(seed, f"{account.name}/retries")

    def begin(self, at_ms: int) -> None:
        if self._per_ms > 0:
            self._plan_next(at_ms)

    def _plan_next(self, at_ms: int) -> None:
        gap_ms = 1 + int(self._arrivals.expovariate(self._per_ms))
        self._account.agenda.plan(at_ms + gap_ms, self._arrive)

    def _arrive(self, at_ms: int, _: object) -> None:
        self._plan_next(at_ms)
        draw, fate = self._arrivals, self._fates.random
        buyers = self._account.buyers
        buyer = buyers[int(draw.random() * len(buyers))]
        amount = buyer.typical_amount * math.exp(draw.gauss(0.0, _SPREAD))
        payment = self._account.intend(
            at_ms, buyer, max(50, round(amount * 10 ** minor_digits(buyer.currency)))
        )
        luck, reason, again, wants_back, when = fate(), fate(), fate(), fate(), fate()
        self._try(at_ms, payment, self._success, luck, reason, again)
        if payment.charges[0].decline is None and wants_back < _REFUND_SHARE:
            share = wants_back / _REFUND_SHARE
            after_ms = int(_REFUND_MS[0] + when * (_REFUND_MS[1] - _REFUND_MS[0]))
            part = amount_part(payment.amount, share / _REFUND_PARTIAL)
            self._account.agenda.plan(at_ms + after_ms, self._ask_back, (payment, part))

    def _try(
        self, at_ms: int, payment: Payment, success: float, luck: float, reason: float, again: float
    ) -> None:
        decline = self._decline(payment, success, luck, reason)
        self._account.attempt(at_ms, payment, decline)
        if decline is not None and again < _RETRY_SHARE and len(payment.charges) < _MOST_TRIES:
            after_ms = int(_RETRY_MS[0] + again / _RETRY_SHARE * (_RETRY_MS[1] - _RETRY_MS[0]))
            self._account.agenda.plan(at_ms + after_ms, self._try_again, payment)

    def _decline(self, payment: Payment, success: float, luck: float, reason: float) -> Decline | None:
        surge = self._account.faults.surge(payment.buyer)
        if surge is not None and surge.success_rate <= luck < success:
            return BY_CODE[surge.decline]
        return None if luck < success else ordinary(reason)

    def _try_again(self, at_ms: int, payment: Payment) -> None:
        draw = self._retries.random
        luck, reason, again = draw(), draw(), draw()
        self._try(at_ms, payment, min(_RETRY_SUCCESS, self._success), luck, reason, again)

    def _ask_back(self, at_ms: int, asked: tuple[Payment, int]) -> None:
        payment, amount = asked
        charge = payment.charges[0]
        left = payment.amount - charge.amount_refunded
        if left > 0:
            self._account.refund(at_ms, charge, min(amount, left), reason="requested_by_customer")


def amount_part(amount: int, share: float) -> int:
    """`share` of an amount when below 1, else all of it; never nothing."""
    return amount if share >= 1 else max(1, int(amount * share))
