"""Whether payops may say outside that it is well: it ticks, it can write its audit, and it can tell people."""

from __future__ import annotations

from datetime import datetime

from payops.store import Store

TICK_LATE_S = 30
OUTBOX_LATE_S = 300


def health(store: Store, now: datetime) -> tuple[str, ...]:
    """What is not well, as sentences; empty when all is. `StoreError` when not even that can be read."""
    faults = []
    last = store.switches.meta_get("last_tick_at")
    if last is None or abs((now - datetime.fromisoformat(last)).total_seconds()) > TICK_LATE_S:
        faults.append(f"the last tick was at {last or 'no time known'}")
    if not store.audit.ends_well():
        faults.append("the end of the audit chain is not what was written")
    stuck = store.outbox.stuck_since(now, OUTBOX_LATE_S)
    if stuck is not None:
        faults.append(f"a message to a person has been waiting since {stuck:%H:%M:%S} UTC")
    return tuple(faults)
