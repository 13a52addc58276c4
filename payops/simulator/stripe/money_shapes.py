"""Stripe's disputes, payouts, the balance and the account itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payops.domain.payments import Mode
from payops.simulator.objects import Dispute, Payout

from .vocabulary import Shape

if TYPE_CHECKING:
    from .account import StripeAccount

_DISPUTE_STATUS = {"open": "needs_response", "under_review": "under_review", "won": "won", "lost": "lost"}
_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6.1"}
_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_PAYOUT_FAILURES = {
    "account_closed": "The bank account has been closed.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
}


def dispute(account: StripeAccount, dispute: Dispute) -> Shape:
    charge = dispute.charge
    buyer = charge.payment.buyer
    replied = dispute.status in ("under_review", "won")
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": [],
        "charge": charge.id,
        "created": dispute.at_ms // 1000,
        "currency": buyer.currency,
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": dispute.reply_ms // 1000,
            "enhanced_eligibility": {},
            "has_evidence": replied,
            "past_due": account.agenda.now_ms > dispute.reply_ms,
            "submission_count": int(replied),
        },
        "is_charge_refundable": False,
        "livemode": account.mode == "live",
        "metadata": {},
        "payment_intent": charge.payment.id,
        "payment_method_details": {
            "card": {
                "brand": buyer.brand,
                "case_type": "chargeback",
                "network": buyer.brand,
                "network_reason_code": _NETWORK_REASONS.get(dispute.reason),
            },
            "type": "card",
        },
        "reason": dispute.reason,
        "status": _DISPUTE_STATUS[dispute.status],
    }


def payout(account: StripeAccount, payout: Payout) -> Shape:
    ids, failed = account.ids, payout.status == "failed"
    return {
        "id": payout.id,
        "object": "payout",
        "amount": payout.amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": payout.arrives_ms // 1000,
        "automatic": True,
        "balance_transaction": ids.long("txn", payout.id),
        "created": payout.at_ms // 1000,
        "currency": payout.currency,
        "description": "STRIPE PAYOUT",
        "destination": ids.long("ba", "bank"),
        "failure_balance_transaction": ids.long("txn", f"{payout.id}/failure") if failed else None,
        "failure_code": payout.failure if failed else None,
        "failure_message": _PAYOUT_FAILURES.get(payout.failure or "") if failed else None,
        "livemode": account.mode == "live",
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "not_applicable" if failed else "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": payout.status,
        "trace_id": None,
        "type": "bank_account",
    }


def balance(account: StripeAccount, mode: Mode) -> Shape:
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


def account_shape(account: StripeAccount) -> Shape:
    """The account itself; it is the same in both modes and says nothing of either."""
    due = list(account.requirements_due)
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
        "capabilities": {
            "card_payments": "active" if account.charges_enabled else "inactive",
            "transfers": "active" if account.payouts_enabled else "inactive",
        },
        "charges_enabled": account.charges_enabled,
        "controller": {"type": "account"},
        "country": "US",
        "created": account.opened_ms // 1000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@shop.sim",
        "future_requirements": _requirements([], None),
        "metadata": {},
        "payouts_enabled": account.payouts_enabled,
        "requirements": _requirements(due, None if account.charges_enabled else "requirements.past_due"),
        "type": "standard",
    }


def _requirements(due: list[str], disabled_reason: str | None) -> dict[str, Any]:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": disabled_reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }


def _funds(currency: str, amount: int) -> Shape:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}
