"""An account's objects of one kind in order of creation, listed the way Stripe lists them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Row(Protocol):
    id: str
    at_ms: int


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds on the second of creation, both inclusive; None = open."""

    first: int | None = None
    last: int | None = None


class Log(Generic[R]):
    """Append-only, in order of time; found by id or by second without a scan."""

    def __init__(self) -> None:
        self.rows: list[R] = []
        self._seconds: list[int] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: R) -> None:
        self._places[row.id] = len(self.rows)
        self.rows.append(row)
        self._seconds.append(row.at_ms // 1000)

    def get(self, object_id: str) -> R | None:
        place = self._places.get(object_id)
        return None if place is None else self.rows[place]

    def page(
        self,
        limit: int,
        span: Span = Span(),
        *,
        starting_after: str | None = None,
        ending_before: str | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> tuple[list[R], bool]:
        """At most `limit` rows, newest first, and whether more lie beyond them in the direction of travel.

        `starting_after` goes towards the past, `ending_before` towards the present; both are ids in this log.
        """
        low = 0 if span.first is None else bisect_left(self._seconds, span.first)
        high = len(self.rows) if span.last is None else bisect_right(self._seconds, span.last)
        if starting_after is not None:
            high = min(high, self._places[starting_after])
        if ending_before is not None:
            low = max(low, self._places[ending_before] + 1)
        places = range(low, high) if ending_before is not None else range(high - 1, low - 1, -1)
        found: list[R] = []
        for place in places:
            row = self.rows[place]
            if where is None or where(row):
                found.append(row)
                if len(found) > limit:
                    break
        more = len(found) > limit
        found = found[:limit]
        if ending_before is not None:
            found.reverse()
        return found, more
