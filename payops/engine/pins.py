"""Who sits at the keyboard: an operator's PIN, a lock-out after wrong ones, each try on record."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from payops.clock import iso
from payops.config import OperatorSettings
from payops.domain.errors import NotPossible
from payops.store import Store

MOST_WRONG = 5
LOCKED_FOR = timedelta(minutes=15)


def prove(
    store: Store, operator: OperatorSettings, secrets: Callable[[str], str], given: str, now: datetime
) -> None:
    """Return when `given` is the operator's PIN, or their name where they have none; `NotPossible` says why not.

    After `MOST_WRONG` wrong ones in a row nothing is right for `LOCKED_FOR`, also after a restart.
    """
    wrong, until = _state(store, operator.name)
    if until is not None and now < until:
        _record(store, operator.name, "refused: locked", now)
        raise NotPossible(f"{operator.name} is locked until {until:%H:%M} UTC after {MOST_WRONG} wrong PINs")
    expected = secrets(operator.pin) if operator.pin is not None else operator.name
    if hmac.compare_digest(given.strip().encode(), expected.encode()):
        _keep(store, operator.name, 0, None)
        _record(store, operator.name, "ok", now)
        return
    wrong += 1
    if wrong >= MOST_WRONG:
        _keep(store, operator.name, 0, now + LOCKED_FOR)
        _record(store, operator.name, f"wrong, locked for {LOCKED_FOR.seconds // 60} min", now)
        raise NotPossible(f"wrong: {operator.name} is locked for {LOCKED_FOR.seconds // 60} min")
    _keep(store, operator.name, wrong, None)
    _record(store, operator.name, "wrong", now)
    what = "PIN" if operator.pin is not None else "name"
    raise NotPossible(f"wrong {what}; {MOST_WRONG - wrong} more tries before {operator.name} is locked")


def _state(store: Store, operator: str) -> tuple[int, datetime | None]:
    kept = store.switches.meta_get(f"pin:{operator}")
    if kept is None:
        return 0, None
    found = json.loads(kept)
    until = found["until"]
    return found["wrong"], datetime.fromisoformat(until) if until else None


def _keep(store: Store, operator: str, wrong: int, until: datetime | None) -> None:
    value = json.dumps({"wrong": wrong, "until": iso(until) if until else None})
    store.switches.meta_set(f"pin:{operator}", value)


def _record(store: Store, operator: str, result: str, now: datetime) -> None:
    with store.write() as db:
        store.audit.append(db, now, operator, "identify", f"operator {operator}", result, "keyboard", {})
