"""What will happen, in order of time: the world's heart. Times are epoch milliseconds."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

Act = Callable[[int, Any], None]
"""Called with the instant it is due and the subject it was planned with."""


class Agenda:
    """Acts run in (instant, order of planning), whatever the steps time is moved in."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self._heap: list[tuple[int, int, Act, Any]] = []
        self._planned = 0

    def plan(self, at_ms: int, act: Act, subject: Any = None) -> None:
        """Have `act(at_ms, subject)` called when time gets there; the past means at once."""
        self._planned += 1
        heapq.heappush(self._heap, (max(at_ms, self.now_ms), self._planned, act, subject))

    def run(self, to_ms: int) -> None:
        """Move time to `to_ms`, doing everything due by then; time never goes back."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= to_ms:
            at_ms, _, act, subject = pop(heap)
            self.now_ms = at_ms
            act(at_ms, subject)
        self.now_ms = max(self.now_ms, to_ms)

    def planned(self, act: Act) -> Iterator[int]:
        """The instants at which `act` is planned, in no order."""
        return (at_ms for at_ms, _, planned, _ in self._heap if planned == act)
