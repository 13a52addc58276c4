"""The adapter and the store against the simulated provider: its books are the truth."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from payops.config import AccountSettings
from payops.domain.errors import ProviderError
from payops.domain.event_types import EVENT_TYPES
from payops.domain.money import Money
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


# -- what operators' remedies do, and how they learn what became of it


def paid_charge(b):
    return next(
        charge
        for charge in reversed(b.world.accounts[NAME].charges.rows)
        if charge.decline is None and not charge.refunds and charge.payment.subscription is None
    )


def test_a_refund_is_made_once_and_found_again_by_our_reference(bench):
    b = bench()
    charge = paid_charge(b)
    half = Money(charge.payment.amount // 2, charge.payment.buyer.currency.upper())
    first = b.provider.refund(charge.id, half, "inc-1/1", "key-1", b.now)
    again = b.provider.refund(charge.id, half, "inc-1/1", "key-1", b.now)
    assert first.object_id == again.object_id and len(charge.refunds) == 1
    ((refund, reference),) = b.provider.refunds_of(charge.id, b.now)
    assert (refund.refund_id, reference) == (first.object_id, "inc-1/1")
    assert refund.amount_minor == half.amount_minor and refund.attempt_id == charge.id
    assert b.provider.attempt(charge.id, b.now).amount_refunded_minor == half.amount_minor
    with pytest.raises(ProviderError) as caught:
        b.provider.refund(charge.id, Money(half.amount_minor + 1, half.currency), "inc-1/1", "key-1", b.now)
    assert caught.value.bucket == "invalid_request", "the same key never stands for two refunds"
    b.provider.refund(charge.id, None, "inc-1/2", "key-2", b.now)
    assert {reference for _, reference in b.provider.refunds_of(charge.id, b.now)} == {"inc-1/1", "inc-1/2"}
    with pytest.raises(ProviderError) as caught:
        b.provider.refund(charge.id, None, "inc-1/3", "key-3", b.now)
    assert (caught.value.bucket, caught.value.code) == ("invalid_request", "charge_already_refunded")


def test_an_authorization_is_captured_before_it_ends(bench):
    b = bench("[{kind: authorization_expiring, provider: stripe, at: 5m, count: 1}]")
    b.after(minutes=6)
    b.read()
    charge = next(each for each in b.world.accounts[NAME].charges.rows if not each.captured)
    waiting = b.provider.attempt(charge.id, b.now)
    assert waiting.captured is False and waiting.capture_before > b.now
    b.provider.capture(charge.id, None, "key-1", b.now)
    taken = b.provider.attempt(charge.id, b.now)
    assert taken.captured is True and taken.capture_before is None


def test_what_a_subscription_owes_is_seen_and_collected(bench):
    b = bench("[{kind: subscription_past_due, provider: stripe, at: 5m, count: 1}]")
    b.after(minutes=7)
    b.read()
    (owing,) = b.store.facts.subscriptions(NAME, statuses=("past_due",))
    assert owing.outstanding_minor and owing.has_payment_method is True
    found = b.provider.subscription(owing.subscription_id, b.now)
    owed = Money(found.outstanding_minor, found.currency)
    try:
        b.provider.collect(owing.subscription_id, owed, "inc-1/1", "key-1", b.now)
    except ProviderError as error:
        assert error.bucket == "card" and error.code
        assert b.provider.subscription(owing.subscription_id, b.now).status == "past_due"
    else:
        after = b.provider.subscription(owing.subscription_id, b.now)
        assert (after.status, after.outstanding_minor) == ("active", 0)


def test_a_subscription_without_a_method_is_seen_and_given_one(bench):
    b = bench("[{kind: subscription_missing_payment_method, provider: stripe, at: 5m, count: 1}]")
    b.after(minutes=7)
    b.read()
    (owing,) = b.store.facts.subscriptions(NAME, statuses=("past_due",))
    assert owing.has_payment_method is False
    account = b.world.accounts[NAME]
    buyer = next(s.buyer for s in account.subscriptions.rows if s.id == owing.subscription_id)
    b.provider.use_payment_method(owing.subscription_id, buyer.payment_method, "key-1", b.now)
    assert b.provider.subscription(owing.subscription_id, b.now).has_payment_method is True


def test_a_stuck_invoice_is_seen_and_finalized(bench):
    b = bench("[{kind: subscription_invoice_stuck, provider: stripe, at: 5m, count: 1}]")
    b.after(minutes=7)
    b.read()
    stuck = b.store.facts.invoices(NAME, statuses=("draft",))
    assert stuck and stuck[0].subscription_id
    answer = b.provider.finalize_invoice(stuck[0].invoice_id, "key-1", b.now)
    assert answer.detail.endswith("is open")


def test_an_endpoint_s_url_is_put_right(bench):
    b = bench("[{kind: webhook_url_wrong, provider: stripe, at: 5m}]")
    b.read("endpoints")
    (right,) = b.store.facts.endpoints(NAME)
    b.after(minutes=6)
    b.read("endpoints")
    (wrong,) = b.store.facts.endpoints(NAME)
    assert wrong.url != right.url
    b.provider.change_endpoint(
        wrong.endpoint_id, "key-1", b.now, url=right.url, event_types=right.event_types
    )
    found = b.provider.endpoint(wrong.endpoint_id, b.now)
    assert (found.url, found.event_types) == (right.url, right.event_types)


def test_a_restricted_account_is_seen(bench):
    b = bench("[{kind: account_restricted, provider: stripe, at: 5m}]")
    b.read("account")
    assert b.store.facts.account_state(NAME).restricted is False
    b.after(minutes=6)
    b.read("account")
    state = b.store.facts.account_state(NAME)
    assert state.restricted and state.due


def test_a_drifted_api_version_is_seen(bench):
    b = bench("[{kind: api_version_drift, provider: stripe, at: 5m}]")
    b.read()
    b.read("account")
    before = b.store.facts.account_state(NAME).api_version
    b.after(minutes=20)
    b.read()
    b.read("account")
    assert before and b.store.facts.account_state(NAME).api_version not in (None, before)


def test_a_missing_permission_is_named(bench):
    b = bench("[{kind: permission_missing, provider: stripe, at: 5m}]")
    b.read()
    b.after(minutes=6)
    with pytest.raises(ProviderError, match="rak_") as caught:
        b.read()
    assert caught.value.bucket == "permission"
    b.read("credential")
    (missing,) = b.store.facts.proof(NAME).missing
    assert missing.startswith("rak_") and missing in str(caught.value)


def test_every_feed_reads_to_its_end(bench):
    b = bench()
    b.after(minutes=10)
    for spec in b.provider.feeds:
        b.read(spec.name)
        assert b.store.facts.feed(NAME, spec.name).error_bucket is None
