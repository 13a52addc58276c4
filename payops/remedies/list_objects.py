"""`list-objects`: name the refunds, disputes, payouts, subscriptions or charges behind an incident. It changes nothing."""

from __future__ import annotations

from payops.domain.plans import Plan, Refusal
from payops.domain.policy import parse_policy
from payops.signals.troubles import account_of, troubles

from .journal import Journal
from .results import Checked, Context, Ended, Result


class ListObjects:
    """Level 1 of what concerns single objects: which they are, what they are worth, until when there is time."""

    id = "list-objects"
    action = "objects.list"

    def plan(self, context: Context) -> Plan | Refusal:
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="read",
            steps=(f"name the objects of {context.account.name} behind this incident, from what is stored",),
            targets=0,
            undo="nothing to undo: it only reads",
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        source = parse_policy(context.incident.policy).source
        found = troubles(context.store, context.account, source, context.now)
        if found is None:
            return Ended("refused", f"the signal {source} counts no objects: there is nothing to list")
        return Ended("succeeded", account_of(source, found))

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return True

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        return Checked(False, "a list fixes nothing")
