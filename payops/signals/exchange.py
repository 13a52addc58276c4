"""Amounts of several currencies as one, at the dated rates of the configuration; never without them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from payops.config import RateSettings
from payops.domain.money import Money, minor_digits


def together(amounts: Sequence[Money], rates: Sequence[RateSettings]) -> str:
    """`together about 4,120.00 EUR at the rates of 2026-01-10`; empty for one currency, or where a rate is missing."""
    if len({money.currency for money in amounts}) < 2 or not rates:
        return ""
    target = rates[0].in_
    known = {rate.currency: rate for rate in rates}
    total, oldest = Decimal(0), max(rate.date for rate in rates)
    for money in amounts:
        units = Decimal(money.amount_minor).scaleb(-minor_digits(money.currency))
        if money.currency != target:
            rate = known.get(money.currency)
            if rate is None:
                return ""
            units *= rate.worth
            oldest = min(oldest, rate.date)
        total += units
    minor = int(total.scaleb(minor_digits(target)).quantize(Decimal(1), ROUND_HALF_UP))
    return f"together about {Money(minor, target)} at the rates of {oldest.isoformat()}"
