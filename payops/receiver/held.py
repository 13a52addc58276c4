"""The raw bytes of events that are still to be forwarded: in memory only, bounded, the oldest let go first.

They never reach a disk: what is stored of an event is masked.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

MOST_BYTES = 64 * 1024 * 1024
_HEADERS = frozenset({"content-type", "user-agent", "stripe-signature"})
_HEADER_PREFIX = "paypal-"


@dataclass(frozen=True, slots=True)
class Raw:
    """A request as it came: its body, and what of its headers belongs to the event."""

    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    received_at: datetime


class Held:
    """Any thread may. What does not fit any more is forgotten: it is then fetched from the provider, where it can be."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Raw] = OrderedDict()

    def keep(
        self,
        account: str,
        event_id: str,
        body: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        received_at: datetime,
    ) -> None:
        """Keep a verified request, in the place of an earlier one of the same event."""
        raw = Raw(body, _of_the_event(headers), received_at)
        with self._lock:
            self._drop((account, event_id))
            self._kept[account, event_id] = raw
            self._size += len(body)
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    def get(self, account: str, event_id: str) -> Raw | None:
        with self._lock:
            return self._kept.get((account, event_id))

    def drop(self, account: str, event_id: str) -> None:
        with self._lock:
            self._drop((account, event_id))

    def _drop(self, key: tuple[str, str]) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._size -= len(gone.body)


def _of_the_event(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """What came twice is one header with both values, as HTTP reads it."""
    found: dict[str, tuple[str, str]] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name.lower() in _HEADERS or name.lower().startswith(_HEADER_PREFIX):
            before = found.get(name.lower())
            found[name.lower()] = (name, value if before is None else f"{before[1]},{value}")
    return tuple(found.values())
