"""Putting one endpoint right at the provider, then sending again what it missed while it was wrong.

`update-url` and `subscribe-types` differ in what they set; how it is set once, read back, followed by a resend and
proved is the same. Neither ever makes an endpoint: a new one has a new id and a new secret, and the application's
verification would break.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import datetime

from payops.clock import to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import Endpoint, WebhookEvent
from payops.domain.gaps import worth
from payops.domain.incidents import Outcome
from payops.domain.payments import PROVIDER_NAMES
from payops.domain.plans import Plan, Refusal
from payops.domain.remedy_actions import REMEDY_ACTIONS
from payops.signals.words import plural

from . import resending
from .endpoints import reachable
from .journal import Done, Journal, Lost, Rejected, Unanswered, write
from .results import Applied, Checked, Context, Ended, Result, Unknown

CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Change:
    """What one endpoint is to be. `said` is the plan's line, `undo` what would put it back."""

    endpoint: Endpoint
    said: str
    undo: str
    url: str | None = None
    event_types: tuple[str, ...] | None = None

    @property
    def meant(self) -> Endpoint:
        """The endpoint as it is to be."""
        changed = self.endpoint if self.url is None else replace(self.endpoint, url=self.url)
        return changed if self.event_types is None else replace(changed, event_types=self.event_types)


class MendEndpoint(ABC):
    id: str
    action: str
    done: str
    """The change as done, after the endpoint's id: `has the configured URL`."""

    @abstractmethod
    def change(self, context: Context) -> Change | Refusal:
        """What to set, from the provider's endpoints as last listed."""

    def plan(self, context: Context) -> Plan | Refusal:
        provider = context.account.provider
        if provider not in REMEDY_ACTIONS[self.action].providers:
            return Refusal(
                f"{PROVIDER_NAMES[provider]} has no call for it: change the endpoint in its control panel"
            )
        change = self.change(context)
        if isinstance(change, Refusal):
            return change
        before = context.provider.endpoint(change.endpoint.endpoint_id, context.now)
        if (before.url, before.event_types) != (change.endpoint.url, change.endpoint.event_types):
            return Refusal(
                f"{before.endpoint_id} has just been changed at the provider: look at it first", waits=True
            )
        unreachable = reachable(context, change.meant.url)
        if unreachable is not None:
            return unreachable
        return self._planned(context, change)

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        if journal.at("changed_at") is None:
            refused = self._change(context, plan, journal)
            if refused is not None:
                return refused
        endpoint = _meant(context, plan)
        if plan.data["since"] is None or endpoint is None:
            return Applied(self._done(plan, journal))
        result = resending.advance(context, endpoint, plan, journal)
        match result:
            case Applied(detail):
                return Applied(f"{self._done(plan, journal)}, {detail}")
            case Ended(outcome, detail, bucket, retry_after_s):
                return Ended(outcome, f"{self._done(plan, journal)}; {detail}", bucket, retry_after_s)
        return result

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        event_id = resending.event_of(step)
        if event_id is not None:
            return resending.arrived(context, journal, event_id)
        try:
            return _as_meant(context.provider.endpoint(_id(plan), context.now), plan)
        except ProviderError:
            return None

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        endpoint = context.provider.endpoint(_id(plan), context.now)
        if not _as_meant(endpoint, plan):
            return Checked(False, f"the provider shows {_id(plan)} as it was before")
        if plan.data["since"] is None:
            return Checked(True, f"the provider says {_id(plan)} {self.done}")
        left = resending.still_missing(context, endpoint, plan, journal)
        if left:
            return Checked(False, f"{plural(len(left), 'event')} did not arrive")
        return Checked(True, f"{_id(plan)} {self.done} at the provider and nothing is missing in our inbox")

    def _planned(self, context: Context, change: Change) -> Plan:
        start, gap = _gap(context, change.meant)
        steps = [change.said]
        if gap is None:
            steps.append("resend nothing: what the application received is unknown here")
        else:
            steps.append(resending.sentence(gap))
            steps.append(
                "list again once the provider's events are complete up to the change, and resend those too"
            )
        return Plan(
            remedy=self.id,
            action=self.action,
            effect="external",
            steps=tuple(steps),
            targets=1 + len(gap or ()),
            money=worth(gap or ()),
            undo=f"{change.undo}; an event that was sent cannot be unsent",
            data={
                "endpoint": change.endpoint.endpoint_id,
                "url": change.url,
                "event_types": None if change.event_types is None else list(change.event_types),
                "since": None if start is None else to_epoch(start),
                "takes_s": int(resending.takes(len(gap or ())).total_seconds()),
            },
        )

    def _change(self, context: Context, plan: Plan, journal: Journal) -> Result | None:
        url, types = plan.data["url"], plan.data["event_types"]
        written = write(
            journal,
            CHANGE,
            permit=context.permit,
            call=lambda key: context.provider.change_endpoint(
                _id(plan),
                key,
                context.now,
                url=None if url is None else str(url),
                event_types=tuple(types) if isinstance(types, list) else None,
            ),
            applied=lambda: self.applied(context, plan, journal, CHANGE),
            facts=lambda: {"changed_at": context.now, "complete_to": context.now},
        )
        match written:
            case Unanswered(reason):
                return Unknown(reason)
            case Lost(reason):
                return Ended("not_verified", reason)
            case Rejected(error):
                said = ", ".join(each for each in (error.code or error.bucket, error.request_id) if each)
                outcome: Outcome = "rate_limited" if error.bucket == "rate_limit" else "rejected"
                return Ended(outcome, f"{error.message} ({said})", error.bucket, error.retry_after_s)
            case Done(read_back=False) if self.applied(context, plan, journal, CHANGE) is False:
                return Ended("not_verified", f"{_id(plan)} is as before after the provider said yes")
        context.tell(
            f"Level 1: {self._done(plan, journal)}; waits until the event list is complete to that moment"
        )
        return None

    def _done(self, plan: Plan, journal: Journal) -> str:
        ids = f" ({journal.request_ids[0]})" if journal.request_ids else ""
        return f"{_id(plan)} {self.done}{ids}"


def _gap(context: Context, meant: Endpoint) -> tuple[datetime | None, list[WebhookEvent] | None]:
    """From when on, and what is missing as listed now; None of an endpoint whose deliveries are unknown here."""
    configured = context.endpoint
    if configured is None or not context.account.receives(configured):
        return None, None
    start, end = resending.since(context, meant), resending.listed_until(context)
    if start is None or end is None:
        return None, None
    return start, resending.missing(context, meant, start, end)


def _meant(context: Context, plan: Plan) -> Endpoint | None:
    """The endpoint as it is to be: the last list may be older than the change."""
    known = context.store.facts.endpoints(context.account.name)
    found = next((each for each in known if each.endpoint_id == _id(plan)), None)
    types = plan.data["event_types"]
    return found if found is None or not isinstance(types, list) else replace(found, event_types=tuple(types))


def _as_meant(endpoint: Endpoint, plan: Plan) -> bool:
    url, types = plan.data["url"], plan.data["event_types"]
    if url is not None and endpoint.url != url:
        return False
    return (
        not isinstance(types, list) or "*" in endpoint.event_types or set(types) <= set(endpoint.event_types)
    )


def _id(plan: Plan) -> str:
    return str(plan.data["endpoint"])
