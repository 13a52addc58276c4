"""The dead-man's switch: nothing arrives though the provider shows activity. Judged from outside the handler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

SAMPLE = 200
"""So many of the last arrivals tell an account's rhythm."""
FEWEST = 20
"""With fewer of them nothing is said."""
LEAST = timedelta(minutes=5)
USUAL_GAPS = 10.0
LONGEST_GAPS = 2.0
ACTIVITY = 3
"""So much must have happened meanwhile that should have come: one or two may be late."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """How long nothing came, what happened meanwhile, and whether that is more than the rhythm explains.

    `plausible` is how long a quiet the account's own rhythm makes likely. `activity` counts events the provider
    lists and that did not arrive, or where it lists none the payments, since the last arrival. None = unknown.
    """

    quiet: timedelta | None
    plausible: timedelta | None
    activity: int | None
    silent: bool | None


def plausible(arrivals: Sequence[datetime], *, over: timedelta = timedelta()) -> timedelta | None:
    """The longest quiet that is nothing special: ten usual gaps, twice the longest one, 5 minutes at least.

    None with fewer than 20 arrivals, or where they span less than `over`: a burst tells no rhythm.
    """
    known = sorted(arrivals)
    if len(known) < FEWEST or known[-1] - known[0] < over:
        return None
    gaps = [later - earlier for earlier, later in pairwise(known)]
    return max(LEAST, USUAL_GAPS * (known[-1] - known[0]) / len(gaps), LONGEST_GAPS * max(gaps))


def judge(
    arrivals: Sequence[datetime], activity: int | None, now: datetime, *, over: timedelta = timedelta()
) -> Silence:
    """Never silent without activity, nor within what is plausible; unknown where either cannot be told."""
    if not arrivals:
        return Silence(None, None, activity, None)
    quiet = max(timedelta(), now - max(arrivals))
    usual = plausible(arrivals, over=over)
    if usual is None:
        return Silence(quiet, None, activity, None)
    if quiet <= usual:
        return Silence(quiet, usual, activity, False)
    return Silence(quiet, usual, activity, None if activity is None else activity >= ACTIVITY)
