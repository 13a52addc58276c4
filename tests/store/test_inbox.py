from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.events import Delivery, Facts, FeedPage, WebhookEvent
from payops.domain.payments import Attempt
from payops.store import Store

ACCOUNT = "stripe-live"
SECOND = timedelta(seconds=1)


def event(n: int, now: datetime, account: str = ACCOUNT) -> WebhookEvent:
    return WebhookEvent(
        account, f"evt_{n}", "charge.failed", now - n * SECOND, True, f"ch_{n}", 100 + n, "EUR", 1
    )


def delivery(n: int, now: datetime, body: str = "{}", account: str = ACCOUNT) -> Delivery:
    return Delivery(account, event(n, now), now, body, "ab" * 32, "signature ok")


def test_delivery_is_received_once_and_its_repetitions_are_counted(store: Store, now: datetime):
    assert store.inbox.receive([delivery(1, now), delivery(2, now), delivery(1, now)]) == [True, True, False]
    later = now + 5 * SECOND
    again = Delivery(ACCOUNT, event(1, now), later, '{"other":1}', "cd" * 32, "ok")
    assert store.inbox.receive([again]) == [False]
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row is not None
    assert (row.delivery_count, row.body, row.sha256, row.received_at) == (3, "{}", "ab" * 32, now)
    counts = store.inbox.counts(ACCOUNT, later)
    assert (counts.received, counts.unprocessed, counts.last_received_at) == (2, 2, later)


def test_same_event_id_of_two_accounts_is_two_events(store: Store, now: datetime):
    assert store.inbox.receive([delivery(1, now), delivery(1, now, account="stripe-test")]) == [True, True]
    assert not store.inbox.has("nobody", "evt_1")


def test_body_reaches_the_disk_masked(store: Store, now: datetime):
    store.inbox.receive(
        [delivery(1, now, '{"metadata":{"note":"4242 4242 4242 4242"},"email":"a@b.example"}')]
    )
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row is not None
    assert "4242 4242" not in row.body and "a@b.example" not in row.body


def test_oldest_object_comes_first_out_of_the_inbox(store: Store, now: datetime):
    store.inbox.receive([delivery(n, now) for n in (1, 3, 2)])
    assert [row.event.event_id for row in store.inbox.pending(10, now)] == ["evt_3", "evt_2", "evt_1"]
    assert len(store.inbox.pending(2, now)) == 2


def test_processing_applies_facts_and_marks_processed_or_neither(
    store: Store, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    store.inbox.receive([delivery(1, now)])
    (row,) = store.inbox.pending(10, now)
    facts = Facts(attempts=(Attempt(ACCOUNT, "ch_1", now, "failed", now),))
    with monkeypatch.context() as broken:
        broken.setattr("payops.store.inbox.mark_in_inbox", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.inbox.process(row, facts, now)
    assert store.facts.attempts_count(ACCOUNT) == 0
    assert len(store.inbox.pending(10, now)) == 1
    assert store.inbox.process(row, facts, now)
    assert not store.inbox.process(row, facts, now), "done once"
    assert store.facts.attempts_count(ACCOUNT) == 1
    assert store.inbox.pending(10, now) == []
    assert store.facts.event(ACCOUNT, "evt_1") == event(1, now)
    assert store.inbox.processed_ids(ACCOUNT) == {"evt_1"}


def test_failed_processing_backs_off_fourfold_and_dies_after_the_sixth_try(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now)])
    for n, wait in enumerate((10, 40, 160, 640, 2560), start=1):
        (row,) = store.inbox.pending(1, now)
        assert store.inbox.fail(row, "boom 4242424242424242", now) == "failed"
        assert store.inbox.pending(1, now + (wait - 1) * SECOND) == []
        now += wait * SECOND
        (row,) = store.inbox.pending(1, now)
        assert (row.tries, row.error) == (n, "boom [card …4242]")
    assert store.inbox.fail(row, "boom", now) == "dead"
    assert store.inbox.pending(1, now + timedelta(days=9)) == []
    counts = store.inbox.counts(ACCOUNT, now)
    assert (counts.unprocessed, counts.dead, counts.oldest_unprocessed_at) == (0, 1, None)


def test_failing_what_was_processed_changes_nothing(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now)])
    (row,) = store.inbox.pending(1, now)
    store.inbox.process(row, Facts(), now)
    assert store.inbox.fail(row, "late", now) == "processed"
    assert store.inbox.counts(ACCOUNT, now).dead == 0


def test_empty_inbox_is_told_from_an_unknown_one(store: Store, now: datetime):
    counts = store.inbox.counts(ACCOUNT, now)
    assert (counts.received, counts.unprocessed, counts.dead) == (0, 0, 0)
    assert counts.oldest_unprocessed_at is counts.last_received_at is None
    assert store.inbox.first_verified_at(ACCOUNT) is None


def test_imported_history_counts_as_delivered_and_processed(store: Store, now: datetime):
    store.facts.apply_facts(ACCOUNT, Facts(events=tuple(event(n, now) for n in range(3))), now)
    assert store.inbox.import_seen(ACCOUNT, [event(n, now) for n in range(3)], now) == 3
    assert store.inbox.import_seen(ACCOUNT, [event(n, now) for n in range(4)], now) == 1
    assert store.inbox.pending(10, now) == []
    assert store.inbox.first_verified_at(ACCOUNT) == now - 3 * SECOND
    assert store.inbox.counts(ACCOUNT, now).received == 4
    assert store.inbox.received_since(ACCOUNT, now) == 0
    assert store.facts.count_missing(ACCOUNT, ["charge.failed"], now - 60 * SECOND, now) == (0, None)
    assert store.inbox.receive([delivery(0, now)]) == [False]


def test_received_since_counts_distinct_first_receipts(store: Store, now: datetime):
    store.inbox.receive([delivery(1, now)])
    later = now + 60 * SECOND
    store.inbox.receive([Delivery(ACCOUNT, event(n, now), later, "{}", "0", "ok") for n in (1, 2)])
    assert store.inbox.received_since(ACCOUNT, now) == 2
    assert store.inbox.received_since(ACCOUNT, later) == 1


def test_refused_deliveries_are_counted_by_kind_and_reason(store: Store, now: datetime):
    for kind, reason in (("signature", "no match"), ("signature", "no match"), ("timestamp", "300 s old")):
        store.inbox.refuse(ACCOUNT, now, kind, reason)
    store.inbox.refuse(ACCOUNT, now - timedelta(hours=1), "body", "old")
    assert store.inbox.refused_since(ACCOUNT, now - 30 * SECOND) == [
        ("signature", "no match", 2),
        ("timestamp", "300 s old", 1),
    ]


def test_missing_is_what_the_provider_listed_and_nobody_delivered(store: Store, now: datetime):
    listed = tuple(event(n, now) for n in range(4))
    page = FeedPage("events", 4, 1, facts=Facts(events=listed))
    store.inbox.receive([delivery(0, now)])  # arrives before the list
    store.facts.apply_page(ACCOUNT, page, now)
    store.inbox.receive([delivery(1, now)])  # arrives after it, not processed yet
    window = (["charge.failed"], now - 60 * SECOND, now)
    assert [one.event_id for one in store.facts.missing_events(ACCOUNT, *window)] == ["evt_3", "evt_2"]
    assert store.facts.count_missing(ACCOUNT, *window) == (2, now - 3 * SECOND)
    assert store.facts.count_missing(ACCOUNT, *window, limit=1) == (1, now - 3 * SECOND)
    assert store.facts.count_missing(ACCOUNT, ["charge.succeeded"], *window[1:]) == (0, None)
    assert (
        store.facts.missing_events(ACCOUNT, ["charge.failed"], now - 2 * SECOND, now)[0].event_id == "evt_2"
    )
    assert store.inbox.which(ACCOUNT, ["evt_0", "evt_2", "evt_9"]) == {"evt_0"}


STEPS = st.lists(
    st.tuples(st.sampled_from(["list", "receive", "process", "import"]), st.integers(0, 5)), max_size=25
)


@settings(max_examples=50, deadline=None)
@given(STEPS)
def test_missing_is_listed_minus_inbox_whatever_came_first(steps: list[tuple[str, int]]):
    now = datetime.fromisoformat("2026-01-15T09:00:00+00:00")
    listed: set[str] = set()
    inbox: set[str] = set()
    with Store.in_memory(now) as store:
        for act, n in steps:
            name = f"evt_{n}"
            if act == "list":
                store.facts.apply_facts(ACCOUNT, Facts(events=(event(n, now),)), now)
                listed.add(name)
            elif act == "receive":
                assert store.inbox.receive([delivery(n, now)]) == [name not in inbox]
                inbox.add(name)
            elif act == "import":
                store.inbox.import_seen(ACCOUNT, [event(n, now)], now)
                inbox.add(name)
            else:
                for row in store.inbox.pending(n, now):
                    store.inbox.process(row, Facts(), now)
            missing = store.facts.missing_events(ACCOUNT, ["charge.failed"], now - 60 * SECOND, now)
            assert {one.event_id for one in missing} == listed - inbox
            assert store.inbox.received_ids(ACCOUNT) == inbox
            assert store.inbox.counts(ACCOUNT, now).received == len(inbox)
