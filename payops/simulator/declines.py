"""The words scenarios use for a refused card. How each provider words them is in its own table."""

from __future__ import annotations

from typing import Protocol


class Decline(Protocol):
    """One reason a card is refused, as one provider says it."""

    @property
    def code(self) -> str:
        """The provider's own code."""

    @property
    def blocked(self) -> bool:
        """The provider itself refused: the issuer never saw it."""


WORDS: tuple[str, ...] = (
    "authentication_required",
    "card_not_supported",
    "card_velocity_exceeded",
    "do_not_honor",
    "expired_card",
    "fraudulent",
    "generic_decline",
    "highest_risk_level",
    "incorrect_cvc",
    "incorrect_number",
    "insufficient_funds",
    "issuer_not_available",
    "lost_card",
    "pickup_card",
    "processing_error",
    "reenter_transaction",
    "restricted_card",
    "revocation_of_authorization",
    "stolen_card",
    "transaction_not_allowed",
    "try_again_later",
    "withdrawal_count_limit_exceeded",
)
"""Every provider's table has an entry for each of these."""
BLOCKED = "highest_risk_level"
"""The word for a refusal by the provider's own rules (Radar, gateway rejection)."""
