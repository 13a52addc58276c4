"""The adapter and the store against the simulated provider: its books are the truth."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from payops.config import AccountSettings
from payops.domain.errors import ProviderError
from payops.domain.event_types import EVENT_TYPES
from payops.providers import Patience, open_provider
from payops.simulator import scenario as scenarios
from payops.simulator.kinds import credentials
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

NAME = "stripe-live"
SCENARIO = """
schema: payops.scenario/v1
name: adapter
seed: 5
start: 2026-01-15T09:00:00Z
warmup: 3h
duration: 4h
providers:
  stripe: {mode: live, payments_per_minute: 4, success_rate: 0.9, fallback_credential: true}
faults: %s
"""


class Bench:
    """A world in stepped time, a fresh store, and adapters on it."""

    def __init__(self, path, faults: str = "[]") -> None:
        scenario = scenarios.parse(SCENARIO % faults, "test.yaml")
        self.world = World(scenario)
        self.world.advance(self.world.start)
        self.server = ProviderServer(self.world, "stripe").start()
        self.keys = credentials(scenario)[NAME]
        self.store = Store.open(path / "payops.db", now=self.world.start, seed="bench")
        self.opened = []
        self.provider = self.open()

    def open(self):
        settings = AccountSettings.model_validate(
            {
                "name": NAME,
                "provider": "stripe",
                "mode": "live",
                "api_key": "env:0",
                "api_base": self.server.url,
                "fallback_credentials": [{"api_key": "env:1"}],
            }
        )
        secrets = {"env:0": self.keys["api_key"], "env:1": self.keys["fallback_credentials"][0]["api_key"]}
        self.opened.append(open_provider(settings, secrets.__getitem__, Patience(requests_per_s=None)))
        return self.opened[-1]

    @property
    def now(self):
        return self.world.now

    def after(self, **duration) -> None:
        self.world.advance(self.world.start + timedelta(**duration))

    def step(self, feed: str = "events") -> bool:
        state = self.store.facts.feed(NAME, feed)
        page = self.provider.poll(feed, state.cursor if state else None, self.now)
        self.store.facts.apply_page(NAME, page, self.now)
        return page.more

    def read(self, feed: str = "events") -> None:
        for _ in range(1000):
            if not self.step(feed):
                return
        raise AssertionError("reading does not end")

    def known(self) -> set[str]:
        with self.store.read() as db:
            return {row[0] for row in db.execute("SELECT event_id FROM provider_events")}

    def true(self) -> set[str]:
        return {
            event.id for event in self.world.accounts[NAME].events.rows if event.type in EVENT_TYPES["stripe"]
        }

    def close(self) -> None:
        for provider in self.opened:
            provider.close()
        self.server.stop()
        self.store.close()


@pytest.fixture
def bench(tmp_path):
    benches = []

    def maker(faults: str = "[]") -> Bench:
        benches.append(Bench(tmp_path, faults))
        return benches[-1]

    yield maker
    for each in benches:
        each.close()


def test_history_and_increments_agree_with_the_books(bench):
    b = bench()
    b.read()
    assert b.known() == b.true() and len(b.true()) > 500
    for minutes in (1, 2, 30, 31, 120):
        b.after(minutes=minutes)
        b.read()
        assert b.known() == b.true()
    account = b.world.accounts[NAME]
    assert b.store.facts.attempts_count(NAME) == len(account.charges)


@pytest.mark.parametrize("seed", range(4))
def test_kills_between_pages_lose_and_double_nothing(bench, seed):
    b = bench()
    rng = random.Random(seed)
    minutes = 0.0
    for _ in range(30):
        if rng.random() < 0.4:
            b.provider = b.open()  # a new process: only the store is left
        if rng.random() < 0.3:
            state = b.store.facts.feed(NAME, "events")
            b.provider.poll(
                "events", state.cursor if state else None, b.now
            )  # answered, killed before stored
        b.step()
        minutes += rng.choice([0, 0, 0.5, 7, 20])
        b.after(minutes=minutes)
    b.read()
    assert b.known() == b.true()
    assert b.store.facts.attempts_count(NAME) == len(b.world.accounts[NAME].charges)


def test_revoked_key_is_a_proof_and_reading_goes_on_with_the_fallback(bench):
    b = bench("[{kind: key_revoked, provider: stripe, at: 5m}]")
    b.read()
    b.after(minutes=20)
    with pytest.raises(ProviderError) as caught:
        b.read()
    assert caught.value.bucket == "auth"
    proof = b.provider.prove(0, b.now)
    assert (proof.ok, proof.error) == (False, "auth")
    other = b.provider.prove(1, b.now)
    assert (other.ok, other.mode) == (True, "live")
    b.provider.use_slot(1)
    b.read()
    assert b.known() == b.true()


def test_key_of_the_wrong_mode_is_proved_and_loses_nothing(bench):
    b = bench("[{kind: key_wrong_mode, provider: stripe, at: 5m}]")
    b.read()
    known = b.known()
    b.after(minutes=20)
    assert b.provider.prove(0, b.now).mode == "test"
    for feed in ("events", "endpoints", "undelivered"):
        with pytest.raises(ProviderError) as caught:
            b.read(feed)
        assert caught.value.code == "wrong_mode"
    assert b.known() == known
    b.provider.use_slot(1)
    b.read()
    assert b.known() == b.true()


def test_wrong_mode_is_noticed_by_reading_alone(bench):
    b = bench("[{kind: key_wrong_mode, provider: stripe, at: 5m}]")
    b.read()
    as_of = b.store.facts.feed(NAME, "events").data_as_of
    b.after(minutes=20)
    with pytest.raises(ProviderError):
        b.read()
    assert b.store.facts.feed(NAME, "events").data_as_of == as_of


def test_disabled_endpoint_is_seen_enabled_and_its_events_resent(bench):
    b = bench("[{kind: webhook_endpoint_disabled, provider: stripe, at: 5m}]")
    b.after(minutes=10)
    b.read("endpoints")
    (endpoint,) = b.store.facts.endpoints(NAME)
    assert endpoint.status == "disabled" and endpoint.disabled_reason != "user"
    assert b.provider.endpoint(endpoint.endpoint_id, b.now).status == "disabled"
    first = b.provider.enable_endpoint(endpoint.endpoint_id, "key-1", b.now)
    assert first.request_ids and b.provider.enable_endpoint(endpoint.endpoint_id, "key-1", b.now).request_ids
    assert b.provider.endpoint(endpoint.endpoint_id, b.now).status == "enabled"
    missed = next(
        event
        for event in b.world.accounts[NAME].events.rows
        if event.at_ms > b.world.start_ms + 6 * 60_000 and event.type in EVENT_TYPES["stripe"]
    )
    assert b.provider.resend_event(missed.id, endpoint.endpoint_id, "key-2", b.now).request_ids
    assert missed.id in {send.event.id for send in b.world.due_deliveries(b.now + timedelta(seconds=30))}


def test_undelivered_events_are_those_nobody_took(bench):
    b = bench()
    b.read("undelivered")
    assert b.store.facts.undelivered(NAME) == []
    b.after(minutes=10)
    for send in b.world.due_deliveries(b.now):
        b.world.delivery_failed(send, b.now)
    b.read("undelivered")
    account = b.world.accounts[NAME]
    waiting = {
        event.id
        for event in account.events.rows
        if event.at_ms >= account.start_ms and event.type in EVENT_TYPES["stripe"]
    }
    assert {event.event_id for event in b.store.facts.undelivered(NAME)} == waiting
