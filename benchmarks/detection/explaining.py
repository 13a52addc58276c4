"""How close the onset is, and how often the right slice is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations

from payops.detection import Detector, Seen, Slice, Turn, onset, scan, slices_of

from .delays import MONTH, P0
from .table import Line, quantile

COLUMNS = {
    "provider": (0.6, 0.3, 0.1),
    "method": (0.5, 0.3, 0.2),
    "brand": (0.4, 0.35, 0.15, 0.1),
    "currency": (0.4, 0.3, 0.2, 0.1),
    "country": (0.35, 0.25, 0.2, 0.1, 0.06, 0.04),
}


def onset_errors(rng: random.Random, share: float, incidents: int) -> list[int]:
    """Payments between the first affected one and the one named, at the alarm, 2 payments a minute."""
    errors = []
    while len(errors) < incidents:
        detector, failed, began = Detector(), [], rng.randint(300, 900)
        while True:
            bad = rng.random() < (share if len(failed) >= began else P0)
            failed.append(bad)
            if detector.feed(bad, P0, 2 * MONTH) is Turn.ALARM:
                break
        found = onset(failed, [P0] * len(failed))
        if len(failed) > began and found is not None:
            errors.append(abs(found - began))
    return errors


def _payments(rng: random.Random) -> Iterator[dict[str, str]]:
    names = {
        column: [f"{column}{index}" for index in range(len(shares))] for column, shares in COLUMNS.items()
    }
    while True:
        yield {column: rng.choices(names[column], shares)[0] for column, shares in COLUMNS.items()}


def _causes(columns: int) -> list[Slice]:
    """Slices by so many columns with 2 % of the payments and more."""
    found = []
    for picked in combinations(COLUMNS, columns):
        options: list[tuple[Slice, float]] = [((), 1.0)]
        for column in picked:
            options = [
                ((*slice_, (column, f"{column}{index}")), size * share)
                for slice_, size in options
                for index, share in enumerate(COLUMNS[column])
            ]
        found += [slice_ for slice_, size in options if size >= 0.02]
    return found


def named(rng: random.Random, columns: int, share: float, affected: int, incidents: int) -> float:
    """The share of drops whose slice comes out first, after so many affected payments."""
    causes, right = _causes(columns), 0
    for _ in range(incidents):
        cause = rng.choice(causes)
        seen, hit = [], 0
        for values in _payments(rng):
            bad = set(cause) <= set(values.items())
            slices = slices_of(values)
            seen.append(Seen(slices, rng.random() < (share if bad else P0), (P0,) * len(slices)))
            hit += bad
            if hit == affected:
                break
        found = scan(seen)
        right += found is not None and found.best.slice == cause
    return right / incidents


def lines(quick: bool) -> Iterator[Line]:
    incidents = 150 if quick else 1_000
    errors = onset_errors(random.Random("onset 0.6"), 0.6, incidents)
    within = sum(error <= 5 for error in errors) / len(errors)
    yield Line("onset of 95 → 40 within 5 payments, share of incidents", within, least=0.9)
    errors = onset_errors(random.Random("onset 0.25"), 0.25, incidents)
    yield Line("onset of 95 → 75, median error in payments", quantile(errors, 0.5), most=6)
    for columns, share, affected, least in (
        (2, 0.6, 20, 0.9),
        (2, 0.25, 150, 0.9),
        (1, 0.25, 50, 0.65),
        (1, 0.6, 20, None),
    ):
        rng = random.Random(f"named {columns} {share} {affected}")
        hits = named(rng, columns, share, affected, min(incidents, 400))
        name = f"right {columns}-D slice of 95 → {100 - 100 * share:.0f} after {affected} payments"
        yield Line(name, hits, least=least)
