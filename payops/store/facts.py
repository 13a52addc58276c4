"""What the providers told: payments and all that follows them, events, endpoints, credentials, and how each feed does."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payops.domain.events import Facts as Learned
from payops.domain.events import FeedPage

from .attempts import apply_attempts
from .calls import CallFacts, CallStats
from .cards import may_hold_card_data
from .credentials import CredentialFacts, store_application_proof, store_proof
from .endpoints import EndpointFacts, replace_endpoints, replace_undelivered
from .events import EventFacts, apply_events, quarantine
from .exceptions import Double, ExceptionFacts
from .feeds import Breaker, FeedFacts, FeedState, ReadPlan, record_page
from .held import ObjectFacts
from .objects import (
    apply_disputes,
    apply_invoices,
    apply_payouts,
    apply_refunds,
    apply_subscriptions,
)
from .orders import OrderFacts
from .rates import FirstAttempt, RateFacts, Slice, Window
from .redaction import Hunt, redact_field
from .shown import ShownFacts, apply_shown
from .states import StateFacts, store_state

NAMED_BY_MERCHANTS = ("order_id", "customer")
"""Of an attempt: what the shop may have written anything into."""

if TYPE_CHECKING:
    from .store import Store

__all__ = [
    "Applied",
    "Breaker",
    "CallStats",
    "Double",
    "Facts",
    "FeedState",
    "FirstAttempt",
    "ReadPlan",
    "Slice",
    "Window",
]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a page changed in the store."""

    new_attempts: int = 0
    changed_attempts: int = 0
    new_events: int = 0
    wrong_mode: int = 0
    """Events of the other mode, quarantined for the first time."""
    new_objects: int = 0
    """Refunds, subscriptions, invoices, disputes and payouts not known before."""

    @property
    def new(self) -> int:
        """What was not known before: events where the page lists events, else what it tells of directly."""
        return self.new_events or self.new_attempts + self.new_objects


class Facts(
    FeedFacts,
    RateFacts,
    ExceptionFacts,
    EventFacts,
    ShownFacts,
    ObjectFacts,
    EndpointFacts,
    CredentialFacts,
    StateFacts,
    CallFacts,
    OrderFacts,
):
    """Applies pages and deliveries whole or not at all, and answers for signals and screen.

    Every answer a tick needs comes from rollups or from indexes that hold only the exceptions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def apply_page(self, account: str, page: FeedPage, now: datetime) -> Applied:
        """Store one answered poll: its facts, its snapshots, and the feed's new state, in one transaction."""
        with self._store.write() as db:
            applied = _apply(db, account, self._searched(db, account, page, now), now)
            if page.endpoints is not None:
                replace_endpoints(db, account, page.endpoints, now)
            if page.undelivered is not None:
                replace_undelivered(db, account, page.undelivered, now)
            if page.proof is not None:
                store_proof(db, page.proof)
            if page.application_proof is not None:
                store_application_proof(db, page.application_proof)
            if page.account_state is not None:
                store_state(db, account, page.account_state)
            record_page(db, account, page, applied.new, now)
        return applied

    def _searched(self, db: sqlite3.Connection, account: str, page: FeedPage, now: datetime) -> Learned:
        """What a page states, without its closed fields; card data in what a merchant names or writes is recorded."""
        findings, learned = self._store.findings, page.facts
        texts = [
            *((each.object_id, each.field, each.text) for each in learned.remarks),
            *(
                (each.attempt_id, name, text)
                for each in learned.attempts
                for name, text in ((name, getattr(each, name)) for name in NAMED_BY_MERCHANTS)
                if text is not None and may_hold_card_data(text)
            ),
        ]
        for object_id, name, text in texts:
            hunt = Hunt(seal=findings.seal)
            redact_field(name, text, hunt)
            if hunt.found:
                findings.record(db, account, f"feed {page.feed}", object_id, hunt.found, now)
        closed = {name.partition(".")[0] for name in findings.hunt(db, account).closed}
        kept: dict[str, Any] = dict.fromkeys(closed.intersection(NAMED_BY_MERCHANTS))
        if not kept:
            return learned
        return replace(learned, attempts=tuple(replace(each, **kept) for each in learned.attempts))

    def apply_facts(self, account: str, facts: Learned, now: datetime) -> Applied:
        """Store facts that came by another way than a feed."""
        with self._store.write() as db:
            return _apply(db, account, facts, now)


def _apply(db: sqlite3.Connection, account: str, facts: Learned, now: datetime) -> Applied:
    new, changed = apply_attempts(db, account, facts.attempts)
    objects = (
        apply_refunds(db, account, facts.refunds)
        + apply_subscriptions(db, account, facts.subscriptions)
        + apply_invoices(db, account, facts.invoices)
        + apply_disputes(db, account, facts.disputes)
        + apply_payouts(db, account, facts.payouts)
    )
    events = apply_events(db, account, facts.events)
    if facts.shown:
        apply_shown(db, account, facts.shown)
    return Applied(new, changed, events, quarantine(db, account, facts.wrong_mode, now), objects)
