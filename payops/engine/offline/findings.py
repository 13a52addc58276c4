"""What is said about an alarm: since when, where, how many, how much money; from the counted attempts around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from payops.detection import (
    LOOK_BACK,
    AtRisk,
    CodeExcess,
    Located,
    Seen,
    Slice,
    likelihood_ratio,
    onset,
    ranked_codes,
    scan,
)

from .attempts import Attempts
from .rows import FAILED
from .tracks import HOUR_US, Track, Tracks

SCANNED = 20_000
"""So many payments since an onset are enough to say where it sits."""
SEARCHED = 300_000
"""So many attempts are gone through backwards for the last payments of a rare slice."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Money of one currency: what was not collected beyond the usual, less what was paid later."""

    currency: str
    lost_minor: int
    se_minor: int
    paid_later_minor: int


@dataclass(frozen=True, slots=True)
class Toll:
    """A slice's first attempts over a time: how many, failed, expected to fail; the money; its codes' excess."""

    observed: int
    failed: int
    expected: float
    money: tuple[Loss, ...]
    codes: tuple[CodeExcess, ...]
    seconds: float


class Findings:
    """Looks back over the counted attempts. Indexes are theirs."""

    def __init__(self, attempts: Attempts, tracks: Tracks) -> None:
        self._counted = attempts.counted
        self._paid_us = attempts.paid_us
        self._tracks = tracks

    def onset(self, track: Track, last: int, first: int = 0) -> int:
        """The most likely first attempt of a rise that is seen in this slice up to `last`, not before `first`."""
        indexes = list(self._back(track, last, max(first, last - SEARCHED)))
        indexes.reverse()
        bounds: dict[int, float] = {}
        failed, p0 = [], []
        for index in indexes:
            row = self._counted[index]
            hour = row.at_us // HOUR_US
            if hour not in bounds:
                bounds[hour] = (track.stream.baseline.bound(hour) if track.stream else None) or 0.0
            failed.append(row.status == FAILED)
            p0.append(bounds[hour])
        found = onset(failed, p0)
        return indexes[found] if found is not None else last

    def located(self, first: int, last: int, without: Sequence[Slice]) -> Located | None:
        """Where the rise from `first` to `last` sits, not counting payments of the slices `without`."""
        others = [set(slice_) for slice_ in without]
        shares: dict[tuple[Slice, int], float] = {}
        seen = []
        for index in range(first, min(last + 1, first + SCANNED)):
            row = self._counted[index]
            group = self._tracks.group(row.values)
            widest = set(group[0].slice).union(*(track.slice for track in group))
            if any(other <= widest for other in others):
                continue
            hour = row.at_us // HOUR_US
            expected = []
            for track in group:
                key = (track.slice, hour)
                if key not in shares:
                    shares[key] = track.expected(row.at_us) or 0.0
                expected.append(shares[key])
            seen.append(Seen(tuple(track.slice for track in group), row.status == FAILED, tuple(expected)))
        return scan(seen)

    def unexplained(self, track: Track, first: int, last: int, without: Slice) -> float:
        """How many nats the stream's payments speak for a rise when those of a slice are left out."""
        other = self._tracks.of(without)
        n, failed, expected = 0, 0, 0.0
        for index in range(max(first, last - SCANNED), last + 1):
            row = self._counted[index]
            group = self._tracks.group(row.values)
            if track in group and other not in group:
                n += 1
                failed += row.status == FAILED
                expected += track.expected(row.at_us) or 0.0
        return likelihood_ratio(n, failed, expected)

    def until(self, track: Track, first: int, last: int) -> int:
        """The last attempt of a rise that began at `first`: an alarm is over only some payments later."""
        best, found = 0.0, last
        n, failed, expected = 0, 0, 0.0
        for index in range(first, last + 1):
            row = self._counted[index]
            if track in self._tracks.group(row.values):
                n += 1
                failed += row.status == FAILED
                expected += track.expected(row.at_us) or 0.0
                nats = likelihood_ratio(n, failed, expected)
                if nats > best:
                    best, found = nats, index
        return found

    def toll(self, slice_: Slice, first: int, last: int) -> Toll:
        """What happened to a slice from `first` to `last`; paid later counts when it was by then."""
        track = self._tracks.of(slice_)
        money: dict[str, AtRisk] = {}
        codes: Counter[str] = Counter()
        n, failed, expected = 0, 0, 0.0
        end_us = self._counted[last].at_us
        for index in range(first, last + 1):
            row = self._counted[index]
            if track not in self._tracks.group(row.values):
                continue
            share, bad = track.expected(row.at_us) or 0.0, row.status == FAILED
            n += 1
            failed += bad
            expected += share
            if bad and row.decline_code:
                codes[row.decline_code] += 1
            if row.amount_minor >= 0 and row.currency:
                at_risk = money.setdefault(row.currency, AtRisk())
                at_risk.add(row.amount_minor, bad, share)
                if self._paid_us.get(index, end_us + 1) <= end_us:
                    at_risk.paid_later(row.amount_minor)
        losses = tuple(
            Loss(currency, one.lost_minor, one.se_minor, one.paid_later_minor)
            for currency, one in sorted(money.items())
        )
        ranked = tuple(ranked_codes(codes, self._usual_codes(track, first), expected)) if codes else ()
        return Toll(n, failed, expected, losses, ranked, (end_us - self._counted[first].at_us) / 1_000_000)

    def last_within(self, track: Track, last: int, more: int, end: int) -> int:
        """The index of the slice's `more`-th payment after `last`, at most `end`."""
        for index in range(last + 1, end + 1):
            if track in self._tracks.group(self._counted[index].values):
                more -= 1
                if not more:
                    return index
        return end

    def _usual_codes(self, track: Track, before: int) -> Counter[str]:
        codes: Counter[str] = Counter()
        for index in self._back(track, before - 1, max(0, before - SEARCHED)):
            row = self._counted[index]
            if row.status == FAILED and row.decline_code:
                codes[row.decline_code] += 1
        return codes

    def _back(self, track: Track, last: int, first: int) -> Iterator[int]:
        """The slice's last attempts up to `last`, the latest first; as many as an onset is looked for in."""
        found = 0
        for index in range(last, first - 1, -1):
            if track in self._tracks.group(self._counted[index].values):
                yield index
                found += 1
                if found == LOOK_BACK:
                    return
