"""Exports of payments with a drop in them, as CSV text."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

COLUMNS = (
    "at", "provider", "payment_id", "customer", "amount_minor", "currency", "status", "decline_code", "method",
    "card_brand", "country",
)  # fmt: skip
START = datetime(2026, 3, 28, tzinfo=UTC)
"""The clocks of Europe change in the night to the 29th."""
Entry = dict[str, str]


def payments(
    *,
    minutes: float,
    per_minute: float,
    drop: tuple[float, float] = (0, 0),
    to: float = 0.4,
    where: Mapping[str, str] | None = None,
    seed: int = 1,
) -> list[Entry]:
    """Customers' payments at 95 % success, and `to` from and until the minutes of `drop` in the slice `where`."""
    rng, at, found = random.Random(seed), 0.0, []
    while (at := at + rng.expovariate(per_minute)) < minutes:
        entry = {
            "provider": rng.choice(["stripe", "stripe", "braintree"]),
            "currency": rng.choice(["EUR", "EUR", "USD"]),
            "method": "card",
            "card_brand": rng.choice(["visa", "visa", "mastercard", "amex"]),
            "country": rng.choice(["NL", "NL", "DE", "FR"]),
        }
        hit = drop[0] <= at < drop[1] and all(entry[key] == value for key, value in (where or {}).items())
        good = rng.random() < (to if hit else 0.95)
        number = len(found)
        entry |= {
            "at": (START + timedelta(minutes=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "payment_id": f"p{number}",
            "customer": f"c{number}",
            "amount_minor": str(rng.randint(500, 20_000)),
            "status": "succeeded" if good else "failed",
            "decline_code": "" if good else rng.choice(["do_not_honor", "insufficient_funds"]),
        }
        found.append(entry)
    return found


def text(entries: Iterable[Mapping[str, str]], columns: tuple[str, ...] = COLUMNS) -> str:
    """The entries as a CSV file's text."""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(entries)
    return file.getvalue()


def written(path: Path, entries: Iterable[Mapping[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    path.write_text(text(entries, columns), encoding="utf-8")
    return path
