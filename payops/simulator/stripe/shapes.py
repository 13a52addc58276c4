"""What Stripe shows of the world's things: the JSON shapes of its API, drawn on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from payops.clock import from_epoch
from payops.simulator.cards import Buyer
from payops.simulator.objects import (
    Charge,
    Customer,
    Dispute,
    Endpoint,
    Event,
    Invoice,
    Payment,
    Payout,
    Refund,
    Subscription,
)

from . import billing_shapes, money_shapes
from .billing_shapes import payment_method
from .declines import Decline, code_shown, of_stripe
from .vocabulary import API_VERSION, DRIFTED_VERSION, PING, Shape, billing_details, default_method

if TYPE_CHECKING:
    from .account import StripeAccount

__all__ = ["API_VERSION", "Shape", "Shapes"]

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


_OF_A_TRY = (
    "charge.failed",
    "charge.succeeded",
    "payment_intent.amount_capturable_updated",
    "payment_intent.payment_failed",
    "payment_intent.succeeded",
)
_REFUND_FAILURES = {"over_limit": "unknown"}
"""The world's words for why a refund failed that are not Stripe's: it has no word for too much."""


class Shapes:
    """Draws the objects of one account."""

    def __init__(self, account: StripeAccount) -> None:
        self._account = account
        self._live = account.mode == "live"

    def payment(self, payment: Payment, charges: int | None = None) -> Shape:
        """A PaymentIntent as it was after its first `charges` charges; None = as it is."""
        made = payment.charges if charges is None else payment.charges[:charges]
        latest = made[-1] if made else None
        granted = latest is not None and latest.decline is None
        paid = granted and latest is not None and latest.captured
        held = granted and not paid
        lapsed = held and latest is not None and self._lapsed(latest)
        manual = latest is not None and latest.expires_ms is not None
        buyer = payment.buyer
        return {
            "id": payment.id,
            "object": "payment_intent",
            "amount": payment.amount,
            "amount_capturable": payment.amount if held and not lapsed else 0,
            "amount_details": {"tip": {}},
            "amount_received": latest.amount_taken if latest is not None else 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
            "canceled_at": latest.expires_ms // 1000 if lapsed and latest and latest.expires_ms else None,
            "cancellation_reason": "automatic" if lapsed else None,
            "capture_method": "manual" if manual else "automatic_async",
            "client_secret": f"{payment.id}_secret_{self._account.ids.token(payment.id, 24)}",
            "confirmation_method": "automatic",
            "created": payment.at_ms // 1000,
            "currency": buyer.currency,
            "customer": buyer.customer,
            "customer_account": None,
            "description": _description(payment),
            "excluded_payment_method_types": None,
            "last_payment_error": None if latest is None or granted else self._payment_error(latest),
            "latest_charge": None if latest is None else latest.id,
            "livemode": self._live is not _test(payment),
            "managed_payments": {"enabled": False},
            "metadata": _metadata(payment),
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": buyer.payment_method if granted else None,
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
            "setup_future_usage": None if payment.subscription is None else "off_session",
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": _payment_status(paid=paid, held=held, lapsed=lapsed),
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
            "decline_code": code_shown(decline),
            "doc_url": f"https://stripe.com/docs/error-codes/{decline.failure_code.replace('_', '-')}",
            "message": decline.message,
            "network_decline_code": decline.network,
            "payment_method": payment_method(buyer, live=self._live, attached=False),
            "type": "card_error",
        }

    def charge(self, charge: Charge, *, at_first: bool = False) -> Shape:
        """A Charge as it is; `at_first`: as it was before money went back or was asked back."""
        refunded = 0 if at_first else charge.amount_refunded
        payment = charge.payment
        decline = None if charge.decline is None else of_stripe(charge.decline)
        buyer, ids = payment.buyer, self._account.ids
        granted = decline is None
        paid = granted and charge.captured
        return {
            "id": charge.id,
            "object": "charge",
            "amount": payment.amount,
            "amount_captured": charge.amount_taken,
            "amount_refunded": refunded,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": ids.long("txn", charge.id) if paid else None,
            "billing_details": billing_details(buyer),
            "calculated_statement_descriptor": "SIM SHOP",
            "captured": paid,
            "created": charge.at_ms // 1000,
            "currency": buyer.currency,
            "customer": buyer.customer,
            "description": _description(payment),
            "disputed": charge.dispute is not None and not at_first,
            "failure_balance_transaction": None,
            "failure_code": None if decline is None else decline.failure_code,
            "failure_message": None if decline is None else decline.message,
            "fraud_details": {},
            "livemode": self._live is not charge.test,
            "metadata": _metadata(payment),
            "on_behalf_of": None,
            "outcome": _APPROVED if decline is None else _outcome(decline),
            "paid": granted,
            "payment_intent": payment.id,
            "payment_method": buyer.payment_method,
            "payment_method_details": {"card": self._card(charge), "type": "card"},
            "receipt_email": buyer.email,
            "receipt_number": None,
            "receipt_url": f"https://pay.stripe.sim/receipts/{charge.id}" if granted else None,
            "refunded": (paid and refunded == charge.amount_taken) or self._lapsed(charge),
            "review": None,
            "shipping": None,
            "source": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "succeeded" if granted else "failed",
            "transfer_data": None,
            "transfer_group": None,
        }

    def _card(self, charge: Charge) -> Shape:
        buyer, paid = charge.payment.buyer, charge.decline is None
        shape: Shape = {
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
        if charge.expires_ms is not None:
            shape["capture_before"] = charge.expires_ms // 1000
        return shape

    def _lapsed(self, charge: Charge) -> bool:
        """An authorization that ended before anybody took its money."""
        ends_ms = charge.expires_ms
        return not charge.captured and ends_ms is not None and self._account.agenda.now_ms >= ends_ms

    def refund(self, refund: Refund) -> Shape:
        ids = self._account.ids
        card: Shape = {
            "reference_status": "available" if refund.referenced else "pending",
            "reference_type": "acquirer_reference_number",
            "type": "refund",
        }
        if refund.referenced:
            card["reference"] = ids.token(f"reference/{refund.id}", 12)
        shape: Shape = {
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
            "status": refund.status,
            "transfer_reversal": None,
        }
        # Stripe shows these only in the states they belong to.
        if refund.status == "failed":
            shape["failure_reason"] = _REFUND_FAILURES.get(refund.failure or "", refund.failure or "unknown")
            shape["failure_balance_transaction"] = ids.long("txn", f"{refund.id}/failure")
        elif refund.status == "pending":
            shape["pending_reason"] = refund.waiting or "processing"
        return shape

    def subscription(self, subscription: Subscription) -> Shape:
        return billing_shapes.subscription(self._account, subscription)

    def invoice(self, invoice: Invoice) -> Shape:
        return billing_shapes.invoice(self._account, invoice)

    def dispute(self, dispute: Dispute) -> Shape:
        return money_shapes.dispute(self._account, dispute)

    def payout(self, payout: Payout) -> Shape:
        return money_shapes.payout(self._account, payout)

    def method(self, buyer: Buyer) -> Shape:
        return payment_method(buyer, live=self._live, attached=True)

    def event(self, event: Event) -> Shape:
        """An Event with its subject as it was, and the count of endpoints that have not confirmed it."""
        if event.type == PING:
            return self._ping(event)
        data: Shape = {"object": self._subject(event)}
        if event.before:
            data["previous_attributes"] = event.before
        return {
            "id": event.id,
            "object": "event",
            "api_version": DRIFTED_VERSION if event.drifted else API_VERSION,
            "created": event.at_ms // 1000,
            "data": data,
            "livemode": self._live is not event.test,
            "pending_webhooks": len(event.waiting),
            "request": {"id": self._request_id(event), "idempotency_key": event.key},
            "type": event.type,
        }

    def _ping(self, event: Event) -> Shape:
        """A v2 event: it names its object and does not contain it."""
        endpoint = cast(Endpoint, event.subject)
        at = from_epoch(event.at_ms / 1000).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        return {
            "id": event.id,
            "object": "v2.core.event",
            "context": None,
            "created": f"{at}Z",
            "livemode": self._live,
            "reason": None,
            "related_object": {
                "id": endpoint.id,
                "type": "v2.core.event_destination",
                "url": f"/v2/core/event_destinations/{endpoint.id}",
            },
            "type": event.type,
        }

    def _subject(self, event: Event) -> Shape:
        if event.snapshot is not None:
            return cast(Shape, event.snapshot)
        subject = event.subject
        if isinstance(subject, Charge):
            return self.charge(subject, at_first=True)
        assert isinstance(subject, Payment)
        return self.payment(subject, event.version)

    def _request_id(self, event: Event) -> str | None:
        """One request of the checkout made all events of a try; what the network does has no request."""
        subject = event.subject
        if isinstance(subject, Payment) and event.type in _OF_A_TRY:
            cause: str = subject.charges[event.version - 1].id
        elif isinstance(subject, Charge) and event.type in _OF_A_TRY:
            cause = subject.id
        elif isinstance(subject, Charge) and event.type == "charge.refunded":
            cause = subject.refunds[event.version - 1].id
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
        notes = self._account.customer_notes.get(customer.id, {})
        return {
            "id": customer.id,
            "object": "customer",
            "address": None,
            "balance": 0,
            "created": customer.at_ms // 1000,
            "currency": buyer.currency,
            "default_source": None,
            "delinquent": self._delinquent(customer),
            "description": notes.get("description"),
            "discount": None,
            "email": buyer.email,
            "invoice_prefix": customer.id[-8:].upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": default_method(self._account, buyer),
                "footer": None,
                "rendering_options": None,
            },
            "livemode": self._live,
            "metadata": notes.get("metadata", {}),
            "name": buyer.name,
            "next_invoice_sequence": 1,
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        }

    def _delinquent(self, customer: Customer) -> bool:
        owing = (s for s in self._account.subscriptions.rows if s.status == "past_due")
        return any(subscription.buyer.customer == customer.id for subscription in owing)


def _order(payment: Payment) -> str:
    return f"A-{(payment.doubles or payment).number:06d}"


def _description(payment: Payment) -> str:
    return "Subscription update" if payment.subscription is not None else f"Order {_order(payment)}"


def _metadata(payment: Payment) -> dict[str, str]:
    """What the shop wrote beside the purchase; renewals are made by Stripe itself."""
    if payment.subscription is not None:
        return dict(payment.metadata)
    return {"order_id": _order(payment), **payment.metadata}


def _test(payment: Payment) -> bool:
    return any(charge.test for charge in payment.charges)


def _payment_status(*, paid: bool, held: bool, lapsed: bool) -> str:
    if paid:
        return "succeeded"
    if lapsed:
        return "canceled"
    return "requires_capture" if held else "requires_payment_method"


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
