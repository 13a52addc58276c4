"""Words and small parts that several of Stripe's objects share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from payops.simulator.cards import Buyer

if TYPE_CHECKING:
    from .account import StripeAccount

API_VERSION = "2026-10-28.endive"
DRIFTED_VERSION = "2025-09-30.clover"
"""An earlier major version: what an account shows whose default version somebody has set back."""
PING = "v2.core.event_destination.ping"

Shape = dict[str, Any]

NO_ADDRESS: Shape = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def billing_details(buyer: Buyer) -> Shape:
    return {
        "address": {**NO_ADDRESS, "country": buyer.country},
        "email": buyer.email,
        "name": buyer.name,
        "phone": None,
        "tax_id": None,
    }


def default_method(account: StripeAccount, buyer: Buyer) -> str | None:
    """The payment method a customer's invoices are paid with; None = the customer has chosen none."""
    return account.customer_defaults.get(buyer.customer or "", buyer.payment_method)
