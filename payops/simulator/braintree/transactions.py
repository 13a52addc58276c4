"""Braintree's transactions: one record for each sale and each credit, and how it came to its present status."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from payops.simulator.log import Log
from payops.simulator.objects import Charge, Refund

from .declines import Decline

SUBMITTED = "submitted_for_settlement"
VOIDABLE = ("authorized", SUBMITTED, "settlement_pending")
REFUNDABLE = ("settled", "settling", "settlement_confirmed")
UNPAID = (
    "processor_declined",
    "gateway_rejected",
    "failed",
    "voided",
    "authorization_expired",
    "settlement_declined",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A status and since when; `by` is who brought it about: a user of the Control Panel or API, None = the gateway."""

    at_ms: int
    status: str
    amount: int
    by: str | None = None


@dataclass(slots=True, eq=False)
class Transaction:
    """`refund` makes it a credit, else it is a sale: the `charge` tells what of, or of what.

    `response` is the refusal, None = approved. `token` is the payment method it was made with. `amount` in minor
    units; what is submitted for settlement may be less than was authorized.
    """

    id: str
    at_ms: int
    charge: Charge
    amount: int
    token: str | None
    refund: Refund | None = None
    response: Decline | None = None
    source: str | None = None
    steps: list[Step] = field(default_factory=list)
    order: str | None = None
    expires_ms: int | None = None
    disbursed_ms: int | None = None
    cloned: bool = False

    @property
    def type(self) -> str:
        return "sale" if self.refund is None else "credit"

    @property
    def status(self) -> str:
        return self.steps[-1].status

    @property
    def changed_ms(self) -> int:
        return max(self.steps[-1].at_ms, self.disbursed_ms or 0)

    @property
    def currency(self) -> str:
        return self.charge.payment.buyer.currency

    def reached(self, status: str) -> int | None:
        """When it came to a status; None = never."""
        return next((step.at_ms for step in self.steps if step.status == status), None)


class Book:
    """All transactions, in order of creation, and by the instants at which they came to each status."""

    def __init__(self) -> None:
        self.log: Log[Transaction] = Log()
        self._steps: dict[str, tuple[list[int], list[Transaction]]] = {}
        self._orders: dict[str, list[Transaction]] = {}
        self._places: dict[str, int] = {}

    def open(self, transaction: Transaction, *statuses: str, by: str | None = None) -> None:
        """A new transaction, which went through `statuses` at once."""
        self._places[transaction.id] = len(self.log)
        self.log.add(transaction)
        if transaction.order is not None:
            self._orders.setdefault(transaction.order, []).append(transaction)
        for status in statuses:
            self.move(transaction, transaction.at_ms, status, by=by)

    def move(self, transaction: Transaction, at_ms: int, status: str, *, by: str | None = None) -> None:
        """It comes to a status."""
        transaction.steps.append(Step(at_ms, status, transaction.amount, by))
        self._enter(status, at_ms, transaction)

    def disburse(self, transaction: Transaction, at_ms: int) -> None:
        transaction.disbursed_ms = at_ms
        self._enter("disbursed", at_ms, transaction)

    def _enter(self, what: str, at_ms: int, transaction: Transaction) -> None:
        instants, rows = self._steps.setdefault(what, ([], []))
        instants.append(at_ms)
        rows.append(transaction)

    def get(self, transaction_id: str) -> Transaction | None:
        return self.log.get(transaction_id)

    def newest(self) -> Iterator[Transaction]:
        return reversed(self.log.rows)

    def of_order(self, order: str) -> list[Transaction]:
        return self._orders.get(order, [])

    def created(self, first_ms: int, before_ms: int) -> Iterator[Transaction]:
        """Those created in [first, before), newest first."""
        rows = self.log.rows
        low = bisect_left(rows, first_ms, key=lambda row: row.at_ms)
        high = bisect_left(rows, before_ms, key=lambda row: row.at_ms)
        return (rows[place] for place in range(high - 1, low - 1, -1))

    def moved(self, status: str, first_ms: int, before_ms: int) -> list[Transaction]:
        """Those that came to a status (or `disbursed`) in [first, before), newest first."""
        instants, rows = self._steps.get(status, ([], []))
        found = rows[bisect_left(instants, first_ms) : bisect_left(instants, before_ms)]
        return self.sorted(found)

    def sorted(self, rows: list[Transaction]) -> list[Transaction]:
        """Each once, most recently created first."""
        places = {self._places[row.id] for row in rows}
        return [self.log.rows[place] for place in sorted(places, reverse=True)]
