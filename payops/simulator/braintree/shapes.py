"""Transactions, subscriptions, disputes and their company as Braintree's XML shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from payops.domain.money import minor_digits
from payops.simulator.cards import Buyer
from payops.simulator.objects import Dispute, Subscription

from .ids import lower
from .transactions import Step, Transaction
from .xml import At, Day, Many, Value, is_name, second

if TYPE_CHECKING:
    from .account import BraintreeAccount

Shape = dict[str, Value]

PLAN = "monthly"
_DAY_MS = 24 * 3600 * 1000
_MONTH_MS = 30 * _DAY_MS
_TRANSACTIONS_SHOWN = 20
_CARD_TYPES = {
    "visa": "Visa",
    "mastercard": "MasterCard",
    "amex": "American Express",
    "discover": "Discover",
}
_BINS = {"visa": "411111", "mastercard": "555555", "amex": "378282", "discover": "601111"}
_COUNTRIES = {
    "US": "USA",
    "GB": "GBR",
    "DE": "DEU",
    "FR": "FRA",
    "NL": "NLD",
    "CA": "CAN",
    "AU": "AUS",
    "JP": "JPN",
}
SUBSCRIPTION_STATUSES = {"active": "Active", "past_due": "Past Due", "canceled": "Canceled"}
_REASONS = {"fraudulent": "fraud"}


def money(amount: int, currency: str) -> str:
    """`1999`, `eur` → `19.99`: a decimal with as many digits as the currency has."""
    digits = minor_digits(currency)
    if digits == 0:
        return str(amount)
    whole, part = divmod(abs(amount), 10**digits)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{digits}d}"


def days_past_due(subscription: Subscription, since_ms: int | None, now_ms: int) -> int:
    """Counted from the day of the first refusal, which is day 1."""
    if subscription.status != "past_due" or since_ms is None:
        return 0
    return max(0, now_ms // _DAY_MS - since_ms // _DAY_MS) + 1


class Shapes:
    """What one account's API and notifications show, at `now_ms`."""

    def __init__(self, account: BraintreeAccount, now_ms: int) -> None:
        self._account = account
        self._now_ms = now_ms

    def transaction(self, row: Transaction) -> Shape:
        account, charge, buyer = self._account, row.charge, row.charge.payment.buyer
        currency = row.currency
        refused, subscription = row.response, charge.payment.subscription
        gateway = refused is not None and refused.blocked
        shape: Shape = {
            "id": row.id,
            "status": row.status,
            "type": row.type,
            "currency_iso_code": currency.upper(),
            "amount": money(row.amount, currency),
            "merchant_account_id": account.merchant_account(currency),
            "order_id": row.order,
            "created_at": At(row.at_ms),
            "updated_at": At(row.changed_ms),
            "customer": account.drawn(buyer, "customer", self._customer_details),
            "refund_ids": Many("item", [each.id for each in account.credits_of(row)]),
            "refunded_transaction_id": account.sale_of(charge).id if row.refund is not None else None,
            "settlement_batch_id": _batch(row),
            "custom_fields": "",
            "avs_error_response_code": None,
            "avs_postal_code_response_code": "M",
            "avs_street_address_response_code": "M",
            "cvv_response_code": "N" if refused is not None and refused.code == "2010" else "M",
            "gateway_rejection_reason": refused.code if refused is not None and gateway else None,
            "processor_authorization_code": None if refused is not None else _authorization(account, row),
            **self._response(row),
            "credit_card": account.drawn(buyer, "credit_card", self._card),
            "payment_instrument_type": "credit_card",
            "status_history": Many("status_event", [self._step(row, step) for step in row.steps]),
            "plan_id": None if subscription is None else PLAN,
            "subscription_id": None if subscription is None else subscription.id,
            "subscription": self._period(row),
            "recurring": subscription is not None or row.source in ("recurring", "recurring_first"),
            "authorization_expires_at": None if row.expires_ms is None else At(row.expires_ms),
            "network_transaction_id": None if refused is not None else _network_id(account, row),
            "retried": False,
            "retry_ids": Many("item", []),
            "retried_transaction_id": None,
            "disputes": Many("dispute", self._disputes(row)),
            "disbursement_details": self._disbursement(row),
            "global_id": f"dHJhbnNhY3Rpb25f{row.id}",
        }
        fields: Shape = {name: value for name, value in charge.payment.metadata.items() if is_name(name)}
        if fields and row.refund is None:
            shape["custom_fields"] = fields
        return shape

    def _response(self, row: Transaction) -> Shape:
        """What processor and network answered; nothing where the gateway itself refused."""
        refused = row.response
        if refused is not None and refused.blocked:
            return {
                "processor_response_code": None,
                "processor_response_text": None,
                "processor_response_type": None,
                "additional_processor_response": None,
                "network_response_code": None,
                "network_response_text": None,
            }
        if refused is None:
            credit = row.refund is not None
            return {
                "processor_response_code": "1002" if credit else "1000",
                "processor_response_text": "Processed" if credit else "Approved",
                "processor_response_type": "approved",
                "additional_processor_response": None,
                "network_response_code": None if credit else "00",
                "network_response_text": None if credit else "Successful approval/completion",
                **self._settlement(row),
            }
        network = refused.network or (None, None)
        shape: Shape = {
            "processor_response_code": refused.code,
            "processor_response_text": refused.text,
            "processor_response_type": "hard_declined" if refused.hard else "soft_declined",
            "additional_processor_response": f"{network[0]} : DECLINED" if network[0] else None,
            "network_response_code": network[0],
            "network_response_text": network[1],
        }
        if refused.advice is not None and row.charge.payment.buyer.brand == "mastercard":
            shape |= {
                "merchant_advice_code": refused.advice[0],
                "merchant_advice_code_text": refused.advice[1],
            }
        return shape

    def _settlement(self, row: Transaction) -> Shape:
        if row.status == "settlement_declined":
            return {
                "processor_settlement_response_code": "4001",
                "processor_settlement_response_text": "Settlement Declined",
            }
        if row.status == "settlement_pending":
            return {
                "processor_settlement_response_code": "4002",
                "processor_settlement_response_text": "Settlement Pending",
            }
        return {"processor_settlement_response_code": "", "processor_settlement_response_text": ""}

    def _step(self, row: Transaction, step: Step) -> Shape:
        return {
            "timestamp": At(step.at_ms),
            "status": step.status,
            "amount": money(step.amount, row.currency),
            "user": step.by,
            "transaction_source": row.source or "api",
        }

    def _period(self, row: Transaction) -> Shape:
        subscription = row.charge.payment.subscription
        if subscription is None:
            return {"billing_period_end_date": None, "billing_period_start_date": None}
        return {
            "billing_period_end_date": Day(row.at_ms + _MONTH_MS - _DAY_MS),
            "billing_period_start_date": Day(row.at_ms),
        }

    def _disbursement(self, row: Transaction) -> Shape:
        if row.disbursed_ms is None:
            return {
                "disbursement_date": None,
                "settlement_amount": None,
                "settlement_currency_iso_code": None,
                "settlement_currency_exchange_rate": None,
                "funds_held": None,
                "success": None,
            }
        return {
            "disbursement_date": Day(row.disbursed_ms),
            "settlement_amount": money(row.amount, row.currency),
            "settlement_currency_iso_code": row.currency.upper(),
            "settlement_currency_exchange_rate": "1",
            "funds_held": False,
            "success": True,
        }

    def _disputes(self, row: Transaction) -> list[Value]:
        dispute = row.charge.dispute
        if dispute is None or row.refund is not None:
            return []
        return [self._dispute(dispute)]

    def _customer_details(self, buyer: Buyer) -> Shape:
        first, _, last = buyer.name.partition(" ")
        return {
            "id": buyer.customer,
            "first_name": first,
            "last_name": last,
            "email": buyer.email,
            "company": None,
            "phone": None,
            "website": None,
            "fax": None,
        }

    def _card(self, buyer: Buyer) -> Shape:
        account = self._account
        return {
            "token": account.token_of(buyer),
            "bin": _BINS[buyer.brand],
            "last_4": buyer.last4,
            "card_type": _CARD_TYPES[buyer.brand],
            "expiration_month": f"{buyer.exp_month:02d}",
            "expiration_year": str(buyer.exp_year),
            "customer_location": "US" if buyer.country == "US" else "International",
            "cardholder_name": buyer.name,
            "image_url": "https://assets.braintreegateway.sim/payment_method_logo/card.png",
            "prepaid": "No",
            "healthcare": "Unknown",
            "debit": "Yes" if buyer.funding == "debit" else "No",
            "durbin_regulated": "Unknown",
            "commercial": "No",
            "payroll": "Unknown",
            "product_id": "Unknown",
            "country_of_issuance": _COUNTRIES[buyer.country],
            "issuing_bank": "Unknown",
            "unique_number_identifier": lower(account.ids, f"card/{buyer.fingerprint}", 24),
            "venmo_sdk": False,
            "account_type": buyer.funding,
        }

    def payment_method(self, buyer: Buyer) -> Shape:
        """A vaulted card."""
        paying: list[Value] = [
            {"id": each.id, "status": SUBSCRIPTION_STATUSES[each.status]}
            for each in self._account.subscriptions_of(buyer)
            if each.method
        ]
        return {
            **self._card(buyer),
            "customer_id": buyer.customer,
            "default": True,
            "expired": False,
            "created_at": At(buyer.created_ms),
            "updated_at": At(buyer.created_ms),
            "subscriptions": Many("subscription", paying),
        }

    def customer(self, buyer: Buyer) -> Shape:
        return {
            **self._customer_details(buyer),
            "merchant_id": self._account.id,
            "created_at": At(buyer.created_ms),
            "updated_at": At(buyer.created_ms),
            "custom_fields": "",
            "credit_cards": Many("credit_card", [self.payment_method(buyer)]),
            "addresses": Many("address", []),
        }

    def subscription(self, row: Subscription) -> Shape:
        account, currency = self._account, row.buyer.currency
        since_ms = account.past_due_since(row)
        tries = [charge for payment in row.payments for charge in payment.charges]
        shown = [account.sale_of(charge) for charge in tries[: -_TRANSACTIONS_SHOWN - 1 : -1]]
        price = money(row.amount, currency)
        balance = money(row.outstanding, currency)
        return {
            "id": row.id,
            "status": SUBSCRIPTION_STATUSES[row.status],
            "plan_id": PLAN,
            "merchant_account_id": account.merchant_account(currency),
            "payment_method_token": account.token_for(row),
            "price": price,
            "balance": balance,
            "next_bill_amount": price,
            "next_billing_period_amount": price,
            "next_billing_date": Day(row.next_ms),
            "first_billing_date": Day(row.at_ms),
            "billing_day_of_month": _day_of_month(row.at_ms),
            "billing_period_start_date": Day(row.next_ms - _MONTH_MS),
            "billing_period_end_date": Day(row.next_ms - _DAY_MS),
            "paid_through_date": Day(row.next_ms - _DAY_MS - (_MONTH_MS if row.outstanding else 0)),
            "current_billing_cycle": len(row.payments) + 1,
            "number_of_billing_cycles": None,
            "never_expires": True,
            "days_past_due": _or_nil(days_past_due(row, since_ms, self._now_ms)),
            "failure_count": row.failures,
            "trial_period": False,
            "trial_duration": None,
            "trial_duration_unit": None,
            "created_at": At(row.at_ms),
            "updated_at": At(row.changed_ms),
            "add_ons": Many("add_on", []),
            "discounts": Many("discount", []),
            "descriptor": {"name": None, "phone": None, "url": None},
            "status_history": Many(
                "status_event",
                [
                    {
                        "timestamp": At(at_ms),
                        "status": SUBSCRIPTION_STATUSES[status],
                        "user": None,
                        "subscription_source": "recurring",
                        "balance": money(owed, currency),
                        "price": price,
                        "currency_iso_code": currency.upper(),
                        "plan_id": PLAN,
                    }
                    for at_ms, status, owed in reversed(account.history_of(row))
                ],
            ),
            "transactions": Many("transaction", [self.transaction(each) for each in shown]),
        }

    def dispute(self, row: Dispute) -> Shape:
        """With the transaction it is about."""
        sale = self._account.sale_of(row.charge)
        return {
            **self._dispute(row),
            "transaction": {
                "id": sale.id,
                "amount": money(sale.amount, sale.currency),
                "created_at": At(sale.at_ms),
                "order_id": sale.order,
                "purchase_order_number": None,
                "payment_instrument_subtype": _CARD_TYPES[row.charge.payment.buyer.brand],
            },
        }

    def _dispute(self, row: Dispute) -> Shape:
        account, currency = self._account, row.charge.payment.buyer.currency
        amount = money(row.amount, currency)
        steps = account.history_of_dispute(row)
        return {
            "id": row.id,
            "amount": amount,
            "amount_disputed": amount,
            "amount_won": amount if row.status == "won" else money(0, currency),
            "case_number": f"CB{row.id.upper()}",
            "created_at": At(row.at_ms),
            "updated_at": At(steps[-1][0]),
            "currency_iso_code": currency.upper(),
            "kind": "chargeback",
            "merchant_account_id": account.merchant_account(currency),
            "reason": _REASONS.get(row.reason, "general"),
            "reason_code": "83",
            "reason_description": None,
            "received_date": Day(row.at_ms),
            "date_opened": Day(row.at_ms),
            "reply_by_date": Day(row.reply_ms),
            "reference_number": None,
            "original_dispute_id": None,
            "forwarded_comments": None,
            "processor_comments": None,
            "status": steps[-1][1],
            "status_history": Many(
                "status_history",
                [{"status": status, "timestamp": At(at_ms)} for at_ms, status in reversed(steps)],
            ),
            "evidence": Many("evidence", []),
            "remaining_file_evidence_storage": None,
        }

    def merchant_account(self, currency: str) -> Shape:
        account = self._account
        return {
            "id": account.merchant_account(currency),
            "status": "active" if account.charges_enabled else "suspended",
            "currency_iso_code": currency.upper(),
            "default": currency == account.default_currency,
            "sub_merchant_account": False,
            "master_merchant_account": None,
        }


def _or_nil(value: int) -> Value:
    return value or None


def _day_of_month(at_ms: int) -> int:
    return int(second(at_ms // 1000)[8:10])


def _batch(row: Transaction) -> Value:
    """The batch it was settled with: one for each currency and day."""
    settling = row.reached("settling") or row.reached("settled")
    if settling is None:
        return None
    return f"{second(settling // 1000)[:10]}_{row.currency}_main"


def _authorization(account: BraintreeAccount, row: Transaction) -> Value:
    return None if row.refund is not None else lower(account.ids, f"authorization/{row.id}", 6).upper()


def _network_id(account: BraintreeAccount, row: Transaction) -> Value:
    return None if row.refund is not None else lower(account.ids, f"network/{row.id}", 15).upper()
