"""`reconcile-missing`: rebuild events that never came, where the provider cannot send them again."""

from __future__ import annotations

from payops.domain.abilities import can
from payops.domain.gaps import worth
from payops.domain.plans import Plan, Refusal
from payops.signals.words import plural

from . import rebuilding
from .endpoints import reachable
from .journal import Journal
from .results import Checked, Context, Ended, Result


class ReconcileMissing:
    """The change is in our own store; one object is read back first, as what is known of them may be old."""

    id = "reconcile-missing"
    action = "webhooks.reconcile"

    def plan(self, context: Context) -> Plan | Refusal:
        configured = context.endpoint
        if can(context.account.provider, "resend_event"):
            return Refusal("the provider sends its events again when asked: none need be rebuilt")
        if configured is None or not context.account.receives(configured):
            return Refusal(
                "what the application behind this endpoint received is unknown here: nothing can be rebuilt"
            )
        unreachable = reachable(context, configured.url)
        if unreachable is not None:
            return unreachable
        gap = rebuilding.untold(context)
        if not gap:
            return Refusal("nothing is missing any more: a webhook told of everything the objects show")
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="reversible",
            steps=(
                f"read {gap[0].object_id} back at the provider",
                rebuilding.sentence(gap),
                rebuilding.LATER,
            ),
            targets=len(gap),
            money=worth(gap),
            undo="take the rebuilt events out of the inbox again: their verdict is `reconciled`",
            data={"objects": [event.object_id for event in gap]},
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        if journal.at("complete_to") is None:
            ended = _no_longer(context, plan)
            if ended is not None:
                return ended
            journal.keep(complete_to=context.now)
        return rebuilding.advance(context, journal)

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return journal.at("rebuilt_at") is not None

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        planned = _planned(plan)
        left = sum(event.object_id in planned for event in rebuilding.untold(context))
        if left:
            return Checked(False, f"{plural(left, 'event')} of the plan still missing")
        return Checked(True, "every event of the plan is in our inbox, rebuilt or arrived")


def _no_longer(context: Context, plan: Plan) -> Ended | None:
    """Why the plan does not hold any more; one of its objects is read back for it."""
    planned = _planned(plan)
    gap = [event for event in rebuilding.untold(context) if event.object_id in planned]
    if not gap:
        return Ended("refused", "everything of the plan has come by itself: the plan does not hold")
    back = context.provider.attempt(gap[0].object_id or "", context.now)
    if back.status != "succeeded":
        return Ended("refused", f"{back.attempt_id} is {back.status} at the provider: the plan does not hold")
    return None


def _planned(plan: Plan) -> frozenset[str]:
    objects = plan.data["objects"]
    assert isinstance(objects, list)
    return frozenset(objects)
