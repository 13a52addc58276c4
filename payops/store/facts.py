"""What the providers told: attempts, refunds, events, endpoints, credentials, and how each feed is doing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.domain.events import Facts as Learned
from payops.domain.events import FeedPage

from .attempts import apply_attempts
from .credentials import CredentialFacts, store_proof
from .endpoints import EndpointFacts, replace_endpoints, replace_undelivered
from .events import EventFacts, apply_events, apply_refunds, quarantine
from .feeds import FeedFacts, FeedState, record_page
from .rates import FirstAttempt, RateFacts, Slice, Window

if TYPE_CHECKING:
    from .store import Store

__all__ = ["Applied", "Facts", "FeedState", "FirstAttempt", "Slice", "Window"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a page changed in the store."""

    new_attempts: int = 0
    changed_attempts: int = 0
    new_events: int = 0
    wrong_mode: int = 0
    """Events of the other mode, quarantined for the first time."""


class Facts(FeedFacts, RateFacts, EventFacts, EndpointFacts, CredentialFacts):
    """Applies pages and deliveries whole or not at all, and answers for signals and screen.

    Every answer a tick needs comes from rollups or from indexes that hold only the exceptions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def apply_page(self, account: str, page: FeedPage, now: datetime) -> Applied:
        """Store one answered poll: its facts, its snapshots, and the feed's new state, in one transaction."""
        with self._store.write() as db:
            applied = _apply(db, account, page.facts, now)
            if page.endpoints is not None:
                replace_endpoints(db, account, page.endpoints, now)
            if page.undelivered is not None:
                replace_undelivered(db, account, page.undelivered, now)
            if page.proof is not None:
                store_proof(db, page.proof)
            record_page(db, account, page, applied.new_attempts + applied.new_events, now)
        return applied

    def apply_facts(self, account: str, facts: Learned, now: datetime) -> Applied:
        """Store facts that came by another way than a feed."""
        with self._store.write() as db:
            return _apply(db, account, facts, now)


def _apply(db: sqlite3.Connection, account: str, facts: Learned, now: datetime) -> Applied:
    new, changed = apply_attempts(db, account, facts.attempts)
    apply_refunds(db, account, facts.refunds)
    return Applied(
        new, changed, apply_events(db, account, facts.events), quarantine(db, account, facts.wrong_mode, now)
    )
