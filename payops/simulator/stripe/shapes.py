"""What Stripe shows of the world's things: the JSON shapes of its API, drawn on demand."""

from __future__ import annotations

from typing import Any, cast

from payops.domain.payments import Mode
from payops.simulator.account import Account
from payops.simulator.cards import Buyer
from payops.simulator.objects import Charge, Customer, Endpoint, Event, Payment, Refund

from .declines import Decline, of_stripe

API_VERSION = "2026-10-28.endive"

Shape = dict[str, Any]

_APPROVED: Shape = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "seller_message": "Payment complete.",
    "type": "authorized",
}
_NO_ADDRESS: Shape = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


class Shapes:
    """Draws the objects of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._live = account.mode == "live"

    def payment(self, payment: Payment, charges: int | None = None) -> Shape:
        """A PaymentIntent as it was after its first `charges` charges; None = as it is."""
        made = payment.charges if charges is None else payment.charges[:charges]
        latest = made[-1] if made else None
        paid = latest is not None and latest.decline is None
        buyer = payment.buyer
        return {
            "id": payment.id,
            "object": "payment_intent",
            "amount": payment.amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": payment.amount if paid else 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic_async",
            "client_secret": f"{payment.id}_secret_{self._account.ids.token(payment.id, 24)}",
            "confirmation_method": "automatic",
            "created": payment.at_ms // 1000,
            "currency": buyer.currency,
            "customer": buyer.customer,
            "customer_account": None,
            "description": f"Order {_order(payment)}",
            "excluded_payment_method_types": None,
            "last_payment_error": None if latest is None or paid else self._payment_error(latest),
            "latest_charge": None if latest is None else latest.id,
            "livemode": self._live,
            "managed_payments": {"enabled": False},
            "metadata": {"order_id": _order(payment)},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": buyer.payment_method if paid else None,
            "payment_method_configuration_details": None,
            "payment_method_options": {
                "card": {
                    "installments": None,
                    "mandate_options": None,
                    "network": None,
                    "request_three_d_secure": "automatic",
                }
            },
            "payment_method_types": ["card"],
            "processing": None,
            "receipt_email": buyer.email,
            "review": None,
            "setup_future_usage": None,
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "succeeded" if paid else "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
        }

    def _payment_error(self, charge: Charge) -> Shape:
        assert charge.decline is not None
        decline = of_stripe(charge.decline)
        buyer = charge.payment.buyer
        return {
            "advice_code": decline.advice,
            "charge": charge.id,
            "code": decline.failure_code,
            "decline_code": _decline_code(decline),
            "doc_url": f"https://stripe.com/docs/error-codes/{decline.failure_code.replace('_', '-')}",
            "message": decline.message,
            "network_decline_code": decline.network,
            "payment_method": {
                "id": buyer.payment_method,
                "object": "payment_method",
                "allow_redisplay": "unspecified",
                "billing_details": _billing(buyer),
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
                    "three_d_secure_usage": {"supported": True},
                    "wallet": None,
                },
                "created": charge.at_ms // 1000,
                "customer": None,
                "livemode": self._live,
                "metadata": {},
                "type": "card",
            },
            "type": "card_error",
        }

    def charge(self, charge: Charge, refunds: int | None = None) -> Shape:
        """A Charge as it was after its first `refunds` refunds; None = as it is."""
        given_back = charge.refunds if refunds is None else charge.refunds[:refunds]
        refunded = sum(refund.amount for refund in given_back)
        payment = charge.payment
        decline = None if charge.decline is None else of_stripe(charge.decline)
        buyer, ids = payment.buyer, self._account.ids
        paid = decline is None
        return {
            "id": charge.id,
            "object": "charge",
            "amount": payment.amount,
            "amount_captured": payment.amount if paid else 0,
            "amount_refunded": refunded,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": ids.long("txn", charge.id) if paid else None,
            "billing_details": _billing(buyer),
            "calculated_statement_descriptor": "SIM SHOP",
            "captured": paid,
            "created": charge.at_ms // 1000,
            "currency": buyer.currency,
            "customer": buyer.customer,
            "description": f"Order {_order(payment)}",
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None if decline is None else decline.failure_code,
            "failure_message": None if decline is None else decline.message,
            "fraud_details": {},
            "livemode": self._live,
            "metadata": {"order_id": _order(payment)},
            "on_behalf_of": None,
            "outcome": _APPROVED if decline is None else _outcome(decline),
            "paid": paid,
            "payment_intent": payment.id,
            "payment_method": buyer.payment_method,
            "payment_method_details": {"card": self._card(charge), "type": "card"},
            "receipt_email": buyer.email,
            "receipt_number": None,
            "receipt_url": f"https://pay.stripe.sim/receipts/{charge.id}" if paid else None,
            "refunded": paid and refunded == payment.amount,
            "review": None,
            "shipping": None,
            "source": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "succeeded" if paid else "failed",
            "transfer_data": None,
            "transfer_group": None,
        }

    def _card(self, charge: Charge) -> Shape:
        buyer, paid = charge.payment.buyer, charge.decline is None
        return {
            "amount_authorized": charge.payment.amount if paid else None,
            "authorization_code": None,
            "brand": buyer.brand,
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass" if paid else "unchecked",
            },
            "country": buyer.country,
            "exp_month": buyer.exp_month,
            "exp_year": buyer.exp_year,
            "extended_authorization": {"status": "disabled"},
            "fingerprint": buyer.fingerprint,
            "funding": buyer.funding,
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": buyer.last4,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": buyer.brand,
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {
                "maximum_amount_capturable": charge.payment.amount if paid else 0,
                "status": "unavailable",
            },
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        }

    def refund(self, refund: Refund, version: int | None = None) -> Shape:
        """A Refund; with version 0 as it was before the network gave it a reference."""
        referenced = refund.referenced if version is None else version > 0
        ids = self._account.ids
        card: Shape = {
            "reference_status": "available" if referenced else "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
        if referenced:
            card["reference"] = ids.token(f"reference/{refund.id}", 12)
        return {
            "id": refund.id,
            "object": "refund",
            "amount": refund.amount,
            "balance_transaction": ids.long("txn", refund.id),
            "charge": refund.charge.id,
            "created": refund.at_ms // 1000,
            "currency": refund.charge.payment.buyer.currency,
            "destination_details": {"card": card, "type": "card"},
            "metadata": refund.metadata,
            "payment_intent": refund.charge.payment.id,
            "reason": refund.reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }

    def event(self, event: Event) -> Shape:
        """An Event with its subject as it was, and the count of endpoints that have not confirmed it."""
        data: Shape = {"object": self._subject(event)}
        before = self._before(event)
        if before:
            data["previous_attributes"] = before
        return {
            "id": event.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": event.at_ms // 1000,
            "data": data,
            "livemode": self._live is not event.test,
            "pending_webhooks": len(event.waiting),
            "request": {"id": self._request_id(event), "idempotency_key": event.key},
            "type": event.type,
        }

    def _subject(self, event: Event) -> Shape:
        if event.snapshot is not None:
            return cast(Shape, event.snapshot)
        subject = event.subject
        if isinstance(subject, Charge):
            shape = self.charge(subject, event.version)
        elif isinstance(subject, Payment):
            shape = self.payment(subject, event.version)
        else:
            assert isinstance(subject, Refund)
            shape = self.refund(subject, event.version)
        return {**shape, "livemode": not self._live} if event.test else shape

    def _before(self, event: Event) -> Shape:
        if event.type == "charge.refunded" and isinstance(event.subject, Charge):
            before = event.subject.refunds[: event.version - 1]
            return {"amount_refunded": sum(refund.amount for refund in before), "refunded": False}
        if event.type == "refund.updated":
            return {"destination_details": {"card": {"reference": None, "reference_status": "pending"}}}
        return {}

    def _request_id(self, event: Event) -> str | None:
        """One request of the checkout made all events of a try; what the network does has no request."""
        subject = event.subject
        if isinstance(subject, Payment) and event.type.startswith("payment_intent."):
            cause: str = subject.charges[event.version - 1].id
        elif isinstance(subject, Charge):
            refunded = event.type == "charge.refunded"
            cause = subject.refunds[event.version - 1].id if refunded else subject.id
        elif isinstance(subject, Refund) and event.type == "refund.created":
            cause = subject.id
        else:
            return None
        return self._account.ids.short("req", cause)

    def endpoint(self, endpoint: Endpoint) -> Shape:
        return {
            "id": endpoint.id,
            "object": "webhook_endpoint",
            "api_version": None,
            "application": None,
            "created": endpoint.at_ms // 1000,
            "description": endpoint.description,
            "enabled_events": list(endpoint.enabled_events),
            "livemode": self._live,
            "metadata": endpoint.metadata,
            "status": "enabled" if endpoint.enabled else "disabled",
            "url": endpoint.url,
        }

    def customer(self, customer: Customer) -> Shape:
        buyer = customer.buyer
        return {
            "id": customer.id,
            "object": "customer",
            "address": None,
            "balance": 0,
            "created": customer.at_ms // 1000,
            "currency": buyer.currency,
            "default_source": None,
            "delinquent": False,
            "description": None,
            "discount": None,
            "email": buyer.email,
            "invoice_prefix": customer.id[-8:].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": buyer.payment_method,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": self._live,
            "metadata": {},
            "name": buyer.name,
            "next_invoice_sequence": 1,
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        }


def balance(account: Account, mode: Mode) -> Shape:
    """The balance as a key of `mode` sees it; the other mode of the account has taken nothing."""
    taken = account.taken if mode == account.mode else {}
    pending = sorted(taken.items()) or [("usd", 0)]
    return {
        "object": "balance",
        "available": [_funds(currency, 0) for currency, _ in pending],
        "livemode": mode == "live",
        "pending": [_funds(currency, amount) for currency, amount in pending],
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }


def account_shape(account: Account) -> Shape:
    """The account itself; it is the same in both modes and says nothing of either."""
    return {
        "id": account.id,
        "object": "account",
        "business_profile": {
            "annual_revenue": None,
            "estimated_worker_count": None,
            "mcc": "5734",
            "name": "Sim Shop",
            "product_description": None,
            "support_address": None,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": "https://shop.sim",
        },
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "US",
        "created": account.opened_ms // 1000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@shop.sim",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


def _funds(currency: str, amount: int) -> Shape:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


def _order(payment: Payment) -> str:
    return f"A-{payment.number:06d}"


def _billing(buyer: Buyer) -> Shape:
    return {
        "address": {**_NO_ADDRESS, "country": buyer.country},
        "email": buyer.email,
        "name": buyer.name,
        "phone": None,
        "tax_id": None,
    }


def _decline_code(decline: Decline) -> str | None:
    """A block by Stripe's own rules reads `fraudulent` to the payer's side of the API."""
    return "fraudulent" if decline.blocked else decline.code


def _outcome(decline: Decline) -> Shape:
    if decline.blocked:
        return {
            **_APPROVED,
            "network_status": "not_sent_to_network",
            "reason": decline.code,
            "risk_level": "highest",
            "seller_message": "Stripe blocked this payment as too risky.",
            "type": "blocked",
        }
    return {
        **_APPROVED,
        "advice_code": decline.advice,
        "network_decline_code": decline.network,
        "network_status": "declined_by_network",
        "reason": decline.code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
