"""What is owed to an endpoint: sent when due, tried again, stopped where it is off, counted in the books."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from payops.simulator import ledger
from payops.simulator.world import World

from .conftest import ACCOUNT, make_scenario

DISABLED = "[{kind: webhook_endpoint_disabled, provider: stripe, at: 10m}]"
DOWN = "[{kind: receiver_down, provider: stripe, at: 10m}]"


def run(
    world: World, until: timedelta, answer: Callable[[str], bool] = lambda event_id: True, step_s: int = 10
) -> list[str]:
    """Step to `until`, answering every delivery; returns the ids of the events sent, in order."""
    sent: list[str] = []
    while world.now < world.start + until:
        now = min(world.now + timedelta(seconds=step_s), world.start + until)
        for send in world.due_deliveries(now):
            sent.append(send.event.id)
            if answer(send.event.id):
                world.delivered(send, now)
            else:
                world.delivery_failed(send, now)
    return sent


def fresh(**settings: object) -> World:
    world = World(make_scenario(**settings))  # type: ignore[arg-type]
    world.advance(world.start)
    return world


def test_history_counts_as_delivered() -> None:
    world = fresh(warmup="2h")
    assert len(ledger.history(world, ACCOUNT)) > 100
    assert world.due_deliveries(world.start) == []
    assert world.accounts[ACCOUNT].deliveries.undelivered == {}
    assert ledger.books(world).generated == 0


def test_every_event_is_sent_once_in_order_of_due_time() -> None:
    world = fresh()
    sent = run(world, timedelta(minutes=30))
    world.advance(world.now + timedelta(seconds=2))
    sent += [send.event.id for send in world.due_deliveries(world.now)]
    account = world.accounts[ACCOUNT]
    made = [e.id for e in account.events.rows if world.start_ms <= e.at_ms <= world.now_ms - 1000]
    assert sorted(sent) == sorted(made)
    assert len(set(sent)) == len(sent)


def test_due_deliveries_are_ordered_by_due_time_then_event_id() -> None:
    world = fresh(rate=60)
    sends = world.due_deliveries(world.start + timedelta(minutes=5))
    keys = [(send.due_at, send.event.id) for send in sends]
    assert keys == sorted(keys) and len(keys) > 300


def test_event_made_while_the_endpoint_is_off_is_never_owed() -> None:
    world = fresh(faults=DISABLED)
    run(world, timedelta(minutes=20))
    account = world.accounts[ACCOUNT]
    off = {e.id for e in account.events.rows if e.at_ms >= world.start_ms + 600_000}
    account.own_endpoint.enabled = True
    sent = run(world, timedelta(minutes=21))
    assert off and not off & set(sent)
    assert all(e.waiting == () for e in account.events.rows if e.id in off)


def test_event_due_before_the_endpoint_went_off_still_arrives() -> None:
    """The endpoint as it was when the try was due decides, not as it is when the step ends."""
    world = fresh(faults=DISABLED, rate=60)
    due = world.due_deliveries(world.start + timedelta(minutes=12))
    last = max(send.due_ms for send in due)
    assert world.start_ms + 590_000 < last < world.start_ms + 600_000


def tries_until_given_up(world: World) -> list[timedelta]:
    """When one event is tried, from its first try, while every try fails."""
    now = world.start + timedelta(hours=1)
    event = world.due_deliveries(now)[0].event
    tries: list[timedelta] = []
    end = now + timedelta(days=5)
    while now is not None and now < end:
        for send in world.due_deliveries(now):
            if send.event is event:
                tries.append(now)
                world.delivery_failed(send, now)
            else:
                world.delivered(send, now)
        due = world.next_due()
        now = end if due is None else max(due, now)
    assert event.waiting, "given up is not delivered"
    return [at - tries[0] for at in tries]


def test_failed_try_is_repeated_with_growing_waits_for_up_to_three_days() -> None:
    tries = tries_until_given_up(fresh(rate=0.2, duration="1h"))
    assert [at.total_seconds() / 60 for at in tries[:6]] == [0, 5, 35, 155, 455, 1055]
    assert timedelta(days=2) < tries[-1] <= timedelta(days=3)


def test_test_mode_tries_three_times_over_a_few_hours() -> None:
    scenario = make_scenario(rate=0.2, duration="1h", mode="test")
    world = World(scenario)
    world.advance(world.start)
    tries = tries_until_given_up(world)
    assert len(tries) == 3 and timedelta(hours=1) < tries[-1] < timedelta(hours=6)


def test_repeated_try_stops_for_good_when_the_endpoint_is_off_then() -> None:
    world = fresh()
    now = world.start + timedelta(minutes=2)
    sends = world.due_deliveries(now)
    for send in sends:
        world.delivery_failed(send, now)
    endpoint = world.accounts[ACCOUNT].own_endpoint
    endpoint.enabled = False
    world.advance(now + timedelta(minutes=6))
    endpoint.enabled = True
    later = {send.event.id for send in world.due_deliveries(now + timedelta(hours=4))}
    assert not later & {send.event.id for send in sends}


def test_off_and_on_before_the_next_try_keeps_it() -> None:
    world = fresh()
    now = world.start + timedelta(minutes=2)
    send = world.due_deliveries(now)[0]
    world.delivery_failed(send, now)
    endpoint = world.accounts[ACCOUNT].own_endpoint
    endpoint.enabled = False
    world.advance(now + timedelta(minutes=4))
    endpoint.enabled = True
    again = world.due_deliveries(now + timedelta(minutes=5))
    assert send.event.id in {s.event.id for s in again}


def test_closed_edge_fails_tries_without_asking_and_retries_follow() -> None:
    world = fresh(faults=DOWN)
    sent = run(world, timedelta(minutes=20))
    account = world.accounts[ACCOUNT]
    while_down = {e.id for e in account.events.rows if 600_000 <= e.at_ms - world.start_ms < 1_195_000}
    assert while_down and not while_down & set(sent)
    assert while_down <= account.deliveries.undelivered.keys()
    assert not world.edge_open("stripe", f"webhooks/{ACCOUNT}") or world.now >= world.start + timedelta(
        minutes=20
    )
    run(world, timedelta(hours=1))
    assert not while_down & account.deliveries.undelivered.keys()
    assert world.edge_open("stripe", f"webhooks/{ACCOUNT}")


def test_edge_is_closed_only_for_the_fault_and_its_path() -> None:
    world = fresh(faults=DOWN)
    world.advance(world.start + timedelta(minutes=15))
    assert not world.edge_open("stripe", f"/webhooks/{ACCOUNT}")
    assert not world.edge_open("stripe", f"webhooks/{ACCOUNT}/")
    assert world.edge_open("stripe", "healthz")


def test_the_application_takes_its_events_whatever_becomes_of_ours() -> None:
    world = fresh(faults=DOWN, options=", endpoints: [{name: shop}]")
    world.advance(world.start + timedelta(minutes=15))
    account = world.accounts[ACCOUNT]
    shop = next(endpoint for endpoint in account.endpoints.rows if endpoint.name == "shop")
    assert len(shop.received) > 50
    waiting = {e for event in account.deliveries.undelivered.values() for e in event.waiting}
    assert waiting == {account.own_endpoint}


def test_books_count_distinct_events_of_the_run() -> None:
    world = fresh(faults=DISABLED)
    run(world, timedelta(minutes=30))
    books = ledger.books(world, ACCOUNT)
    assert books == ledger.books(world)
    assert books.generated == len(ledger.generated_ids(world, ACCOUNT))
    assert books.delivered == len(ledger.delivered_ids(world, ACCOUNT))
    assert books.undelivered == books.generated - books.delivered > 100
    assert books.charges == books.succeeded + books.failed >= books.payments > 100
    assert books.doubles == 0 == len(ledger.doubles(world, ACCOUNT))


def test_books_find_money_taken_twice() -> None:
    world = fresh()
    world.advance(world.start + timedelta(minutes=5))
    account = world.accounts[ACCOUNT]
    paid = next(p for p in account.payments.rows if p.at_ms >= world.start_ms and p.paid)
    account.attempt(world.now_ms, paid, None)
    assert ledger.books(world).doubles == 1
    assert ledger.doubles(world, ACCOUNT) == [paid]


def test_next_due_is_the_earliest_thing_owed() -> None:
    world = fresh(rate=0.5)
    assert world.next_due() is None
    world.advance(world.start + timedelta(minutes=30))
    sends = world.due_deliveries(world.now)
    assert world.next_due() == sends[0].due_at
    for send in sends:
        world.delivery_failed(send, world.now)
    assert world.next_due() == pytest.approx(world.now + timedelta(minutes=5), abs=timedelta(seconds=1))
