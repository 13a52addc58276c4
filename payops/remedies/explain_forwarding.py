"""`explain-forwarding`: say what the application behind a relay answers, what waits for it, and whether it is there."""

from __future__ import annotations

from payops.clock import iso_or_none
from payops.domain.plans import Plan, Refusal
from payops.signals.forwarding import answers
from payops.signals.words import plural

from .journal import Journal
from .results import Checked, Context, Ended, Result


class ExplainForwarding:
    """Nothing is sent again from here: forwarding goes on by itself, and dead letters are a person's to replay."""

    id = "explain-forwarding"
    action = "webhooks.explain_forwarding"

    def plan(self, context: Context) -> Plan | Refusal:
        configured = context.endpoint
        if configured is None or configured.forward_to is None:
            return Refusal("nothing is relayed to this endpoint's application: the configuration was changed")
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="read",
            steps=(
                f"say what {configured.name} answered, what waits for it, and whether its address answers",
            ),
            targets=0,
            undo="nothing to undo: it only reads",
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        configured = context.endpoint
        if configured is None or configured.forward_to is None:
            return Ended("refused", "nothing is relayed to this endpoint's application any more")
        account, name = context.account.name, configured.name
        counts = context.store.forwards.counts(account, name)
        _, seen = context.probe.answers(configured.forward_to)
        told = answers(context.store, account, name)
        return Ended(
            "succeeded",
            f"{plural(counts.waiting, 'event')} wait for {name}, {counts.failing} of them tried in vain"
            f"{f' ({told})' if told else ''}; {plural(counts.dead, 'dead letter')}; the last one taken "
            f"{iso_or_none(counts.last_delivered_at) or 'is not known'}; its address, looked at now: {seen}",
        )

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return True

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        return Checked(False, "an explanation fixes nothing")
