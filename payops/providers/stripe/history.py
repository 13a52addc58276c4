"""Reading an event list without losing anything: which page to ask for next, and what an answer proves.

The list is newest first, its order is by `created` (seconds), and an event may turn up in it up to a minute
after its time. The cursor therefore holds a *mark*, the time of the newest event seen, and the *gaps* still to
be read below it, newest first. A *head* read asks for everything since the mark, less lag and overlap; what
does not fit on its page becomes a gap. The first day of history and a catch-up after a night's sleep are the
same thing: a gap. The mark comes from events, not from our clock, so a clock that jumps skips nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

PAGE = 100
HISTORY_S = 24 * 3600
LAG_S = 60
OVERLAP_S = 30
HEAD_EVERY_S = 30
MAX_GAPS = 16


class Repeats(Exception):
    """The server lists the same events again and again: reading on would never end. Carries the event id."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events created in [start, end] that are still to be read: those after the id `after` in the list.

    `top` is where the gap began, for progress. `probe`, `steps` and `limit` find a server that goes round in
    circles (Brent): the probe is an id reading stopped at, and moves on after 1, 2, 4, … pages.
    """

    start: int
    end: int
    top: int
    after: str | None
    probe: str | None = None
    steps: int = 0
    limit: int = 1
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading stands. Times are epoch seconds.

    `mark`: newest event seen. `fresh`: no event seen yet. `head_at`: our time at the last head read. `proven`:
    everything up to here has been seen, the first day's history (a backfill) aside.
    """

    mark: int
    fresh: bool = True
    head_at: int | None = None
    proven: int | None = None
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """One request: everything created in [gte, lte], after the id `after`."""

    gap: bool
    gte: int
    lte: int | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One event of an answered page. `counts` False: of the other mode, it proves nothing about ours."""

    id: str
    created: int
    counts: bool = True


def begin(now: int) -> Cursor:
    """A cursor that has seen nothing: its first read reaches one day back."""
    return Cursor(mark=now - HISTORY_S + LAG_S + OVERLAP_S)


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
    """The head when it is due, the newest gap otherwise: new events never wait for old ones."""
    due = cursor.head_at is None or now < cursor.head_at or now - cursor.head_at >= HEAD_EVERY_S
    if due or not cursor.gaps:
        return Read(False, min(cursor.mark, now) - LAG_S - OVERLAP_S)
    return next_gap(cursor)


def next_gap(cursor: Cursor) -> Read:
    """The next page of the newest gap."""
    gap = cursor.gaps[0]
    # Beside an id, a bound in time could only lose: the list is not strictly sorted within its lag.
    return Read(True, gap.start, gap.end + LAG_S if gap.after is None else None, gap.after)


def after_head(cursor: Cursor, read: Read, page: Sequence[Listed], has_more: bool, now: int) -> Cursor:
    """The cursor once a head page is stored. `Repeats` when the page cannot be one."""
    gaps = cursor.gaps
    if has_more:
        last = _last(page)
        gap = Gap(read.gte, last.created, last.created, last.id, last.id, backfill=cursor.fresh)
        gaps = _bounded((gap, *gaps))
    newest = max((each.created for each in page if each.counts), default=None)
    mark = cursor.mark if newest is None else max(cursor.mark, min(newest, now))
    return _settled(replace(cursor, mark=mark, fresh=cursor.fresh and newest is None, head_at=now, gaps=gaps))


def after_gap(cursor: Cursor, page: Sequence[Listed], has_more: bool) -> Cursor:
    """The cursor once a page of the newest gap is stored. `Repeats` when reading makes no way."""
    gap, rest = cursor.gaps[0], cursor.gaps[1:]
    if not has_more or _last(page).created < gap.start:
        return _settled(replace(cursor, gaps=rest))
    last = _last(page)
    if last.id in (gap.after, gap.probe):
        raise Repeats(last.id)
    moved = replace(gap, end=min(gap.end, last.created), after=last.id, steps=gap.steps + 1)
    if moved.steps >= moved.limit:
        moved = replace(moved, probe=last.id, steps=0, limit=moved.limit * 2)
    return replace(cursor, gaps=(moved, *rest))


def without_anchor(cursor: Cursor) -> Cursor:
    """The newest gap to be read by time alone: the event reading stopped at is no longer listed."""
    gap = replace(cursor.gaps[0], after=None, probe=None)
    return replace(cursor, gaps=(gap, *cursor.gaps[1:]))


def progress(cursor: Cursor) -> float | None:
    """Share of the first day's history that is read; None when it is complete."""
    for gap in cursor.gaps:
        if gap.backfill:
            return (gap.top - gap.end) / max(1, gap.top - gap.start)
    return None


def _settled(cursor: Cursor) -> Cursor:
    if cursor.head_at is None or any(not gap.backfill for gap in cursor.gaps):
        return cursor
    return replace(cursor, proven=cursor.head_at - LAG_S)


def _last(page: Sequence[Listed]) -> Listed:
    if not page:
        raise Repeats("an empty page")
    return page[-1]


def _bounded(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """At most `MAX_GAPS`: the two oldest catch-ups become one, what lies between them is read again."""
    if len(gaps) <= MAX_GAPS:
        return gaps
    newer, older = [gap for gap in gaps if not gap.backfill][-2:]
    merged = replace(newer, start=min(newer.start, older.start))
    return tuple(merged if gap is newer else gap for gap in gaps if gap is not older)
