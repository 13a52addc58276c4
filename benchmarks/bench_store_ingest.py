"""Storing a history page by page, grouped and rolled up, against raw `executemany` of the same rows."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from payops.clock import to_epoch
from payops.domain.events import Facts, FeedPage
from payops.domain.payments import Attempt
from payops.store import Store

from .harness import Figure, cpu_of, paired

ACCOUNT = "stripe-live"
ROWS = 20_000
PAGES = (100, 1_000)
START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def _attempts(ordered: bool) -> list[Attempt]:
    """A day of payments as a shop has them, each payment with ids as random as a provider's."""
    rng = random.Random(1)

    def name(prefix: str) -> str:
        return prefix + "".join(
            rng.choices("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=24)
        )

    customers = [name("cus_") for _ in range(ROWS // 5)]
    made = []
    for n in range(ROWS):
        good = rng.random() < 0.95
        at = START + timedelta(hours=24) * n / ROWS
        made.append(
            Attempt(
                ACCOUNT,
                name("ch_"),
                at,
                "succeeded" if good else "failed",
                at,
                payment_id=name("pi_"),
                customer=rng.choice(customers),
                amount_minor=1000 + n % 9000,
                currency="eur",
                decline_code=None if good else "do_not_honor",
                method="card",
                card_brand=rng.choice(("visa", "mastercard", "amex")),
                country="DE",
                captured=True,
                amount_refunded_minor=0,
            )
        )
    return made if ordered else made[::-1]


def _pages(attempts: Sequence[Attempt], size: int) -> list[FeedPage]:
    return [
        FeedPage(
            "events",
            size,
            1,
            cursor=str(start),
            facts=Facts(attempts=tuple(attempts[start : start + size])),
        )
        for start in range(0, len(attempts), size)
    ]


def _rows(attempts: Sequence[Attempt]) -> list[tuple[object, ...]]:
    return [
        (
            one.account,
            one.attempt_id,
            to_epoch(one.at),
            one.status,
            to_epoch(one.changed_at),
            one.payment_id,
            one.customer,
            one.amount_minor,
            one.currency,
            one.decline_code,
            one.method,
            one.card_brand,
            one.country,
            1,
            one.captured,
            one.amount_refunded_minor,
        )
        for one in attempts
    ]


def figures() -> list[Figure]:
    found = []
    attempts = _attempts(ordered=False)
    with tempfile.TemporaryDirectory() as folder:
        numbers = count()
        for size in PAGES:
            pages = _pages(attempts, size)
            batches = [_rows(attempts[start : start + size]) for start in range(0, ROWS, size)]

            def stored(pages: list[FeedPage] = pages) -> float:
                with Store.open(Path(folder) / f"{next(numbers)}.db", now=START) as store:
                    return cpu_of(lambda: [store.facts.apply_page(ACCOUNT, page, START) for page in pages])

            def raw(batches: list[list[tuple[object, ...]]] = batches) -> float:
                # The same table, its indexes and settings: what is measured is payops, not SQLite.
                with Store.open(Path(folder) / f"{next(numbers)}.db", now=START) as store, store.read() as db:
                    db.execute("COMMIT")
                    return cpu_of(lambda: _insert(db, batches))

            found.append(
                paired(
                    f"store {ROWS:,} attempts, {size:,} a page",
                    stored,
                    raw,
                    "goal 1.6: executemany, one transaction a page",
                )
            )
    return found


def _insert(db: sqlite3.Connection, batches: Sequence[Sequence[tuple[object, ...]]]) -> None:
    for batch in batches:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            "INSERT INTO attempts (account, attempt_id, at, status, changed_at, payment_id, customer,"
            " amount_minor, currency, decline_code, method, card_brand, country, first, captured,"
            " amount_refunded_minor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            batch,
        )
        db.execute("COMMIT")
