"""`subscribe-types`: let an endpoint of ours get every event type payops reads, beside those it gets."""

from __future__ import annotations

from payops.domain.plans import Refusal
from payops.signals.webhooks import unsubscribed
from payops.signals.words import plural

from .endpoints import at_provider
from .mend_endpoint import Change, MendEndpoint
from .results import Context

SHOWN = 5


class SubscribeTypes(MendEndpoint):
    """Of an application's own endpoint nothing is changed: what it wants to hear is its business."""

    id = "subscribe-types"
    action = "webhooks.subscribe_types"
    done = "gets every event type payops reads"

    def change(self, context: Context) -> Change | Refusal:
        found = at_provider(context)
        if isinstance(found, Refusal):
            return found
        endpoint, _ = found
        configured = context.endpoint
        if configured is None or not context.account.receives(configured):
            return Refusal(
                f"{endpoint.endpoint_id} is the application's own: ask its people which types it wants"
            )
        lacking = unsubscribed(context.account.provider, endpoint)
        if not lacking:
            return Refusal(
                f"{endpoint.endpoint_id} gets every event type payops reads: there is nothing to do"
            )
        shown = ", ".join(lacking[:SHOWN])
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        return Change(
            endpoint,
            f"subscribe {endpoint.endpoint_id} to {plural(len(lacking), 'more event type')}: {shown}{more}",
            f"take {shown}{more} from {endpoint.endpoint_id} again",
            event_types=(*endpoint.event_types, *lacking),
        )
