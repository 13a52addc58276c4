"""`enable-endpoint`: let the provider send to an endpoint again, then resend what it missed while it was off."""

from __future__ import annotations

from datetime import datetime

from payops.clock import to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import Endpoint, WebhookEvent
from payops.domain.gaps import worth
from payops.domain.incidents import Outcome
from payops.domain.plans import Plan, Refusal
from payops.signals.inboxes import inbox_of
from payops.signals.words import plural

from . import resending
from .endpoints import at_provider, reachable
from .journal import Done, Journal, Lost, Refused, Rejected, Unanswered, write
from .results import Applied, Checked, Context, Ended, Result, Unknown

ENABLE = "enable"


class EnableEndpoint:
    """Safe only when nobody switched it off on purpose, nothing else serves its application, and its URL answers."""

    id = "enable-endpoint"
    action = "webhooks.enable_endpoint"

    def plan(self, context: Context) -> Plan | Refusal:
        found = at_provider(context)
        if isinstance(found, Refusal):
            return found
        endpoint, others = found
        serving = next((each for each in others if each.status == "enabled"), None)
        if serving is not None:
            return Refusal(
                f"{serving.endpoint_id} is enabled and serves {serving.url} too: enabling {endpoint.endpoint_id} "
                "would deliver every event twice"
            )
        now_at_provider = context.provider.endpoint(endpoint.endpoint_id, context.now)
        if now_at_provider.disabled_reason == "user":
            return Refusal(f"a person switched {endpoint.endpoint_id} off at the provider: ask who, and why")
        unreachable = reachable(context, endpoint.url)
        if unreachable is not None:
            return unreachable
        gap = _gap(context, now_at_provider)
        enable = now_at_provider.status == "disabled"
        if not enable and not gap:
            return Refusal(
                f"{endpoint.endpoint_id} is enabled and nothing is missing: there is nothing to do"
            )
        return _plan(context, now_at_provider, enable, gap)

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        if plan.data["enable"] and journal.at("enabled_at") is None:
            refused = self._enable(context, plan, journal)
            if refused is not None:
                return refused
        endpoint = _stored(context, plan)
        if plan.data["since"] is None or endpoint is None:
            return Applied(_done(plan, journal))
        result = resending.advance(context, endpoint, plan, journal)
        match result:
            case Applied(detail):
                return Applied(f"{_done(plan, journal)}, {detail}")
            case Ended(outcome, detail, bucket, retry_after_s):
                return Ended(outcome, f"{_done(plan, journal)}; {detail}", bucket, retry_after_s)
        return result

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        event_id = resending.event_of(step)
        if event_id is not None:
            return resending.arrived(context, journal, event_id)
        try:
            return context.provider.endpoint(_id(plan), context.now).status == "enabled"
        except ProviderError:
            return None

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        endpoint = context.provider.endpoint(_id(plan), context.now)
        if endpoint.status != "enabled":
            return Checked(False, f"the provider says {endpoint.endpoint_id} is {endpoint.status}")
        if plan.data["since"] is None:
            return Checked(True, f"the provider says {endpoint.endpoint_id} is enabled")
        left = resending.still_missing(context, endpoint, plan, journal)
        if left:
            return Checked(False, f"{plural(len(left), 'event')} did not arrive")
        return Checked(
            True,
            f"{endpoint.endpoint_id} is enabled at the provider and nothing is missing in "
            f"{resending.inbox(context).words}",
        )

    def _enable(self, context: Context, plan: Plan, journal: Journal) -> Result | None:
        written = write(
            journal,
            ENABLE,
            permit=context.permit,
            call=lambda key: context.provider.enable_endpoint(_id(plan), key, context.now),
            applied=lambda: self.applied(context, plan, journal, ENABLE),
            facts=lambda: {"enabled_at": context.now, "complete_to": context.now},
        )
        match written:
            case Unanswered(reason):
                return Unknown(reason)
            case Lost(reason):
                return Ended("not_verified", reason)
            case Refused(reason):
                return Ended("refused", reason)
            case Rejected(error):
                said = ", ".join(each for each in (error.code or error.bucket, error.request_id) if each)
                outcome: Outcome = "rate_limited" if error.bucket == "rate_limit" else "rejected"
                return Ended(outcome, f"{error.message} ({said})", error.bucket, error.retry_after_s)
            case Done(read_back=False) if self.applied(context, plan, journal, ENABLE) is False:
                return Ended("not_verified", f"{_id(plan)} is still disabled after the provider said yes")
        context.tell(
            f"Level 1: {_done(plan, journal)}; waits until the event list is complete to that moment"
        )
        return None


def _gap(context: Context, endpoint: Endpoint) -> list[WebhookEvent] | None:
    """What is missing as far as listed now; None when what the application received is unknown here."""
    start = _since(context, endpoint)
    end = resending.listed_until(context)
    if start is None or end is None:
        return None
    return resending.missing(context, endpoint, start, end)


def _since(context: Context, endpoint: Endpoint) -> datetime | None:
    configured = context.endpoint
    if configured is None or inbox_of(context.store, context.account, configured) is None:
        return None
    return resending.since(context, endpoint)


def _plan(context: Context, endpoint: Endpoint, enable: bool, gap: list[WebhookEvent] | None) -> Plan:
    steps = []
    if enable:
        told = "" if endpoint.disabled_reason else "; the provider does not tell why it was disabled"
        steps.append(f"enable {endpoint.endpoint_id} ({endpoint.url}){told}")
    if gap is None:
        steps.append("resend nothing: what the application received is unknown here")
    else:
        steps.append(resending.sentence(gap, resending.inbox(context).words))
        if enable:
            steps.append(
                "list again once the provider's events are complete up to the enabling, and resend those too"
            )
    start = None if gap is None else _since(context, endpoint)
    return Plan(
        remedy=EnableEndpoint.id,
        action=EnableEndpoint.action,
        effect="external",
        steps=tuple(steps),
        targets=int(enable) + len(gap or ()),
        money=worth(gap or ()),
        undo="none: an event that was sent cannot be unsent; the endpoint can be disabled again at the provider",
        data={
            "endpoint": endpoint.endpoint_id,
            "url": endpoint.url,
            "enable": enable,
            "since": None if start is None else to_epoch(start),
            "takes_s": int(resending.takes(len(gap or ())).total_seconds()),
        },
    )


def _stored(context: Context, plan: Plan) -> Endpoint | None:
    """The endpoint as last read; its subscription decides which events count as missed."""
    known = context.store.facts.endpoints(context.account.name)
    return next((each for each in known if each.endpoint_id == _id(plan)), None)


def _id(plan: Plan) -> str:
    return str(plan.data["endpoint"])


def _done(plan: Plan, journal: Journal) -> str:
    if not plan.data["enable"]:
        return f"{_id(plan)} was enabled already"
    ids = f" ({journal.request_ids[0]})" if journal.request_ids else ""
    return f"enabled {_id(plan)}{ids}"
