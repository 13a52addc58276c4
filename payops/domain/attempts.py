"""Which attempts count in a rate: the first try of a purchase, not the retries of a card that was declined."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .payments import AttemptStatus

COUNTED: frozenset[AttemptStatus] = frozenset({"succeeded", "failed"})
TERMINAL: frozenset[AttemptStatus] = frozenset({"succeeded", "failed", "canceled"})
RETRY_WINDOW_S = 3600
"""How long after a failed first attempt the same customer with the same amount is still the same purchase."""


class Tried(NamedTuple):
    """One attempt of one account as the grouping sees it. `at` in epoch seconds.

    `first` None asks for a verdict; a given verdict is taken as it is and only gives context to later rows.
    """

    at: float
    attempt_id: str
    status: AttemptStatus
    payment_id: str | None = None
    customer: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    first: bool | None = None


class _Purchase:
    """A purchase whose first attempt failed; closed by its first success."""

    __slots__ = ("closed", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.closed = False


def mark_first(rows: Iterable[Tried]) -> list[bool]:
    """For each row, in the order given: is it a first attempt? Rows of one account; any order.

    Only `succeeded` and `failed` count. After a failed first attempt the later rows of its payment (at any
    time), or of its customer with the same amount and currency up to 60 minutes after it, are retries, up to
    and including the first success. Later means (at, attempt_id).
    """
    given = list(rows)
    verdicts = [False] * len(given)
    by_payment: dict[str, _Purchase] = {}
    by_customer: dict[tuple[str, int | None, str | None], _Purchase] = {}
    for index in sorted(range(len(given)), key=lambda i: (given[i].at, given[i].attempt_id)):
        row = given[index]
        if row.status not in COUNTED:
            continue
        key = (row.customer, row.amount_minor, row.currency) if row.customer else None
        matches: list[_Purchase] = []
        if row.payment_id and (purchase := by_payment.get(row.payment_id)) and not purchase.closed:
            matches.append(purchase)
        if key and (purchase := by_customer.get(key)) and not purchase.closed and row.at <= purchase.until:
            matches.append(purchase)
        first = not matches if row.first is None else row.first
        verdicts[index] = first
        if row.status == "succeeded":
            for purchase in matches:
                purchase.closed = True
        elif first:
            opened = _Purchase(row.at + RETRY_WINDOW_S)
            if row.payment_id:
                by_payment[row.payment_id] = opened
            if key:
                by_customer[key] = opened
    return verdicts


def state_rank(status: AttemptStatus, changed_at: float) -> tuple[bool, float, str]:
    """Orders the states one attempt was seen in; the greatest is the one to keep, whatever arrived first.

    An ended attempt never goes back to pending; otherwise the later change wins; the status breaks a tie.
    """
    return (status in TERMINAL, changed_at, status)
