"""Planned work: windows in which what goes wrong was announced, in the wall time of the people who planned it.

A recurring window is a wall-clock time of day in an IANA zone. Where the clocks change, a time that does not
exist means the instant after the gap, and one that comes twice begins the first time and ends the second: a window
is never shorter than what was written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
LOOK_AHEAD = 400
"""Days within which the next opening of a recurring window is looked for: `days_of_month = [31]` included."""


@dataclass(frozen=True, slots=True)
class Once:
    """From one instant until another."""

    from_: datetime
    until: datetime

    def spans(self, near: datetime) -> Iterator[tuple[datetime, datetime]]:
        yield self.from_, self.until


@dataclass(frozen=True, slots=True)
class Recurring:
    """From `start` until `end` (the next day, when not later) on the local days that match.

    `days_of_month` counts from 1, or from the end: -1 is the last day. Without days every day matches.
    """

    zone: ZoneInfo
    start: time
    end: time
    days: tuple[Weekday, ...] = ()
    days_of_month: tuple[int, ...] = ()

    def spans(self, near: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The windows that could cover `near`, and those after it, in order."""
        first = near.astimezone(self.zone).date() - DAY
        for offset in range(LOOK_AHEAD):
            day = first + offset * DAY
            if self._matches(day):
                last = day if self.end > self.start else day + DAY
                yield (
                    instant(datetime.combine(day, self.start), self.zone, last=False),
                    instant(datetime.combine(last, self.end), self.zone, last=True),
                )

    def _matches(self, day: date) -> bool:
        if self.days and WEEKDAYS[day.weekday()] not in self.days:
            return False
        from_end = day.day - _days_in(day) - 1
        return not self.days_of_month or bool({day.day, from_end} & set(self.days_of_month))


@dataclass(frozen=True, slots=True)
class Window:
    """One announced window: when, which accounts and rules it covers (empty: all), and why."""

    name: str
    reason: str
    when: Once | Recurring
    accounts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    def covers(self, account: str, rule: str) -> bool:
        return account in (self.accounts or (account,)) and rule in (self.rules or (rule,))

    def open_until(self, at: datetime) -> datetime | None:
        """When the window that covers `at` ends (itself no longer covered); None outside one."""
        found = None
        for start, end in self.when.spans(at):
            if start > at:
                break
            if at < end:
                found = end if found is None else max(found, end)
        return found

    def next_opening(self, at: datetime) -> tuple[datetime, datetime] | None:
        """The first window that begins after `at`; None when there is none any more."""
        return next(((start, end) for start, end in self.when.spans(at) if start > at), None)


def instant(local: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """The instant of a naive wall-clock time; of one that comes twice the first, or the `last`."""
    found = local.replace(tzinfo=zone, fold=int(last))
    if found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        # In the gap of a clock that jumps ahead: only fold 0 counts on from before the jump.
        found = found.replace(fold=0)
    return found.astimezone(UTC)


def _days_in(day: date) -> int:
    return ((day.replace(day=1) + 32 * DAY).replace(day=1) - DAY).day
