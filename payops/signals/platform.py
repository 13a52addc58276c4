"""payops's own health: room on the disk, an engine in time, an audit that can be written. Its account is `payops`."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from payops.clock import from_epoch, iso, to_epoch
from payops.config import Settings
from payops.domain.incidents import HOUSE, Value
from payops.store import Store

from .schema import SignalRow

LATE = "engine late"
"""The name under which the store keeps by how much the last tick came too late, and when."""
BROKEN = "audit broken since"
_REMEMBERED = timedelta(minutes=5)
_MB = 1_000_000


def row(store: Store, settings: Settings, now: datetime) -> SignalRow | None:
    """The `platform` signal; None while there is no account that anything could be told about."""
    if not settings.accounts:
        return None
    first = settings.accounts[0]
    room = store.space()
    values: dict[str, Value | None] = {
        "free_mb": None if room is None else room.free_bytes // _MB,
        "free_share": None if room is None or not room.total_bytes else room.free_bytes / room.total_bytes,
        "late_s": _late_s(store, now),
        "audit_ok": broken_since(store) is None and store.audit.ends_well(),
    }
    # An incident belongs to a provider; one about payops itself says so by its account.
    labels = {"account": HOUSE, "provider": first.provider, "mode": first.mode}
    return SignalRow(labels, values, now)


def note_late(store: Store, late_s: int, now: datetime) -> None:
    """Keep by how much this tick came too late; nothing is written while all are in time."""
    if late_s or store.switches.meta_get(LATE):
        store.switches.meta_set(LATE, json.dumps({"at": to_epoch(now), "s": late_s}) if late_s else "")


def note_audit(store: Store, now: datetime) -> None:
    """Keep that the audit was found broken: the next row payops writes would hide it from a look at the end."""
    if not store.audit.ends_well():
        note_broken(store, now)


def note_broken(store: Store, now: datetime) -> None:
    """Keep that a look at the whole chain, or at the store's file, found something wrong."""
    if broken_since(store) is None:
        store.switches.meta_set(BROKEN, iso(now))


def broken_since(store: Store) -> str | None:
    """When the end of the audit was found not to be what payops wrote; None = never, or a person has looked at it."""
    return store.switches.meta_get(BROKEN) or None


def forget_broken(store: Store) -> None:
    """A person has looked at it."""
    if broken_since(store) is not None:
        store.switches.meta_set(BROKEN, "")


def _late_s(store: Store, now: datetime) -> int:
    kept = store.switches.meta_get(LATE)
    if not kept:
        return 0
    told = json.loads(kept)
    return int(told["s"]) if now - from_epoch(told["at"]) < _REMEMBERED else 0
