"""Stripe's subscriptions, invoices, what paid them, and stored payment methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payops.simulator.cards import Buyer
from payops.simulator.objects import Invoice, Payment, Subscription

from .vocabulary import NO_ADDRESS, Shape, billing_details

if TYPE_CHECKING:
    from .account import StripeAccount

MONTH_MS = 30 * 24 * 3600 * 1000
_FINALIZATION: dict[str, str] = {
    "customer_tax_location_invalid": "The customer's location isn't recognized. Set a valid customer address in order "
    "to automatically calculate tax.",
}


def payment_method(buyer: Buyer, *, live: bool, attached: bool) -> Shape:
    """The buyer's card as a PaymentMethod; only a customer's can be `attached` and used again."""
    return {
        "id": buyer.payment_method,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(buyer),
        "card": {
            "brand": buyer.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "unchecked",
            },
            "country": buyer.country,
            "display_brand": buyer.brand,
            "exp_month": buyer.exp_month,
            "exp_year": buyer.exp_year,
            "fingerprint": buyer.fingerprint,
            "funding": buyer.funding,
            "generated_from": None,
            "last4": buyer.last4,
            "networks": {"available": [buyer.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": buyer.created_ms // 1000,
        "customer": buyer.customer if attached else None,
        "customer_account": None,
        "livemode": live,
        "metadata": {},
        "type": "card",
    }


def subscription(account: StripeAccount, subscription: Subscription) -> Shape:
    ids, buyer = account.ids, subscription.buyer
    began = subscription.at_ms // 1000
    latest = account.latest_invoice(subscription)
    number = subscription.id.partition("_")[2]
    price, product = ids.long("price", subscription.amount), ids.short("prod", "plan")
    live = account.mode == "live"
    plan_id = f"price_{number}"
    return {
        "id": subscription.id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": began,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": subscription.changed_ms // 1000 if subscription.status == "canceled" else None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": began,
        "currency": buyer.currency,
        "customer": buyer.customer,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": account.method_of(subscription),
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": subscription.changed_ms // 1000 if subscription.status == "canceled" else None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": {
            "object": "list",
            "data": [
                {
                    "id": ids.short("si", subscription.id),
                    "object": "subscription_item",
                    "billing_thresholds": None,
                    "created": began,
                    "current_period_end": (subscription.period_ms + MONTH_MS) // 1000,
                    "current_period_start": subscription.period_ms // 1000,
                    "discounts": [],
                    "metadata": {},
                    "plan": {
                        "id": plan_id,
                        "object": "plan",
                        "active": True,
                        "amount": subscription.amount,
                        "amount_decimal": str(subscription.amount),
                        "billing_scheme": "per_unit",
                        "created": account.opened_ms // 1000,
                        "currency": buyer.currency,
                        "interval": "month",
                        "interval_count": 1,
                        "livemode": live,
                        "metadata": {},
                        "meter": None,
                        "nickname": None,
                        "product": product,
                        "tiers_mode": None,
                        "transform_usage": None,
                        "trial_period_days": None,
                        "usage_type": "licensed",
                    },
                    "price": {
                        "id": price,
                        "object": "price",
                        "active": True,
                        "billing_scheme": "per_unit",
                        "created": account.opened_ms // 1000,
                        "currency": buyer.currency,
                        "custom_unit_amount": None,
                        "livemode": live,
                        "lookup_key": None,
                        "metadata": {},
                        "nickname": None,
                        "product": product,
                        "recurring": {
                            "interval": "month",
                            "interval_count": 1,
                            "meter": None,
                            "trial_period_days": None,
                            "usage_type": "licensed",
                        },
                        "tax_behavior": "unspecified",
                        "tiers_mode": None,
                        "transform_quantity": None,
                        "type": "recurring",
                        "unit_amount": subscription.amount,
                        "unit_amount_decimal": str(subscription.amount),
                    },
                    "quantity": 1,
                    "subscription": subscription.id,
                    "tax_rates": [],
                }
            ],
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription.id}",
        },
        "latest_invoice": None if latest is None else latest.id,
        "livemode": live,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": began,
        "status": subscription.status,
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def invoice(account: StripeAccount, invoice: Invoice) -> Shape:
    subscription, amount = invoice.subscription, invoice.amount
    buyer, ids = subscription.buyer, account.ids
    paid, draft = invoice.status == "paid", invoice.status == "draft"
    live = account.mode == "live"
    began = invoice.at_ms // 1000
    return {
        "id": invoice.id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sim Shop",
        "account_tax_ids": None,
        "amount_due": amount,
        "amount_overpaid": 0,
        "amount_paid": amount if paid else 0,
        "amount_remaining": 0 if paid else amount,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": invoice.tries,
        "attempted": invoice.tries > 0,
        "auto_advance": not paid,
        "automatic_tax": {
            "disabled_reason": "finalization_requires_location_inputs" if invoice.error else None,
            "enabled": invoice.error is not None,
            "liability": {"type": "self"} if invoice.error else None,
            "provider": "stripe" if invoice.error else None,
            "status": "requires_location_inputs" if invoice.error else None,
        },
        "automatically_finalizes_at": began + 3600 if draft else None,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": began,
        "currency": buyer.currency,
        "custom_fields": None,
        "customer": buyer.customer,
        "customer_account": None,
        "customer_address": {**NO_ADDRESS, "country": buyer.country},
        "customer_email": buyer.email,
        "customer_name": buyer.name,
        "customer_phone": None,
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None if invoice.final_ms is None else invoice.final_ms // 1000,
        "ending_balance": None if draft else 0,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None if draft else f"https://invoice.stripe.sim/i/{invoice.id}",
        "invoice_pdf": None if draft else f"https://pay.stripe.sim/invoice/{invoice.id}/pdf",
        "issuer": {"type": "self"},
        "last_finalization_error": _finalization_error(invoice),
        "latest_revision": None,
        "lines": {
            "object": "list",
            "data": [
                {
                    "id": ids.long("il", invoice.id),
                    "object": "line_item",
                    "amount": amount,
                    "currency": buyer.currency,
                    "description": "1 × Plan (monthly)",
                    "discount_amounts": [],
                    "discountable": True,
                    "discounts": [],
                    "invoice": invoice.id,
                    "livemode": live,
                    "metadata": {},
                    "parent": {
                        "invoice_item_details": None,
                        "subscription_item_details": {
                            "invoice_item": None,
                            "proration": False,
                            "proration_details": {"credited_items": None},
                            "subscription": subscription.id,
                            "subscription_item": ids.short("si", subscription.id),
                        },
                        "type": "subscription_item_details",
                    },
                    "period": {
                        "end": (invoice.at_ms + MONTH_MS) // 1000,
                        "start": began,
                    },
                    "pretax_credit_amounts": [],
                    "pricing": {
                        "price_details": {
                            "price": ids.long("price", subscription.amount),
                            "product": ids.short("prod", "plan"),
                        },
                        "type": "price_details",
                        "unit_amount_decimal": str(amount),
                    },
                    "quantity": 1,
                    "quantity_decimal": "1",
                    "subtotal": amount,
                    "taxes": [],
                }
            ],
            "has_more": False,
            "url": f"/v1/invoices/{invoice.id}/lines",
        },
        "livemode": live,
        "metadata": {},
        "next_payment_attempt": None if invoice.next_ms is None else invoice.next_ms // 1000,
        "number": None if draft else f"SIM-{ids.token(invoice.id, 4).upper()}",
        "on_behalf_of": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": {}, "subscription": subscription.id},
            "type": "subscription_details",
        },
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": began,
        "period_start": began - MONTH_MS // 1000,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": invoice.status,
        "status_transitions": {
            "finalized_at": None if invoice.final_ms is None else invoice.final_ms // 1000,
            "marked_uncollectible_at": None,
            "paid_at": None if invoice.paid_ms is None else invoice.paid_ms // 1000,
            "voided_at": None,
        },
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "test_clock": None,
        "total": amount,
        "total_discount_amounts": [],
        "total_excluding_tax": amount,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": began,
    }


def _finalization_error(invoice: Invoice) -> Shape | None:
    if invoice.error is None:
        return None
    return {
        "code": invoice.error,
        "doc_url": f"https://stripe.com/docs/error-codes/{invoice.error.replace('_', '-')}",
        "message": _FINALIZATION.get(invoice.error, "The invoice could not be finalized."),
        "type": "invalid_request_error",
    }


def invoice_payments(account: StripeAccount, invoice: Invoice) -> list[Shape]:
    """What was made to pay an invoice: one PaymentIntent at most, here."""
    return [] if invoice.payment is None else [_invoice_payment(account, invoice, invoice.payment)]


def _invoice_payment(account: StripeAccount, invoice: Invoice, payment: Payment) -> Shape:
    paid = payment.paid is not None
    return {
        "id": account.ids.long("inpay", invoice.id),
        "object": "invoice_payment",
        "amount_paid": invoice.amount if paid else None,
        "amount_requested": invoice.amount,
        "created": payment.at_ms // 1000,
        "currency": payment.buyer.currency,
        "invoice": invoice.id,
        "is_default": True,
        "livemode": account.mode == "live",
        "payment": {"payment_intent": payment.id, "type": "payment_intent"},
        "status": "paid" if paid else "open",
        "status_transitions": {
            "canceled_at": None,
            "paid_at": None if invoice.paid_ms is None else invoice.paid_ms // 1000,
        },
    }
