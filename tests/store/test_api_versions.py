from __future__ import annotations

from datetime import datetime, timedelta

from payops.domain.api_versions import differ
from payops.domain.events import AccountState, FeedPage
from payops.store import Store

ACCOUNT = "stripe-live"
HOUR = timedelta(hours=1)
OLD, SAME, NEW = "2026-09-30.endive", "2026-10-28.endive", "2025-09-30.clover"


def told(store: Store, version: str | None, at: datetime) -> None:
    state = AccountState(ACCOUNT, at, charges_enabled=True, api_version=version)
    store.facts.apply_page(ACCOUNT, FeedPage("account", 1, 1, account_state=state), at)


def test_the_version_first_seen_is_meant_and_another_is_not_until_a_person_accepts_it(
    store: Store, now: datetime
):
    assert store.facts.api_versions(ACCOUNT).accepted is None
    told(store, None, now)
    told(store, SAME, now + HOUR)
    told(store, SAME, now + 2 * HOUR)
    told(store, NEW, now + 3 * HOUR)
    known = store.facts.api_versions(ACCOUNT)
    assert (known.accepted, known.since) == (SAME, now + 3 * HOUR)
    store.facts.accept_api_version(ACCOUNT, now + 4 * HOUR)
    assert store.facts.api_versions(ACCOUNT).accepted == NEW


def test_going_back_to_one_that_was_meant_needs_nobody(store: Store, now: datetime):
    for hours, version in enumerate((SAME, NEW, SAME, NEW)):
        told(store, version, now + hours * HOUR)
    assert store.facts.api_versions(ACCOUNT).accepted == SAME


def test_only_another_release_is_another_shape():
    assert not differ(OLD, SAME) and differ(SAME, NEW)
    assert differ("2020-08-27", "2022-11-15") and not differ("2020-08-27", "2020-08-27")
