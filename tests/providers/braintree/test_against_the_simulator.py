"""The adapter and the store against the simulated Braintree: its books are the truth."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from payops.clock import to_epoch
from payops.config import AccountSettings
from payops.domain.errors import ProviderError
from payops.domain.money import Money
from payops.providers import Patience, open_provider, open_verifier
from payops.providers.port import APPLICATION, NotVerified, Verified
from payops.simulator import scenario as scenarios
from payops.simulator.kinds import credentials, kind
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

NAME = "braintree-live"
SCENARIO = """
schema: payops.scenario/v1
name: adapter
seed: 5
start: 2026-01-15T09:00:00Z
warmup: 2h
duration: 4h
providers:
  braintree:
    mode: live
    payments_per_minute: 2
    success_rate: 0.9
    fallback_credential: true
    application_credential: true
faults: %s
"""


class Bench:
    """A world in stepped time, a fresh store, and adapters on it."""

    def __init__(self, path, faults: str = "[]") -> None:
        scenario = scenarios.parse(SCENARIO % faults, "test.yaml")
        self.world = World(scenario)
        self.world.advance(self.world.start)
        self.account = self.world.accounts[NAME]
        self.server = ProviderServer(self.world, "braintree").start()
        stored = credentials(scenario)[NAME]
        self.secrets = {f"env:0{name}": stored[name] for name in ("merchant_id", "public_key", "private_key")}
        for number, entry in enumerate(stored["fallback_credentials"], 1):
            self.secrets |= {f"env:{number}{name}": value for name, value in entry.items()}
        self.secrets["env:app"] = stored["application_credential"]
        fields = ("merchant_id", "public_key", "private_key")
        self.settings = AccountSettings.model_validate(
            {
                "name": NAME,
                "provider": "braintree",
                "mode": "live",
                "api_base": self.server.url,
                **{name: f"env:0{name}" for name in fields},
                "fallback_credentials": [{name: f"env:1{name}" for name in fields}],
                "application_credential": "env:app",
            }
        )
        self.store = Store.open(path / "payops.db", now=self.world.start, seed="bench")
        self.opened = []
        self.provider = self.open()

    def open(self):
        self.opened.append(
            open_provider(self.settings, self.secrets.__getitem__, Patience(requests_per_s=None, stated=True))
        )
        return self.opened[-1]

    def verifier(self, slot: int = 0):
        return open_verifier(self.settings, self.secrets.__getitem__, slot)

    @property
    def now(self):
        return self.world.now

    def after(self, **duration) -> None:
        self.world.advance(self.world.start + timedelta(**duration))

    def step(self, feed: str = "transactions") -> bool:
        state = self.store.facts.feed(NAME, feed)
        page = self.provider.poll(feed, state.cursor if state else None, self.now)
        self.store.facts.apply_page(NAME, page, self.now)
        return page.more

    def read(self, *feeds: str) -> None:
        for feed in feeds or ("transactions",):
            for _ in range(1000):
                if not self.step(feed):
                    break
            else:
                raise AssertionError("reading does not end")

    def known(self) -> dict[str, tuple[str, int, str]]:
        with self.store.read() as db:
            rows = db.execute("SELECT attempt_id, status, amount_minor, currency FROM attempts")
            return {row[0]: (row[1], row[2], row[3].lower()) for row in rows}

    def true(self) -> dict[str, tuple[str, int, str]]:
        failed = ("processor_declined", "gateway_rejected", "failed")
        return {
            row.id: ("failed" if row.status in failed else "succeeded", row.amount, row.currency)
            for row in self.account.book.log.rows
            if row.refund is None
        }

    def refunds(self) -> tuple[dict[str, str], dict[str, str]]:
        with self.store.read() as db:
            known = {row[0]: row[1] for row in db.execute("SELECT refund_id, status FROM refunds")}
        return known, {row.id: row.status for row in self.account.book.log.rows if row.refund is not None}

    def deliveries(self):
        for send in self.world.due_deliveries(self.now):
            body, headers = kind("braintree").delivery(self.account, send, self.now)
            yield send, body, {name.lower(): value for name, value in headers.items()}

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
    assert b.known() == b.true() and len(b.true()) > 200
    for minutes in (1, 2, 31, 120):
        b.after(minutes=minutes)
        b.read("transactions", "changes")
        assert b.known() == b.true()
    known, true = b.refunds()
    assert known == true and known


@pytest.mark.parametrize("seed", range(2))
def test_kills_between_pages_lose_and_double_nothing(bench, seed):
    b = bench()
    rng = random.Random(seed)
    minutes = 0.0
    for _ in range(20):
        feed = rng.choice(("transactions", "transactions", "changes"))
        if rng.random() < 0.4:
            b.provider = b.open()  # a new process: only the store is left
        if rng.random() < 0.3:
            state = b.store.facts.feed(NAME, feed)
            b.provider.poll(feed, state.cursor if state else None, b.now)  # answered, killed before stored
        b.step(feed)
        minutes += rng.choice([0, 0, 0.5, 7, 20])
        b.after(minutes=minutes)
    b.read("transactions", "changes")
    assert b.known() == b.true()
    known, true = b.refunds()
    assert known == true


def test_revoked_key_is_a_proof_and_reading_goes_on_with_the_fallback(bench):
    b = bench("[{kind: key_revoked, provider: braintree, at: 5m}]")
    b.read()
    b.after(minutes=20)
    with pytest.raises(ProviderError) as caught:
        b.read()
    assert caught.value.bucket == "auth"
    proof = b.provider.prove(0, b.now)
    assert (proof.ok, proof.error, proof.identity) == (False, "auth", None)
    other = b.provider.prove(1, b.now)
    assert (other.ok, other.mode, other.identity) == (True, "live", b.account.id)
    b.provider.use_slot(1)
    b.read()
    assert b.known() == b.true()


def test_the_applications_credential_is_proved_apart(bench):
    b = bench()
    proof = b.provider.prove(APPLICATION, b.now)
    assert (proof.slot, proof.ok, proof.mode, proof.identity) == (APPLICATION, True, None, b.account.id)
    assert proof.evidence == "", "one cheap read proves no environment"


def test_key_of_the_other_environment_is_proved_and_loses_nothing(bench):
    b = bench("[{kind: key_wrong_mode, provider: braintree, at: 5m}]")
    b.read()
    known = b.known()
    b.after(minutes=20)
    for feed in ("transactions", "changes", "subscriptions", "disputes", "account"):
        with pytest.raises(ProviderError) as caught:
            for _ in range(9):  # an empty list of something else than payments proves nothing by itself
                b.read(feed)
                b.provider.prove(0, b.now)
        assert caught.value.code == "wrong_mode", feed
    assert b.provider.prove(0, b.now).mode == "test"
    assert b.known() == known
    b.provider.use_slot(1)
    b.read()
    assert b.known() == b.true()


def test_notifications_are_verified_and_state_what_the_search_states(bench):
    b = bench("[{kind: subscription_past_due, provider: braintree, at: 5m}]")
    b.after(hours=3)
    verifier = b.verifier()
    kinds, ids = set(), set()
    for send, body, headers in b.deliveries():
        verdict = verifier.verify(body, headers, b.now)
        assert isinstance(verdict, Verified), verdict
        assert verdict.event.event_id == send.event.id and verdict.event.livemode is True
        kinds.add(verdict.event.type)
        ids.add(verdict.event.event_id)
        b.store.facts.apply_facts(NAME, verifier.facts(verdict.payload), b.now)
    assert {"transaction_settled", "subscription_went_past_due"} & kinds and len(ids) > 5
    b.read("transactions", "changes", "subscriptions")
    assert b.known() == b.true()


def test_key_pairs_that_were_replaced_are_told_from_those_of_the_other_environment(bench):
    b = bench("[{kind: webhook_secret_rotated, provider: braintree, at: 5m}]")
    b.after(hours=2)
    sends = [
        (body, headers)
        for send, body, headers in b.deliveries()
        if send.event.at_ms > b.world.start_ms + 6 * 60_000
    ]
    assert sends
    for body, headers in sends[:5]:
        refused = b.verifier().verify(body, headers, b.now)
        assert isinstance(refused, NotVerified) and refused.kind == "signature"
        assert isinstance(b.verifier(1).verify(body, headers, b.now), Verified)


def test_objects_of_the_other_environment_enter_no_rate(bench):
    b = bench("[{kind: test_object_in_live, provider: braintree, at: 5m}]")
    b.after(minutes=40)
    verifier = b.verifier()
    strays = [
        verifier.verify(body, headers, b.now) for send, body, headers in b.deliveries() if send.event.test
    ]
    assert strays
    for verdict in strays:
        facts = verifier.facts(verdict.payload)
        assert facts.wrong_mode and not (facts.attempts or facts.events or facts.refunds)


def _sale(b: Bench, status: str):
    """The newest sale in that status of which nothing went back."""
    return next(
        row
        for row in reversed(b.account.book.log.rows)
        if row.refund is None and row.status == status and not b.account.credits_of(row)
    )


def test_refund_is_made_once_for_one_key_and_found_by_its_reference(bench):
    b = bench()
    b.after(hours=4)
    sale = _sale(b, "settled")
    part = Money(sale.amount // 2, sale.currency.upper())
    first = b.provider.refund(sale.id, part, "payops-1", "key-1", b.now)
    again = b.provider.refund(sale.id, part, "payops-1", "key-1", b.now)
    assert first.object_id == again.object_id
    (found,) = [pair for pair in b.provider.refunds_of(sale.id, b.now) if pair[1] == "payops-1"]
    assert (found[0].refund_id, found[0].amount_minor) == (first.object_id, part.amount_minor)
    assert b.provider.attempt(sale.id, b.now).amount_refunded_minor == sum(
        refund.amount_minor for refund, _ in b.provider.refunds_of(sale.id, b.now)
    )


def test_refund_without_request_keys_looks_before_it_asks_again(bench):
    b = bench()
    b.account.request_keys = False
    b.after(hours=4)
    sale = _sale(b, "settled")
    first = b.provider.refund(sale.id, Money(100, sale.currency.upper()), "payops-1", "key-1", b.now)
    again = b.provider.refund(sale.id, Money(100, sale.currency.upper()), "payops-1", "key-1", b.now)
    assert again.object_id == first.object_id and "already" in again.detail
    assert len(b.provider.refunds_of(sale.id, b.now)) == 1


def test_refund_above_what_is_left_is_refused_by_code(bench):
    b = bench()
    b.after(hours=4)
    sale = _sale(b, "settled")
    with pytest.raises(ProviderError) as caught:
        b.provider.refund(sale.id, Money(sale.amount + 1, sale.currency.upper()), "payops-1", "k", b.now)
    assert (caught.value.bucket, caught.value.code) == ("invalid_request", "91521")


def test_capture_takes_an_authorization_and_says_so_when_it_was_taken(bench):
    b = bench("[{kind: authorization_expiring, provider: braintree, at: 5m}]")
    b.after(minutes=20)
    sale = _sale(b, "authorized")
    held = b.provider.attempt(sale.id, b.now)
    assert held.captured is False and held.capture_before is not None
    b.provider.capture(sale.id, None, "key-1", b.now)
    assert b.provider.attempt(sale.id, b.now).captured is True
    with pytest.raises(ProviderError) as caught:
        b.provider.capture(sale.id, None, "key-2", b.now)
    assert (caught.value.bucket, caught.value.code) == ("invalid_request", "91507")


def test_a_subscription_past_due_is_collected_once(bench):
    b = bench("[{kind: subscription_past_due, provider: braintree, at: 5m}]")
    b.after(minutes=20)
    b.read("subscriptions")
    owing = [each for each in b.account.subscriptions.rows if each.status == "past_due"]
    assert {each.subscription_id for each in b.store.facts.subscriptions(NAME, ("past_due",))} >= {
        each.id for each in owing
    }
    one = b.provider.subscription(owing[0].id, b.now)
    assert one.status == "past_due" and one.outstanding_minor == owing[0].outstanding
    assert to_epoch(one.owing_since) == owing[0].changed_ms // 1000, "as its history of states says"
    due = Money(one.outstanding_minor, one.currency)
    first = b.provider.collect(one.subscription_id, due, "payops-1", "key-1", b.now)
    again = b.provider.collect(one.subscription_id, due, "payops-1", "key-1", b.now)
    assert first.object_id == again.object_id
    assert b.provider.subscription(one.subscription_id, b.now).status == "active"


def test_a_subscription_without_its_method_says_so_and_takes_another(bench):
    b = bench("[{kind: subscription_missing_payment_method, provider: braintree, at: 5m}]")
    b.after(minutes=20)
    lost = next(each for each in b.account.subscriptions.rows if not each.method)
    assert b.provider.subscription(lost.id, b.now).has_payment_method is False
    b.provider.use_payment_method(lost.id, b.account.token_of(lost.buyer), "key-1", b.now)
    assert b.provider.subscription(lost.id, b.now).has_payment_method is True


def test_disputes_and_restrictions_are_read(bench):
    b = bench(
        "[{kind: dispute_opened, provider: braintree, at: 5m}, {kind: account_restricted, provider: braintree, at: 6m}]"
    )
    b.after(minutes=20)
    b.read("disputes", "account")
    (dispute,) = b.store.facts.disputes(NAME)
    assert dispute.status == "needs_response" and dispute.reply_by > b.now
    assert b.store.facts.account_state(NAME).restricted


def test_an_outage_is_an_outage_and_costs_no_fact(bench):
    b = bench("[{kind: provider_outage, provider: braintree, at: 5m, until: 30m}]")
    b.read()
    b.after(minutes=10)
    with pytest.raises(ProviderError) as caught:
        b.read()
    assert caught.value.bucket in ("outage", "network")
    b.after(minutes=40)
    b.read()
    assert b.known() == b.true()
