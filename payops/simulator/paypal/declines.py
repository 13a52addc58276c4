"""How PayPal words a refused payment: the simulator's own table.

A wallet's refusal is a 422 with an issue and leaves nothing behind; a card's leaves a capture with the processor's
response code. A subscription's is told in its billing information.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

from payops.simulator import declines as words


@dataclass(frozen=True, slots=True)
class Decline:
    """One reason for a refusal, by a word of `declines.WORDS`.

    `code` is the processor's response code of a card, `issue` the 422 of a wallet, `reason` a subscription's reason
    code, `advice` the payment advice code of Mastercard. `share` is how often it occurs among ordinary refusals.
    `nowhere`: refused before anything was tried, cards too, so that nothing is left behind.
    """

    word: str
    code: str
    issue: str = "INSTRUMENT_DECLINED"
    reason: str = "PAYMENT_DENIED"
    advice: str | None = None
    share: float = 0.0
    blocked: bool = False
    nowhere: bool = False


_CANNOT = "PAYER_CANNOT_PAY"
_TABLE = (
    Decline("insufficient_funds", "5120", reason=_CANNOT, advice="02", share=0.36),
    Decline("generic_decline", "5100", share=0.20),
    Decline("do_not_honor", "0500", share=0.16),
    Decline("expired_card", "5400", advice="01", share=0.07),
    Decline("incorrect_cvc", "5110", share=0.07),
    Decline("transaction_not_allowed", "5700", advice="03", share=0.04),
    Decline("card_velocity_exceeded", "PPEL", advice="02", share=0.03),
    Decline("processing_error", "0960", share=0.02),
    Decline("lost_card", "9520", advice="03", share=0.01),
    Decline("stolen_card", "9520", advice="03", share=0.01),
    Decline("highest_risk_level", "PPSC", issue="TRANSACTION_REFUSED", share=0.03, blocked=True),
    # Never by chance, only where a scenario asks for them.
    Decline("issuer_not_available", "5920"),
    Decline("try_again_later", "8220", advice="02"),
    Decline("reenter_transaction", "9100"),
    Decline("withdrawal_count_limit_exceeded", "5710", advice="02"),
    Decline("pickup_card", "5150", advice="03"),
    Decline("restricted_card", "5180"),
    Decline("revocation_of_authorization", "0R00", advice="21"),
    Decline("fraudulent", "9500", issue="TRANSACTION_REFUSED", advice="03"),
    Decline("incorrect_number", "1330"),
    Decline("authentication_required", "5650", issue="PAYER_ACTION_REQUIRED"),
    Decline("card_not_supported", "PPCT"),
)
BY_WORD: dict[str, Decline] = {decline.word: decline for decline in _TABLE}
RESTRICTED = Decline(
    "account_restricted",
    "PAYEE_ACCOUNT_RESTRICTED",
    issue="PAYEE_ACCOUNT_RESTRICTED",
    reason="PAYEE_ACCOUNT_RESTRICTED",
    blocked=True,
    nowhere=True,
)
"""The merchant's own account may not take money: every capture is refused, and leaves no trace."""

_ORDINARY = tuple(decline for decline in _TABLE if decline.share)
_LIMITS = tuple(accumulate(decline.share for decline in _ORDINARY))


def ordinary(share: float) -> Decline:
    """The refusal at `share` (0..1) of the ordinary mix."""
    place = bisect(_LIMITS, share * _LIMITS[-1])
    return _ORDINARY[min(place, len(_ORDINARY) - 1)]


def of_paypal(decline: words.Decline) -> Decline:
    """The row of this table a payment was refused with."""
    assert isinstance(decline, Decline)
    return decline
