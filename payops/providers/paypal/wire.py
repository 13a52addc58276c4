"""PayPal's JSON as far as payops reads it. Every field may be absent; one of the wrong type is as if it were."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from payops.providers.reading import Unreadable, compact, from_mapping, one, parse

__all__ = ["Unreadable", "compact", "from_mapping", "one", "parse", "rows"]


class Amount(msgspec.Struct, frozen=True):
    """Money as `{currency_code, value}`, or in version 1 as `{currency, total}`; a decimal string."""

    currency_code: str | None = None
    value: str | None = None
    currency: str | None = None
    total: str | None = None


class Link(msgspec.Struct, frozen=True):
    href: str | None = None
    rel: str | None = None


class Details(msgspec.Struct, frozen=True):
    reason: str | None = None


class ProcessorResponse(msgspec.Struct, frozen=True):
    response_code: str | None = None


class Network(msgspec.Struct, frozen=True):
    network: str | None = None


class Card(msgspec.Struct, frozen=True):
    brand: str | None = None


class PaymentSource(msgspec.Struct, frozen=True):
    card: Card | None = None
    paypal: dict[str, Any] | None = None


class RelatedIds(msgspec.Struct, frozen=True):
    order_id: str | None = None
    authorization_id: str | None = None
    capture_id: str | None = None


class Supplementary(msgspec.Struct, frozen=True):
    related_ids: RelatedIds | None = None


class Payer(msgspec.Struct, frozen=True):
    payer_id: str | None = None


class Breakdown(msgspec.Struct, frozen=True):
    total_refunded_amount: Amount | None = None


class LastPayment(msgspec.Struct, frozen=True):
    amount: Amount | None = None
    time: str | None = None


class FailedPayment(msgspec.Struct, frozen=True):
    amount: Amount | None = None
    time: str | None = None
    reason_code: str | None = None
    next_payment_retry_time: str | None = None


class Billing(msgspec.Struct, frozen=True):
    outstanding_balance: Amount | None = None
    failed_payments_count: int | None = None
    next_billing_time: str | None = None
    last_payment: LastPayment | None = None
    last_failed_payment: FailedPayment | None = None


class Disputed(msgspec.Struct, frozen=True):
    seller_transaction_id: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    outcome_code: str | None = None


class Thing(msgspec.Struct, frozen=True):
    """A capture, sale, authorization, refund, subscription, dispute or order, whichever it is."""

    id: str | None = None
    status: str | None = None
    state: str | None = None
    amount: Amount | None = None
    create_time: str | None = None
    update_time: str | None = None
    invoice_id: str | None = None
    invoice_number: str | None = None
    custom_id: str | None = None
    custom: str | None = None
    status_details: Details | None = None
    reason_code: str | None = None
    processor_response: ProcessorResponse | None = None
    network_transaction_reference: Network | None = None
    payment_source: PaymentSource | None = None
    supplementary_data: Supplementary | None = None
    payer: Payer | None = None
    expiration_time: str | None = None
    valid_until: str | None = None
    parent_payment: str | None = None
    billing_agreement_id: str | None = None
    capture_id: str | None = None
    sale_id: str | None = None
    seller_payable_breakdown: Breakdown | None = None
    status_update_time: str | None = None
    start_time: str | None = None
    subscriber: Payer | None = None
    billing_info: Billing | None = None
    dispute_id: str | None = None
    dispute_amount: Amount | None = None
    dispute_outcome: Outcome | None = None
    disputed_transactions: list[Disputed] | None = None
    reason: str | None = None
    seller_response_due_date: str | None = None
    links: list[Link] | None = None


class Transmission(msgspec.Struct, frozen=True):
    """One try to deliver an event. Not in PayPal's description, seen in real answers."""

    webhook_url: str | None = None
    status: str | None = None


class Event(msgspec.Struct, frozen=True):
    id: str | None = None
    event_type: str | None = None
    create_time: str | None = None
    resource_type: str | None = None
    resource: Thing | None = None
    links: list[Link] | None = None
    status: str | None = None
    transmissions: list[Transmission] | None = None


class EventType(msgspec.Struct, frozen=True):
    name: str | None = None
    status: str | None = None


class Webhook(msgspec.Struct, frozen=True):
    id: str | None = None
    url: str | None = None
    event_types: list[EventType] | None = None
    links: list[Link] | None = None


class TransactionInfo(msgspec.Struct, frozen=True):
    """One row of reporting. `transaction_status`: D denied, P pending, S success, V reversed."""

    transaction_id: str | None = None
    transaction_event_code: str | None = None
    transaction_initiation_date: str | None = None
    transaction_updated_date: str | None = None
    transaction_amount: Amount | None = None
    transaction_status: str | None = None
    paypal_account_id: str | None = None
    paypal_reference_id: str | None = None
    paypal_reference_id_type: str | None = None
    invoice_id: str | None = None
    custom_field: str | None = None


class Transaction(msgspec.Struct, frozen=True):
    transaction_info: TransactionInfo | None = None


class Payments(msgspec.Struct, frozen=True):
    captures: list[Thing] | None = None
    refunds: list[Thing] | None = None
    authorizations: list[Thing] | None = None


class PurchaseUnit(msgspec.Struct, frozen=True):
    payments: Payments | None = None


class Order(msgspec.Struct, frozen=True):
    id: str | None = None
    status: str | None = None
    purchase_units: list[PurchaseUnit] | None = None


class Token(msgspec.Struct, frozen=True):
    access_token: str | None = None
    token_type: str | None = None
    expires_in: float | None = None
    scope: str | None = None
    app_id: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """The envelope of any list. Which of the fields holds the rows depends on the call."""

    events: list[msgspec.Raw] | None = None
    webhooks: list[msgspec.Raw] | None = None
    transaction_details: list[msgspec.Raw] | None = None
    subscriptions: list[msgspec.Raw] | None = None
    items: list[msgspec.Raw] | None = None
    count: int | None = None
    total_pages: int | None = None
    last_refreshed_datetime: str | None = None
    links: list[Link] | None = None

    def next(self) -> str | None:
        """The link to the next page."""
        return next((link.href for link in self.links or () if link.rel == "next" and link.href), None)


T = TypeVar("T", bound=msgspec.Struct)


def rows(found: list[msgspec.Raw], kind: type[T]) -> list[T]:
    """The rows of a list; one that is no object is left out."""
    read = []
    for raw in found:
        try:
            read.append(one(raw, kind))
        except Unreadable:
            continue
    return read
