"""How Stripe words a declined card: the simulator's own table, drawn from Stripe's pages."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

from payops.simulator import declines as words


@dataclass(frozen=True, slots=True)
class Decline:
    """One reason a card is refused.

    `code` is what Stripe calls the decline code, `failure_code` the coarser word on the charge; `share` is how
    often it occurs among ordinary declines. `blocked` = Stripe itself refused, the issuer never saw it.
    """

    code: str
    failure_code: str
    message: str
    advice: str | None
    network: str | None
    share: float
    blocked: bool = False


_DECLINED = "Your card was declined."
_TABLE = (
    Decline(
        "insufficient_funds",
        "card_declined",
        "Your card has insufficient funds.",
        "try_again_later",
        "51",
        0.36,
    ),
    Decline("generic_decline", "card_declined", _DECLINED, "try_again_later", "05", 0.20),
    Decline("do_not_honor", "card_declined", _DECLINED, "try_again_later", "05", 0.16),
    Decline("expired_card", "expired_card", "Your card has expired.", "do_not_try_again", "54", 0.07),
    Decline(
        "incorrect_cvc",
        "incorrect_cvc",
        "Your card's security code is incorrect.",
        "confirm_card_data",
        "N7",
        0.07,
    ),
    Decline("transaction_not_allowed", "card_declined", _DECLINED, "do_not_try_again", "57", 0.04),
    Decline("card_velocity_exceeded", "card_declined", _DECLINED, "try_again_later", "65", 0.03),
    Decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        "try_again_later",
        "06",
        0.02,
    ),
    Decline("lost_card", "card_declined", _DECLINED, "do_not_try_again", "41", 0.01),
    Decline("stolen_card", "card_declined", _DECLINED, "do_not_try_again", "43", 0.01),
    Decline("highest_risk_level", "card_declined", _DECLINED, None, None, 0.03, blocked=True),
    # Never by chance, only where a scenario asks for them.
    Decline("issuer_not_available", "card_declined", _DECLINED, "try_again_later", "91", 0.0),
    Decline("try_again_later", "card_declined", _DECLINED, "try_again_later", "19", 0.0),
    Decline("reenter_transaction", "card_declined", _DECLINED, "try_again_later", "19", 0.0),
    Decline("withdrawal_count_limit_exceeded", "card_declined", _DECLINED, "try_again_later", "65", 0.0),
    Decline("pickup_card", "card_declined", _DECLINED, "do_not_try_again", "04", 0.0),
    Decline("restricted_card", "card_declined", _DECLINED, "do_not_try_again", "62", 0.0),
    Decline("revocation_of_authorization", "card_declined", _DECLINED, "do_not_try_again", "R1", 0.0),
    Decline("fraudulent", "card_declined", _DECLINED, "do_not_try_again", "59", 0.0),
    Decline(
        "incorrect_number",
        "incorrect_number",
        "Your card number is incorrect.",
        "confirm_card_data",
        "14",
        0.0,
    ),
    Decline(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
        "confirm_card_data",
        "1A",
        0.0,
    ),
    Decline(
        "card_not_supported", "card_declined", "Your card is not supported.", "do_not_try_again", "57", 0.0
    ),
)
BY_CODE: dict[str, Decline] = {decline.code: decline for decline in _TABLE}

HARD = frozenset(
    decline.code for decline in _TABLE if decline.advice in ("do_not_try_again", "confirm_card_data")
)
"""What the same card is refused for again."""

_ORDINARY = tuple(decline for decline in _TABLE if decline.share)
_LIMITS = tuple(accumulate(decline.share for decline in _ORDINARY))


def ordinary(share: float) -> Decline:
    """The decline at `share` (0..1) of the ordinary mix: a uniform number gives the realistic proportions."""
    place = bisect(_LIMITS, share * _LIMITS[-1])
    return _ORDINARY[min(place, len(_ORDINARY) - 1)]


def code_shown(decline: Decline) -> str | None:
    """A block by Stripe's own rules reads `fraudulent` to the payer's side of the API."""
    return "fraudulent" if decline.blocked else decline.code


def of_stripe(decline: words.Decline) -> Decline:
    """The row of this table a charge was refused with."""
    assert isinstance(decline, Decline)
    return decline
