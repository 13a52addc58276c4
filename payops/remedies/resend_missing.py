"""`resend-missing`: ask the provider to send again what it generated and the endpoint's inbox never saw."""

from __future__ import annotations

from payops.clock import to_epoch
from payops.domain.events import Endpoint
from payops.domain.gaps import worth
from payops.domain.plans import Plan, Refusal
from payops.signals.inboxes import inbox_of
from payops.signals.words import plural

from . import resending
from .endpoints import at_provider, reachable
from .journal import Journal
from .results import Checked, Context, Ended, Result


class ResendMissing:
    """Only for endpoints whose inbox is known here, ours or an imported one: of others it is unknown what is missing."""

    id = "resend-missing"
    action = "webhooks.resend_missing"

    def plan(self, context: Context) -> Plan | Refusal:
        configured = context.endpoint
        if configured is None or inbox_of(context.store, context.account, configured) is None:
            return Refusal(
                "what the application behind this endpoint received is unknown here: nothing can be resent"
            )
        unreachable = reachable(context, configured.url)
        if unreachable is not None:
            return unreachable
        found = at_provider(context)
        if isinstance(found, Refusal):
            return found
        endpoint, _ = found
        if endpoint.status == "disabled":
            return Refusal(f"{endpoint.endpoint_id} is disabled: enable it first, a resend would not be sent")
        start, end = resending.since(context, endpoint), resending.listed_until(context)
        if start is None or end is None:
            return Refusal("nothing was received here yet: what is missing cannot be told")
        gap = resending.missing(context, endpoint, start, end)
        if not gap:
            words = resending.inbox(context).words
            return Refusal(f"nothing is missing any more: every listed event is in {words}")
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="external",
            steps=(resending.sentence(gap, resending.inbox(context).words),),
            targets=len(gap),
            money=worth(gap),
            undo="none: an event that was sent cannot be unsent",
            data={
                "endpoint": endpoint.endpoint_id,
                "url": configured.url,
                "since": to_epoch(start),
                "takes_s": int(resending.takes(len(gap)).total_seconds()),
            },
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        endpoint = _stored(context, plan)
        if endpoint is None:
            return Ended(
                "refused", f"the provider no longer lists {plan.data['endpoint']}: the plan does not hold"
            )
        return resending.advance(context, endpoint, plan, journal)

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        return resending.arrived(context, journal, resending.event_of(step) or "")

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        endpoint = _stored(context, plan)
        left = resending.still_missing(context, endpoint, plan, journal) if endpoint else []
        if left or endpoint is None:
            return Checked(False, f"{plural(len(left), 'event')} did not arrive")
        return Checked(True, f"every event of the plan is in {resending.inbox(context).words}")


def _stored(context: Context, plan: Plan) -> Endpoint | None:
    known = context.store.facts.endpoints(context.account.name)
    return next((each for each in known if each.endpoint_id == plan.data["endpoint"]), None)
