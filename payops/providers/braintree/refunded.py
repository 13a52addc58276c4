"""How much of a sale went back: Braintree names a sale's refunds, and only they say how much and whether they failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from payops.domain.events import Facts
from payops.domain.payments import Attempt, Refund

from . import normalise, search, wire
from .session import Reader

_MOST = 4 * search.PAGE
"""So many refunds of one page's sales are read; what is beyond stays unknown."""
Thing = Mapping[str, Any]


def facts(reader: Reader, found: Iterable[Thing]) -> Facts:
    """What these transactions state. A refund brings its sale along, and a sale the sum of its refunds."""
    known = {each["id"]: each for each in found}
    sales = [of for each in known.values() if (of := _sale_of(each)) is not None]
    known |= _read(reader, sales, known)
    known |= _read(reader, [name for each in known.values() for name in refund_ids(each)], known)
    stated = normalise.facts(known.values(), reader.session.account)
    refunds = {each.refund_id: each for each in stated.refunds}
    attempts = tuple(
        summed(each, [refunds.get(name) for name in refund_ids(known[each.attempt_id])])
        for each in stated.attempts
    )
    return replace(stated, attempts=attempts)


def refund_ids(sale: Thing) -> list[str]:
    """The refunds a sale names."""
    named = wire.items(sale.get("refund_ids"))
    return [each for each in named if isinstance(each, str) and search.ID.fullmatch(each)]


def summed(attempt: Attempt, refunds: Sequence[Refund | None]) -> Attempt:
    """The attempt with what its refunds sum to; as it is where there are none or one is not known.

    Braintree does not touch the sale when a refund is made or fails, so its state is as new as the newest of them.
    """
    told = [each for each in refunds if each is not None]
    if not told or len(told) < len(refunds):
        return attempt
    counted = [each for each in told if each.failure_reason is None and each.status != "voided"]
    return replace(
        attempt,
        amount_refunded_minor=sum(each.amount_minor for each in counted),
        changed_at=max(attempt.changed_at, *(each.changed_at or each.at for each in told)),
    )


def _sale_of(credit: Thing) -> str | None:
    of = wire.identifier(credit.get("refunded_transaction_id")) if credit.get("type") == "credit" else None
    return of if of is not None and search.ID.fullmatch(of) else None


def _read(reader: Reader, names: Iterable[str], known: Mapping[str, Thing]) -> dict[str, Thing]:
    wanted = list(dict.fromkeys(each for each in names if each not in known))[:_MOST]
    found: dict[str, Thing] = {}
    for first in range(0, len(wanted), search.PAGE):
        page = search.fetch(reader, search.TRANSACTIONS, wanted[first : first + search.PAGE])
        found |= {each["id"]: each for each in page}
    return found
