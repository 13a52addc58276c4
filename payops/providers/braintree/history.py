"""Reading a search over time without losing anything: what to list next, which ids to fetch, what that proves.

A search lists the ids of a window, newest first, to the minute, and a thing may turn up in it minutes after its
time. The cursor holds a *mark*, the time of the newest thing seen, and the *gaps* still to be read, newest first. A
*head* lists everything since the mark, less an overlap; what of it is not known yet is fetched fifty at a time, and
what does not fit becomes a gap. The first day of history and a catch-up after a night's sleep are the same thing: a
gap. The mark comes from the things themselves, not from our clock, so a clock that jumps skips nothing.

A listing that is as long as Braintree's limit may have lost its end: its window is split in half until it fits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

HISTORY_S = 24 * 3600
OVERLAP_S = 240
"""Windows are to the minute, and what is new is listed a little late."""
LAG_S = 180
"""What is older than this is listed."""
MINUTE_S = 60
HEAD_EVERY_S = 30
MAX_GAPS = 24
MAX_SEEN = 4000
MAX_MISSING = 200
PATIENCE = 10
"""So often an id that is listed but never shown is asked for."""


@dataclass(frozen=True, slots=True)
class Gap:
    """The window [start, end] that is still to be read: what is listed in it after the id `after`.

    `left` of `total` ids are to be fetched, where that is known.
    """

    start: int
    end: int
    after: str | None = None
    left: int = 1
    total: int = 1
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading stands. Times are epoch seconds.

    `mark`: newest thing seen. `fresh`: none seen yet. `head_at`: our time at the last head. `proven`: everything up
    to here has been seen, the first day's history aside. `seen`: ids the next head lists again. `missing`: ids that
    were listed and not shown → how often they were asked for.
    """

    mark: int
    fresh: bool = True
    head_at: int | None = None
    proven: int | None = None
    gaps: tuple[Gap, ...] = ()
    seen: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """One listing: everything in [start, end]; a head has no end."""

    start: int
    end: int | None = None


def begin(now: int) -> Cursor:
    """A cursor that has seen nothing: its first head reaches one day back."""
    return Cursor(mark=now - HISTORY_S + OVERLAP_S)


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


def head_due(cursor: Cursor, now: int, every_s: int = HEAD_EVERY_S) -> bool:
    """New things never wait for old ones; a head answered in what is now the future counts for nothing."""
    return cursor.head_at is None or now < cursor.head_at or now - cursor.head_at >= every_s


def next_read(cursor: Cursor, now: int, every_s: int = HEAD_EVERY_S) -> Read:
    """The head when it is due, the newest gap otherwise."""
    if head_due(cursor, now, every_s) or not cursor.gaps:
        return Read(min(cursor.mark, now) - OVERLAP_S)
    gap = cursor.gaps[0]
    return Read(gap.start, gap.end)


def halved(cursor: Cursor, read: Read, now: int) -> Cursor | None:
    """The cursor once a listing was too long: its window in two gaps. None when a window is too short to split."""
    end = max(now, cursor.mark) + MINUTE_S if read.end is None else read.end
    middle = (read.start + end) // 2
    if middle - read.start < MINUTE_S or end - middle < MINUTE_S:
        return None
    backfill = cursor.fresh if read.end is None else cursor.gaps[0].backfill
    newer, older = Gap(middle, end, backfill=backfill), Gap(read.start, middle, backfill=backfill)
    if read.end is None:
        return replace(cursor, head_at=now, gaps=_bounded((newer, older, *cursor.gaps)))
    return replace(cursor, gaps=_bounded((newer, older, *cursor.gaps[1:])))


def wanted(cursor: Cursor, read: Read, listed: Sequence[str], page: int) -> list[str]:
    """The ids to fetch now: of a head those asked for in vain before, and then what is not known yet."""
    if read.end is None:
        known = {*cursor.seen, *cursor.missing}
        return [*cursor.missing, *(each for each in listed if each not in known)][:page]
    return rest(cursor, listed)[:page]


def rest(cursor: Cursor, listed: Sequence[str]) -> list[str]:
    """What of the newest gap's listing is still to be fetched; all of it when reading stopped at an id now gone."""
    after = cursor.gaps[0].after
    start = listed.index(after) + 1 if after is not None and after in listed else 0
    seen = {*cursor.seen, *cursor.missing}
    return [each for each in listed[start:] if each not in seen]


def after_head(
    cursor: Cursor,
    read: Read,
    listed: Sequence[str],
    asked: Sequence[str],
    found: Mapping[str, int | None],
    now: int,
) -> Cursor:
    """The cursor once a head's objects are stored. `found`: id → the time it is listed by, where it says."""
    known = {*cursor.seen, *cursor.missing, *asked}
    left = [each for each in listed if each not in known]
    newest = max((at for at in found.values() if at is not None), default=None)
    mark = cursor.mark if newest is None else max(cursor.mark, min(newest, now))
    gaps = cursor.gaps
    if left:
        end = max(now, mark, newest or 0) + MINUTE_S
        last = next((each for each in reversed(listed) if each in asked), None)
        gap = Gap(read.start, end, last, len(left), len(left) + len(found), backfill=cursor.fresh)
        gaps = _bounded((gap, *gaps))
    missing = _missing(cursor, asked, found)
    given_up = {each for each in cursor.missing if each not in missing}
    seen = {*cursor.seen, *found, *given_up}
    moved = replace(
        cursor,
        mark=mark,
        fresh=cursor.fresh and newest is None,
        head_at=now,
        gaps=gaps,
        seen=tuple(each for each in listed if each in seen)[:MAX_SEEN],
        missing=missing,
    )
    return _settled(moved)


def after_gap(
    cursor: Cursor,
    listed: Sequence[str],
    asked: Sequence[str],
    found: Mapping[str, int | None],
    now: int,
) -> Cursor:
    """The cursor once a page of the newest gap is stored."""
    gap, others = cursor.gaps[0], cursor.gaps[1:]
    left = len(rest(cursor, listed)) - len(asked)
    recent = [
        each for each, at in found.items() if at is not None and at >= cursor.mark - OVERLAP_S - MINUTE_S
    ]
    if left > 0:
        total = max(gap.total, left + len(asked))
        others = (replace(gap, after=asked[-1], left=left, total=total), *others)
    seen = dict.fromkeys((*cursor.seen, *recent))
    newest = max((at for at in found.values() if at is not None), default=None)
    moved = replace(
        cursor,
        # Everything up to the end of a gap is in a gap or read: what is found in one is as good a mark as any.
        mark=cursor.mark if newest is None else max(cursor.mark, min(newest, now)),
        fresh=cursor.fresh and newest is None,
        gaps=others,
        seen=tuple(seen)[:MAX_SEEN],
        missing=_missing(cursor, asked, found),
    )
    return _settled(moved)


def progress(cursor: Cursor) -> float | None:
    """Share of the first day's history that is read; None when it is complete."""
    gaps = [gap for gap in cursor.gaps if gap.backfill]
    if not gaps:
        return None
    return 1 - sum(gap.left for gap in gaps) / max(1, sum(gap.total for gap in gaps))


def _settled(cursor: Cursor) -> Cursor:
    if cursor.head_at is None or cursor.missing or any(not gap.backfill for gap in cursor.gaps):
        return cursor
    return replace(cursor, proven=cursor.head_at - LAG_S)


def _missing(cursor: Cursor, asked: Sequence[str], found: Collection[str]) -> dict[str, int]:
    tries = {each: cursor.missing.get(each, 0) + 1 for each in asked if each not in found}
    kept = {each: n for each, n in cursor.missing.items() if each not in found} | tries
    still = {each: n for each, n in kept.items() if n < PATIENCE}
    return dict(list(still.items())[:MAX_MISSING])


def _bounded(gaps: tuple[Gap, ...]) -> tuple[Gap, ...]:
    """At most `MAX_GAPS`: the two oldest become one, what lies between them is listed again."""
    if len(gaps) <= MAX_GAPS:
        return gaps
    newer, older = gaps[-2:]
    # One of them may be a catch-up: what it holds is proven missing, so the whole of it counts as one.
    both = Gap(
        min(newer.start, older.start),
        max(newer.end, older.end),
        left=newer.left + older.left,
        total=newer.total + older.total,
        backfill=newer.backfill and older.backfill,
    )
    return _bounded((*gaps[:-2], both))
