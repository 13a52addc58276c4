"""One stream of payments: its detector, its baseline, and what of the recent past may be learned."""

from __future__ import annotations

import json

from .baseline import Baseline, Fixed
from .detector import Detector, Turn

HOUR_S = 3600
SHORTEST_LAG, LONGEST_LAG = 1, 24
"""Hours that must pass before an hour is learned: a quarter of the history, within these. What begins slowly must
not be taken for normal before it is noticed."""
MEMORY = 4 * 168


class Stream:
    """Payments are fed in the order of completion; each hour is learned once it is past doubt.

    An hour with any part in an alarm is never learned, and while an alarm lasts nothing is. `held` does the same
    for the alarm of a stream that shares payments with this one.
    """

    __slots__ = (
        "_first", "_hour", "_marks", "_pending", "_spoiled", "_unjudged", "baseline", "bound", "detector", "expected",
        "held", "parent",
    )  # fmt: skip

    def __init__(self, parent: Stream | None = None, baseline: Baseline | Fixed | None = None) -> None:
        self.parent = parent
        self.detector = Detector()
        self.baseline: Baseline | Fixed = Baseline() if baseline is None else baseline
        self.expected: float | None = None
        """The share of failures expected in the present hour; None while unknown."""
        self.bound: float | None = None
        """The share that alarms are judged against."""
        self.held = False
        self._first: int | None = None
        self._hour = -1
        self._marks = (0, 0)  # the detector's counts when the present hour began
        self._unjudged = (0, 0)
        self._pending: list[tuple[int, int, int]] = []
        self._spoiled = False

    def feed(self, at_s: float, failed: bool, threshold: float) -> Turn | None:
        """Enter one payment completed at `at_s` (epoch seconds); the parent's payment is fed first.

        One that comes late is judged where it comes. While nothing is known about the stream it only counts.
        """
        hour = int(at_s // HOUR_S)
        if hour > self._hour:
            self._turn(hour)
        if self.bound is None:
            n, failures = self._unjudged
            self._unjudged = (n + 1, failures + failed)
            return None
        turn = self.detector.feed(failed, self.bound, threshold)
        if turn is Turn.ALARM:
            self._spoiled = True
        return turn

    def advance(self, at_s: float) -> None:
        """Let time pass without a payment, so that `expected` and `bound` are those of this hour."""
        hour = int(at_s // HOUR_S)
        if hour > self._hour:
            self._turn(hour)

    def learn(self, at_s: float, n: int, failed: int) -> None:
        """History, or what comes too late to be judged: learned at once."""
        hour = int(at_s // HOUR_S)
        self.baseline.add(hour, n, failed)
        self._first = hour if self._first is None else min(self._first, hour)

    def exclude(self, since_s: float) -> None:
        """Learn nothing of the hours from `since_s` until now: an alarm's onset lies before its alarm."""
        since = int(since_s // HOUR_S)
        self._pending = [entry for entry in self._pending if entry[0] < since]
        self._spoiled = self._spoiled or since <= self._hour

    @property
    def evidence(self) -> float:
        """R, to be compared with `threshold`."""
        return self.detector.evidence

    @property
    def per_day(self) -> float:
        """Payments a day over the hours learned; 0.0 before the first."""
        return self.baseline.per_day or 0.0

    @property
    def standing(self) -> str:
        """`ok`, `watch` or `alarm`."""
        return "alarm" if self.detector.alarmed else "watch" if self.detector.watching else "ok"

    def dump(self) -> bytes:
        """The state, some hundred bytes and the baseline's counts; `load` goes on from it exactly."""
        baseline = self.baseline
        state = {
            "detector": self.detector.dump(),
            "baseline": baseline.dump() if isinstance(baseline, Baseline) else baseline.norm.mean,
            "hours": [self._first, self._hour, *self._marks, *self._unjudged, self._spoiled, self.held],
            "shares": [self.expected, self.bound],
            "pending": self._pending,
        }
        return json.dumps(state, separators=(",", ":")).encode("ascii")

    @classmethod
    def load(cls, data: bytes, parent: Stream | None = None) -> Stream:
        """The stream that `dump` wrote; ValueError when it is none."""
        try:
            state = json.loads(data)
            known = state["baseline"]
            made = cls(parent, Baseline.load(known) if isinstance(known, list) else Fixed(float(known)))
            made.detector = Detector.load(state["detector"])
            first, hour, marked_n, marked_failed, n, failed, spoiled, held = state["hours"]
            made._first, made._hour = first, int(hour)
            made._marks, made._unjudged = (int(marked_n), int(marked_failed)), (int(n), int(failed))
            made._spoiled, made.held = bool(spoiled), bool(held)
            made.expected, made.bound = state["shares"]
            made._pending = [(int(at), int(many), int(bad)) for at, many, bad in state["pending"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this is no state of a stream: {error}") from error
        return made

    def _turn(self, hour: int) -> None:
        """Close the hours until `hour`, learn what may be, and look up what to expect now."""
        if self._hour >= 0:
            self._close(hour)
        frozen = self.held or self.detector.alarmed
        self._hour, self._spoiled = hour, frozen
        self._first = hour if self._first is None else self._first
        if not frozen:
            self._ripen(hour)
        parent = self.parent.baseline.norm if self.parent else None
        self.baseline.settle(hour, parent)
        self.expected, self.bound = self.baseline.expected(hour), self.baseline.bound(hour)

    def _close(self, hour: int) -> None:
        n, failed = self.detector.payments, self.detector.failures
        counted = (
            self._hour,
            n - self._marks[0] + self._unjudged[0],
            failed - self._marks[1] + self._unjudged[1],
        )
        self._marks, self._unjudged = (n, failed), (0, 0)
        if not self._spoiled:
            self._pending.append(counted)
        if not (self.held or self.detector.alarmed):
            # Hours without any payment are known as well: so many payments are usual then.
            quiet = range(max(self._hour + 1, hour - MEMORY), hour)
            self._pending += [(empty, 0, 0) for empty in quiet]

    def _ripen(self, hour: int) -> None:
        assert self._first is not None
        lag = min(LONGEST_LAG, max(SHORTEST_LAG, (hour - self._first) // 4))
        ripe = 0
        for at, n, failed in self._pending:
            if at + lag >= hour:
                break
            self.baseline.learn(at, n, failed)
            ripe += 1
        del self._pending[:ripe]
