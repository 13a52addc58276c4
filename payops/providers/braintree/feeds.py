"""The feeds of transactions: new ones by the time they were made, known ones by what happened to them since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from payops.clock import from_epoch, to_epoch
from payops.domain.events import FeedPage, WebhookEvent, shown_id
from payops.domain.feeds import SIGHT
from payops.providers.port import FeedSpec

from . import history, members, normalise, refunded, search, wire
from .session import Reader

TRANSACTIONS = FeedSpec("transactions", history.HEAD_EVERY_S, 2, SIGHT["braintree"].sentence, history.LAG_S)
_CHANGES_EVERY_S = 120
WINDOWS: Mapping[str, str] = {
    "processor_declined_at": "processor_declined",
    "gateway_rejected_at": "gateway_rejected",
    "failed_at": "failed",
    "settled_at": "settled",
    "voided_at": "voided",
    "authorization_expired_at": "authorization_expired",
}
"""What Braintree can search by time → the status that time is of. There is no search by the last change."""
SETTLED = "transaction_settled"
OPEN: Mapping[str, search.Criteria] = {
    "moving": {"status": ["authorizing", "settling", "settlement_pending"]},
    "held": {"status": ["authorized"]},
    "refunds": {"type": ["credit"], "status": ["authorized", "submitted_for_settlement"]},
}
"""Open transactions are listed by status; those that come or go are read again."""
CHANGES = FeedSpec(
    "changes",
    _CHANGES_EVERY_S,
    len(WINDOWS) + len(OPEN),
    "what becomes of known transactions: declines, settlements, voids, refunds that fail, expired authorizations",
    history.LAG_S,
)


class Lists:
    """The ids of the gaps being read: a gap of many pages is listed once, and again only by a new process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, str], tuple[history.Read, list[str]]] = {}

    def get(self, slot: int, name: str, read: history.Read) -> list[str] | None:
        with self._lock:
            kept = self._kept.get((slot, name))
        return kept[1] if kept is not None and kept[0] == read else None

    def put(self, slot: int, name: str, read: history.Read, ids: list[str]) -> None:
        with self._lock:
            self._kept[slot, name] = (read, ids)

    def drop(self, slot: int, name: str) -> None:
        with self._lock:
            self._kept.pop((slot, name), None)


class _ChangesCursor(msgspec.Struct, frozen=True):
    windows: dict[str, history.Cursor] = {}
    open: dict[str, members.Members] = {}


def transactions(reader: Reader, text: str | None, now: datetime, lists: Lists) -> FeedPage:
    """Up to fifty transactions: the newest that are not known when they are due, the next of a gap otherwise."""
    reader.require_known_mode()
    at = to_epoch(now)
    cursor = history.load(text, at)
    before = history.progress(cursor)
    cursor, found = _step(
        reader, cursor, at, "created_at", lambda each: wire.time(each.get("created_at")), lists
    )
    facts = refunded.facts(reader, found)
    progress = history.progress(cursor)
    return FeedPage(
        feed=TRANSACTIONS.name,
        read=len(found),
        requests=reader.requests,
        cursor=history.dump(cursor),
        more=bool(cursor.gaps),
        data_as_of=None if cursor.proven is None else from_epoch(cursor.proven),
        request_id=reader.request_id,
        facts=facts,
        progress=1.0 if progress is None and before is not None else progress,
    )


def changes(reader: Reader, text: str | None, now: datetime, lists: Lists) -> FeedPage:
    """One window or one list of open transactions, and up to fifty of what changed there; the others follow at once."""
    reader.require_known_mode()
    at = to_epoch(now)
    cursor = _load(text)
    windows = {name: cursor.windows.get(name) or history.begin(at) for name in WINDOWS}
    opened = {name: cursor.open.get(name) or members.Members() for name in OPEN}
    found: list[dict[str, Any]] = []
    name = _next(windows, opened, at)
    if name in windows:
        status = WINDOWS[name]
        windows[name], found = _step(
            reader, windows[name], at, name, lambda each: normalise.status_at(each, status), lists
        )
    elif name is not None:
        opened[name], found = members.step(reader, search.TRANSACTIONS, OPEN[name], opened[name], at)
    facts = refunded.facts(reader, found)
    if name == "settled_at":
        facts = replace(facts, shown=tuple(_settled(reader, found)))
    proven = [each.proven for each in windows.values()]
    return FeedPage(
        feed=CHANGES.name,
        read=len(found),
        requests=reader.requests,
        cursor=msgspec.json.encode(_ChangesCursor(windows, opened)).decode(),
        more=_next(windows, opened, at) is not None,
        data_as_of=None if None in proven else from_epoch(min(each for each in proven if each is not None)),
        request_id=reader.request_id,
        facts=facts,
    )


def _settled(reader: Reader, found: Sequence[Mapping[str, Any]]) -> Iterator[WebhookEvent]:
    """Each settled sale had its notification, once: there is no list of those to hold against what came."""
    for sale in found:
        at, sale_id = normalise.status_at(sale, "settled"), wire.identifier(sale.get("id"))
        code = wire.currency(sale.get("currency_iso_code"))
        if at is not None and sale_id is not None and sale.get("type") != "credit":
            yield WebhookEvent(
                reader.session.account,
                shown_id(SETTLED, sale_id),
                SETTLED,
                at,
                None,
                sale_id,
                wire.minor(sale.get("amount"), code),
                code,
            )


def _next(
    windows: Mapping[str, history.Cursor], opened: Mapping[str, members.Members], at: int
) -> str | None:
    """What to read next: a head that is due, then a list that is, then a gap."""
    every = _CHANGES_EVERY_S // 2
    for name, cursor in windows.items():
        if history.head_due(cursor, at, every):
            return name
    for name, each in opened.items():
        if each.due(at, every):
            return name
    return next((name for name, cursor in windows.items() if cursor.gaps), None)


def _step(
    reader: Reader,
    cursor: history.Cursor,
    at: int,
    field: str,
    time_of: Callable[[Mapping[str, Any]], datetime | None],
    lists: Lists,
) -> tuple[history.Cursor, list[dict[str, Any]]]:
    """One page of what is listed by `field`, and the cursor once it is stored."""
    every = _CHANGES_EVERY_S // 2 if field in WINDOWS else history.HEAD_EVERY_S
    read = history.next_read(cursor, at, every)
    listed = None if read.end is None else lists.get(reader.slot, field, read)
    if listed is None:
        last = None if read.end is None else from_epoch(read.end)
        span = search.between(from_epoch(read.start), last)
        listed = search.ids(reader, search.TRANSACTIONS, {field: span})
        if not listed and field not in WINDOWS:
            reader.require_mode()
        if len(listed) >= search.TRANSACTIONS.cap:
            halved = history.halved(cursor, read, at)
            if halved is not None:
                return halved, []
        if read.end is not None:
            lists.put(reader.slot, field, read, listed)
    asked = history.wanted(cursor, read, listed, search.PAGE)
    found = search.fetch(reader, search.TRANSACTIONS, asked) if asked else []
    times = {each["id"]: to_epoch(time) if (time := time_of(each)) else None for each in found}
    if read.end is None:
        return history.after_head(cursor, read, listed, asked, times, at), found
    moved = history.after_gap(cursor, listed, asked, times, at)
    if len(moved.gaps) < len(cursor.gaps):
        lists.drop(reader.slot, field)
    return moved, found


def _load(text: str | None) -> _ChangesCursor:
    if text is None:
        return _ChangesCursor()
    try:
        return msgspec.json.decode(text, type=_ChangesCursor)
    except msgspec.DecodeError:
        return _ChangesCursor()
