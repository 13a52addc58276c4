"""A dry run as a person reads it: what exactly, to how many, worth how much, and how to take it back."""

from __future__ import annotations

from textual.content import Content

from payops.domain.approvals import Approval
from payops.domain.plans import Plan
from payops.engine.board import PlanView

from .. import ink
from ..words import Times, count, money

EFFECTS: dict[str, str] = {
    "read": "looks only, changes nothing",
    "reversible": "can be undone",
    "external": "cannot be taken back",
    "money": "MOVES MONEY",
}


def lines(view: PlanView) -> list[Content]:
    """Whether it would be carried out, and the plan or the reason there is none."""
    drawn: list[Content] = []
    refusal = view.refusal
    if refusal is not None:
        waits = " It waits and uses up no attempt." if refusal.waits else ""
        drawn.append(ink.join((ink.own("Refused: ", "watch"), ink.told(refusal.reason), ink.own(waits))))
    if not view.would_act and view.why_not and not (refusal is not None and view.why_not == refusal.reason):
        drawn += [ink.join((ink.own("Would not act: ", "watch"), ink.told(view.why_not))), ink.own("")]
    if view.plan is not None:
        drawn += _plan(view.plan)
    return drawn


def asked(approval: Approval, times: Times) -> list[Content]:
    """Until when it waits, whose yes it takes, and who gave theirs."""
    needed = "one person" if approval.people == 1 else f"{approval.people} different people"
    given = f"; {' and '.join(approval.by)} approved" if approval.by else ""
    return [
        ink.join((_label("until"), ink.own(times.second(approval.expires_at), "strong"))),
        ink.join((_label("takes"), ink.said(f"{needed} with the role {approval.role}{given}", limit=200))),
        ink.join((_label("hash"), ink.said(approval.plan_hash))),
    ]


def _plan(plan: Plan) -> list[Content]:
    drawn = [
        ink.join((_label("remedy"), ink.said(plan.remedy, "strong"))),
        ink.join(
            (
                _label("effect"),
                ink.said(EFFECTS.get(plan.effect, plan.effect), "bad" if plan.effect == "money" else ""),
            )
        ),
        ink.join((_label("targets"), ink.own(count(plan.targets)))),
        ink.join((_label("money"), ink.said(money(plan.money) or "none"))),
        ink.join((_label("undo"), ink.told(plan.undo or "none", limit=500))),
        ink.own(""),
        ink.own("It would, in this order:", "dim"),
    ]
    drawn += [
        ink.join((ink.own(f"{n:>3}. "), ink.told(step, limit=500))) for n, step in enumerate(plan.steps, 1)
    ]
    return drawn


def asks_for_word(plan: Plan) -> bool:
    """Money moves or more than one target is touched: a single key is not enough."""
    return plan.effect == "money" or plan.targets > 1


def _label(text: str) -> Content:
    return ink.own(f"{text:<9}", "dim")
