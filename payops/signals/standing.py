"""How the watched streams of an account stand: evidence of a rise, and the alarm that runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from payops.domain.counting import Family
from payops.store import Store
from payops.store.streams import StreamRow

LEAST = 200.0
WATCH = 0.05
"""A twentieth of an alarm's evidence is worth a look, and no page."""
MOST = 1e5
"""So many false-alarm periods are certainty enough."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The streams of one family, the widest first. `evidence` is the strongest of theirs: 1.0 is one false alarm in
    30 days over all watched streams together, given the learned baselines; None while none of them is judged.
    """

    rows: tuple[StreamRow, ...]
    evidence: float | None
    strongest: StreamRow | None
    alarm: StreamRow | None
    """The widest stream whose alarm is running."""

    @property
    def whole(self) -> StreamRow | None:
        """The stream of all of them, if any was counted."""
        return next((row for row in self.rows if not row.slice), None)

    @property
    def watch(self) -> bool | None:
        """On watch or worse; None while nothing is judged."""
        return None if self.evidence is None else self.evidence >= WATCH


def standing(store: Store, account: str, family: Family) -> Standing:
    """One family of one account as it stood when the last payment was counted; empty while a history is gone through.

    The account of the empty name is all of them together.
    """
    cursor = store.streams.cursor(account)
    if account and (cursor is None or cursor.replay_at is not None):
        return Standing((), None, None, None)
    return weigh(store.streams.standing(account, family), store.streams.watched(LEAST))


def weigh(rows: Sequence[StreamRow], watched: int) -> Standing:
    """The standing of these streams among `watched` ones in all."""
    judged = [(evidence(row, watched), row) for row in rows if row.per_30_days >= LEAST or row.alarmed_at]
    best, strongest = max(judged, key=lambda each: each[0], default=(None, None))
    alarm = next((row for row in rows if row.alarmed_at is not None), None)
    return Standing(tuple(rows), best, strongest, alarm)


def evidence(row: StreamRow, watched: int) -> float:
    """R over the stream's threshold; an alarm stays at 1.0 or more until it is over."""
    limit = max(row.per_30_days, LEAST) * max(watched, 1)
    return min(MOST, max(row.level / limit, 1.0 if row.alarmed_at else 0.0))
