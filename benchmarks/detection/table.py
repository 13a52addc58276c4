"""One line of the table: what was measured, the goal, and whether it is met."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """`value` must not exceed `most`, or not fall below `least`."""

    what: str
    value: float
    most: float | None = None
    least: float | None = None
    beside: str = ""

    @property
    def met(self) -> bool:
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    def __str__(self) -> str:
        goal = (
            f"≤ {self.most:g}"
            if self.most is not None
            else f"≥ {self.least:g}"
            if self.least is not None
            else ""
        )
        verdict = ("met" if self.met else "MISSED") if goal else ""
        return f"{self.what:<58} {self.value:>9.3g}   {goal:<9} {verdict:<7} {self.beside}".rstrip()


def quantile(values: list[int], share: float) -> int:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(len(ordered) * share * 1000) // 1000) - 1))]
