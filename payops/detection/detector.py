"""Has the failure share of a stream of payments risen? A mixture Shiryaev-Roberts e-detector, O(1) a payment.

For each of five sizes of a rise (failure odds times 1.6 to 60) a sum R_j grows with each failure and shrinks with
each success; R is their mean. While every payment fails with at most its p0, whatever came before it, R reaches
`threshold` on average no sooner than after `threshold` payments (Shin, Ramdas, Rinaldo 2022): with the payments
expected in 30 days as the threshold that is at most one false alarm in 30 days, without any calibration.
"""

from __future__ import annotations

import json
from enum import StrEnum
from math import exp, inf, log1p

from .recovery import Recovery
from .shares import judgeable, raised

ODDS = (1.6, 2.5, 5.0, 12.0, 60.0)
"""The rises looked for: how many times the odds of a failure."""
WATCH = 20.0
"""A stream is on watch from a twentieth of its threshold on, and off again below half of that."""
NEVER = inf
"""The threshold of a stream too small to be judged by itself: it counts, and never alarms."""
DOUBT = 0.1
HUGE, SCALE = 1e150, 1e-100
"""In a long outage the sums grow without end: beyond `HUGE` they are scaled."""
LARGEST = 1e300
Sums = tuple[float, float, float, float, float]
Factors = tuple[float, ...]
NOTHING: Sums = (0.0, 0.0, 0.0, 0.0, 0.0)


class Turn(StrEnum):
    """What a payment changed about its stream."""

    WATCH = "watch"
    ALARM = "alarm"
    RECOVERED = "recovered"


class Detector:
    """One stream's evidence. Successes are only counted; the sums move at the next failure: same numbers, less work.

    Equal calls give equal states, bit for bit, however often it was dumped and loaded between them.
    """

    __slots__ = (
        "_alarm", "_factors", "_failures", "_p0", "_payments", "_peak", "_run", "_scaled", "_steady", "_sums", "_unit",
        "watching",
    )  # fmt: skip

    def __init__(self) -> None:
        self._sums: Sums = NOTHING
        self._run = 0  # successes since the sums moved last
        self._p0 = -1.0
        self._steady = -1.0  # the baseline, as long as entering a payment is as simple as can be
        self._factors: Factors = ()
        self._payments = self._failures = 0
        self._scaled, self._unit = 0, 1.0  # how often the sums were scaled, and what 1 is in their scale
        self._alarm: Recovery | None = None
        self._peak = 0.0
        self.watching = False

    def feed(self, failed: bool, p0: float, threshold: float) -> Turn | None:
        """Enter one payment, oldest first; what changed by it.

        `p0` is the failure share it is judged against and may differ at each payment; `threshold` is the number of
        payments that one false alarm may take (infinite: never). An alarm lasts until a sequential test says that
        the baseline is back; then the evidence begins anew.
        """
        if p0 != self._steady:
            return self._unsteady(failed, p0, threshold)
        if not failed:
            self._run += 1
            return None
        mean = self._fail()
        if mean * WATCH < threshold and not self.watching:
            return None
        return self._raised(mean, threshold)

    def feed_successes(self, count: int, p0: float) -> Turn | None:
        """Enter so many successes in a row: the same as feeding each."""
        for left in range(count, 0, -1):
            if p0 == self._steady:
                self._run += left
                return None
            if turn := self.feed(False, p0, NEVER):
                self.feed_successes(left - 1, p0)
                return turn
        return None

    @property
    def payments(self) -> int:
        """How many were fed, ever."""
        return self._payments + self._run

    @property
    def failures(self) -> int:
        return self._failures

    @property
    def alarmed(self) -> bool:
        return self._alarm is not None

    @property
    def evidence(self) -> float:
        """R now. Divided by payments per day: once in so many days by chance alone."""
        return self._real(_mean(self._moved()))

    @property
    def peak(self) -> float:
        """The highest R of the present alarm, else R now."""
        return max(self._peak, self.evidence) if self.alarmed else self.evidence

    def reset(self) -> None:
        """Begin anew as after a recovery: for a baseline that a person accepted as the new normal."""
        self._settle()
        self._sums = NOTHING
        self._scaled, self._unit, self._steady = 0, 1.0, -1.0
        self._peak, self._alarm, self.watching = 0.0, None, False
        if self._factors:
            self._turn(self._p0)

    def dump(self) -> str:
        """The state as a short JSON text; `load` gives the same detector."""
        test = self._alarm.state() if self._alarm else None
        rest = [self._run, self._p0, self._payments, self._failures, self._scaled, self._peak, self.watching]
        return json.dumps([self._sums, *rest, test], separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Detector:
        """The detector that `dump` wrote; ValueError when it is none."""
        made = cls()
        try:
            sums, run, p0, payments, failures, scaled, peak, watching, test = json.loads(text)
            a, b, c, d, e = map(float, sums)
            made._sums = (a, b, c, d, e)
            made._run, made._payments, made._failures = int(run), int(payments), int(failures)
            made._scaled, made._unit = int(scaled), SCALE ** int(scaled)
            made._peak, made.watching = float(peak), bool(watching)
            if p0 >= 0:
                made._turn(float(p0))
            made._alarm = Recovery.from_state(test) if test else None
        except (TypeError, ValueError) as error:
            raise ValueError(f"this is no state of a detector: {error}") from error
        return made

    def _unsteady(self, failed: bool, p0: float, threshold: float) -> Turn | None:
        """A payment of another baseline than the last, or of an alarm."""
        if p0 != self._p0:
            self._settle()
            self._turn(p0)
        if self._alarm is not None:
            return self._tested(failed, self._alarm)
        self._steady = p0
        return self.feed(failed, p0, threshold)

    def _raised(self, mean: float, threshold: float) -> Turn | None:
        if mean >= threshold:
            self._alarm = Recovery(self._plausible())
            self._peak = mean
            self._steady = -1.0
            self.watching = True
            return Turn.ALARM
        if self.watching:
            self.watching = mean * WATCH * 2 >= threshold
            return None
        self.watching = True
        return Turn.WATCH

    def _tested(self, failed: bool, alarm: Recovery) -> Turn | None:
        """A payment of an alarm: the evidence goes on, and beside it the test of the alarm's end."""
        if failed:
            self._peak = max(self._peak, self._fail())
        else:
            self._run += 1
        if alarm.enter(failed, self._p0):
            self.reset()
            return Turn.RECOVERED
        return None

    def _turn(self, p0: float) -> None:
        """Factors for a baseline: of a failure; of a success, as a logarithm; what successes alone add up to; and
        what a failure makes of that and one new start."""
        self._p0 = p0
        rises = [(odds - 1.0) * judgeable(p0) for odds in ODDS]
        self._factors = tuple(
            factor
            for odds, rise in zip(ODDS, rises, strict=True)
            for up, alone in ((odds / (1.0 + rise), self._unit / rise),)
            for factor in (up, -log1p(rise), alone, (alone + self._unit) * up)
        )

    def _fail(self) -> float:
        """Enter the successes since the last failure, and a failure; the evidence after it.

        Written out: this is where the time goes.
        """
        run = self._run
        a, b, c, d, e = self._sums
        (
            up_a,
            on_a,
            all_a,
            one_a,
            up_b,
            on_b,
            all_b,
            one_b,
            up_c,
            on_c,
            all_c,
            one_c,
            up_d,
            on_d,
            all_d,
            one_d,
            up_e,
            on_e,
            all_e,
            one_e,
        ) = self._factors
        a = one_a + (a - all_a) * exp(run * on_a) * up_a
        b = one_b + (b - all_b) * exp(run * on_b) * up_b
        c = one_c + (c - all_c) * exp(run * on_c) * up_c
        d = one_d + (d - all_d) * exp(run * on_d) * up_d
        e = one_e + (e - all_e) * exp(run * on_e) * up_e
        self._sums = (a, b, c, d, e)
        self._payments += run + 1
        self._failures += 1
        self._run = 0
        mean = (a + b + c + d + e) / 5.0
        if mean > HUGE or self._scaled:
            self._rescale()
            return self._real(_mean(self._sums))
        return mean

    def _moved(self) -> Sums:
        """The sums with the successes since the last failure counted in."""
        if not self._run:
            return self._sums
        a, b, c, d, e = (
            one * (kept := exp(self._run * on_success)) + alone * (1.0 - kept)
            for one, on_success, alone in zip(
                self._sums, self._factors[1::4], self._factors[2::4], strict=True
            )
        )
        return a, b, c, d, e

    def _settle(self) -> None:
        self._sums = self._moved()
        self._payments += self._run
        self._run = 0
        self._rescale()

    def _rescale(self) -> None:
        mean = _mean(self._sums)
        if mean > HUGE:
            self._scaled += 1
            self._scale(SCALE)
        elif self._scaled and mean < 1.0:
            self._scaled -= 1
            self._scale(1.0 / SCALE)

    def _scale(self, by: float) -> None:
        a, b, c, d, e = self._sums
        self._sums = (a * by, b * by, c * by, d * by, e * by)
        self._unit = SCALE**self._scaled
        self._turn(self._p0)

    def _real(self, mean: float) -> float:
        for _ in range(self._scaled):
            mean = min(mean / SCALE, LARGEST)
        return mean

    def _plausible(self) -> float:
        """A failure share that the present one hardly stays below: a size less than what is 90 % sure by the sums."""
        left = DOUBT * sum(self._sums)
        odds = ODDS[0]
        for less, one in zip((ODDS[0], *ODDS), self._sums, strict=False):
            odds = less
            left -= one
            if left <= 0.0:
                break
        return raised(judgeable(self._p0), odds)


def threshold(per_day: float, streams: int) -> float:
    """The threshold that lets `streams` streams together make one false alarm in 30 days, for one of `per_day`."""
    return 30.0 * per_day * max(streams, 1)


def once_in_years(evidence: float, per_day: float, streams: int) -> float:
    """Chance alone does this less than once in so many years, given the baseline; at most a billion."""
    payments = per_day * max(streams, 1)
    return min(evidence / payments / 365.25, 1e9) if payments > 0 else 0.0


def _mean(sums: Sums) -> float:
    return sum(sums) / 5.0
