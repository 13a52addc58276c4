"""Rebuilding events that never came of what their objects show, where nobody can send them again.

A rebuilt event is received and processed like one that came, says that it was rebuilt, and proves nothing about
signatures. Should the provider repeat the webhook itself, that is another event about the same change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payops.domain.events import WebhookEvent
from payops.domain.gaps import amounts, worth
from payops.signals.webhooks import seen_until, shown_window
from payops.signals.words import plural

from .journal import Journal
from .results import Applied, Context, Result, Waiting

REBUILD = "rebuild"
MOST = 5_000
PATIENCE = timedelta(minutes=4)
"""How long the objects of up to now are waited for: they are found some minutes late."""
LATER = "look again once the objects up to now are read, and rebuild what is missing then"


def untold(context: Context, until: datetime | None = None) -> list[WebhookEvent]:
    """What objects show and no webhook told of, oldest first: all that is overdue, or all up to `until`."""
    configured = context.endpoint
    if configured is None:
        return []
    span = shown_window(context.store, context.account, configured, context.now)
    if span is None:
        return []
    start, end = span
    return context.store.facts.untold(context.account.name, start, until or end, limit=MOST)


def sentence(events: Sequence[WebhookEvent]) -> str:
    """The plan's line about what is missing now: count, span and money."""
    if not events:
        return "rebuild nothing: a webhook told of everything the objects show"
    first, last = (each.created_at.strftime("%H:%M:%S") for each in (events[0], events[-1]))
    return (
        f"rebuild {plural(len(events), 'event')} of {first} to {last} UTC that never came "
        f"({amounts(worth(events))}), and process them"
    )


def advance(context: Context, journal: Journal) -> Result:
    """Rebuild what is missing, now and once the objects up to `complete_to` are read."""
    complete_to = journal.at("complete_to") or context.now
    gap = untold(context, complete_to)
    if gap:
        context.permit()
        if journal.doing is None:
            journal.begin(REBUILD)
        with context.store.write():
            rebuilt = context.store.inbox.reconcile(context.account.name, gap, context.now)
            total = int(journal.get("rebuilt", 0)) + rebuilt
            journal.finish(took_effect=True, rebuilt_at=context.now, rebuilt=total)
    seen = seen_until(context.store, context.account)
    if seen is not None and seen < complete_to and context.now - complete_to < PATIENCE:
        return Waiting(f"waits for the objects of up to {complete_to:%H:%M:%S} UTC", reads=True)
    return Applied(f"{plural(int(journal.get('rebuilt', 0)), 'event')} rebuilt and processed")
