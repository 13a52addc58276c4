"""`switch-webhook-secret`: verify webhooks with the stored secret of a fallback credential, then bring what was refused.

The receiver tries one stored credential at a time: only an event that arrives proves another one right. Until
then the promotion is on trial; deliveries that still fail undo it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.clock import to_epoch
from payops.domain.abilities import CANNOT, can
from payops.domain.errors import PayopsError
from payops.domain.events import Endpoint
from payops.domain.gaps import worth
from payops.domain.plans import Plan, Refusal, plan_of
from payops.signals.mode import next_minute, unconfirmed
from payops.signals.signatures import last_good
from payops.signals.slots import webhook_slot
from payops.signals.words import plural

from . import rebuilding, resending
from .confirm_quarantine import keep_apart
from .endpoints import at_provider
from .journal import Journal
from .places import place, slot_in
from .results import Applied, Checked, Context, Ended, Result, Waiting

PROMOTE = "promote"
PATIENCE = timedelta(minutes=3)
"""How long an attempt waits for the first event before it leaves the rest to its verification."""
WRONG = 3
"""So many deliveries that fail after the promotion, and none that verifies, say that it was wrong."""


class SwitchWebhookSecret:
    """The promotion is in our own store; what follows from it, the resend, is not ours to take back."""

    id = "switch-webhook-secret"
    action = "webhooks.switch_secret"

    def plan(self, context: Context) -> Plan | Refusal:
        account, configured = context.account, context.endpoint
        if configured is None or not account.receives(configured):
            return Refusal(
                "what verifies at an endpoint that is not payops's own is its application's matter"
            )
        current = webhook_slot(context.store, account)
        others = [each for each in range(account.slots) if each != current and account.verifies(each)]
        if not others:
            return Refusal(
                f"no other webhook secret is stored for {account.name}: read the endpoint's own at the provider "
                "and add it to fallback_credentials"
            )
        against = []
        for slot in others:
            fault = _fault(context, slot, current)
            if fault is None:
                return _plan(context, slot, current)
            against.append(f"{place(slot)}: {fault}")
        return Refusal(
            f"no stored webhook secret of {account.name} can be the right one: {'; '.join(against)}"
        )

    def advance(self, context: Context, plan: Plan, journal: Journal) -> Result:
        to, before = slot_in(plan, "to"), slot_in(plan, "from")
        in_use = webhook_slot(context.store, context.account)
        if in_use not in (to, before):
            return Ended("refused", f"{place(in_use)} verifies by now: the plan does not hold")
        if journal.at("promoted_at") is None:
            context.permit()
            if journal.doing is None:
                journal.begin(PROMOTE)
            with context.store.write():
                context.store.facts.set_webhook_slot(context.account.name, to, context.now)
                journal.finish(took_effect=True, promoted_at=context.now, complete_to=context.now)
        if journal.at("proved_at") is None:
            waits = self._prove(context, plan, journal)
            if waits is not None:
                return waits
        return self._resend(context, plan, journal)

    def applied(self, context: Context, plan: Plan, journal: Journal, step: str) -> bool | None:
        event_id = resending.event_of(step)
        if event_id is not None:
            return resending.arrived(context, journal, event_id)
        return webhook_slot(context.store, context.account) == slot_in(plan, "to")

    def check(self, context: Context, plan: Plan, journal: Journal) -> Checked:
        proved = _proved_at(context, journal)
        if proved is None:
            return Checked(False, "no event has been verified with it yet")
        endpoint = _stored(context, plan)
        left = resending.still_missing(context, endpoint, plan, journal) if endpoint else []
        left = left or rebuilding.untold(context, journal.at("complete_to"))
        if left:
            return Checked(False, f"{plural(len(left), 'event')} did not arrive")
        if unconfirmed(context.store, context.account.name, context.now).count:
            keep_apart(context)
        return Checked(
            True, f"an event of {proved:%H:%M:%S} UTC is verified with {place(slot_in(plan, 'to'))}"
        )

    def _prove(self, context: Context, plan: Plan, journal: Journal) -> Result | None:
        """Wait for the event that proves the promotion; None once it has come."""
        to, since = place(slot_in(plan, "to")), journal.at("promoted_at") or context.now
        proved = _proved_at(context, journal)
        if proved is not None:
            with context.store.write():
                # What came of the other mode came because of the wrong secret: its own incident would say no more.
                if unconfirmed(context.store, context.account.name, context.now).count:
                    keep_apart(context)
                journal.keep(proved_at=proved)
            return None
        failed = context.store.inbox.refusals(context.account.name, next_minute(since)).get("signature", 0)
        if failed >= WRONG:
            before = slot_in(plan, "from")
            context.store.facts.set_webhook_slot(context.account.name, before, context.now)
            return Ended(
                "not_verified",
                f"{to}: {plural(failed, 'webhook')} failed with it and none verified; undone: {place(before)} "
                "verifies again",
            )
        if context.now - since >= PATIENCE:
            return Applied(f"webhooks are verified with {to} since {since:%H:%M:%S} UTC; none has come since")
        return Waiting(f"waits for an event that {to} verifies", reads=True)

    def _resend(self, context: Context, plan: Plan, journal: Journal) -> Result:
        done = f"webhooks are verified with {place(slot_in(plan, 'to'))}"
        endpoint = _stored(context, plan)
        if not can(context.account.provider, "resend_event"):
            result = rebuilding.advance(context, journal)
        elif endpoint is None:
            return Applied(done)
        else:
            result = resending.advance(context, endpoint, plan, journal)
        match result:
            case Applied(detail):
                return Applied(f"{done}, {detail}")
            case Ended(outcome, detail, bucket, retry_after_s):
                return Ended(outcome, f"{done}; {detail}", bucket, retry_after_s)
        return result


def _plan(context: Context, to: int, before: int) -> Plan:
    account = context.account
    steps = [
        f"verify the webhooks of {account.name} with {place(to)} instead of {place(before)}",
        "wait for an event that it verifies; while deliveries still fail, go back",
    ]
    found = at_provider(context)
    endpoint = None if isinstance(found, Refusal) else found[0]
    start = resending.since(context, endpoint) if endpoint else None
    end = resending.listed_until(context)
    gap = []
    if not can(account.provider, "resend_event"):
        steps += [CANNOT[account.provider]["resend_event"], rebuilding.LATER]
        start = None
    elif endpoint is None or start is None or end is None:
        steps.append("resend nothing: what is missing cannot be told")
        start = None
    else:
        gap = resending.missing(context, endpoint, start, end)
        steps.append(resending.sentence(gap))
        steps.append("list again once the provider's events are complete, and resend those too")
    return Plan(
        remedy=SwitchWebhookSecret.id,
        action=SwitchWebhookSecret.action,
        effect="external",
        steps=tuple(steps),
        targets=1 + len(gap),
        money=worth(gap),
        undo=f"verify with {place(before)} again; an event that was sent cannot be unsent",
        data={
            "to": to,
            "from": before,
            "endpoint": endpoint.endpoint_id if endpoint and start else None,
            "since": None if start is None else to_epoch(start),
            "takes_s": int(resending.takes(len(gap)).total_seconds()),
        },
    )


def _fault(context: Context, slot: int, current: int) -> str | None:
    """Why this stored credential cannot be what deliveries are signed with; None when only a delivery can tell."""
    tried = [
        plan_of(attempt.plan).data.get("to")
        for attempt in context.attempts
        if attempt.remedy == SwitchWebhookSecret.id and attempt.phase == "done" and not attempt.verified
    ]
    if slot in tried:
        return "it was tried, and no event verified with it"
    try:
        kept, in_use = _verifying(context, slot), _verifying(context, current)
    except PayopsError as error:
        return str(error)
    if kept == in_use:
        return "it is the same as the one in use"
    if context.account.provider == "paypal" and context.store.facts.endpoints_seen_at(context.account.name):
        known = {each.endpoint_id for each in context.store.facts.endpoints(context.account.name)}
        if not set(kept) & known:
            return "its webhook id is not in the provider's list of this account and mode"
    return None


def _verifying(context: Context, slot: int) -> tuple[str, ...]:
    """What webhooks are verified with, of one stored credential."""
    stored, provider = context.account.credential(slot), context.account.provider
    references = {
        "stripe": stored.webhook_secrets,
        "braintree": (stored.public_key, stored.private_key),
        "paypal": (stored.webhook_id,),
    }[provider]
    return tuple(context.secrets(each) for each in references if each is not None)


def _proved_at(context: Context, journal: Journal) -> datetime | None:
    good, since = last_good(context.store, context.account), journal.at("promoted_at")
    return good if good is not None and since is not None and good > since else None


def _stored(context: Context, plan: Plan) -> Endpoint | None:
    """The endpoint whose missing events are to be resent; None where nothing is."""
    if plan.data["since"] is None:
        return None
    known = context.store.facts.endpoints(context.account.name)
    return next((each for each in known if each.endpoint_id == plan.data["endpoint"]), None)
