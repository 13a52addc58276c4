"""What each provider's API can do for payops, and what it cannot: shown as such, never faked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .payments import Provider

Ability = Literal[
    "list_payments",
    "list_events",
    "list_endpoints",
    "tell_undelivered",
    "enable_endpoint",
    "change_endpoint",
    "resend_event",
    "name_permissions",
    "list_subscriptions",
    "list_invoices",
    "list_disputes",
    "list_payouts",
    "refund",
    "capture",
    "collect",
    "use_payment_method",
    "finalize_invoice",
]

CANNOT: Mapping[Provider, Mapping[Ability, str]] = {
    "stripe": {},
    "braintree": {
        "list_events": "Braintree has no list of events: our inbox is the only record of its webhooks",
        "list_endpoints": "webhook destinations are managed in Braintree's Control Panel only",
        "tell_undelivered": "Braintree keeps no delivery log that its API shows",
        "enable_endpoint": "webhook destinations are managed in Braintree's Control Panel only",
        "change_endpoint": "webhook destinations are managed in Braintree's Control Panel only",
        "resend_event": "Braintree cannot resend a webhook: payops reads the objects instead",
        "name_permissions": "Braintree answers 403 without saying which permission is missing",
        "list_invoices": "Braintree bills subscriptions without invoices",
        "list_payouts": "Braintree's disbursements are read with the transactions, not as a list",
        "finalize_invoice": "Braintree bills subscriptions without invoices",
    },
    "paypal": {
        "list_payments": "PayPal has no list of orders or captures: events come first, reporting up to 3 h later",
        "enable_endpoint": "a PayPal webhook has no on and off: it exists, or it does not",
        "list_invoices": "PayPal bills subscriptions without invoices",
        "list_payouts": "PayPal's transfers to the bank are not in its API for merchants",
        "use_payment_method": "only the customer can change what pays a PayPal subscription",
        "finalize_invoice": "PayPal bills subscriptions without invoices",
    },
}
"""Provider → what it cannot → why. What is not listed can be done."""


def can(provider: Provider, ability: Ability) -> bool:
    return ability not in CANNOT[provider]
