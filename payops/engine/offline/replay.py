"""An export judged payment by payment, as payops would have at the time: no payment knows what came after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from payops.detection import NEVER, Turn

from .alarms import Alarms, Told, Watches
from .attempts import Attempts
from .rows import FAILED
from .tracks import Tracks

EVERY = 5_000


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found: `streams` is K at the end."""

    streams: int
    alarms: tuple[Told, ...]
    watches: int


def judge(
    columns: tuple[str, ...],
    attempts: Attempts,
    expected_failures: float | None,
    progress: Callable[[float], None],
) -> Judged:
    """Feed every counted attempt to its streams; `expected_failures` fixes their baseline, None learns it."""
    counted = attempts.counted
    tracks = Tracks(columns, counted, expected_failures)
    alarms, watches = Alarms(attempts, tracks), Watches()
    for index, row in enumerate(counted):
        if not index % EVERY:
            progress(index / len(counted))
        at_us, failed = row.at_us, row.status == FAILED
        at_s = at_us / 1_000_000
        tracks.pass_to(at_us)
        for track in tracks.group(row.values):
            tracks.count(track, at_us)
        for track, stream in tracks.streams(row.values):
            turn = stream.feed(at_s, failed, tracks.threshold(track, at_us) if failed else NEVER)
            if turn is None:
                continue
            if turn is Turn.ALARM:
                alarms.raised(track, stream, index)
                watches.alarmed(alarms.raised_slices)
            elif turn is Turn.RECOVERED:
                alarms.recovered(track, index)
            else:
                watches.began(track)
    progress(1.0)
    return Judged(tracks.judged, tuple(alarms.finish()), watches.count())
