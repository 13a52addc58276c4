"""Every stream of one account in memory: which of them an attempt belongs to, and feeding them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from payops.detection import Fixed, Stream, Turn
from payops.domain.counting import Ended, Entry, Family, entries, is_delayed
from payops.domain.payments import Provider
from payops.store.streams import Slice, StreamRow

from .sketch import Sketch, mixed
from .tracked import Tracked
from .volume import Volume

COLUMNS = ("card_brand", "country", "currency", "method")
MOST_VALUES = 200
"""A column with more values says nothing about any of them."""
MOST_PAIRS = 2_000
MOST_CODES = 60
LATE_S = 3600
"""An attempt that ended so long before the newest counted one teaches what is usual, and is not judged."""
SMALL = 0.05
LEAST_AMOUNTS = ANEW = 50
"""From so many on, the smallest 5 % of the amounts in a currency are unusually small, below half the median. Few are
enough: what is tried in a rare currency must not pass for refused buyers."""
LEAST_PENDING = 200
SLOW = 0.95
LEAST_CALLS = 19
"""A call slower than the slowest of so many is one in twenty."""
BALANCE = 19
MOST_WAITING = 200
DAY_S = 86_400
WEIGHT_CALLS = 200.0
HOUR_S, WEEK = 3600, 168


@dataclass(frozen=True, slots=True)
class Happened:
    """A stream's turn, and when: the end of the payment that brought it."""

    tracked: Tracked
    turn: Turn
    at: int


class Book:
    """The streams of one account. `usual` in the store is what `dump_usual` says."""

    def __init__(
        self, account: str, provider: Provider, rows: Iterable[StreamRow] = (), usual: str = "{}"
    ) -> None:
        self.account = account
        self.provider = provider
        self.streams: dict[tuple[Family, Slice], Tracked] = {}
        self._values: dict[str, set[str]] = {column: set() for column in COLUMNS}
        self._codes: list[Tracked] = []
        self._n_pairs = 0
        for row in sorted(rows, key=lambda each: len(each.slice)):
            self._keep(Tracked.load(row, self._parent(row.family, row.slice)))
        for column in COLUMNS:
            self._judge_alone(column)
        for tracked in self.streams.values():
            tracked.changed = False
        known: Mapping[str, Any] = json.loads(usual)
        self.volume = Volume(known.get("volume"))
        self._amounts = {name: Sketch(counts) for name, counts in known.get("amounts", {}).items()}
        self._smallest: dict[str, float] = dict(known.get("smallest", {}))
        self._pending = Sketch(known.get("pending"))
        self._calls = {int(place): Sketch(counts) for place, counts in known.get("calls", {}).items()}
        self._all_calls = Sketch(known.get("all_calls"))
        self._first_call: int | None = known.get("first_call")
        self._waiting: list[tuple[int, int]] = [(at, taken) for at, taken in known.get("waiting", [])]
        self._balance = int(known.get("balance", 0))

    def dump_usual(self) -> str:
        """What is usual besides shares of failures, as short JSON."""
        state = {
            "volume": self.volume.dump(),
            "amounts": {name: sketch.dump() for name, sketch in sorted(self._amounts.items())},
            "smallest": self._smallest,
            "pending": self._pending.dump(),
            "calls": {str(place): sketch.dump() for place, sketch in sorted(self._calls.items())},
            "all_calls": self._all_calls.dump(),
            "first_call": self._first_call,
            "waiting": self._waiting,
            "balance": self._balance,
        }
        return json.dumps(state, separators=(",", ":"))

    @property
    def watched(self) -> int:
        return sum(tracked.watched for tracked in self.streams.values())

    def alarmed(self, family: Family) -> list[Tracked]:
        """The streams of a family whose alarm is running, the widest first."""
        running = [
            tracked
            for (name, _), tracked in self.streams.items()
            if name == family and tracked.alarmed_at is not None
        ]
        return sorted(running, key=lambda each: (len(each.slice), each.slice))

    def hold(self, since: int) -> None:
        """Something is wrong with payments since then: no stream of theirs learns from that time on."""
        for tracked in self._of_payments():
            tracked.stream.exclude(since)
            tracked.stream.held = tracked.changed = True

    def release(self) -> None:
        """An alarm ended: where it was the last, learning goes on."""
        if any(tracked.alarmed_at is not None for tracked in self._of_payments()):
            return
        for tracked in self._of_payments():
            tracked.stream.held, tracked.changed = False, True

    def _of_payments(self) -> list[Tracked]:
        return [tracked for tracked in self.streams.values() if tracked.family != "calls"]

    def enter(
        self, attempt: Ended, newest: int, streams: int, is_known: Callable[[Ended], bool]
    ) -> list[Happened]:
        """Count one attempt that ended in every stream it belongs to; what turned.

        `newest` is the end of the newest one counted before, `streams` how many are watched in all, and `is_known`
        tells whether the customer had tried to pay before.
        """
        happened: list[Happened] = []
        if attempt.ended_at > attempt.at and not is_delayed(attempt.method):
            self._pending.add(attempt.ended_at - attempt.at)
        small = self._small(attempt)
        if small and attempt.customer is not None and not is_known(attempt):
            attempt = attempt._replace(customer=None)
        if small and attempt.customer is None and self.alarmed("testing"):
            found = [Entry("testing", attempt.status == "failed")]  # somebody tries cards: no buyer's attempt
        else:
            self._learn_amount(attempt)
            found = list(entries(self.provider, attempt, small=small))
        late = attempt.ended_at < newest - LATE_S
        for entry in found:
            for tracked, failed in self._targets(entry, attempt):
                if late:
                    tracked.learn(attempt.ended_at, failed)
                    continue
                turn = tracked.feed(attempt.ended_at, failed, streams)
                if turn is not None:
                    happened.append(Happened(tracked, turn, attempt.ended_at))
        return happened

    def call(self, at: int, taken_ms: int, streams: int) -> Happened | None:
        """Count one answer of the provider: is it slower than 95 % at this hour of the week?"""
        place = at // HOUR_S % WEEK
        usual = mixed(self._calls.get(place, Sketch()), self._all_calls, WEIGHT_CALLS, SLOW)
        tracked = self._stream("calls", (), at)
        self._first_call = min(self._first_call or at, at)
        tracked.told_per_day = (tracked.n + 1) / max(HOUR_S, at - self._first_call) * 24 * HOUR_S
        turn = None
        if usual is not None and self._all_calls.n >= LEAST_CALLS:
            turn = tracked.feed(at, taken_ms > usual, streams)
        slow = usual is not None and self._all_calls.n >= LEAST_CALLS and taken_ms > usual
        self._learn_call(at, taken_ms, slow=slow)
        return None if turn is None else Happened(tracked, turn, at)

    def _learn_call(self, at: int, taken_ms: int, *, slow: bool) -> None:
        """A slow one waits for the nineteen others that make it usual, or a day: a slowness must not teach itself."""
        if slow:
            self._waiting = [*self._waiting[1 - MOST_WAITING :], (at, taken_ms)]
        else:
            self._balance = min(self._balance + 1, 3 * BALANCE)
            self._add_call(at, taken_ms)
        while self._waiting and (self._balance >= BALANCE or at - self._waiting[0][0] > DAY_S):
            self._balance -= min(BALANCE, self._balance)
            self._add_call(*self._waiting.pop(0))

    def _add_call(self, at: int, taken_ms: int) -> None:
        self._calls.setdefault(at // HOUR_S % WEEK, Sketch()).add(taken_ms)
        self._all_calls.add(taken_ms)

    def longest_pending(self, least_s: int) -> int:
        """How long a card-like attempt may be pending: as 99 % of the earlier ones, `least_s` at least."""
        usual = self._pending.quantile(0.99) if self._pending.n >= LEAST_PENDING else None
        return max(least_s, int(usual or 0))

    def in_stream(self, tracked: Tracked, attempt: Ended) -> bool | None:
        """Whether the attempt failed, as this stream counts it; None where it is not in it."""
        small = tracked.family == "testing" and self._small(attempt)
        found = entries(self.provider, attempt, small=small)
        base = "acceptance" if tracked.family == "codes" else tracked.family
        entry = next((each for each in found if each.family == base), None)
        if entry is None:
            return None
        if tracked.family == "codes":
            return entry.failed and tracked.slice == _code(attempt)
        values = dict(_values(attempt))
        inside = all(values.get(column) == value for column, value in tracked.slice)
        return entry.failed if inside else None

    def _targets(self, entry: Entry, attempt: Ended) -> Iterator[tuple[Tracked, bool]]:
        """The streams an entry goes to, each after its parent, and whether it failed in it."""
        at = attempt.ended_at
        yield self._stream(entry.family, (), at), entry.failed
        if entry.family != "acceptance":
            return
        values = _values(attempt)
        for tracked in [*self._ones(values, at), *self._pairs(values, at)]:
            yield tracked, entry.failed
        code = _code(attempt) if entry.failed else None
        if code is not None and ("codes", code) not in self.streams and len(self._codes) < MOST_CODES:
            self._begin_code(code, at)
        for tracked in self._codes:
            yield tracked, tracked.slice == code

    def _ones(self, values: Slice, at: int) -> Iterator[Tracked]:
        for column, value in values:
            known = self._values[column]
            if value not in known and len(known) <= MOST_VALUES:
                known.add(value)  # the one too many gives the column up
                self._judge_alone(column)
            if len(known) <= MOST_VALUES:
                yield self._stream("acceptance", ((column, value),), at)

    def _pairs(self, values: Slice, at: int) -> Iterator[Tracked]:
        for slice_ in combinations(values, 2):
            known = self.streams.get(("acceptance", slice_))
            if known is not None:
                yield known
            elif self._n_pairs < MOST_PAIRS and all(self._is_watched((part,)) for part in slice_):
                yield self._stream("acceptance", slice_, at)

    def _is_watched(self, slice_: Slice) -> bool:
        tracked = self.streams.get(("acceptance", slice_))
        return tracked is not None and tracked.watched

    def _judge_alone(self, column: str) -> None:
        """A column of one value is the whole once more, one of too many says nothing: neither is judged."""
        idle = not 2 <= len(self._values[column]) <= MOST_VALUES
        for (family, slice_), tracked in self.streams.items():
            if family == "acceptance" and any(name == column for name, _ in slice_):
                tracked.redundant = idle
                tracked.changed = True

    def _begin_code(self, code: Slice, at: int) -> None:
        """A code seen for the first time: all that were accepted or refused so far did not have it."""
        whole = self.streams["acceptance", ()]
        tracked = self._stream("codes", code, at)
        hours = max(1, min(WEEK, round(24 * whole.n / whole.per_day))) if whole.per_day else 1
        for step in range(hours, 0, -1):
            tracked.stream.learn(at - step * HOUR_S, whole.n // hours, 0)
        tracked.n = whole.n

    def _stream(self, family: Family, slice_: Slice, at: int) -> Tracked:
        known = self.streams.get((family, slice_))
        if known is None:
            # That 5 % of the answers are slower than 95 % are is not learned.
            baseline = Fixed(1.0 - SLOW) if family == "calls" else None
            known = Tracked(self.account, family, slice_, Stream(self._parent(family, slice_), baseline), at)
            known.stream.held = family != "calls" and any(each.stream.held for each in self._of_payments())
            self._keep(known)
        return known

    def _keep(self, tracked: Tracked) -> None:
        self.streams[tracked.family, tracked.slice] = tracked
        if tracked.family == "codes":
            self._codes.append(tracked)
        elif tracked.family == "acceptance":
            self._n_pairs += len(tracked.slice) == 2
            if len(tracked.slice) == 1:
                self._values[tracked.slice[0][0]].add(tracked.slice[0][1])
            for column, _ in tracked.slice:
                tracked.redundant |= not 2 <= len(self._values[column]) <= MOST_VALUES

    def _parent(self, family: Family, slice_: Slice) -> Stream | None:
        """What a stream's own baseline leans on while it is young: the next wider slice."""
        if family == "codes" or not slice_:
            return None
        wider = self.streams.get((family, slice_[:-1]))
        return None if wider is None else wider.stream

    def _small(self, attempt: Ended) -> bool:
        limit = self._smallest.get(attempt.currency or "")
        return limit is not None and attempt.amount_minor is not None and attempt.amount_minor <= limit

    def _learn_amount(self, attempt: Ended) -> None:
        if not (attempt.first and attempt.currency and attempt.amount_minor is not None):
            return
        known = self._amounts.setdefault(attempt.currency, Sketch())
        known.add(attempt.amount_minor)
        if known.n >= LEAST_AMOUNTS and known.n % ANEW == 0:
            least, middle = known.quantile(SMALL), known.quantile(0.5)
            assert least is not None
            assert middle is not None
            # Where prices hardly differ the smallest of them is an ordinary one.
            self._smallest[attempt.currency] = min(least, middle / 2)


def _values(attempt: Ended) -> Slice:
    return tuple((column, value) for column in COLUMNS if (value := getattr(attempt, column)))


def _code(attempt: Ended) -> Slice:
    return (("decline_code", attempt.decline_code or "unknown"),)
