"""Reading the last day again, once an hour: what changed late and made no event, or whose event was never listed.

One pass walks several lists, newest first, a page at a time; its cursor says which list and where in it. A pass
that was interrupted goes on; one that lies too long is begun anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from payops.clock import to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import FeedPage
from payops.providers.port import FeedSpec

from . import fields, history, payments, wire
from .normalise import Learned
from .session import Reader

EVERY_S = 3600
REACH_S = 24 * 3600
_STALE_S = 6 * 3600
_DONE = "done"


@dataclass(frozen=True, slots=True)
class _List:
    """One list of a pass. `since`: only what was created within the reach. `needed`: without it there is no pass."""

    path: str
    since: bool = True
    needed: bool = False
    params: Mapping[str, Any] | None = None


_OWES = {"expand": ["data.customer", "data.latest_invoice"]}
_LISTS = (
    _List("/v1/charges", needed=True),
    _List("/v1/refunds"),
    # Its events tell of a payout that failed; that a later one went out shows only here.
    _List("/v1/payouts"),
    _List("/v1/subscriptions", since=False, params={"status": "past_due", **_OWES}),
    _List("/v1/subscriptions", since=False, params={"status": "unpaid", **_OWES}),
)
RECONCILE = FeedSpec(
    "reconcile",
    EVERY_S,
    len(_LISTS),
    "charges and refunds of the last 24 h that changed late, payouts, and what subscriptions owe",
    EVERY_S,
)


@dataclass(frozen=True, slots=True)
class Pass:
    """Where a pass stands: begun at `at`, in the `list`th list, after the id `after`.

    `probe`, `steps` and `limit` find a list that goes round in circles (Brent), as in `history.Gap`.
    """

    at: int
    list: int = 0
    after: str | None = None
    probe: str | None = None
    steps: int = 0
    limit: int = 1


def reconcile(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """One page of the pass under way, or the first of a new one."""
    session = reader.session
    reader.refuse_known_wrong_mode()
    here = _load(text, to_epoch(now))
    which = _LISTS[here.list]
    try:
        listed, more, answer = _page(reader, which, here)
    except ProviderError as error:
        if which.needed or error.bucket not in ("permission", "invalid_request"):
            raise
        # Not for this key or this account: it is remembered as missing, and the pass goes on.
        return _answer(reader, _next_list(here), [], now, error.request_id)
    ours = [each for each in listed if each.livemode in (None, session.mode == "live")]
    if which.needed and here.after is None and not ours:
        reader.require_mode(suspect=bool(listed))
    learned = Learned(session.account)
    read_at = min(now, answer.at or now)  # whichever clock is behind: a later event must win
    for thing in ours:
        # A payout does not say when it changed: what an event told of it has a time of its own and stands.
        quiet = thing.object == "payout" or (thing.object == "charge" and payments.settled(thing))
        made = fields.time(thing.created) if quiet else None
        learned.read(thing, min(made or read_at, read_at))
    last = listed[-1] if listed else None
    beyond = which.since and last is not None and (last.created or here.at) < here.at - REACH_S
    if not more or beyond:
        there = _next_list(here)
    else:
        there = _further(here, last)
        if there is None:
            raise session.error(
                "outage", f"Stripe's list {which.path} repeats itself: reading stopped", answer
            )
    page = _answer(reader, there, listed, now, answer.request_id)
    return replace(page, facts=learned.facts())


def _page(reader: Reader, which: _List, here: Pass) -> tuple[list[wire.Thing], bool, Any]:
    params: dict[str, Any] = {"limit": history.PAGE, **(which.params or {})}
    if which.since:
        params["created"] = {"gte": here.at - REACH_S}
    if here.after is None:
        return reader.page(which.path, params, wire.Thing)
    try:
        return reader.page(which.path, {**params, "starting_after": here.after}, wire.Thing)
    except ProviderError as error:
        if error.bucket != "invalid_request":
            raise
        # What reading stopped at is gone: this list from its beginning.
        return reader.page(which.path, params, wire.Thing)


def _answer(
    reader: Reader, there: Pass | None, listed: list[wire.Thing], now: datetime, request_id: str | None
) -> FeedPage:
    return FeedPage(
        feed=RECONCILE.name,
        read=len(listed),
        requests=reader.requests,
        cursor=_DONE if there is None else msgspec.json.encode(there).decode(),
        more=there is not None,
        data_as_of=now if there is None else None,
        request_id=request_id,
    )


def _load(text: str | None, now: int) -> Pass:
    try:
        found = msgspec.json.decode(text or "", type=Pass)
    except msgspec.DecodeError:
        return Pass(now)
    fresh = 0 <= now - found.at <= _STALE_S and 0 <= found.list < len(_LISTS)
    return found if fresh else Pass(now)


def _next_list(here: Pass) -> Pass | None:
    return Pass(here.at, here.list + 1) if here.list + 1 < len(_LISTS) else None


def _further(here: Pass, last: wire.Thing | None) -> Pass | None:
    """The pass after this page; None when the list makes no way."""
    if last is None or last.id is None or last.id in (here.after, here.probe):
        return None
    moved = replace(here, after=last.id, steps=here.steps + 1)
    if moved.steps >= moved.limit:
        moved = replace(moved, probe=last.id, steps=0, limit=moved.limit * 2)
    return moved
