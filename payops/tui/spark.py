"""A rate over time as block characters, several lines high. 0 to 100 %, so that two cards compare."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_EIGHTHS = " ▁▂▃▄▅▆▇█"
NOTHING = "·"


def squeeze(rates: Sequence[float | None], weights: Sequence[int], columns: int) -> list[float | None]:
    """At most `columns` values: neighbours are merged by their weight, unknown minutes count for nothing."""
    total = len(rates)
    if columns <= 0 or total == 0:
        return []
    step = -(-total // columns)
    first = total % step or step
    edges = [0, *range(first, total + 1, step)]
    merged: list[float | None] = []
    for start, end in pairwise(edges):
        known = [
            (r, w) for r, w in zip(rates[start:end], weights[start:end], strict=False) if r is not None and w
        ]
        weight = sum(w for _, w in known)
        merged.append(sum(r * w for r, w in known) / weight if weight else None)
    return merged


def blocks(values: Sequence[float | None], height: int) -> list[str]:
    """`height` lines, top first. An unknown value is a dot on the ground; a rate of 0 is a thin line, not a gap."""
    rows = [""] * height
    for value in values:
        if value is None:
            for line in range(height):
                rows[line] += NOTHING if line == height - 1 else " "
            continue
        eighths = max(1, round(min(1.0, max(0.0, value)) * height * 8))
        for line in range(height):
            below = (height - 1 - line) * 8
            rows[line] += _EIGHTHS[min(8, max(0, eighths - below))]
    return rows
