"""Payments that arrive one after the other, as the streams see them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from payops.domain.events import Facts
from payops.domain.payments import Attempt
from payops.store import Store

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
ACCOUNT = "shop"
CODES = ("do_not_honor", "insufficient_funds", "generic_decline")


def payment(draw: random.Random, number: int, at: datetime, success: float) -> Attempt:
    good = draw.random() < success
    return Attempt(
        ACCOUNT,
        f"a{number:06}",
        at,
        "succeeded" if good else "failed",
        at,
        payment_id=f"p{number}",
        customer=f"c{draw.randrange(3000)}",
        amount_minor=int(4000 * draw.lognormvariate(0, 0.7)),
        currency=draw.choice(("eur", "usd")),
        decline_code=None if good else draw.choice(CODES),
        method="card",
        card_brand=draw.choices(("visa", "mastercard", "amex"), (5, 4, 1))[0],
        country=draw.choice(("DE", "US", "FR")),
    )


def day(
    seed: int, end: datetime, hours: float, per_minute: float, success: Callable[[datetime], float]
) -> list[Attempt]:
    """Payments of the hours before `end`, oldest first; `success` is the share that succeeds at an instant."""
    draw, at, made = random.Random(seed), end - timedelta(hours=hours), []
    while True:
        at += timedelta(seconds=draw.expovariate(per_minute / 60))
        if at >= end:
            return made
        made.append(payment(draw, len(made), at, success(at)))


def keep(store: Store, attempts: Sequence[Attempt], now: datetime = NOW) -> None:
    store.facts.apply_facts(ACCOUNT, Facts(attempts=tuple(attempts)), now)
