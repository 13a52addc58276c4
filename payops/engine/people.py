"""Who may act, kept under watch: a change of the operators in the configuration is itself on record."""

from __future__ import annotations

import json
from datetime import datetime

from payops.config import Settings
from payops.store import Store

KEPT = "operators"


def note_operators(store: Store, settings: Settings, now: datetime) -> None:
    """Write to the audit which operators were added, removed or given other roles or another PIN since last time."""
    present = {
        each.name: [*sorted(each.roles), *(["pin"] if each.pin is not None else [])]
        for each in settings.operators
    }
    kept = store.switches.meta_get(KEPT)
    before: dict[str, list[str]] = json.loads(kept) if kept else {}
    if present == before:
        return
    changed = {
        name: {"before": before.get(name), "now": present.get(name)}
        for name in sorted({*present, *before})
        if present.get(name) != before.get(name)
    }
    with store.write() as db:
        store.audit.append(db, now, "payops", "operators changed", "configuration", "ok", "engine", changed)
        store.switches.meta_set(KEPT, json.dumps(present, sort_keys=True))
