"""Which permission of a restricted key each call needs, by the names Stripe's refusals use.

Names in refusals are documented by example only: `rak_charge_read` and the like are seen in them, the others are
formed the same way. Charges and refunds are one resource there; so are events and what is done with them.
"""

from __future__ import annotations

PERMISSION: dict[tuple[str, str], str] = {
    ("GET", "/v1/balance"): "rak_balance_read",
    ("GET", "/v1/account"): "rak_accounts_kyc_basic_read",
    ("GET", "/v1/payment_intents"): "rak_payment_intent_read",
    ("GET", "/v1/payment_intents/{id}"): "rak_payment_intent_read",
    ("POST", "/v1/payment_intents/{id}/confirm"): "rak_payment_intent_write",
    ("POST", "/v1/payment_intents/{id}/capture"): "rak_payment_intent_write",
    ("GET", "/v1/charges"): "rak_charge_read",
    ("GET", "/v1/charges/{id}"): "rak_charge_read",
    ("GET", "/v1/refunds"): "rak_charge_read",
    ("GET", "/v1/refunds/{id}"): "rak_charge_read",
    ("POST", "/v1/refunds"): "rak_charge_write",
    ("POST", "/v1/refunds/{id}/cancel"): "rak_charge_write",
    ("GET", "/v1/customers"): "rak_customer_read",
    ("GET", "/v1/customers/{id}"): "rak_customer_read",
    ("POST", "/v1/customers/{id}"): "rak_customer_write",
    ("GET", "/v1/customers/{id}/payment_methods"): "rak_payment_method_read",
    ("GET", "/v1/payment_methods/{id}"): "rak_payment_method_read",
    ("GET", "/v1/events"): "rak_event_read",
    ("GET", "/v1/events/{id}"): "rak_event_read",
    ("POST", "/v1/events/{id}/retry"): "rak_event_write",
    ("GET", "/v1/webhook_endpoints"): "rak_webhook_read",
    ("GET", "/v1/webhook_endpoints/{id}"): "rak_webhook_read",
    ("POST", "/v1/webhook_endpoints/{id}"): "rak_webhook_write",
    ("GET", "/v1/subscriptions"): "rak_subscription_read",
    ("GET", "/v1/subscriptions/{id}"): "rak_subscription_read",
    ("POST", "/v1/subscriptions/{id}"): "rak_subscription_write",
    ("GET", "/v1/invoices"): "rak_invoice_read",
    ("GET", "/v1/invoices/{id}"): "rak_invoice_read",
    ("POST", "/v1/invoices/{id}/pay"): "rak_invoice_write",
    ("POST", "/v1/invoices/{id}/finalize"): "rak_invoice_write",
    ("GET", "/v1/invoice_payments"): "rak_invoice_read",
    ("GET", "/v1/disputes"): "rak_dispute_read",
    ("GET", "/v1/disputes/{id}"): "rak_dispute_read",
    ("GET", "/v1/payouts"): "rak_payout_read",
    ("GET", "/v1/payouts/{id}"): "rak_payout_read",
    ("GET", "/v2/core/event_destinations"): "rak_webhook_read",
    ("GET", "/v2/core/event_destinations/{id}"): "rak_webhook_read",
    ("POST", "/v2/core/event_destinations/{id}/enable"): "rak_webhook_write",
    ("POST", "/v2/core/event_destinations/{id}/disable"): "rak_webhook_write",
    ("POST", "/v2/core/event_destinations/{id}/ping"): "rak_webhook_write",
}


def lacking(denied: set[str], called: tuple[str, str]) -> str | None:
    """The permission a key would need and does not have; without reading there is no writing."""
    needed = PERMISSION[called]
    reading = needed.removesuffix("_write") + "_read" if needed.endswith("_write") else needed
    return needed if needed in denied or reading in denied else None
