"""Whether an application behind a relay takes what is forwarded to it. Unknown of every other endpoint."""

from __future__ import annotations

from datetime import datetime

from payops.config import AccountSettings, EndpointSettings
from payops.domain.incidents import Value
from payops.store import Store

from .rows import age_s, endpoint_labels
from .schema import SOURCES, SignalRow

SOURCE = "forwarding"
_SHOWN = 3


def row(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> SignalRow:
    """The `forwarding` signal of one configured endpoint."""
    values: dict[str, Value | None] = dict.fromkeys(SOURCES[SOURCE].fields)
    if endpoint.topology == "relay":
        counts = store.forwards.counts(account.name, endpoint.name)
        values |= {
            "waiting": counts.waiting,
            "failing": counts.failing,
            "failing_s": age_s(counts.oldest_failing_at, now) or 0,
            "dead": counts.dead,
            "taken_s": age_s(counts.last_delivered_at, now),
            "answers": answers(store, account.name, endpoint.name) if counts.failing or counts.dead else "",
        }
    return SignalRow(endpoint_labels(account, endpoint), values, now)


def answers(store: Store, account: str, endpoint: str) -> str:
    """What the application said to what it has not taken: `503 × 12, no answer × 3`."""
    told = store.forwards.answers(account, endpoint)[:_SHOWN]
    return ", ".join(f"{'no answer' if status is None else status} × {count}" for status, count in told)
