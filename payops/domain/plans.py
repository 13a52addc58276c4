"""A remedy's plan: the exact calls it would make. It is the dry run, and what an approver sees."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
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
    people: int = 1
    """How many different operators must approve it, where anybody must."""
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A plan that must not be made, and why. `waits`: the target cannot answer yet, no budget is used."""

    reason: str
    waits: bool = False


def plan_json(plan: Plan) -> str:
    """The plan as canonical JSON: what an attempt row keeps."""
    return json.dumps(asdict(plan), sort_keys=True, ensure_ascii=False)


def plan_of(text: str) -> Plan:
    """The plan that `plan_json` wrote; ValueError when it is none."""
    raw = json.loads(text)
    if not isinstance(raw, dict) or raw.get("effect") not in EFFECTS:
        raise ValueError("not a plan")
    return Plan(
        remedy=str(raw["remedy"]),
        action=str(raw["action"]),
        effect=raw["effect"],
        steps=tuple(str(step) for step in raw["steps"]),
        targets=int(raw["targets"]),
        money=tuple(Money(each["amount_minor"], each["currency"]) for each in raw["money"]),
        undo=str(raw["undo"]),
        people=int(raw.get("people", 1)),
        data=dict(raw["data"]),
    )


_ESTIMATES = frozenset({"takes_s", "judged"})


def plan_hash(plan: Plan) -> str:
    """What the plan does and to what, as 16 hex digits; how many events wait by now is not part of it."""
    bound = {name: value for name, value in plan.data.items() if name not in _ESTIMATES}
    text = json.dumps([plan.remedy, plan.action, plan.effect, bound], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
