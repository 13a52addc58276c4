"""A remedy's plan: the exact calls it would make. It is the dry run, and what an approver sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .money import Money

Effect = Literal["read", "reversible", "external", "money"]
EFFECTS: tuple[Effect, ...] = ("read", "reversible", "external", "money")


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, to how many targets, worth how much, and how to undo it.

    `steps` are sentences naming each call. `data` is what apply needs, as JSON-able values.
    """

    remedy: str
    action: str
    effect: Effect
    steps: tuple[str, ...]
    targets: int
    money: tuple[Money, ...] = ()
    undo: str = ""
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A plan that must not be made, and why. `waits`: the target cannot answer yet, no budget is used."""

    reason: str
    waits: bool = False
