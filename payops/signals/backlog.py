"""The backlog of one endpoint by event type: at the provider, here, given up, and what the clock says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings, EndpointSettings
from payops.domain import deadlines
from payops.domain.deadlines import drain_s, growth_per_min
from payops.store import Store
from payops.store.events import TypeCount

from . import webhooks
from .inboxes import Inbox, inbox_of
from .webhooks import SPAN

ACCOUNT_LEVEL = (
    "events not delivered to at least one of the account's endpoints; which one, no provider tells"
)


@dataclass(frozen=True, slots=True)
class TypeBacklog:
    """One event type. None = unknown.

    `undelivered` is of the whole account. `missing` are made for this endpoint and not in its inbox; `unprocessed`
    and `dead` are in it: ours, the application's behind a relay, or its own. `oldest_at`: the creation of what is not here, the receipt of what is.
    `growth_per_min` is of `unprocessed`; `drain_s` None where that does not fall. `gives_up_at` (an estimate) is
    the next moment at which the provider stops trying for one of what it has not delivered; `given_up` counts those
    it no longer tries, `resend_until` is until when the oldest one can still be sent again.
    """

    type: str
    undelivered: int | None
    missing: int | None
    unprocessed: int | None
    dead: int | None
    oldest_at: datetime | None
    growth_per_min: float | None
    drain_s: int | None
    gives_up_at: datetime | None
    given_up: int
    resend_until: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """All types of one endpoint that have something waiting, and their sum (type `""`)."""

    account: str
    endpoint: str
    ours: bool
    types: tuple[TypeBacklog, ...]
    total: TypeBacklog
    undelivered_means: str
    """What `undelivered` counts: it is never of one endpoint alone."""
    estimates: tuple[str, ...]
    """Where the deadlines come from."""


def read(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> Backlog:
    """The backlog of one configured endpoint; of an application's own only what the provider tells."""
    facts, inbox = store.facts, inbox_of(store, account, endpoint)
    tries = deadlines.gives_up(account.provider, account.mode)
    trying_since = now - tries.after
    told = facts.undelivered_seen_at(account.name) is not None
    undelivered = {each.type: each for each in facts.undelivered_by_type(account.name)}
    trying = {each.type: each for each in facts.undelivered_by_type(account.name, trying_since)}
    window = webhooks.window(store, account, endpoint, now)
    missing = {
        each.type: each
        for each in (inbox.missing_by_type(*window) if inbox is not None and window is not None else ())
    }
    late = {} if inbox is None or window is None else _young(inbox, window, trying_since)
    waiting = None if inbox is None else _by_name(inbox.waiting_by_type())
    dead = None if inbox is None else _by_name(inbox.dead_by_type())
    growth = None if inbox is None else inbox.growth(now - SPAN)
    again = deadlines.resends(account.provider)
    found = []
    for name in sorted({*undelivered, *missing, *(waiting or ()), *(dead or ())}):
        # At the provider and missing here are two views of the same events: the greater of the two is given up.
        views = [
            (whole[name], part.get(name))
            for whole, part in ((undelivered, trying), (missing, late))
            if name in whole
        ]
        next_up = [part.oldest_at for _, part in views if part is not None]
        oldest = [whole.oldest_at for whole, _ in views]
        waits = _of(waiting, name)
        grows = None if growth is None else growth_per_min(growth.get(name, 0), SPAN)
        found.append(
            TypeBacklog(
                type=name,
                undelivered=(undelivered[name].count if name in undelivered else 0) if told else None,
                missing=(missing[name].count if name in missing else 0) if window is not None else None,
                unprocessed=waits,
                dead=_of(dead, name),
                oldest_at=min(
                    (*oldest, *(each[name].oldest_at for each in (waiting, dead) if each and name in each))
                ),
                growth_per_min=grows,
                drain_s=None if waits is None else drain_s(waits, grows),
                gives_up_at=tries.ends_at(min(next_up)) if next_up else None,
                given_up=max((whole.count - (part.count if part else 0) for whole, part in views), default=0),
                resend_until=again.ends_at(min(oldest)) if again is not None and oldest else None,
            )
        )
    gone = None if growth is None else growth_per_min(sum(growth.values()), SPAN)
    return Backlog(
        account=account.name,
        endpoint=endpoint.name,
        ours=account.receives(endpoint),
        types=tuple(found),
        total=_total(
            found,
            told=told,
            listed=window is not None,
            waits=waiting is not None,
            gives_up=dead is not None,
            growth=gone,
        ),
        undelivered_means=ACCOUNT_LEVEL,
        estimates=tuple(each.source for each in (tries, again) if each is not None),
    )


def _by_name(counts: list[TypeCount] | None) -> dict[str, TypeCount] | None:
    return None if counts is None else {each.type: each for each in counts}


def _of(counts: dict[str, TypeCount] | None, name: str) -> int | None:
    """How many of one type; None where the inbox does not tell."""
    if counts is None:
        return None
    return counts[name].count if name in counts else 0


def _young(inbox: Inbox, window: webhooks.Window, since: datetime) -> dict[str, TypeCount]:
    """What is missing and the provider still tries to deliver."""
    types, start, end = window
    after = max(start, since + timedelta(seconds=1))
    return {each.type: each for each in inbox.missing_by_type(types, after, end)}


def _total(
    types: list[TypeBacklog],
    *,
    told: bool,
    listed: bool,
    waits: bool,
    gives_up: bool,
    growth: float | None,
) -> TypeBacklog:
    unprocessed = _sum(each.unprocessed for each in types)
    return TypeBacklog(
        type="",
        undelivered=_sum(each.undelivered for each in types) if told else None,
        missing=_sum(each.missing for each in types) if listed else None,
        unprocessed=unprocessed if waits else None,
        dead=_sum(each.dead for each in types) if gives_up else None,
        oldest_at=_first(each.oldest_at for each in types),
        growth_per_min=growth,
        drain_s=drain_s(unprocessed, growth) if waits else None,
        gives_up_at=_first(each.gives_up_at for each in types),
        given_up=sum(each.given_up for each in types),
        resend_until=_first(each.resend_until for each in types),
    )


def _sum(numbers: Iterable[int | None]) -> int:
    return sum(number or 0 for number in numbers)


def _first(times: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in times if each is not None), default=None)
