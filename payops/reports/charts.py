"""The geometry of the charts; the templates draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .protocol import Share
from .story import Minute, Story

WIDTH, HEIGHT = 720, 160
MOST_POINTS = 120


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket of minutes: where it is drawn, and what a pointer over it says."""

    x: float
    y: float
    said: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, as a vertical line; `row` keeps neighbours' words apart."""

    x: float
    said: str
    row: int


@dataclass(frozen=True, slots=True)
class Line:
    """Acceptance over time; `runs` are the stretches without a gap."""

    runs: tuple[tuple[Point, ...], ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    n: int
    failed: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A share with its interval and target, 0..100."""

    share: Share
    value: float
    low: float
    high: float
    target: float | None


def acceptance(story: Story) -> Line | None:
    """First attempts around the incident, or None where none was seen."""
    minutes = story.minutes
    if sum(each.n for each in minutes) == 0:
        return None
    start, end = minutes[0].at, minutes[-1].at + timedelta(minutes=1)
    step = max(1, -(-int((end - start).total_seconds() // 60) // MOST_POINTS))
    buckets: dict[int, list[Minute]] = {}
    for each in minutes:
        buckets.setdefault(int((each.at - start).total_seconds() // 60) // step, []).append(each)
    runs: list[list[Point]] = []
    before = None
    for index in sorted(buckets):
        n = sum(each.n for each in buckets[index])
        good = n - sum(each.failed for each in buckets[index])
        at = start + timedelta(minutes=index * step)
        point = Point(
            _x(at + timedelta(minutes=step / 2), start, end),
            round(HEIGHT * (1 - good / n), 1),
            f"{at:%H:%M} UTC: {good / n:.1%} of {n}",
        )
        if before is None or index > before + 5:
            runs.append([])
        runs[-1].append(point)
        before = index
    return Line(
        runs=tuple(tuple(run) for run in runs),
        marks=_marks(story, start, end),
        ticks=_ticks(start, end),
        n=sum(each.n for each in minutes),
        failed=sum(each.failed for each in minutes),
    )


def bars(shares: Sequence[Share]) -> tuple[Bar, ...]:
    """Those shares that have a case."""
    found = []
    for share in shares:
        if share.share is not None and share.interval is not None:
            low, high = share.interval
            target = None if share.target is None else 100 * share.target
            found.append(Bar(share, 100 * share.share, 100 * low, 100 * high, target))
    return tuple(found)


def _marks(story: Story, start: datetime, end: datetime) -> tuple[Mark, ...]:
    happened = [(story.incident.opened_at, "opened")]
    happened += [(each.started_at, f"attempt {each.n}") for each in story.attempts]
    happened += [(each.sent_at, f"Level {each.level}") for each in story.handoffs]
    if story.incident.resolved_at is not None:
        happened.append((story.incident.resolved_at, "resolved"))
    inside = sorted(each for each in happened if start <= each[0] <= end)
    return tuple(Mark(_x(at, start, end), said, index % 3) for index, (at, said) in enumerate(inside))


def _ticks(start: datetime, end: datetime) -> tuple[tuple[float, str], ...]:
    span = end - start
    return tuple((_x(at, start, end), f"{at:%H:%M}") for at in (start + span * part / 4 for part in range(5)))


def _x(at: datetime, start: datetime, end: datetime) -> float:
    return round(WIDTH * ((at - start) / (end - start)), 1)
