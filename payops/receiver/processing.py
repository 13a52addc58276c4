"""From the inbox to facts: each stored event once, the oldest object first."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from payops.clock import monotonic_s
from payops.domain.errors import LostRace, StoreError, UsageError
from payops.domain.events import Facts
from payops.providers.port import WebhookVerifier
from payops.store import Store
from payops.store.inbox import InboxRow
from payops.text import safe_line

log = logging.getLogger(__name__)
BATCH = 50
"""Events in one transaction: while it runs, no webhook can be stored."""
_REST = 0.2
_NO_EVENTS_FAULT = (StoreError, LostRace)


class Turn(Protocol):
    """Held while a transaction runs in this process; whoever takes it lets waiting deliveries go first."""

    def processing(self) -> AbstractContextManager[object]: ...


def process_inbox(store: Store, verifiers: Mapping[str, WebhookVerifier], now: datetime, turn: Turn) -> int:
    """Process what is due until nothing is left; how many were.

    An event that cannot be processed is put back for later, and given up after the store's number of tries.
    `StoreError` passes: when nothing can be written, no event is to blame.
    """
    processed = 0
    tried: set[int] = set()
    while rows := [row for row in store.inbox.pending(BATCH, now) if row.id not in tried]:
        tried.update(row.id for row in rows)
        readable: list[tuple[InboxRow, Facts]] = []
        for row in rows:
            try:
                readable.append((row, _facts(verifiers, row)))
            except Exception as error:
                _put_back(store, row, error, now)
        began = monotonic_s()
        with turn.processing():
            processed += _together(store, readable, now)
        if len(rows) == BATCH:
            # A receiver in another process waits for the same file: SQLite has no queue, only luck.
            time.sleep((monotonic_s() - began) * _REST)
    return processed


def _together(store: Store, batch: list[tuple[InboxRow, Facts]], now: datetime) -> int:
    if not batch:
        return 0
    try:
        return store.inbox.process_batch(batch, now)
    except _NO_EVENTS_FAULT:
        raise
    except Exception:
        return _singly(store, batch, now)


def _singly(store: Store, batch: list[tuple[InboxRow, Facts]], now: datetime) -> int:
    """One event that cannot be applied must not hold up its neighbours."""
    processed = 0
    for row, facts in batch:
        try:
            processed += store.inbox.process(row, facts, now)
        except _NO_EVENTS_FAULT:
            raise
        except Exception as error:
            _put_back(store, row, error, now)
    return processed


def _put_back(store: Store, row: InboxRow, error: Exception, now: datetime) -> None:
    log.warning("%s %s: not processed: %s", row.account, row.event.event_id, safe_line(error))
    store.inbox.fail(row, safe_line(error), now)


def _facts(verifiers: Mapping[str, WebhookVerifier], row: InboxRow) -> Facts:
    verifier = verifiers.get(row.account)
    if verifier is None:
        raise UsageError(f"account {row.account!r} has no webhook secrets in the configuration any more")
    payload = msgspec.json.decode(row.body)
    if not isinstance(payload, dict):
        raise ValueError("the stored body is no JSON object")
    return verifier.facts(payload)
