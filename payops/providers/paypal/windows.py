"""Reading PayPal's event list without losing anything: which stretch of time to ask for next, and what is proven.

The list is asked by time and answered in pages, each naming the next by a link; nothing is promised about its
order, and an event may turn up some minutes after its time. The cursor therefore holds a *mark*, the time of the
newest event seen, and the *windows* still to be read, newest first. A window is read whole before it counts. The
*head* is the window from five minutes before the mark until now. The first day of history is cut into windows of
two hours. The mark comes from events, not from our clock, so a clock that jumps skips nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

PAGE = 100
HISTORY_S = 24 * 3600
RETENTION_S = 30 * 24 * 3600
LAG_S = 60
OVERLAP_S = 300
HEAD_EVERY_S = 60
_SLICE_S = 2 * 3600
_SHORTEST_S = 2
_MOST = 64


class Repeats(Exception):
    """The server gives the same page again and again: reading on would never end. Says what comes again."""


@dataclass(frozen=True, slots=True)
class Window:
    """Events created in [start, end], both included, still to be read; `page` is the query of the page to read next.

    `probe`, `steps` and `limit` find a server that goes round in circles (Brent): the probe is a page's mark that
    was seen, and moves on after 1, 2, 4, … pages.
    """

    start: int
    end: int
    page: str | None = None
    probe: str | None = None
    steps: int = 0
    limit: int = 1
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading stands. Times are epoch seconds.

    `mark`: newest event seen, and where reading began before there was one. `head_at`: our time at the last head.
    `proven`: everything up to here has been seen, the first day's history (a backfill) aside. `history_s`: how
    much of that was to be read.
    """

    mark: int
    head_at: int | None = None
    proven: int | None = None
    windows: tuple[Window, ...] = ()
    history_s: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """One request: a page of `window`, which is the head or one that is left."""

    window: Window
    head: bool


def begin(now: int) -> Cursor:
    """A cursor that has seen nothing: its first head is short, and a day of history waits behind it."""
    edge = now - LAG_S - OVERLAP_S
    start = now - HISTORY_S
    slices = []
    while edge > start:
        slices.append(Window(max(start, edge - _SLICE_S), edge, backfill=True))
        edge -= _SLICE_S
    return Cursor(mark=now - LAG_S, windows=tuple(slices), history_s=sum(w.end - w.start for w in slices))


def load(text: str | None, now: int) -> Cursor:
    """The cursor in `text`; a new one when there is none or it cannot be read."""
    if text is None:
        return begin(now)
    try:
        return msgspec.json.decode(text, type=Cursor)
    except msgspec.DecodeError:
        return begin(now)


def dump(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def next_read(cursor: Cursor, now: int) -> Read:
    """The head when it is due, the newest window left otherwise: new events never wait for old ones."""
    due = cursor.head_at is None or now < cursor.head_at or now - cursor.head_at >= HEAD_EVERY_S
    if due or not cursor.windows:
        start = max(min(cursor.mark, now) - OVERLAP_S, now - RETENTION_S)
        return Read(Window(start, now), head=True)
    return Read(cursor.windows[0], head=False)


def after(
    cursor: Cursor,
    read: Read,
    next_page: str | None,
    mark: str | None,
    newest: int | None,
    now: int,
    told: int | None = None,
) -> Cursor:
    """The cursor once a page is stored. `Repeats` when reading makes no way.

    `next_page`: the query of the page after it, None on the last. `mark` tells pages apart: an id on it, None on
    an empty one. `newest`: the time of the newest event of ours on it. `told`: PayPal's clock when it answered.
    """
    rest = cursor.windows if read.head else cursor.windows[1:]
    if next_page is not None:
        rest = (_moved(read.window, next_page, mark), *rest)
    seen = cursor.mark if newest is None else max(cursor.mark, min(newest, now))
    moved = replace(
        cursor,
        # Where reading began is our clock's word until there is an event: ahead of PayPal's it would skip what comes.
        mark=seen if told is None else min(seen, told - LAG_S),
        head_at=now if read.head else cursor.head_at,
        windows=_bounded(rest),
    )
    return _settled(moved)


def halved(cursor: Cursor) -> Cursor | None:
    """The newest window as two, from their first pages: its next page cannot be had. None when it is too short."""
    window, rest = cursor.windows[0], cursor.windows[1:]
    if window.end - window.start < _SHORTEST_S:
        return None
    middle = (window.start + window.end) // 2
    newer = Window(middle, window.end, backfill=window.backfill)
    return replace(cursor, windows=(newer, Window(window.start, middle, backfill=window.backfill), *rest))


def progress(cursor: Cursor) -> float | None:
    """Share of the first day's history that is read; None when it is complete."""
    left = [window.end - window.start for window in cursor.windows if window.backfill]
    if not left or not cursor.history_s:
        return None
    return 1 - sum(left) / cursor.history_s


def _moved(window: Window, next_page: str, mark: str | None) -> Window:
    if mark is None or mark == window.probe or next_page == window.page:
        raise Repeats(mark or "an empty page")
    moved = replace(window, page=next_page, steps=window.steps + 1, probe=window.probe or mark)
    if moved.steps >= moved.limit:
        return replace(moved, probe=mark, steps=0, limit=moved.limit * 2)
    return moved


def _settled(cursor: Cursor) -> Cursor:
    """What lies before the last head is proven once nothing but first history is left to read."""
    if cursor.head_at is None or any(not window.backfill for window in cursor.windows):
        return cursor
    return replace(cursor, proven=cursor.head_at - LAG_S)


def _bounded(windows: Sequence[Window]) -> tuple[Window, ...]:
    """At most `_MOST`: the two oldest catch-ups become one, what lies between them is read again."""
    if len(windows) <= _MOST:
        return tuple(windows)
    newer, older = [window for window in windows if not window.backfill][-2:]
    merged = Window(min(newer.start, older.start), max(newer.end, older.end))
    return tuple(merged if window is newer else window for window in windows if window is not older)
