"""How PayPal shows the world's things: captures, authorizations, orders, refunds, sales, subscriptions, disputes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from payops.domain.money import minor_digits
from payops.domain.payments import Mode
from payops.simulator.cards import Buyer
from payops.simulator.objects import Charge, Dispute, Payment, Refund, Subscription

from .declines import of_paypal
from .names import HOSTS, Shape, fine_instant, instant, link, money, old_money

if TYPE_CHECKING:
    from .account import PayPalAccount

_HONOURED_MS = 29 * 24 * 3600 * 1000
_REASONS = {"fraudulent": "UNAUTHORISED", "duplicate": "DUPLICATE_TRANSACTION"}
_PLAN = "P-5ML4271244454362WXNWU5NQ"
_DISPUTE_STATUS = {
    "open": ("WAITING_FOR_SELLER_RESPONSE", "REQUIRED_ACTION"),
    "under_review": ("UNDER_REVIEW", "UNDER_PAYPAL_REVIEW"),
    "won": ("RESOLVED", "RESOLVED"),
    "lost": ("RESOLVED", "RESOLVED"),
}
_OUTCOMES = {"won": "RESOLVED_SELLER_FAVOUR", "lost": "RESOLVED_BUYER_FAVOUR"}


def fee(amount: int, currency: str) -> int:
    """What PayPal keeps of a payment, in minor units."""
    return min(amount, round(amount * 0.0349) + (49 if minor_digits(currency) == 2 else 40))


class Shapes:
    """One account's things as one environment shows them: the mode decides where links point."""

    def __init__(self, account: PayPalAccount, mode: Mode) -> None:
        self._account = account
        self._mode: Mode = mode
        self.base = HOSTS[mode]

    # Payments, version 2.

    def capture(self, charge: Charge, refunds: int | None = None) -> Shape:
        """`refunds`: as it was when there were so many; None = as it is now."""
        account = self._account
        capture_id, amount = account.capture_id(charge), account.captured_minor(charge)
        late = account.beside.taken.get(charge.id)
        at_ms = charge.at_ms if late is None else late.at_ms
        given_back = charge.refunds if refunds is None else charge.refunds[:refunds]
        changed_ms = max([at_ms, *(refund.changed_ms for refund in given_back)])
        path = f"/v2/payments/captures/{capture_id}"
        shape: Shape = {
            "id": capture_id,
            "amount": money(amount, charge.payment.buyer.currency),
            "final_capture": True if late is None else late.final,
            "seller_protection": _protection(charge.decline is None),
            **self._payment_fields(charge),
            "status": self._capture_status(charge, amount, given_back),
            "create_time": instant(at_ms),
            "update_time": instant(changed_ms),
            "links": [
                link(self.base, path, "self"),
                link(self.base, f"{path}/refund", "refund", "POST"),
                self._up(charge),
            ],
        }
        if late is not None:
            shape["supplementary_data"]["related_ids"]["authorization_id"] = charge.id
            if late.invoice is not None:
                shape["invoice_id"] = late.invoice
        if charge.decline is None:
            shape["seller_receivable_breakdown"] = _breakdown(amount, charge.payment.buyer.currency)
        return shape

    def _capture_status(self, charge: Charge, amount: int, given_back: tuple[Refund, ...]) -> str:
        if charge.decline is not None:
            return "FAILED" if charge.decline.blocked else "DECLINED"
        back = sum(refund.amount for refund in given_back if refund.status != "failed")
        if back == 0:
            return "COMPLETED"
        return "PARTIALLY_REFUNDED" if back < amount else "REFUNDED"

    def _payment_fields(self, charge: Charge) -> Shape:
        """What captures and authorizations have in common."""
        payment = charge.payment
        fields: Shape = {
            "invoice_id": payment.order,
            "custom_id": custom_id(payment),
            "payee": self._payee(),
            "supplementary_data": {"related_ids": {"order_id": payment.id}},
        }
        buyer = payment.buyer
        if self._account.by_card(buyer):
            fields["processor_response"] = _processor_response(charge)
            if charge.decline is None:
                fields["network_transaction_reference"] = {
                    "id": self._account.names.text(f"network/{charge.id}", 15),
                    "network": buyer.brand.upper(),
                }
        return fields

    def _payee(self) -> Shape:
        account = self._account
        test = self._mode == "test"
        email = f"sb-{account.id.lower()}@business.example.com" if test else "payments@shop.example"
        return {"email_address": email, "merchant_id": account.id}

    def _up(self, charge: Charge) -> Shape:
        if charge.id in self._account.beside.taken:
            return link(self.base, f"/v2/payments/authorizations/{charge.id}", "up")
        return link(self.base, f"/v2/checkout/orders/{charge.payment.id}", "up")

    def authorization(self, charge: Charge, *, fresh: bool = False) -> Shape:
        """`fresh`: as it was when it was made."""
        beside = self._account.beside
        late, voided_ms = beside.taken.get(charge.id), beside.voided.get(charge.id)
        status, changed_ms = "CREATED", charge.at_ms
        if voided_ms is not None and not fresh:
            status, changed_ms = "VOIDED", voided_ms
        elif late is not None and not fresh:
            partly = not late.final and late.amount < charge.payment.amount
            status, changed_ms = "PARTIALLY_CAPTURED" if partly else "CAPTURED", late.at_ms
        path = f"/v2/payments/authorizations/{charge.id}"
        links = [link(self.base, path, "self")]
        if status == "CREATED":
            links += [
                link(self.base, f"{path}/{step}", step, "POST") for step in ("capture", "void", "reauthorize")
            ]
        return {
            "id": charge.id,
            "status": status,
            "amount": money(charge.payment.amount, charge.payment.buyer.currency),
            "seller_protection": _protection(True),
            "expiration_time": instant(charge.expires_ms or charge.at_ms + _HONOURED_MS),
            **self._payment_fields(charge),
            "create_time": instant(charge.at_ms),
            "update_time": instant(changed_ms),
            "links": [*links, self._up(charge)],
        }

    def refund(self, refund: Refund) -> Shape:
        charge = refund.charge
        currency = charge.payment.buyer.currency
        so_far = sum(
            each.amount
            for each in charge.refunds
            if each.status != "failed" and each.at_ms <= refund.at_ms and each is not refund
        )
        status = {"succeeded": "COMPLETED", "pending": "PENDING", "failed": "FAILED"}[refund.status]
        shape: Shape = {
            "id": refund.id,
            "amount": money(refund.amount, currency),
            "seller_payable_breakdown": {
                "gross_amount": money(refund.amount, currency),
                "paypal_fee": money(0, currency),
                "net_amount": money(refund.amount, currency),
                "total_refunded_amount": money(
                    so_far + (0 if refund.status == "failed" else refund.amount), currency
                ),
            },
            "payer": self._payee(),
            **refund.metadata,
            "status": status,
            "create_time": instant(refund.at_ms),
            "update_time": instant(max(refund.at_ms, refund.changed_ms)),
            "links": [
                link(self.base, f"/v2/payments/refunds/{refund.id}", "self"),
                link(self.base, f"/v2/payments/captures/{self._account.capture_id(charge)}", "up"),
            ],
        }
        if refund.status == "pending":
            shape["status_details"] = {"reason": "ECHECK"}
        return shape

    def order(self, payment: Payment, *, approved: bool = False) -> Shape:
        """`approved`: as it was when the buyer had approved it and nothing was tried."""
        account, buyer = self._account, payment.buyer
        seen = [] if approved else [c for c in payment.charges if account.leaves_trace(c)]
        reserved = [charge for charge in seen if charge.expires_ms is not None]
        captures = [c for c in seen if c.expires_ms is None or c.id in account.beside.taken]
        payments: Shape = {}
        if reserved:
            payments["authorizations"] = [_inside(self.authorization(charge)) for charge in reserved]
        if captures:
            payments["captures"] = [_inside(self.capture(charge)) for charge in captures]
            refunds = [self.refund(refund) for charge in captures for refund in charge.refunds]
            if refunds:
                payments["refunds"] = refunds
        unit: Shape = {
            "reference_id": "default",
            "amount": money(payment.amount, buyer.currency),
            "payee": self._payee(),
            "invoice_id": payment.order,
            "custom_id": custom_id(payment),
        }
        if payments:
            unit["payments"] = payments
        path = f"/v2/checkout/orders/{payment.id}"
        links = [link(self.base, path, "self")]
        if not seen:
            links.append(link(self.base, f"{path}/capture", "capture", "POST"))
        return {
            "id": payment.id,
            "intent": "AUTHORIZE" if any(c.expires_ms is not None for c in payment.charges) else "CAPTURE",
            "status": "COMPLETED" if seen else "APPROVED",
            "payment_source": self._source(buyer),
            "payer": self._payer(buyer),
            "purchase_units": [unit],
            "create_time": instant(payment.at_ms),
            "update_time": instant(max([payment.at_ms, *(charge.at_ms for charge in seen)])),
            "links": links,
        }

    def _payer(self, buyer: Buyer) -> Shape:
        given, _, family = buyer.name.partition(" ")
        return {
            "name": {"given_name": given, "surname": family},
            "email_address": buyer.email,
            "payer_id": self._account.names.text(f"payer/{buyer.email}", 13),
            "address": {"country_code": buyer.country},
        }

    def _source(self, buyer: Buyer) -> Shape:
        if self._account.by_card(buyer):
            return {
                "card": {
                    "name": buyer.name,
                    "last_digits": buyer.last4,
                    "brand": buyer.brand.upper(),
                    "type": buyer.funding.upper(),
                    "expiry": f"{buyer.exp_year}-{buyer.exp_month:02d}",
                }
            }
        payer = self._payer(buyer)
        return {
            "paypal": {
                "email_address": payer["email_address"],
                "account_id": payer["payer_id"],
                "account_status": "VERIFIED",
                "name": payer["name"],
                "address": payer["address"],
            }
        }

    # Sales, version 1: how subscriptions are paid.

    def sale(self, charge: Charge) -> Shape:
        payment, buyer = charge.payment, charge.payment.buyer
        assert payment.subscription is not None
        path = f"/v1/payments/sale/{charge.id}"
        return {
            "id": charge.id,
            "amount": {**old_money(payment.amount, buyer.currency), "details": {}},
            "payment_mode": "INSTANT_TRANSFER",
            "state": "completed",
            "protection_eligibility": "ELIGIBLE",
            "protection_eligibility_type": "ITEM_NOT_RECEIVED_ELIGIBLE,UNAUTHORIZED_PAYMENT_ELIGIBLE",
            "transaction_fee": {
                "value": money(fee(payment.amount, buyer.currency), buyer.currency)["value"],
                "currency": buyer.currency.upper(),
            },
            "billing_agreement_id": payment.subscription.id,
            "custom": custom_id(payment),
            "create_time": instant(charge.at_ms),
            "update_time": instant(charge.at_ms),
            "links": [
                link(self.base, path, "self"),
                link(self.base, f"{path}/refund", "refund", "POST"),
            ],
        }

    # Subscriptions.

    def subscription(self, subscription: Subscription) -> Shape:
        account, buyer = self._account, subscription.buyer
        note = account.beside.suspended.get(subscription.id)
        if note is not None:
            status = "SUSPENDED"
        else:
            status = "CANCELLED" if subscription.status == "canceled" else "ACTIVE"
        paid = [payment for payment in subscription.payments if payment.paid is not None]
        last_ms = paid[-1].at_ms if paid else subscription.at_ms
        billing: Shape = {
            "outstanding_balance": money(subscription.outstanding, buyer.currency),
            "cycle_executions": [
                {
                    "tenure_type": "REGULAR",
                    "sequence": 1,
                    "cycles_completed": 1 + len(paid),
                    "cycles_remaining": 0,
                    "current_pricing_scheme_version": 1,
                    "total_cycles": 0,
                }
            ],
            "last_payment": {
                "amount": money(paid[-1].amount if paid else subscription.amount, buyer.currency),
                "time": instant(last_ms),
            },
            "failed_payments_count": subscription.failures,
        }
        if status == "ACTIVE":
            billing["next_billing_time"] = instant(subscription.next_ms)
        refusal = account.beside.refusals.get(subscription.id)
        if refusal is not None:
            billing["last_failed_payment"] = {
                "amount": money(subscription.amount, buyer.currency),
                "time": instant(refusal[1]),
                "reason_code": refusal[0],
            }
            if status == "ACTIVE" and subscription.failures:
                billing["last_failed_payment"]["next_payment_retry_time"] = instant(subscription.try_ms)
        path = f"/v1/billing/subscriptions/{subscription.id}"
        links = [link(self.base, path, "self")]
        if status == "ACTIVE":
            links += [
                link(self.base, f"{path}/{step}", step, "POST") for step in ("cancel", "suspend", "capture")
            ]
        elif status == "SUSPENDED":
            links += [
                link(self.base, f"{path}/{step}", step, "POST") for step in ("cancel", "activate", "capture")
            ]
        return {
            "id": subscription.id,
            "plan_id": _PLAN,
            "status": status,
            **({} if note is None else {"status_change_note": note}),
            "status_update_time": instant(subscription.changed_ms),
            "start_time": instant(subscription.at_ms),
            "quantity": "1",
            "subscriber": self._payer(buyer),
            "billing_info": billing,
            "create_time": instant(subscription.at_ms),
            "update_time": instant(subscription.changed_ms),
            "custom_id": buyer.customer,
            "plan_overridden": False,
            "links": links,
        }

    def plan(self, subscription: Subscription) -> Shape:
        """The plan inside a subscription, as `fields=plan` shows it."""
        return {
            "billing_cycles": [
                {
                    "frequency": {"interval_unit": "MONTH", "interval_count": 1},
                    "tenure_type": "REGULAR",
                    "sequence": 1,
                    "total_cycles": 0,
                    "pricing_scheme": {
                        "fixed_price": money(subscription.amount, subscription.buyer.currency)
                    },
                }
            ],
            "payment_preferences": {
                "auto_bill_outstanding": True,
                "setup_fee_failure_action": "CONTINUE",
                "payment_failure_threshold": self._account.most_failures,
            },
        }

    # Disputes.

    def dispute(self, dispute: Dispute, *, whole: bool) -> Shape:
        """`whole`: with what only the dispute itself shows, not its row in the list."""
        currency = dispute.charge.payment.buyer.currency
        status, state = _DISPUTE_STATUS[dispute.status]
        amount = money(dispute.amount, currency)
        shape: Shape = {
            "dispute_id": dispute.id,
            "create_time": fine_instant(dispute.at_ms),
            "update_time": fine_instant(max(dispute.at_ms, dispute.changed_ms)),
            "reason": _REASONS.get(dispute.reason, "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"),
            "status": status,
            "dispute_amount": amount,
            "dispute_life_cycle_stage": "CHARGEBACK",
            "dispute_channel": "INTERNAL",
            "links": [link(self.base, f"/v1/customer/disputes/{dispute.id}", "self")],
        }
        if dispute.status == "open":
            shape["seller_response_due_date"] = fine_instant(dispute.reply_ms)
        if not whole:
            return {**shape, "dispute_state": state}
        payment = dispute.charge.payment
        shape["disputed_transactions"] = [
            {
                "seller_transaction_id": self._account.capture_id(dispute.charge),
                "create_time": instant(dispute.charge.at_ms),
                "transaction_status": "COMPLETED",
                "gross_amount": money(payment.amount, currency),
                "invoice_number": payment.order,
                "custom": custom_id(payment),
                "buyer": {"name": payment.buyer.name},
                "seller": {"merchant_id": self._account.id, "name": "The shop"},
                "seller_protection_eligible": True,
            }
        ]
        shape["refund_details"] = {"allowed_refund_amount": amount}
        shape["messages"] = []
        if dispute.status in _OUTCOMES:
            shape["dispute_outcome"] = {"outcome_code": _OUTCOMES[dispute.status]}
        return shape


def custom_id(payment: Payment) -> str:
    """What the shop wrote beside the payment: its customer's number, or whatever it wrote there instead."""
    if payment.metadata:
        return json.dumps(payment.metadata, separators=(",", ":"))[:127]
    return payment.buyer.customer or f"guest-{payment.number}"


def _inside(payment: Shape) -> Shape:
    """A capture or authorization as its order shows it: without what the order says itself."""
    return {name: value for name, value in payment.items() if name not in ("payee", "supplementary_data")}


def _processor_response(charge: Charge) -> Shape:
    if charge.decline is None:
        return {"avs_code": "Y", "cvv_code": "M", "response_code": "0000"}
    decline = of_paypal(charge.decline)
    shape: Shape = {
        "avs_code": "Y",
        "cvv_code": "N" if decline.word == "incorrect_cvc" else "M",
        "response_code": decline.code,
    }
    if decline.advice is not None and charge.payment.buyer.brand == "mastercard":
        shape["payment_advice_code"] = decline.advice
    return shape


def _protection(eligible: bool) -> Shape:
    if not eligible:
        return {"status": "NOT_ELIGIBLE"}
    return {
        "status": "ELIGIBLE",
        "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
    }


def _breakdown(amount: int, currency: str) -> Shape:
    kept = fee(amount, currency)
    return {
        "gross_amount": money(amount, currency),
        "paypal_fee": money(kept, currency),
        "net_amount": money(amount - kept, currency),
    }
