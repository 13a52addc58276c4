"""An account of each topology, end to end on the simulator: what is claimed is what the application's own books say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from payops.demo.headless import _House, run
from payops.domain.forwarding import ForwardState
from payops.receiver.held import Held
from payops.signals import read
from payops.signals.impact import impact as impact_of
from payops.simulator import ledger
from payops.simulator import scenario as scenarios
from payops.store import Store

WORLD = """
schema: payops.scenario/v1
name: topologies
seed: 5
start: 2026-01-15T09:00:00Z
warmup: {warmup}
duration: {duration}
providers:
  {provider}: {{mode: live, payments_per_minute: 6, success_rate: 0.95, endpoints: [{endpoint}]}}
"""
SHOP = "{{name: shop, topology: {topology}, idempotent: true{more}}}"


@contextmanager
def lived(
    provider: str,
    topology: str,
    tmp_path: Path,
    more: str = "",
    duration: str = "6m",
    faults: str = "",
    before: Callable[[_House], None] = lambda house: None,
) -> Iterator[_House]:
    endpoint = SHOP.format(topology=topology, more=more)
    # What Braintree settles now was paid a while ago.
    warmup = "5h" if provider == "braintree" else "5m"
    text = WORLD.format(provider=provider, endpoint=endpoint, warmup=warmup, duration=duration)
    scenario = scenarios.parse(text + faults, "topologies.yaml")
    with ExitStack() as stack:
        house = _House(scenario, 5, tmp_path / "payops.db", stack)
        before(house)
        house.live(lambda share: None)
        yield house


@pytest.mark.parametrize("provider", ["stripe", "braintree", "paypal"])
def test_what_a_relay_calls_processed_its_application_has_verified_and_taken_once(
    provider: str, tmp_path: Path
) -> None:
    with lived(provider, "relay", tmp_path) as house:
        account = f"{provider}-live"
        application = house.world.accounts[account].applications["shop"]
        served = ledger.served_ids(house.world, account, "shop")
        webhooks = house.webhooks()
        assert webhooks["generated"] > 10
        assert webhooks["processed"] == webhooks["received"] == webhooks["generated"]
        assert served >= house.generated[account]
        assert served == house.store.forwards.delivered_ids(account, "shop")
        assert (application.again, application.unsigned) == (0, 0)


def test_an_application_that_was_down_gets_everything_once_it_answers_again(tmp_path: Path) -> None:
    down = ", application: {down_at: 2m, down_until: 3m}"
    with lived("stripe", "relay", tmp_path, down, "8m") as house:
        webhooks = house.webhooks()
        assert webhooks["processed"] == webhooks["received"] == webhooks["generated"]
        application = house.world.accounts["stripe-live"].applications["shop"]
        late = [at for at in application.served.values() if 2 <= (at - house.world.start_ms) / 60_000 < 3]
        assert late == []
        assert application.again == 0
        assert house.store.forwards.counts("stripe-live", "shop").waiting == 0
        assert [incident.rule for incident in house.incidents()] == []


@pytest.mark.parametrize(
    ("provider", "signs", "state", "content", "words"),
    [
        ("stripe", True, "delivered", "fetched and signed", ""),
        ("stripe", False, "waiting", "fetched", "whose signature it cannot carry"),
        ("paypal", False, "waiting", "fetched", "whose signature it cannot carry"),
        ("braintree", False, "dead", None, "held in memory only"),
    ],
)
def test_without_the_bytes_an_event_is_fetched_and_what_it_then_lacks_is_said(
    provider: str, signs: bool, state: ForwardState, content: str | None, words: str, tmp_path: Path
) -> None:
    """As after a crash, against the provider's API and an application that verifies what it is sent."""

    def crashed(house: _House) -> None:
        house.forwarder._relay.held = Held(most_bytes=0)
        if signs:
            (key,) = house.forwarder.applications
            secret = house.world.accounts[f"{provider}-live"].own_endpoint.secret
            house.forwarder._targets = {key: replace(house.forwarder._targets[key], secret=secret)}

    with lived(provider, "relay", tmp_path, duration="3m", before=crashed) as house:
        account = f"{provider}-live"
        rows = house.store.forwards.listing(account, "shop", state)
        tried = [row for row in rows if row.tries]
        assert tried and {row.content for row in tried} == {content}
        assert all(words in (row.last_error or "") for row in tried)
        served = ledger.served_ids(house.world, account, "shop")
        assert (len(served) > 5) is (state == "delivered")


def test_an_application_that_answers_too_late_is_tried_again_and_gets_it_again(tmp_path: Path) -> None:
    with lived("stripe", "relay", tmp_path, ", application: {latency_ms: 12000}", "2m") as house:
        application = house.world.accounts["stripe-live"].applications["shop"]
        waiting = house.store.forwards.listing("stripe-live", "shop", "waiting")
        assert {(row.last_status, row.last_error) for row in waiting if row.tries} == {
            (None, "no complete answer within 10 s")
        }
        assert application.again > 0 and house.webhooks()["processed"] == 0


def test_what_an_application_missed_is_seen_in_its_own_inbox_resent_and_there_once(tmp_path: Path) -> None:
    fault = "faults: [{kind: receiver_down, provider: stripe, endpoint: shop, at: 1m, until: 9m}]\n"
    with lived("stripe", "import", tmp_path, duration="15m", faults=fault) as house:
        (incident,) = house.incidents()
        assert (incident.rule, incident.labels["endpoint"]) == ("webhook-events-missing", "shop")
        assert (incident.ended_as, incident.level) == ("fixed_by_payops", 1)
        (attempt,) = house.store.incidents.attempts(incident.id)
        assert "not in the application's inbox" in attempt.plan
        own = next(e for e in house.world.accounts["stripe-live"].endpoints.rows if e.name == "shop")
        ids = [arrival.event_id for arrival in own.arrivals]
        assert len(ids) == len(set(ids)) and set(ids) >= house.generated["stripe-live"]
        counts = house.store.applications.counts("stripe-live", "shop")
        assert counts.unprocessed == 0 and house.store.applications.received("stripe-live", "shop") > 20
        impact = impact_of(house.store, incident, incident.opened_at)
        assert (
            impact.payments and "the application's inbox" in impact.method
        ) or "not received" in impact.method


def test_what_an_application_leaves_lying_in_its_inbox_is_unprocessed(tmp_path: Path) -> None:
    down = ", application: {down_at: 1m}"
    with lived("paypal", "import", tmp_path, down) as house:
        signals = read(house.store, house.settings, house.clock.now)
        (row,) = [each for each in signals["webhooks"] if each.labels["endpoint"] == "shop"]
        assert isinstance(row.values["unprocessed"], int) and row.values["unprocessed"] > 5
        assert row.values["dead"] is None
        assert row.values["missing"] == 0


def test_what_an_application_does_not_take_is_received_not_processed_and_told_to_a_person(
    tmp_path: Path,
) -> None:
    down = ", application: {down_at: 0s, status: 500}"
    with lived("stripe", "relay", tmp_path, down, "8m") as house:
        (incident,) = house.incidents()
        assert (incident.rule, incident.level, incident.state) == ("webhook-forwarding-failing", 2, "open")
        (attempt,) = house.store.incidents.attempts(incident.id)
        assert "tried in vain (500 × " in attempt.detail and "looked at now: HTTP 500" in attempt.detail
        impact = impact_of(house.store, incident, house.clock.now)
        assert impact.payments and impact.money and "not taken by the application" in impact.method
        webhooks = house.webhooks()
        assert webhooks["received"] == webhooks["generated"] > 10
        assert webhooks["processed"] == 0
        waiting = house.store.forwards.listing("stripe-live", "shop", "waiting")
        assert len(waiting) >= webhooks["generated"]
        assert {row.last_status for row in waiting if row.tries} == {500}


def test_forwarding_and_importing_are_part_of_the_step_and_give_the_same_bytes(tmp_path: Path) -> None:
    text = WORLD.format(
        provider="stripe",
        warmup="5m",
        duration="4m",
        endpoint=SHOP.format(topology="relay", more=", application: {down_at: 1m, down_until: 2m}")
        + ", {name: books, topology: import}",
    )
    scenario = scenarios.parse(text, "topologies.yaml")

    def told(folder: Path) -> tuple[str, list[object]]:
        folder.mkdir()
        document = run(scenario, 5, folder / "payops.db", judged=False).document
        document.pop("wall_seconds")
        with Store.open_existing(folder / "payops.db") as store:
            rows = [
                each
                for state in ("waiting", "delivered", "dead")
                for each in store.forwards.listing("stripe-live", "shop", state)
            ]
        (inbox,) = (folder / "payops.inboxes").iterdir()
        return json.dumps(document), [*rows, inbox.read_text()]

    first = told(tmp_path / "first")
    assert first == told(tmp_path / "second")
    assert len(first[1]) > 10
