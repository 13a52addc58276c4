"""How Braintree words a refused card: the simulator's own table, drawn from Braintree's page on authorization
responses."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

from payops.simulator import declines as words


@dataclass(frozen=True, slots=True)
class Decline:
    """One reason a card is refused.

    `code` and `text` are the processor's answer; for a refusal by the gateway's own rules (`blocked`) `code` is the
    reason of the rejection, and the issuer never saw it. `network` is the card network's code and text, `advice` the
    merchant advice Mastercard adds. `share` is how often it occurs among ordinary declines.
    """

    code: str
    text: str
    hard: bool
    network: tuple[str, str] | None
    advice: tuple[str, str] | None
    share: float = 0.0
    blocked: bool = False

    @property
    def status(self) -> str:
        """What becomes of the transaction."""
        if self.blocked:
            return "gateway_rejected"
        return "failed" if self.code == "3000" else "processor_declined"


_LATER = ("02", "Try Again Later")
_NEVER = ("03", "Do Not Try Again")
_UPDATE = ("01", "New Account Information Available")
_CANCELED = ("21", "Payment Cancellation")


def _gateway(reason: str, share: float = 0.0) -> Decline:
    return Decline(reason, "", True, None, None, share, blocked=True)


_TABLE: dict[str, Decline] = {
    "insufficient_funds": Decline(
        "2001", "Insufficient Funds", False, ("51", "Insufficient funds"), _LATER, 0.34
    ),
    "do_not_honor": Decline("2000", "Do Not Honor", False, ("05", "Do not honor"), _LATER, 0.24),
    "generic_decline": Decline("2046", "Declined", False, ("05", "Do not honor"), _LATER, 0.12),
    "expired_card": Decline("2004", "Expired Card", True, ("54", "Expired card"), _UPDATE, 0.07),
    "incorrect_cvc": Decline("2010", "Card Issuer Declined CVV", True, ("N7", "CVV2 mismatch"), None, 0.06),
    "transaction_not_allowed": Decline(
        "2015",
        "Transaction Not Allowed",
        True,
        ("57", "Transaction not permitted to cardholder"),
        _NEVER,
        0.04,
    ),
    "card_velocity_exceeded": Decline(
        "2003",
        "Cardholder's Activity Limit Exceeded",
        False,
        ("65", "Activity count limit exceeded"),
        _LATER,
        0.03,
    ),
    "lost_card": Decline(
        "2012", "Processor Declined - Possible Lost Card", True, ("41", "Lost card"), _NEVER, 0.02
    ),
    "stolen_card": Decline(
        "2013", "Processor Declined - Possible Stolen Card", True, ("43", "Stolen card"), _NEVER, 0.02
    ),
    "processing_error": Decline("2038", "Processor Declined", False, ("96", "System error"), _LATER, 0.02),
    "highest_risk_level": _gateway("risk_threshold", 0.03),
    # Never by chance, only where a scenario asks for them.
    "authentication_required": Decline(
        "2099",
        "Cardholder Authentication Required",
        False,
        ("1A", "Additional customer authentication required"),
        None,
    ),
    "card_not_supported": Decline("2024", "Card Type Not Enabled", True, None, None),
    "fraudulent": Decline(
        "2014", "Processor Declined - Fraud Suspected", True, ("59", "Suspected fraud"), _NEVER
    ),
    "incorrect_number": Decline(
        "2005", "Invalid Credit Card Number", True, ("14", "Invalid card number"), None
    ),
    "issuer_not_available": Decline(
        "3000", "Processor Network Unavailable - Try Again", False, ("91", "Issuer unavailable"), _LATER
    ),
    "pickup_card": Decline("2047", "Call Issuer. Pick Up Card.", True, ("04", "Pick up card"), _NEVER),
    "reenter_transaction": Decline("2034", "No Action Taken", False, ("19", "Re-enter transaction"), _LATER),
    "restricted_card": Decline(
        "2057",
        "Issuer or Cardholder has put a restriction on the card",
        False,
        ("62", "Restricted card"),
        _NEVER,
    ),
    "revocation_of_authorization": Decline(
        "2018", "Cardholder Stopped All Billing", True, ("R1", "Revocation of authorization"), _CANCELED
    ),
    "try_again_later": Decline("2046", "Declined", False, ("91", "Issuer unavailable"), _LATER),
    "withdrawal_count_limit_exceeded": Decline(
        "2002", "Limit Exceeded", False, ("61", "Exceeds withdrawal amount limit"), _LATER
    ),
}
BY_WORD: dict[str, Decline] = _TABLE
DUPLICATE = _gateway("duplicate")
APPLICATION_INCOMPLETE = _gateway("application_incomplete")
REFUND_DECLINED = BY_WORD["generic_decline"]
REFUND_OVER_LIMIT = Decline(
    "2090",
    "PayPal or Venmo Account Not Configured to Refund More Than Settled Amount",
    True,
    None,
    None,
)
_BY_CODE = {decline.code: decline for decline in reversed(_TABLE.values()) if not decline.blocked}

_ORDINARY = tuple(decline for decline in _TABLE.values() if decline.share)
_LIMITS = tuple(accumulate(decline.share for decline in _ORDINARY))


def ordinary(share: float) -> Decline:
    """The decline at `share` (0..1) of the ordinary mix: a uniform number gives the realistic proportions."""
    place = bisect(_LIMITS, share * _LIMITS[-1])
    return _ORDINARY[min(place, len(_ORDINARY) - 1)]


def by_code(code: str) -> Decline:
    """The processor's answer `code`, for sandbox amounts; codes without a row of their own are soft and unnamed."""
    return _BY_CODE.get(code) or Decline(code, "Processor Declined", False, None, None)


def of_braintree(decline: words.Decline) -> Decline:
    """The row of this table a charge was refused with."""
    assert isinstance(decline, Decline)
    return decline
