"""Finding received events, what they are worth, and letting go of their bodies."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from payops.domain.errors import UsageError
from payops.domain.events import Delivery, Facts, WebhookEvent
from payops.domain.money import Money
from payops.store import Store, inbox_search
from payops.store.inbox import InboxFilter
from payops.store.inbox_search import RETAIN_BODIES, state_named

ACCOUNT = "stripe-live"
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def delivery(
    n: int, now: datetime, type_: str = "charge.succeeded", account: str = ACCOUNT, **body: object
) -> Delivery:
    event = WebhookEvent(account, f"evt_{n}", type_, now - n * SECOND, True, f"ch_{n}", 100 * n, "eur", 1)
    return Delivery(account, event, now, json.dumps({"id": f"evt_{n}", **body}), "ab" * 32, "signature")


def ids(store: Store, **wanted: object) -> list[str]:
    return [row.event.event_id for row in store.inbox.search(InboxFilter(**wanted), 100)]  # type: ignore[arg-type]


def processed(store: Store, now: datetime) -> None:
    for row in store.inbox.pending(100, now):
        store.inbox.process(row, Facts(), now)


@pytest.mark.parametrize("done", [False, True], ids=["waiting", "processed"])
def test_each_filter_finds_what_it_names_and_nothing_else(store: Store, now: datetime, done: bool):
    store.inbox.receive([delivery(1, now), delivery(2, now, "charge.failed")])
    store.inbox.receive([delivery(3, now + 60 * SECOND, "payout.failed", note="100%_sure")])
    store.inbox.receive([delivery(1, now, "PAYMENT.CAPTURE.COMPLETED", "paypal-live")])
    if done:
        processed(store, now)
    assert ids(store) == ["evt_1", "evt_3", "evt_2", "evt_1"]
    assert ids(store, account=ACCOUNT) == ["evt_3", "evt_2", "evt_1"]
    assert ids(store, type="charge.") == ["evt_2", "evt_1"]
    assert ids(store, type="charge._ailed") == []
    assert ids(store, since=now + SECOND) == ["evt_3"]
    assert ids(store, until=now) == ["evt_1", "evt_2", "evt_1"]
    assert ids(store, object_id="ch_1") == ["evt_1", "evt_1"]
    assert ids(store, object_id="ch_1", account=ACCOUNT) == ["evt_1"]
    assert ids(store, event_id="evt_2") == ["evt_2"]
    assert ids(store, text="100%_SURE") == ["evt_3"]
    assert ids(store, text="100%xsure") == []
    state = "processed" if done else "received"
    assert len(ids(store, state=state)) == 4
    assert ids(store, state="dead") == []


def test_pages_are_newest_first_without_overlap(store: Store, now: datetime):
    store.inbox.receive([delivery(n, now) for n in range(5)])
    first = store.inbox.search(InboxFilter(), 3)
    second = store.inbox.search(InboxFilter(), 3, before=first[-1].id)
    assert [row.event.event_id for row in (*first, *second)] == [f"evt_{n}" for n in (4, 3, 2, 1, 0)]


def test_text_is_looked_for_in_the_newest_events_only(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    store.inbox.receive([delivery(n, now, note="needle") for n in range(5)])
    monkeypatch.setattr(inbox_search, "SEARCHED", 2)
    assert ids(store, text="needle") == ["evt_4", "evt_3"]


def test_found_is_worth_each_purchase_once_in_each_account_and_currency(store: Store, now: datetime):
    store.inbox.receive([delivery(n, now) for n in (1, 2)])
    store.inbox.receive([delivery(9, now, "charge.failed")])
    twice = delivery(2, now, "payment_intent.succeeded")
    store.inbox.receive([Delivery(ACCOUNT, _named(twice.event, "evt_2b"), now, "{}", "00", "signature")])
    store.inbox.receive([delivery(4, now, "PAYMENT.CAPTURE.COMPLETED", "paypal-live")])
    found = store.inbox.found(InboxFilter())
    assert (found.count, found.oldest_at, found.newest_at) == (5, now - 9 * SECOND, now - SECOND)
    assert found.money == (Money(700, "EUR"),)
    assert store.inbox.found(InboxFilter(account=ACCOUNT)).money == (Money(300, "EUR"),)
    nothing = store.inbox.found(InboxFilter(account="nobody"))
    assert (nothing.count, nothing.oldest_at, nothing.money) == (0, None, ())


def _named(event: WebhookEvent, event_id: str) -> WebhookEvent:
    return WebhookEvent(
        event.account, event_id, event.type, event.created_at, True, event.object_id,
        event.amount_minor, event.currency,
    )  # fmt: skip


def test_old_bodies_go_and_all_else_of_the_row_stays(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now), delivery(2, now)])
    store.inbox.receive([delivery(3, now + DAY)])
    for row in store.inbox.pending(10, now + DAY):
        if row.event.event_id != "evt_2":
            store.inbox.process(row, Facts(), now)
    later = now + RETAIN_BODIES + SECOND
    before = store.inbox.row(ACCOUNT, "evt_1")
    assert store.inbox.purge_bodies(later) == 1
    assert store.inbox.purge_bodies(later) == 0
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row is not None and before is not None
    assert (row.body, row.sha256, row.verdict, row.event) == ("", before.sha256, before.verdict, before.event)
    kept = [store.inbox.row(ACCOUNT, name) for name in ("evt_2", "evt_3")]
    assert all(each is not None and each.body for each in kept), "waits to be processed; is young"
    assert store.inbox.receive([delivery(1, later)]) == [False], "it is known still"


def test_bodies_are_let_go_of_once_a_day_and_in_parts(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inbox_search, "PURGED_AT_ONCE", 2)
    monkeypatch.setattr(inbox_search, "_PURGED_TOGETHER", 1)
    store.inbox.receive([delivery(n, now) for n in range(3)])
    processed(store, now)

    def kept() -> int:
        return sum(bool(row.body) for row in store.inbox.search(InboxFilter(), 10))

    later = now + RETAIN_BODIES + DAY
    store.inbox.tidy(later)
    assert kept() == 1, "the rest waits for the next tick"
    store.inbox.tidy(later)
    assert kept() == 0
    store.inbox.receive([delivery(9, now)])
    processed(store, later)
    store.inbox.tidy(later)
    assert kept() == 1, "done for today"
    store.inbox.tidy(later + DAY)
    assert kept() == 0


def test_finding_an_object_and_old_bodies_reads_an_index_and_not_the_inbox(store: Store):
    with store.read() as db:
        for statement in (
            "SELECT id FROM inbox WHERE state = 'processed' AND object_id IS NOT NULL AND object_id = 'ch_1'",
            "SELECT id FROM inbox WHERE body <> '' AND state IN ('processed', 'dead') AND received_at < 1",
        ):
            plan = " ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))
            assert "SEARCH inbox USING" in plan, plan


def test_an_unknown_state_gets_a_suggestion():
    assert state_named("dead") == "dead"
    with pytest.raises(UsageError, match="did you mean 'failed'"):
        state_named("faild")
