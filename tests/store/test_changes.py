"""One change told by two events is processed once, and a change back and forth is not mistaken for one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.events import Delivery, Facts, WebhookEvent
from payops.domain.payments import Subscription
from payops.store import Store
from payops.store.changes import WITHIN, change_of

ACCOUNT = "stripe-live"
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
STATUSES = ("active", "past_due", "unpaid")


def told(
    n: int, status: str, at: datetime, type_: str = "customer.subscription.updated", thing: str = "sub_1"
) -> Delivery:
    event = WebhookEvent(ACCOUNT, f"evt_{n}", type_, at, True, thing, 500, "EUR")
    said = {"id": f"evt_{n}", "data": {"object": {"id": thing, "status": status}}}
    return Delivery(ACCOUNT, event, at, json.dumps(said), "ab" * 32, "signature")


def process(store: Store, delivery: Delivery) -> None:
    store.inbox.receive([delivery])
    status = json.loads(delivery.body)["data"]["object"]["status"]
    event = delivery.event
    known = Subscription(
        account=ACCOUNT,
        subscription_id=str(event.object_id),
        at=NOW,
        changed_at=event.created_at,
        status=status,
    )
    facts = Facts(subscriptions=(known,))
    (row,) = store.inbox.pending(10, event.created_at)
    assert store.inbox.process(row, facts, event.created_at)


def same_as(store: Store, n: int) -> str | None:
    row = store.inbox.row(ACCOUNT, f"evt_{n}")
    assert row is not None and row.state == "processed"
    return row.same_as


def test_two_events_of_one_change_are_processed_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    applied = []
    real = store.facts.apply_facts
    monkeypatch.setattr(store.facts, "apply_facts", lambda *args: (applied.append(args), real(*args))[1])
    process(store, told(1, "active", NOW))
    process(store, told(2, "active", NOW))
    assert len(applied) == 1
    assert (same_as(store, 1), same_as(store, 2)) == (None, "evt_1")
    assert store.inbox.counts(ACCOUNT, NOW).unprocessed == 0


@pytest.mark.parametrize(
    "other",
    [
        told(2, "unpaid", NOW),
        told(2, "active", NOW, type_="customer.subscription.created"),
        told(2, "active", NOW, thing="sub_2"),
        told(2, "active", NOW + WITHIN + timedelta(seconds=1)),
    ],
    ids=["another state", "another type", "another object", "much later"],
)
def test_what_differs_in_state_type_object_or_time_is_another_change(store: Store, other: Delivery) -> None:
    process(store, told(1, "active", NOW))
    process(store, other)
    assert same_as(store, 2) is None


def test_a_third_event_names_the_first(store: Store) -> None:
    for n in range(1, 4):
        process(store, told(n, "active", NOW + n * timedelta(seconds=1)))
    assert (same_as(store, 2), same_as(store, 3)) == ("evt_1", "evt_1")


def test_a_replay_of_an_event_is_not_the_same_as_itself(store: Store) -> None:
    process(store, told(1, "active", NOW))
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row is not None
    store.inbox.put_back([row.id])
    (again,) = store.inbox.pending(10, NOW)
    store.inbox.process(again, Facts(), NOW)
    assert same_as(store, 1) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STATUSES), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_whatever_comes_twice_and_in_whatever_order_the_last_state_by_time_stands(statuses, random) -> None:
    store = Store.in_memory(NOW)
    try:
        events = [
            told(2 * n + double, status, NOW + n * timedelta(seconds=2))
            for n, status in enumerate(statuses)
            for double in (0, 1)
        ]
        random.shuffle(events)
        for each in events:
            process(store, each)
        (found,) = store.facts.subscriptions(ACCOUNT)
        assert found.status == statuses[-1]
        alone = [n for n in range(len(events)) if same_as(store, n) is None]
        assert len(alone) <= len(statuses)
    finally:
        store.close()


def test_the_digest_is_of_what_is_said_and_of_nothing_else() -> None:
    one = change_of('{"id": "evt_1", "created": 1, "data": {"object": {"a": 1, "b": 2}}}')
    assert one == change_of('{"data": {"object": {"b": 2, "a": 1}}, "id": "evt_2", "created": 5}')
    assert one != change_of('{"data": {"object": {"a": 1, "b": 3}}}')
    assert change_of('{"resource": {"id": "x"}}') != change_of('{"subject": {"id": "y"}}')
    assert [change_of(body) for body in ("", "[]", "{}", '{"data": null}', "no")] == [None] * 5
