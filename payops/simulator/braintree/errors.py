"""Braintree's refusals: bare statuses, and 422 with codes for what is wrong where.

A request with a parameter Braintree does not know is refused by name with a 422 that has no code: the SDK refuses
most of those before they are sent, and what the gateway answers to the rest is not documented.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .xml import Many, Shape, Symbol, Value, document

MESSAGES: dict[str, str] = {
    "81501": "Amount cannot be negative.",
    "81502": "Amount is required.",
    "81503": "Amount is an invalid format.",
    "81528": "Amount is too large.",
    "81531": "Amount must be greater than zero.",
    "81901": "Cannot edit a canceled subscription.",
    "81904": "Price is an invalid format.",
    "81905": "Subscription has already been canceled.",
    "91501": "Order ID is too long.",
    "91504": "Transaction can only be voided if status is authorized, submitted_for_settlement, or - for PayPal - "
    "settlement_pending.",
    "91505": "Cannot refund credit transactions.",
    "91506": "Cannot refund a transaction unless it is settled.",
    "91507": "Cannot submit for settlement unless status is authorized.",
    "91508": "Cannot determine payment method.",
    "91510": "Customer ID is invalid.",
    "91511": "Customer does not have any credit cards.",
    "91512": "Transaction has already been completely refunded.",
    "91513": "Merchant account ID is invalid.",
    "91514": "Merchant account is suspended.",
    "91515": "Payment method conflict: more than one was given.",
    "91518": "Payment method token is invalid.",
    "91521": "Refund amount is too large.",
    "91522": "Settlement amount cannot be more than the authorized amount.",
    "91523": "Transaction type is invalid.",
    "91524": "Transaction type is required.",
    "91527": "Payment method does not belong to the subscription.",
    "91528": "Subscription ID is invalid.",
    "91531": "Subscription status must be Past Due in order to retry.",
    "91538": "Cannot refund transaction with suspended merchant account.",
    "91543": "Cannot clone credits.",
    "91565": "Unknown payment_method_nonce.",
    "91574": "Cannot refund a transaction that is settling on this merchant account. Try again after the transaction "
    "has settled.",
    "91903": "Payment method token is invalid.",
    "91905": "Payment method token is not associated with the customer of the subscription.",
    "92806": "Version is invalid.",
    "915133": "Transaction source is invalid.",
    "915200": "Refund authorization hard declined.",
    "915201": "Refund authorization soft declined.",
    "915230": "API request key is too long.",
    "915231": "API request key is not allowed for this merchant.",
    "915232": "API request key can be reused only with the same request.",
    "915233": "A request with this API request key is in flight.",
    "915234": "The request with this API request key failed.",
    "915282": "Transaction cannot be reversed at this time.",
}
"""Code → words, close to the gateway's own."""


class ApiError(Exception):
    """A refusal with a bare status: Braintree says no more."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status

    @property
    def body(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one attribute of an object; `attribute` `base`: with the object itself."""

    code: str
    attribute: str = "base"
    object: str = "transaction"


class Invalid(ApiError):
    """422: the request was understood and is not granted. `extra`: an object that was made all the same."""

    def __init__(
        self,
        message: str,
        problems: Sequence[Problem] = (),
        *,
        extra: Shape | None = None,
    ) -> None:
        super().__init__(422)
        self.message = message
        self.problems = tuple(problems)
        self.extra = extra or {}
        self.params: Shape = {}

    @property
    def body(self) -> bytes:
        errors: dict[str, Value] = {"errors": Many("error", [])}
        for name in dict.fromkeys(problem.object for problem in self.problems):
            rows: list[Value] = [
                {
                    "code": problem.code,
                    "attribute": Symbol(problem.attribute),
                    "message": MESSAGES[problem.code],
                }
                for problem in self.problems
                if problem.object == name
            ]
            errors[name] = {"errors": Many("error", rows)}
        shape = {"errors": errors, "params": self.params, "message": self.message, **self.extra}
        return document("api_error_response", shape)


def refuse(code: str, attribute: str = "base", of: str = "transaction") -> Invalid:
    """The refusal for one code of `MESSAGES`."""
    return Invalid(MESSAGES[code], [Problem(code, attribute, of)])


def unknown_parameters(names: Sequence[str]) -> Invalid:
    return Invalid(f"Invalid params: {', '.join(names)}")


def malformed(name: str, what: str) -> Invalid:
    return Invalid(f"Invalid params: {name} is not {what}")


UNAUTHENTICATED = 401
FORBIDDEN = 403
NOT_FOUND = 404
UPGRADE_REQUIRED = 426
