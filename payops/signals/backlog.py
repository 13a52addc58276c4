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
from .webhooks import SPAN

ACCOUNT_LEVEL = (
    "events not delivered to at least one of the account's endpoints; which one, no provider tells"
)


@dataclass(frozen=True, slots=True)
class TypeBacklog:
    """One event type. None = unknown.

    `undelivered` is of the whole account. `missing` are made for this endpoint and not in our inbox; `unprocessed`
    and `dead` are in our inbox. `oldest_at`: the creation of what is not here, the receipt of what is.
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
    facts, ours = store.facts, account.receives(endpoint)
    tries = deadlines.gives_up(account.provider, account.mode)
    trying_since = now - tries.after
    told = facts.undelivered_seen_at(account.name) is not None
    undelivered = {each.type: each for each in facts.undelivered_by_type(account.name)}
    trying = {each.type: each for each in facts.undelivered_by_type(account.name, trying_since)}
    window = webhooks.window(store, account, endpoint, now)
    missing = {
        each.type: each
        for each in (facts.missing_by_type(account.name, *window) if window is not None else ())
    }
    late = {} if window is None else _young(store, account.name, window, trying_since)
    waiting = {each.type: each for each in facts.waiting_by_type(account.name)} if ours else {}
    dead = {each.type: each for each in facts.waiting_by_type(account.name, dead=True)} if ours else {}
    growth = facts.backlog_growth(account.name, now - SPAN) if ours else {}
    again = deadlines.resends(account.provider)
    found = []
    for name in sorted({*undelivered, *missing, *waiting, *dead}):
        # At the provider and missing here are two views of the same events: the greater of the two is given up.
        views = [
            (whole[name], part.get(name))
            for whole, part in ((undelivered, trying), (missing, late))
            if name in whole
        ]
        next_up = [part.oldest_at for _, part in views if part is not None]
        oldest = [whole.oldest_at for whole, _ in views]
        waits = waiting[name].count if name in waiting else 0
        grows = growth_per_min(growth.get(name, 0), SPAN) if ours else None
        found.append(
            TypeBacklog(
                type=name,
                undelivered=(undelivered[name].count if name in undelivered else 0) if told else None,
                missing=(missing[name].count if name in missing else 0) if window is not None else None,
                unprocessed=waits if ours else None,
                dead=(dead[name].count if name in dead else 0) if ours else None,
                oldest_at=min((*oldest, *(each[name].oldest_at for each in (waiting, dead) if name in each))),
                growth_per_min=grows,
                drain_s=drain_s(waits, grows) if ours else None,
                gives_up_at=tries.ends_at(min(next_up)) if next_up else None,
                given_up=max((whole.count - (part.count if part else 0) for whole, part in views), default=0),
                resend_until=again.ends_at(min(oldest)) if again is not None and oldest else None,
            )
        )
    gone = growth_per_min(sum(growth.values()), SPAN) if ours else None
    return Backlog(
        account=account.name,
        endpoint=endpoint.name,
        ours=ours,
        types=tuple(found),
        total=_total(found, told=told, listed=window is not None, ours=ours, growth=gone),
        undelivered_means=ACCOUNT_LEVEL,
        estimates=tuple(each.source for each in (tries, again) if each is not None),
    )


def _young(store: Store, account: str, window: webhooks.Window, since: datetime) -> dict[str, TypeCount]:
    """What is missing and the provider still tries to deliver."""
    types, start, end = window
    after = max(start, since + timedelta(seconds=1))
    return {each.type: each for each in store.facts.missing_by_type(account, types, after, end)}


def _total(
    types: list[TypeBacklog], *, told: bool, listed: bool, ours: bool, growth: float | None
) -> TypeBacklog:
    waits = _sum(each.unprocessed for each in types)
    return TypeBacklog(
        type="",
        undelivered=_sum(each.undelivered for each in types) if told else None,
        missing=_sum(each.missing for each in types) if listed else None,
        unprocessed=waits if ours else None,
        dead=_sum(each.dead for each in types) if ours else None,
        oldest_at=_first(each.oldest_at for each in types),
        growth_per_min=growth,
        drain_s=drain_s(waits, growth) if ours else None,
        gives_up_at=_first(each.gives_up_at for each in types),
        given_up=sum(each.given_up for each in types),
        resend_until=_first(each.resend_until for each in types),
    )


def _sum(numbers: Iterable[int | None]) -> int:
    return sum(number or 0 for number in numbers)


def _first(times: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in times if each is not None), default=None)
