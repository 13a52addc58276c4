"""The ids of the protocol: what a scenario or a configuration may speak of, whether or not its rule ships yet."""

from __future__ import annotations

RULE_IDS: tuple[str, ...] = (
    "account-restricted",
    "api-version-drift",
    "audit-failing",
    "authorization-expiring",
    "card-data-found",
    "card-testing",
    "clock-skew",
    "credentials-rejected",
    "decline-code-surge",
    "dispute-deadline",
    "duplicate-payment",
    "engine-late",
    "gateway-rejections",
    "mode-mixed-objects",
    "payout-failed",
    "permission-missing",
    "provider-outage",
    "provider-rate-limited",
    "provider-slow",
    "provider-unreachable",
    "refund-failed",
    "refund-over-limit",
    "refund-stuck",
    "store-full",
    "subscription-invoice-stuck",
    "subscription-no-payment-method",
    "subscription-past-due",
    "success-rate-drop",
    "traffic-silence",
    "webhook-endpoint-disabled",
    "webhook-endpoint-misconfigured",
    "webhook-event-types-missing",
    "webhook-events-missing",
    "webhook-signature-failing",
    "wrong-mode-credential",
    "wrong-mode-webhook-secret",
)

REMEDY_IDS: tuple[str, ...] = (
    "confirm-quarantine",
    "diagnose",
    "enable-endpoint",
    "resend-missing",
    "switch-credential",
    "switch-webhook-secret",
)
"""The remedies payops comes with: what `arm` takes unless own rules name more."""
