"""Sending again what an endpoint missed: the event list minus its inbox, oldest first, a canary before the batch.

The inbox is ours, or the application's own where it is imported; of any other endpoint it is unknown what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import Endpoint, WebhookEvent
from payops.domain.feeds import EVENT_LIST
from payops.domain.gaps import amounts, paid, worth
from payops.domain.incidents import Outcome
from payops.domain.plans import Plan
from payops.signals.inboxes import Inbox, Own, inbox_of
from payops.signals.webhooks import subscribed
from payops.signals.words import be, plural

from .journal import Done, Journal, Lost, Refused, Rejected, Unanswered, Written, write
from .results import Applied, Context, Ended, Result, Unknown, Waiting

BATCH = 100
"""Events resent in one tick."""
CANARY_TRIES = 3
"""So many events in a row that cannot be resent say that none can."""
STEP_S = 10.0
"""A tick, for estimates."""
PAUSE = timedelta(seconds=10)
"""After a rate limit that names no time."""
MOST_LISTED = 10_000
_NO_GAP = "resend nothing: every listed event is in "
_PREFIX = "resend-"
_COUNTED = re.compile(r"resend \d")


def inbox(context: Context) -> Inbox:
    """The inbox that tells what the incident's endpoint received; ours where it names none."""
    configured = context.endpoint
    found = None if configured is None else inbox_of(context.store, context.account, configured)
    return found or Own(context.store, context.account)


def since(context: Context, endpoint: Endpoint) -> datetime | None:
    """From when on an event that is not in the inbox was missed.

    It says nothing about the time before its first event; without one, the moment we saw the endpoint disabled is all
    there is.
    """
    first = inbox(context).judged_from()
    if first is not None:
        return first
    changes = context.store.facts.endpoint_changes(context.account.name, endpoint.endpoint_id)
    return next((at for at, status in reversed(changes) if status == "disabled"), None)


def listed_until(context: Context) -> datetime | None:
    """Up to when the provider's event list is known to be complete here, and the inbox to be read."""
    listed = EVENT_LIST[context.account.provider]
    feed = None if listed is None else context.store.facts.feed(context.account.name, listed)
    return inbox(context).bounded(feed.data_as_of) if feed and feed.data_as_of else None


def missing(context: Context, endpoint: Endpoint, start: datetime, end: datetime) -> list[WebhookEvent]:
    """Events for this endpoint that are listed and not in its inbox, oldest first."""
    oldest = context.now - timedelta(seconds=context.provider.retention_s)
    types = subscribed(context.account.provider, endpoint)
    events = inbox(context).missing(types, max(start, oldest), end, MOST_LISTED)
    return sorted(events, key=_place)


def sentence(events: Sequence[WebhookEvent], words: str = Own.words) -> str:
    """The plan's line about the resend: count, span and money. `words`: how the inbox is called."""
    if not events:
        return f"{_NO_GAP}{words}"
    first, last = (each.created_at.strftime("%H:%M:%S") for each in (events[0], events[-1]))
    return (
        f"resend {plural(len(events), 'event')} generated {first} to {last} UTC and not in {words} "
        f"({amounts(worth(events))}), oldest first: one as a canary, the others once it has arrived"
    )


def without_counts(steps: Sequence[str]) -> str:
    """A plan's steps as a phrase that stays true while more events go missing."""
    return "; ".join(
        "resend what is missing then" if step.startswith(_NO_GAP) or _COUNTED.match(step) else step
        for step in steps
    )


def takes(events: int) -> timedelta:
    """An estimate of how long a resend of so many events takes, the wait for the list included."""
    return timedelta(seconds=90 + STEP_S * (2 + events // BATCH))


def advance(context: Context, endpoint: Endpoint, plan: Plan, journal: Journal) -> Result:
    """List, send a canary, see it arrive, send the rest; at most `BATCH` events a call.

    What is listed already goes at once. The list lags behind the provider, so it is read again once it is
    complete to `complete_to`, the moment from which the endpoint received by itself.
    """
    resume_at = journal.at("resume_at")
    if resume_at is not None and context.now < resume_at:
        return Waiting(f"rate limited: goes on at {resume_at:%H:%M:%S} UTC")
    if journal.at("complete_to") is None:
        journal.keep(complete_to=context.now)
    if journal.at("until") is None:
        listed = _list(context, endpoint, plan, journal)
        if listed is not None:
            return listed
    while True:
        result = _send_listed(context, endpoint, plan, journal)
        if result is not None:
            return result
        until, complete_to = journal.at("until"), journal.at("complete_to")
        if until is None or complete_to is None or until > complete_to:
            return Applied(_closing(journal))
        listed = _list(context, endpoint, plan, journal, after=complete_to)
        if listed is not None:
            return listed


def _send_listed(context: Context, endpoint: Endpoint, plan: Plan, journal: Journal) -> Result | None:
    """Send what the list has; None when all of it is sent."""
    if journal.doing is not None:
        unknown = _settle(context, journal)
        if unknown is not None:
            return unknown
    rest = _rest(context, endpoint, plan, journal)
    if journal.get("canary") is None:
        return _canary(context, endpoint, rest, journal)
    if not journal.get("canary_seen"):
        late = _arrival(context, journal)
        if late is not None:
            return late
    return _batch(context, endpoint, rest, journal)


def arrived(context: Context, journal: Journal, event_id: str) -> bool | None:
    """The read-back of a resend: the inbox. None while it may still be on its way."""
    if inbox(context).has(event_id):
        return True
    return None if context.now - journal.begun_at < inbox(context).seen_within else False


def still_missing(context: Context, endpoint: Endpoint, plan: Plan, journal: Journal) -> list[WebhookEvent]:
    """What the plan was to bring and is not in the inbox now."""
    until = journal.at("until")
    return [] if until is None else missing(context, endpoint, _start(plan), until)


def summary(journal: Journal) -> str:
    """What was resent, what came by itself and what cannot be resent, as a phrase."""
    total, sent, refused = journal.get("total", 0), journal.get("sent", 0), journal.get("not_resendable", [])
    if not total:
        return "every listed event has arrived: nothing to resend"
    parts = [f"resent {sent} of {plural(total, 'event')}"]
    if refused:
        shown = ", ".join(f"{event_id} ({code})" for event_id, code in refused[:3])
        parts.append(f"{len(refused)} not resendable here: {shown}{'…' if len(refused) > 3 else ''}")
    return "; ".join(parts)


def _closing(journal: Journal) -> str:
    """`summary` once nothing is left to send."""
    sent, refused = int(journal.get("sent", 0)), len(journal.get("not_resendable", []))
    alone = int(journal.get("total", 0)) - sent - refused
    itself = "itself" if alone == 1 else "themselves"
    return f"{summary(journal)}{f'; {alone} arrived by {itself}' if alone > 0 else ''}"


def _list(
    context: Context, endpoint: Endpoint, plan: Plan, journal: Journal, after: datetime | None = None
) -> Waiting | Ended | None:
    """Fix the list as far as it is known now; None when done. `after`: it must be complete to that moment."""
    complete = listed_until(context)
    if complete is None or (after is not None and complete <= after):
        upto = f" to {after:%H:%M:%S} UTC" if after else ""
        listed = EVENT_LIST[context.account.provider]
        delay = next((feed.delay_s for feed in context.provider.feeds if feed.name == listed), 0)
        due = after is None or context.now - after > timedelta(seconds=delay)
        said = f"{summary(journal)}; " if journal.get("total") else ""
        return Waiting(f"{said}waits until the event list is complete{upto}", reads=due)
    new = _behind(journal, missing(context, endpoint, _start(plan), complete))
    total = int(journal.get("total", 0)) + len(new)
    if context.max_targets is not None and total > context.max_targets:
        said = f"{plural(total, 'event')} {be(total)} missing, more than the limit of {context.max_targets}: a person decides"
        return Ended("refused", said)
    journal.keep(until=complete, total=total, listed=_with(journal.get("listed"), new))
    return None


def _with(listed: dict[str, Any] | None, new: list[WebhookEvent]) -> dict[str, Any] | None:
    """What the attempt found missing so far: it says how much the incident hurt once all of it has arrived."""
    if not new:
        return listed
    money = dict(listed["money"]) if listed else {}
    for each in worth(new):
        money[each.currency] = money.get(each.currency, 0) + each.amount_minor
    return {
        "events": len(new) + (listed["events"] if listed else 0),
        "payments": len(paid(new)) + (listed["payments"] if listed else 0),
        "money": money,
        "oldest": listed["oldest"] if listed else to_epoch(new[0].created_at),
    }


def _behind(journal: Journal, events: list[WebhookEvent]) -> list[WebhookEvent]:
    """Those of `events` that were not sent yet."""
    cursor = tuple(journal.get("cursor", ()))
    return [event for event in events if _place(event) > cursor]


def _rest(context: Context, endpoint: Endpoint, plan: Plan, journal: Journal) -> list[WebhookEvent]:
    """What is still missing behind the cursor, a call without a known end first.

    What arrived by itself in the meantime is not listed any more.
    """
    events = _behind(journal, still_missing(context, endpoint, plan, journal))
    begun = event_of(journal.doing or "")
    return sorted(events, key=lambda event: event.event_id != begun)


def _settle(context: Context, journal: Journal) -> Unknown | None:
    """Learn what became of the call without a known end; left begun when it certainly did nothing."""
    event_id = event_of(journal.doing or "") or ""
    here = arrived(context, journal, event_id)
    if here is None:
        return Unknown(f"the resend of {event_id} was not answered: waits to see whether it arrives")
    if here:
        sent = int(journal.get("sent", 0)) + 1
        if journal.get("canary"):
            journal.finish(sent=sent, took_effect=True)
        else:
            journal.finish(
                sent=sent, took_effect=True, canary=event_id, canary_at=context.now, canary_seen=True
            )
    return None


def _canary(
    context: Context, endpoint: Endpoint, events: list[WebhookEvent], journal: Journal
) -> Result | None:
    for event in events:
        if _here(context, event):
            continue
        written = _send(context, endpoint, event, journal, canary=event.event_id, canary_at=context.now)
        match written:
            case Done():
                return Waiting(f"resent {event.event_id} as a canary and waits to see it arrive")
            case Unanswered(reason):
                return Unknown(reason)
            case Lost(reason):
                return Ended("not_verified", reason)
            case Refused(reason):
                return Ended("refused", reason)
            case Rejected(error):
                refused = journal.get("not_resendable", [])
                if error.bucket != "invalid_request" or len(refused) >= CANARY_TRIES:
                    return _refused(error, journal)
    if journal.get("not_resendable"):
        return Ended(
            "rejected", f"{summary(journal)}: resend them from the provider's dashboard", "invalid_request"
        )
    return None


def _arrival(context: Context, journal: Journal) -> Result | None:
    canary, wait = journal.get("canary"), inbox(context).seen_within
    if inbox(context).has(canary):
        journal.keep(canary_seen=True)
        return None
    sent_at = journal.at("canary_at") or context.now
    if context.now - sent_at < wait:
        return Waiting(f"waits to see the canary {canary} arrive")
    return Ended(
        "not_verified",
        f"the canary {canary} was resent and did not arrive within {wait.seconds} s: the rest was not sent",
    )


def _batch(
    context: Context, endpoint: Endpoint, events: list[WebhookEvent], journal: Journal
) -> Result | None:
    for event in events[:BATCH]:
        if _here(context, event):
            continue
        written = _send(context, endpoint, event, journal)
        match written:
            case Unanswered(reason):
                return Unknown(reason)
            case Lost(reason):
                return Ended("not_verified", f"{summary(journal)}; {reason}")
            case Refused(reason):
                return Ended("refused", f"{summary(journal)}; {reason}")
            case Rejected(error) if error.bucket == "rate_limit":
                pause = timedelta(seconds=error.retry_after_s) if error.retry_after_s else PAUSE
                journal.keep(resume_at=context.now + pause)
                return Waiting(
                    f"rate limited, {summary(journal)} so far: goes on in {pause.total_seconds():.0f} s"
                )
            case Rejected(error) if error.bucket != "invalid_request":
                return _refused(error, journal)
    if len(events) > BATCH:
        return Waiting(f"{summary(journal)} so far")
    return None


def _here(context: Context, event: WebhookEvent) -> bool:
    return inbox(context).has(event.event_id)


def _send(
    context: Context, endpoint: Endpoint, event: WebhookEvent, journal: Journal, **facts: object
) -> Written:
    """Resend one event. The cursor moves past it in the write that ends the call."""
    place = list(_place(event))
    written = write(
        journal,
        f"{_PREFIX}{event.event_id}",
        permit=context.permit,
        call=lambda key: context.provider.resend_event(
            event.event_id, endpoint.endpoint_id, key, context.now
        ),
        applied=lambda: arrived(context, journal, event.event_id),
        facts=lambda: {"cursor": place, "sent": int(journal.get("sent", 0)) + 1, **facts},
    )
    if isinstance(written, Rejected) and written.error.bucket == "invalid_request":
        refused = [*journal.get("not_resendable", []), [event.event_id, written.error.code or "refused"]]
        journal.keep(cursor=place, not_resendable=refused)
    return written


def _refused(error: ProviderError, journal: Journal) -> Ended:
    said = f"{error.message} ({', '.join(each for each in (error.code or error.bucket, error.request_id) if each)})"
    outcome: Outcome = "rate_limited" if error.bucket == "rate_limit" else "rejected"
    return Ended(outcome, f"{summary(journal)}; refused: {said}", error.bucket, error.retry_after_s)


def event_of(step: str) -> str | None:
    """The event a step of a journal resends."""
    return step.removeprefix(_PREFIX) if step.startswith(_PREFIX) else None


def _place(event: WebhookEvent) -> tuple[int, str]:
    return to_epoch(event.created_at), event.event_id


def _start(plan: Plan) -> datetime:
    since = plan.data["since"]
    if not isinstance(since, int):
        raise ValueError(f"a plan keeps times as epoch seconds, got {since!r}")
    return from_epoch(since)
