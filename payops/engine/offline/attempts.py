"""Which attempts count: the first of each purpose. Duplicates, retries and what is not decided do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .rows import FAILED, SUCCEEDED, Row

WINDOW_US = 60 * 60 * 1_000_000


@dataclass(slots=True)
class Attempts:
    """The counted attempts, oldest first, and how many were not.

    `paid_us` says by the index of a counted failure when its order was paid after all.
    """

    counted: list[Row] = field(default_factory=list)
    paid_us: dict[int, int] = field(default_factory=dict)
    uncounted: int = 0
    duplicates: int = 0
    retries: int = 0


@dataclass(slots=True)
class _Chain:
    """A counted failure whose later attempts are retries until one succeeds."""

    index: int
    until_us: int
    open: bool = True


def first_attempts(rows: Iterable[Row]) -> Attempts:
    """The rows sorted and judged: INTERFACE's grouping by payment, and by customer, amount and currency for 60 min.

    Of rows equal in payment and time the success is kept, else the failure: an export that lists an attempt twice
    knew more about it the second time.
    """
    found = Attempts()
    by_payment: dict[str, _Chain] = {}
    by_customer: dict[tuple[str, int, str], _Chain] = {}
    last: tuple[int, str] | None = None
    for row in sorted(rows):
        here = (row.at_us, row.payment_id)
        if row.payment_id and here == last:
            found.duplicates += 1
            continue
        last = here
        if row.status not in (SUCCEEDED, FAILED):
            found.uncounted += 1
            continue
        buyer = (row.customer, row.amount_minor, row.currency)
        chains = [
            chain
            for chain in (
                by_payment.get(row.payment_id) if row.payment_id else None,
                _lately(by_customer.get(buyer), row.at_us) if row.customer else None,
            )
            if chain and chain.open
        ]
        if chains:
            found.retries += 1
            if row.status == SUCCEEDED:
                for chain in chains:
                    chain.open = False
                    found.paid_us.setdefault(chain.index, row.at_us)
            continue
        if row.status == FAILED:
            chain = _Chain(len(found.counted), row.at_us + WINDOW_US)
            if row.payment_id:
                by_payment[row.payment_id] = chain
            if row.customer:
                by_customer[buyer] = chain
        found.counted.append(row)
    return found


def _lately(chain: _Chain | None, at_us: int) -> _Chain | None:
    return chain if chain and at_us <= chain.until_us else None
