"""Alarms of streams become incidents: those of one trouble are one, at the slice that explains it best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from payops.detection import Located, Slice, Stream, compatible, nested, once_in_years

from .attempts import Attempts
from .findings import Findings, Toll
from .tracks import DAY_US, Track, Tracks

TOGETHER_US = 15 * 60 * 1_000_000
"""Onsets this close are one trouble; or ten payments of the slice, where fewer come."""
TOGETHER = 10
EXPLAINED = 4.0
"""A stream that is left with fewer nats without a slice's payments alarms about that slice."""
SETTLED = 200
"""The onset is settled with so many payments after the alarm."""


@dataclass(slots=True)
class Alarm:
    """One trouble: `at` is when the first of its streams alarmed, `first` and `last` index counted attempts."""

    slice: Slice
    first: int
    last: int
    evidence_years: float
    members: list[Track] = field(default_factory=list)
    ended: int | None = None
    located: Located | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A finished alarm: as told at `last`, and in all until it was over or the export ended."""

    alarm: Alarm
    at_us: int
    onset_us: int
    recovered_us: int | None
    toll: Toll
    in_all: Toll


class Alarms:
    """Takes the turns of streams and keeps the alarms; while one is open nothing of its slice is learned."""

    def __init__(self, attempts: Attempts, tracks: Tracks) -> None:
        self._counted = attempts.counted
        self._tracks = tracks
        self._findings = Findings(attempts, tracks)
        self._alarms: list[Alarm] = []

    def raised(self, track: Track, stream: Stream, index: int) -> None:
        """A stream alarmed at this attempt."""
        at_us = self._counted[index].at_us
        first = self._findings.onset(track, index)
        alarm = self._same(track, first, index)
        if alarm is None:
            located = self._findings.located(first, index, self._slices(self._around(first)))
            named = (
                located.best.slice if located and compatible(located.best.slice, track.slice) else track.slice
            )
            per_day = self._tracks.per_day(track, at_us)
            years = once_in_years(stream.evidence, per_day, self._tracks.judged)
            alarm = Alarm(named, first, index, years)
            self._alarms.append(alarm)
        alarm.members.append(track)
        self._hold()

    def recovered(self, track: Track, index: int) -> None:
        """A stream is back at its baseline; with the one that tells best, or the last, its alarm is over."""
        for alarm in self._open():
            if track in alarm.members:
                back = not any(member.alarmed for member in alarm.members)
                if back or track is self._leader(alarm):
                    alarm.ended = index
        self._hold()

    def finish(self) -> list[Told]:
        """The alarms as they are told, with place and onset by all that was seen of them."""
        return [self._told(alarm) for alarm in self._alarms]

    @property
    def raised_slices(self) -> list[Slice]:
        """Slices of the streams in open alarms."""
        return [member.slice for alarm in self._open() for member in alarm.members]

    def _open(self) -> list[Alarm]:
        return [alarm for alarm in self._alarms if alarm.ended is None]

    def _around(self, first: int) -> list[Alarm]:
        """Alarms that were not over yet when this one began."""
        return [alarm for alarm in self._alarms if alarm.ended is None or alarm.ended >= first]

    def _same(self, track: Track, first: int, index: int) -> Alarm | None:
        """The alarm whose trouble this is: one slice explains both, or they nest and began together."""
        around = self._around(first)
        for alarm in around:
            if self._explains(alarm.slice, track, first, index):
                return alarm
            others = self._slices(other for other in around if other is not alarm)
            since = min(first, alarm.first)
            located = self._findings.located(since, index, others)
            named = located.best.slice if located else alarm.slice
            if all(self._explains(named, member, since, index) for member in (track, *alarm.members)):
                alarm.slice = named
                return alarm
            if nested(alarm.slice, track.slice) and self._close(track, alarm.first, first):
                return alarm
        return None

    def _explains(self, slice_: Slice, track: Track, first: int, index: int) -> bool:
        """Without the slice's payments nothing is left of what the stream alarms about."""
        if not compatible(slice_, track.slice):
            return False
        return self._findings.unexplained(track, first, index, slice_) < EXPLAINED

    @staticmethod
    def _slices(alarms: Iterable[Alarm]) -> list[Slice]:
        return [alarm.slice for alarm in alarms]

    def _close(self, track: Track, one: int, other: int) -> bool:
        apart = abs(self._counted[one].at_us - self._counted[other].at_us)
        per_day = self._tracks.per_day(track, self._counted[max(one, other)].at_us)
        return apart <= max(TOGETHER_US, TOGETHER * DAY_US / max(per_day, 1e-9))

    def _leader(self, alarm: Alarm) -> Track:
        """The member that tells best whether the trouble is over: of the slice itself, else the largest."""
        own = [member for member in alarm.members if member.slice == alarm.slice]
        return own[0] if own else max(alarm.members, key=lambda member: member.n)

    def _hold(self) -> None:
        open_ = self._open()
        for track in self._tracks:
            if stream := track.stream:
                held = [alarm for alarm in open_ if compatible(alarm.slice, track.slice)]
                if held and not stream.held:
                    stream.exclude(min(self._counted[alarm.first].at_us for alarm in held) / 1_000_000)
                stream.held = bool(held)

    def _told(self, alarm: Alarm) -> Told:
        end = len(self._counted) - 1 if alarm.ended is None else alarm.ended
        others = [
            other.slice
            for other in self._alarms
            if other is not alarm
            and other.first <= end
            and (other.ended is None or other.ended >= alarm.first)
            and not nested(other.slice, alarm.slice)
        ]
        track = self._tracks.of(alarm.slice)
        until = self._findings.until(track, alarm.first, end)
        alarm.located = located = self._findings.located(alarm.first, until, others)
        if located and any(compatible(located.best.slice, member.slice) for member in alarm.members):
            alarm.slice = located.best.slice
            track = self._tracks.of(alarm.slice)
        settled = self._findings.last_within(track, alarm.last, SETTLED, max(until, alarm.last))
        alarm.first = min(self._findings.onset(track, settled), alarm.last)
        return Told(
            alarm,
            self._counted[alarm.last].at_us,
            self._counted[alarm.first].at_us,
            self._counted[end].at_us if alarm.ended is not None else None,
            self._findings.toll(alarm.slice, alarm.first, alarm.last),
            self._findings.toll(alarm.slice, alarm.first, end),
        )


class Watches:
    """Times at which some stream stood below its alarm: streams that nest with one on watch belong to the same."""

    def __init__(self) -> None:
        self._times: list[list[Track]] = []
        self._ended = 0

    def began(self, track: Track) -> None:
        """A stream went on watch."""
        self._close()
        for time in self._times:
            if any(nested(track.slice, other.slice) for other in time):
                time.append(track)
                return
        self._times.append([track])

    def alarmed(self, slices: Iterable[Slice]) -> None:
        """An alarm took over what was only watched."""
        known = list(slices)
        self._times = [
            time
            for time in self._times
            if not any(nested(one, other.slice) for one in known for other in time)
        ]

    def count(self) -> int:
        """How many there were, those still on included."""
        return self._ended + len(self._times)

    def _close(self) -> None:
        on = [time for time in self._times if any(track.watching for track in time)]
        self._ended += len(self._times) - len(on)
        self._times = on
