"""The disk of a demo's store: roomy, and nearly full while a scenario says so, whatever this machine's is like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from payops.clock import Now
from payops.simulator.scenario import Scenario
from payops.store.space import Space

_TOTAL = 100_000_000_000
_ROOMY = 40_000_000_000
_NEARLY_FULL = 120_000_000


def disk(scenario: Scenario, began: datetime, now: Now) -> Callable[[], Space]:
    """What the store is told of its disk; `began` is when the scenario's run did."""
    spans = [
        (began + fault.at, None if fault.ends is None else began + fault.ends)
        for fault in scenario.faults
        if fault.kind == "store_full"
    ]

    def room() -> Space:
        at = now()
        full = any(since <= at and (until is None or at < until) for since, until in spans)
        return Space(_NEARLY_FULL if full else _ROOMY, _TOTAL)

    return room
