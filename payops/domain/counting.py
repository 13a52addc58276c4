"""What an attempt that ended says, and to which streams: the stages of a payment, each judged by itself.

A customer's first attempt is counted three times over: was it stopped by a rule of the merchant's, did its
authentication fail, was it accepted. Renewals and dunning retries, methods that take days, and purchases that
were begun and left are streams of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from .blocks import BLOCKS
from .payments import AttemptStatus, Initiator, Provider

Family = Literal[
    "acceptance",
    "authentication",
    "blocks",
    "codes",
    "testing",
    "renewals",
    "dunning",
    "delayed",
    "abandoned",
    "calls",
]
FAMILIES: Mapping[Family, str] = {
    "acceptance": "customers' first attempts that were not authorized",
    "authentication": "customers' first attempts whose authentication failed",
    "blocks": "customers' first attempts that a rule of the merchant's stopped",
    "codes": "customers' first attempts refused with one code",
    "testing": "failed first attempts of unknown customers for an unusually small amount",
    "renewals": "renewals that were refused the first time",
    "dunning": "later tries to collect a renewal that were refused",
    "delayed": "payments by a method that takes days that came back",
    "abandoned": "customers' attempts that were begun and left",
    "calls": "answers of the provider slower than 95 % usually are",
}
"""Family → what a failure in it is."""

DELAYED = frozenset(
    {
        "ach",
        "ach_debit",
        "acss_debit",
        "au_becs_debit",
        "bacs_debit",
        "boleto",
        "customer_balance",
        "echeck",
        "konbini",
        "multibanco",
        "oxxo",
        "sepa_debit",
        "us_bank_account",
    }
)
"""Methods whose outcome takes days: judged when they complete, against each other alone."""

AUTHENTICATION: Mapping[Provider, frozenset[str]] = {
    "stripe": frozenset(
        {
            "authentication_failure",
            "authentication_not_handled",
            "authentication_required",
            "mobile_device_authentication_required",
            "payment_intent_authentication_failure",
            "three_d_secure_authentication_upstream_error",
        }
    ),
    "braintree": frozenset({"2099"}),
    "paypal": frozenset({"7700", "7710", "PPD3"}),
}
"""Provider → the codes of a try that ended at the authentication: no issuer was asked for the money."""


class Ended(NamedTuple):
    """One attempt as the streams see it. Times in epoch seconds; `ended_at` is when its outcome was known."""

    id: int
    at: int
    ended_at: int
    status: AttemptStatus
    first: bool
    initiated_by: Initiator | None
    decline_code: str | None
    method: str | None
    card_brand: str | None
    country: str | None
    currency: str | None
    amount_minor: int | None
    customer: str | None


class Entry(NamedTuple):
    """One outcome for one family."""

    family: Family
    failed: bool


def is_delayed(method: str | None) -> bool:
    return method in DELAYED


def entries(provider: Provider, attempt: Ended, *, small: bool) -> Iterator[Entry]:
    """Every family this attempt is counted in. `small`: its amount is unusually small for its currency.

    Where it counts for `acceptance`, it also counts for each decline code: did it fail with that one?
    """
    who = attempt.initiated_by or "customer"
    failed = attempt.status == "failed"
    if who == "customer":
        yield Entry("abandoned", attempt.status == "canceled")
    if attempt.status == "canceled":
        return
    if who == "dunning":
        yield Entry("dunning", failed)
    if not attempt.first:
        return
    if who == "renewal":
        yield Entry("renewals", failed)
    elif who == "customer" and is_delayed(attempt.method):
        yield Entry("delayed", failed)
    elif who == "customer":
        yield from _checkout(provider, attempt, failed, small)


def _checkout(provider: Provider, attempt: Ended, failed: bool, small: bool) -> Iterator[Entry]:
    code = attempt.decline_code or ""
    blocked = failed and code in BLOCKS[provider]
    yield Entry("blocks", blocked)
    if blocked:
        return
    yield Entry("authentication", failed and code in AUTHENTICATION[provider])
    yield Entry("testing", failed and small and attempt.customer is None)
    yield Entry("acceptance", failed)
