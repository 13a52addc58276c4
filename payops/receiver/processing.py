"""From the inbox to facts: each stored event once, the oldest object first."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

import msgspec

from payops.domain.errors import StoreError, UsageError
from payops.domain.events import Facts
from payops.providers.port import WebhookVerifier
from payops.store import Store
from payops.text import safe_line

log = logging.getLogger(__name__)
BATCH = 200


def process_inbox(store: Store, verifiers: Mapping[str, WebhookVerifier], now: datetime) -> int:
    """Process what is due until nothing is left; how many were.

    An event that cannot be processed is put back for later, and given up after the store's number of tries.
    `StoreError` passes: when nothing can be written, no event is to blame.
    """
    processed = 0
    tried: set[tuple[str, str]] = set()
    while True:
        rows = [row for row in store.inbox.pending(BATCH, now) if (row.account, row.event_id) not in tried]
        if not rows:
            return processed
        for row in rows:
            tried.add((row.account, row.event_id))
            try:
                store.inbox.process(row, _facts(verifiers, row.account, row.body), now)
                processed += 1
            except StoreError:
                raise
            except Exception as error:
                log.warning("%s %s: not processed: %s", row.account, row.event_id, error)
                store.inbox.fail(row, safe_line(error, limit=200), now)


def _facts(verifiers: Mapping[str, WebhookVerifier], account: str, body: str) -> Facts:
    verifier = verifiers.get(account)
    if verifier is None:
        raise UsageError(f"account {account!r} has no webhook secrets in the configuration any more")
    payload = msgspec.json.decode(body)
    if not isinstance(payload, dict):
        raise ValueError("the stored body is no JSON object")
    return verifier.facts(payload)
