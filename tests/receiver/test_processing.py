"""From the inbox to facts: each event once, oldest object first, failures put back and in the end given up."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from payops.domain.errors import StoreError
from payops.domain.events import Delivery

from .conftest import ACCOUNT, NOW, T0, Sender, body, sign


def delivery(verifiers, n: int) -> Delivery:
    content = body(n)
    verified = verifiers[ACCOUNT].verify(content, {"stripe-signature": sign(content)}, NOW)
    return Delivery(ACCOUNT, verified.event, NOW, content.decode(), "00", "signature")


def test_received_events_become_facts_once(receiver, sender, store):
    for n in range(5):
        sender.post(body(n))
    sender.post(body(0))
    assert receiver.process_pending(NOW) == 5
    assert receiver.process_pending(NOW) == 0
    assert store.facts.attempts_count(ACCOUNT) == 5
    assert store.inbox.counts(ACCOUNT, NOW).unprocessed == 0


def test_more_than_a_batch_is_processed_until_the_inbox_is_empty(receiver, store, verifiers):
    store.inbox.receive([delivery(verifiers, n) for n in range(450)])
    assert receiver.process_pending(NOW) == 450
    assert store.facts.attempts_count(ACCOUNT) == 450


def test_the_oldest_object_comes_first(receiver, sender, verifiers, monkeypatch):
    order = []
    real = verifiers[ACCOUNT].facts
    monkeypatch.setattr(
        verifiers[ACCOUNT], "facts", lambda payload: order.append(payload["id"]) or real(payload)
    )
    for n in (3, 1, 2):
        sender.post(body(n, created=T0 - 100 + n))
    receiver.process_pending(NOW)
    assert order == ["evt_1", "evt_2", "evt_3"]


def test_event_of_the_other_mode_is_received_but_enters_no_rate(receiver, sender, store):
    assert sender.post(body(1, livemode=False)) == 200
    assert receiver.process_pending(NOW) == 1
    assert store.facts.attempts_count(ACCOUNT) == 0
    assert store.facts.wrong_mode_count(ACCOUNT, NOW - timedelta(hours=1)) == 1


def test_what_cannot_be_processed_is_retried_later_and_then_given_up(
    receiver, sender, store, verifiers, monkeypatch
):
    real = verifiers[ACCOUNT].facts

    def facts(payload):
        if payload["id"] == "evt_1":
            raise ValueError("broken \x1b[2J event")
        return real(payload)

    monkeypatch.setattr(verifiers[ACCOUNT], "facts", facts)
    for n in range(3):
        sender.post(body(n))
    now = NOW
    assert receiver.process_pending(now) == 2
    assert receiver.process_pending(now) == 0
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert (row.state, row.tries) == ("failed", 1) and "\x1b" not in row.error
    for _ in range(5):
        now += timedelta(hours=3)
        receiver.process_pending(now)
    assert store.inbox.row(ACCOUNT, "evt_1").state == "dead"
    assert store.inbox.counts(ACCOUNT, now).dead == 1


def test_an_event_that_cannot_be_applied_does_not_hold_up_the_others(receiver, sender, store, monkeypatch):
    real = store.facts.apply_facts

    def apply(account, facts, now):
        if any(event.event_id == "evt_1" for event in facts.events):
            raise ValueError("no")
        return real(account, facts, now)

    monkeypatch.setattr(store.facts, "apply_facts", apply)
    for n in range(4):
        sender.post(body(n))
    assert receiver.process_pending(NOW) == 3
    assert store.inbox.row(ACCOUNT, "evt_1").state == "failed"
    assert store.facts.attempts_count(ACCOUNT) == 3
    monkeypatch.undo()
    assert receiver.process_pending(NOW + timedelta(seconds=11)) == 1
    assert store.facts.attempts_count(ACCOUNT) == 4


def test_a_store_that_cannot_be_written_blames_no_event(receiver, sender, store, monkeypatch):
    sender.post(body(1))

    def full(*_):
        raise StoreError("disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store.facts, "apply_facts", full)
        with pytest.raises(StoreError):
            receiver.process_pending(NOW)
    assert store.inbox.row(ACCOUNT, "evt_1").tries == 0
    assert receiver.process_pending(NOW) == 1


def test_an_account_that_left_the_configuration_keeps_its_events(receiver, sender, store, verifiers):
    sender.post(body(1))
    verifier = verifiers.pop(ACCOUNT)
    assert receiver.process_pending(NOW) == 0
    assert "has no webhook secrets" in store.inbox.row(ACCOUNT, "evt_1").error
    verifiers[ACCOUNT] = verifier
    assert receiver.process_pending(NOW + timedelta(seconds=11)) == 1


def test_two_at_once_process_each_event_once(receiver, sender, store):
    for n in range(100):
        sender.post(body(n))
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(receiver.process_pending(NOW))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 100 and store.facts.attempts_count(ACCOUNT) == 100


def test_a_waiting_delivery_goes_before_the_next_batch(receiver, running, store, verifiers, monkeypatch):
    store.inbox.receive([delivery(verifiers, n) for n in range(120)])
    order: list[str] = []
    sends: list[threading.Thread] = []
    answers: list[int] = []
    process, receive = store.inbox.process_batch, store.inbox.receive

    def processed(batch, now):
        order.append("process")
        if len(order) == 1:  # a delivery comes while the transaction runs
            sends.append(
                threading.Thread(target=lambda: answers.append(Sender(running.port).post(body(999))))
            )
            sends[0].start()
            limit = time.monotonic() + 5
            while not receiver._writer.busy() and time.monotonic() < limit:
                time.sleep(0.001)
        return process(batch, now)

    def received(deliveries):
        order.append("receive")
        return receive(deliveries)

    monkeypatch.setattr(store.inbox, "process_batch", processed)
    monkeypatch.setattr(store.inbox, "receive", received)
    assert receiver.process_pending(NOW) == 121
    sends[0].join(5)
    assert answers == [200]
    assert order[:3] == ["process", "receive", "process"]
