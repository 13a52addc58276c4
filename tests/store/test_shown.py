"""What objects show to have happened, held against the webhooks that told of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from payops.domain.events import Delivery, Facts, WebhookEvent, shown_id
from payops.store import Store

ACCOUNT = "braintree-live"
SETTLED = "transaction_settled"
MINUTE = timedelta(minutes=1)


def shown(name: str, at: datetime, kind: str = SETTLED) -> WebhookEvent:
    return WebhookEvent(ACCOUNT, shown_id(kind, name), kind, at, None, name, 1_000, "EUR")


def arrive(store: Store, name: str, at: datetime, kind: str = SETTLED) -> None:
    event = WebhookEvent(ACCOUNT, f"bt_{kind}_{name}", kind, at, True, name, 1_000, "EUR")
    store.inbox.receive([Delivery(ACCOUNT, event, at, "{}", "0" * 64, "signature")])


def process(store: Store, now: datetime) -> None:
    for row in store.inbox.pending(100, now):
        store.inbox.process(row, Facts(events=(row.event,)), now)


@pytest.fixture
def filled(store: Store, now: datetime) -> Store:
    """One sale told of before it was found, one after, one not processed yet, one never."""
    arrive(store, "before", now)
    process(store, now)
    names = ("before", "after", "waiting", "never")
    store.facts.apply_facts(
        ACCOUNT, Facts(shown=tuple(shown(name, now + n * MINUTE) for n, name in enumerate(names))), now
    )
    arrive(store, "after", now + MINUTE)
    process(store, now + MINUTE)
    arrive(store, "waiting", now + 2 * MINUTE)
    return store


def untold(store: Store, now: datetime) -> list[str | None]:
    return [event.object_id for event in store.facts.untold(ACCOUNT, now, now + timedelta(hours=1), 10)]


def test_only_what_no_webhook_told_of_is_missing(filled: Store, now: datetime):
    assert untold(filled, now) == ["never"]
    oldest = now + 3 * MINUTE
    assert filled.facts.count_untold(ACCOUNT, now, now + timedelta(hours=1)) == (1, oldest)
    assert filled.facts.count_untold(ACCOUNT, now, oldest - MINUTE) == (0, None)
    assert filled.facts.untold("other", now, now + timedelta(hours=1), 10) == []


def test_of_a_type_that_never_came_nothing_is_said(filled: Store, now: datetime):
    filled.facts.apply_facts(ACCOUNT, Facts(shown=(shown("d1", now, "dispute_opened"),)), now)
    assert untold(filled, now) == ["never"]


def test_a_rebuilt_event_is_received_and_processed_once_and_proves_no_signature(filled: Store, now: datetime):
    later = now + timedelta(hours=1)
    before = filled.inbox.counts(ACCOUNT, later)
    gap = filled.facts.untold(ACCOUNT, now, later, 10)
    assert filled.inbox.reconcile(ACCOUNT, gap, later) == 1
    assert filled.inbox.reconcile(ACCOUNT, gap, later) == 0
    assert untold(filled, now) == []
    assert filled.inbox.reconciled(ACCOUNT) == {(SETTLED, "never")}
    after = filled.inbox.counts(ACCOUNT, later)
    assert (after.received, after.last_received_at) == (before.received + 1, before.last_received_at)
    assert filled.inbox.last_verified_at(ACCOUNT, live=True) == now + 2 * MINUTE
    assert filled.inbox.received_since(ACCOUNT, later) == 0
    assert filled.facts.arrivals(ACCOUNT, 10)[0] == now + 2 * MINUTE


def test_what_was_found_is_kept_as_it_was_first_found(filled: Store, now: datetime):
    filled.facts.apply_facts(ACCOUNT, Facts(shown=(shown("never", now), shown("after", now))), now)
    (found,) = filled.facts.untold(ACCOUNT, now, now + timedelta(hours=1), 10)
    assert (found.created_at, found.amount_minor, found.currency) == (now + 3 * MINUTE, 1_000, "EUR")
