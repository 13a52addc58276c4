"""Settlement: what was submitted is settled with a batch, and paid out a day after that.

Braintree settles once a day, at a time that depends on processor and currency. Here each minute's transactions are
a batch, settled a fixed while later: notifications then come in the rhythm of the payments, not all at midnight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .transactions import SUBMITTED, Transaction

if TYPE_CHECKING:
    from .account import BraintreeAccount

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
SETTLING_MS = 3 * _HOUR_MS
"""From submission until the processor has it."""
SETTLED_MS = 4 * _HOUR_MS
"""From submission until it is settled."""
DISBURSED_MS = 24 * _HOUR_MS
"""From settlement until the money is on its way to the merchant's bank."""
_Queue = deque[tuple[int, Transaction]]


class Settlement:
    """The batches of one account."""

    def __init__(self, account: BraintreeAccount) -> None:
        self._account = account
        self._submitted: _Queue = deque()
        self._settling: _Queue = deque()
        self._settled: _Queue = deque()
        self._hurried: _Queue = deque()

    def begin(self, at_ms: int) -> None:
        self._account.agenda.plan(at_ms + _MINUTE_MS, self._batch)

    def submitted(self, at_ms: int, transaction: Transaction) -> None:
        """It goes with the batch of its minute. A purchase with a security code written beside goes with the next:
        settlement is what its notification waits for."""
        if "cvv" in transaction.charge.payment.metadata:
            self._hurried.append((at_ms, transaction))
        else:
            self._submitted.append((at_ms + SETTLING_MS, transaction))

    def settled(self, at_ms: int, transaction: Transaction) -> None:
        """It will be paid out."""
        self._settled.append((at_ms + DISBURSED_MS, transaction))

    def _batch(self, at_ms: int, _: object) -> None:
        self._account.agenda.plan(at_ms + _MINUTE_MS, self._batch)
        for _, transaction in _due(self._hurried, at_ms):
            if transaction.status == SUBMITTED:
                self._account.settle(at_ms, transaction)
        for due_ms, transaction in _due(self._submitted, at_ms):
            if transaction.status == SUBMITTED and not _waits(transaction):
                self._account.book.move(transaction, at_ms, "settling")
                self._settling.append((due_ms + SETTLED_MS - SETTLING_MS, transaction))
        for _, transaction in _due(self._settling, at_ms):
            if transaction.status == "settling":
                self._account.settle(at_ms, transaction)
        for _, transaction in _due(self._settled, at_ms):
            self._account.disburse(at_ms, transaction)


def _waits(transaction: Transaction) -> bool:
    return transaction.refund is not None and transaction.refund.status == "pending"


def _due(queue: _Queue, at_ms: int) -> Iterator[tuple[int, Transaction]]:
    while queue and queue[0][0] <= at_ms:
        yield queue.popleft()
