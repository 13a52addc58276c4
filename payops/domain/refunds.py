"""What a refund's state means: failed, on its way, or waiting for something, and how long waiting is right.

No provider tells when a waiting refund will go through: each length of time carries its source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .payments import Attempt, Provider, Refund

FAILED: tuple[str, ...] = (
    "failed",
    "FAILED",
    "denied",
    "DENIED",
    "processor_declined",
    "gateway_rejected",
    "settlement_declined",
    "settlement_failed",
)
"""The providers' own words for a refund that did not reach the buyer."""
LET_GO: tuple[str, ...] = ("canceled", "cancelled", "CANCELLED", "voided")
"""Refunds somebody took back: neither failed nor on their way."""
NOT_THIS_CARD: frozenset[str] = frozenset({"lost_or_stolen_card", "expired_or_canceled_card"})
"""Why a refund failed that will fail again on the same card: the buyer is paid another way."""
CONTESTED: frozenset[str] = frozenset({"charge_for_pending_refund_disputed"})
"""Why a refund failed that must not be made again: the buyer's bank is taking the money back itself."""
REFUNDABLE_FOR: Mapping[Provider, timedelta | None] = {
    "stripe": None,
    "braintree": None,
    "paypal": timedelta(days=180),
}
"""How old a payment may be to be refunded; None where no such limit is known."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One kind of waiting. After `shown` it is worth a word; until `over` it is as it should be.

    `advice`: what ends it. `source`: where the length is from.
    """

    shown: timedelta
    over: timedelta
    advice: str
    source: str

    def until(self, refund: Refund) -> datetime:
        """Until when waiting is right."""
        return refund.at + self.over


_SOON, _BATCH = timedelta(minutes=5), timedelta(hours=48)
_BALANCE = Wait(
    _SOON,
    timedelta(days=7),
    "the balance is too small: top it up and Stripe sends the refund by itself; a second one would pay twice",
    "Stripe's support page on pending refunds; the week is an estimate",
)
_ACTION = Wait(
    _SOON,
    timedelta(days=30),
    "Stripe waits for the buyer to give it an account to pay to, and has written to them",
    "Stripe's documentation of refunds that need action; the month is an estimate",
)
_PROCESSING = Wait(
    _BATCH,
    timedelta(days=10),
    "the bank is working on it",
    "Stripe's documentation: a refund takes 5 to 10 business days",
)
_ECHECK = Wait(
    _SOON,
    timedelta(days=8),
    "it goes back by eCheck, which clears by itself",
    "PayPal's documentation: an eCheck takes up to 6 business days",
)
_PAYPAL = Wait(
    _SOON,
    timedelta(days=3),
    "PayPal holds it and says no more than that",
    "an estimate: PayPal gives no time",
)
_SETTLEMENT_PENDING = Wait(
    _SOON,
    timedelta(days=3),
    "the processor has not confirmed its settlement; it does so by itself with a later batch",
    "an estimate: Braintree settles once a day and says pending may take several",
)
_SUBMITTED = Wait(
    _BATCH,
    timedelta(days=3),
    "it goes out with the next batch",
    "Braintree's documentation: transactions settle once a day",
)
_WAITS: Mapping[Provider, Mapping[tuple[str, str | None], Wait]] = {
    "stripe": {
        ("pending", "insufficient_funds"): _BALANCE,
        ("pending", "processing"): _PROCESSING,
        ("pending", "charge_pending"): _PROCESSING,
        ("pending", None): _PROCESSING,
        ("requires_action", None): _ACTION,
    },
    "braintree": {
        ("settlement_pending", None): _SETTLEMENT_PENDING,
        ("submitted_for_settlement", None): _SUBMITTED,
        ("settling", None): _SUBMITTED,
        ("authorized", None): _SUBMITTED,
    },
    "paypal": {("PENDING", "ECHECK"): _ECHECK, ("PENDING", None): _PAYPAL, ("pending", None): _PAYPAL},
}
"""(status, what it waits for) → how long that is right; None stands for any reason without a row of its own."""


def waiting_states(provider: Provider) -> tuple[tuple[str, timedelta], ...]:
    """Each state in which a refund waits, and the shortest time after which that is worth a word."""
    shown: dict[str, timedelta] = {}
    for (status, _), wait in _WAITS[provider].items():
        shown[status] = min(wait.shown, shown.get(status, wait.shown))
    return tuple(shown.items())


def wait_of(provider: Provider, refund: Refund) -> Wait | None:
    """What this refund waits for; None when it does not wait."""
    waits = _WAITS[provider]
    return waits.get((refund.status, refund.pending_reason)) or waits.get((refund.status, None))


def went_through(refund: Refund) -> bool:
    """Whether the money went back or is on its way."""
    return refund.status not in FAILED and refund.status not in LET_GO


def left_of(attempt: Attempt, refunds: Sequence[Refund], at: datetime) -> int | None:
    """What of a payment could still be given back at that time; None where its amount is not known."""
    if attempt.amount_minor is None:
        return None
    return attempt.amount_minor - sum(
        each.amount_minor for each in refunds if went_through(each) and each.at < at
    )


def why_refused(provider: Provider, refund: Refund, attempt: Attempt, others: Sequence[Refund]) -> str | None:
    """Which limit a failed refund broke: `amount`, `age`; None where it broke none that is known."""
    left = left_of(attempt, others, refund.at)
    if left is not None and refund.amount_minor > left:
        return "amount"
    longest = REFUNDABLE_FOR[provider]
    return "age" if longest is not None and refund.at - attempt.at > longest else None
