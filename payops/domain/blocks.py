"""Payments a merchant's own rules stop before any issuer is asked: a stage of their own, in no acceptance rate."""

from __future__ import annotations

from collections.abc import Mapping

from .payments import Provider

BLOCKS: Mapping[Provider, frozenset[str]] = {
    # Reasons of a charge whose outcome is `blocked` (docs.stripe.com/declines: blocked payments).
    "stripe": frozenset(
        {
            "blocked",
            "blocklist",
            "elevated_risk_level",
            "highest_risk_level",
            "low_probability_of_authorization",
            "merchant_blacklist",
            "requested_block",
            "requested_block_on_incorrect_cvc",
            "requested_block_on_incorrect_zip",
            "rule",
        }
    ),
    # `gateway_rejection_reason`; the status of such a transaction is `gateway_rejected`.
    "braintree": frozenset(
        {
            "application_incomplete",
            "avs",
            "avs_and_cvv",
            "cvv",
            "duplicate",
            "excessive_retry",
            "fraud",
            "risk_threshold",
            "three_d_secure",
            "token_issuance",
        }
    ),
    "paypal": frozenset(),
}
"""Provider → decline codes that say so. PayPal's filters answer at once and leave nothing that could be counted."""
