"""A world of three providers is the same again from its journal, whichever of them was written to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import braintree
import paypalrestsdk
import pytest

from payops.domain.payments import PROVIDERS, Provider
from payops.simulator import journal
from payops.simulator import scenario as scenarios
from payops.simulator.account import Account
from payops.simulator.braintree.account import BraintreeAccount
from payops.simulator.kinds import credentials, kind
from payops.simulator.scenario import Scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World

from .conftest import sdk
from .test_faults import fingerprint_of

ALL = """schema: payops.scenario/v1
name: all three
seed: 5
warmup: 7h
duration: 2h
providers:
  stripe: {payments_per_minute: 1}
  braintree: {payments_per_minute: 1}
  paypal: {payments_per_minute: 1}
faults:
  - {kind: webhook_endpoint_disabled, provider: stripe, at: 5m}
  - {kind: authorization_expiring, provider: braintree, at: 2m}
  - {kind: webhook_url_wrong, provider: paypal, at: 5m}
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Braintree's SDK sends even loopback through a proxy, whatever NO_PROXY says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenarios.parse(ALL, "all.yaml")


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def account(world: World, provider: Provider) -> Account:
    return world.of(provider)[0]


def refund_at_each(world: World, urls: dict[Provider, str]) -> None:
    stored = credentials(world.scenario, world.seed)
    charge = next(c for c in reversed(account(world, "stripe").charges.rows) if c.decline is None)
    client = sdk(urls["stripe"], stored["stripe-live"]["api_key"])
    client.v1.refunds.create({"charge": charge.id, "amount": 7}, {"idempotency_key": "once"})
    client.v2.core.event_destinations.enable(account(world, "stripe").own_endpoint.id)

    entry = stored["braintree-live"]
    port = str(urlsplit(urls["braintree"]).port)
    environment = braintree.Environment(
        "simulator", "127.0.0.1", port, "http://127.0.0.1:1", False, None, "127.0.0.1", port
    )
    keys = {name: entry[name] for name in ("merchant_id", "public_key", "private_key")}
    gateway = braintree.BraintreeGateway(braintree.Configuration(environment=environment, timeout=10, **keys))
    book = cast(BraintreeAccount, account(world, "braintree")).book
    sale = next(
        row
        for row in book.newest()
        if row.status == "settled" and row.type == "sale" and not row.charge.refunds and row.amount > 100
    )
    assert gateway.transaction.refund(sale.id, {"amount": "1.00"}).is_success
    held = next(row for row in book.newest() if row.status == "authorized")
    assert gateway.transaction.submit_for_settlement(held.id).is_success

    entry = stored["paypal-live"]
    api = paypalrestsdk.Api(
        mode="live",
        client_id=entry["client_id"],
        client_secret=entry["client_secret"],
        endpoint=urls["paypal"],
    )
    shop: Any = account(world, "paypal")
    taken = next(
        c
        for c in reversed(shop.charges.rows)
        if c.decline is None and shop.shows_capture(c) and not c.refunds
    )
    api.post(f"v2/payments/captures/{taken.id}/refund", {}, headers={"PayPal-Request-Id": "once"})
    ours = shop.own_endpoint
    change = [{"op": "replace", "path": "/url", "value": ours.home}]
    api.patch(f"v1/notifications/webhooks/{ours.id}", change)


def test_writes_at_every_provider_come_back_from_the_journal(
    tmp_path: Path, scenario: Scenario, servers: ExitStack
) -> None:
    path = tmp_path / "state.jsonl"
    world = World(scenario)
    world.recorder = journal.begin(path, world)
    world.advance(world.start + timedelta(minutes=10))
    urls: dict[Provider, str] = {}
    for provider in PROVIDERS:
        server = ProviderServer(world, provider).start()
        servers.callback(server.stop)
        urls[provider] = server.url
    for send in world.due_deliveries(world.now)[:50]:
        world.delivered(send, world.now)
    refund_at_each(world, urls)
    past = journal.read(path, scenario, scenario.seed)
    assert past is not None
    written = [record["account"] for record in past.inputs if record["input"] == "api"]
    assert {name: written.count(name) for name in written} == {
        "stripe-live": 2,
        "braintree-live": 2,
        "paypal-live": 2,
    }
    again = World(scenario, start=past.start)
    journal.replay(past, again, {provider: kind(provider).open_api(again) for provider in PROVIDERS})
    for minutes in (10, 45):
        for each in (world, again):
            each.advance(world.start + timedelta(minutes=minutes))
        for provider in PROVIDERS:
            assert fingerprint_of(account(again, provider), world.now) == fingerprint_of(
                account(world, provider), world.now
            )


def test_one_providers_buyers_do_not_depend_on_the_others(scenario: Scenario) -> None:
    together = World(scenario)
    together.advance(together.start)
    for provider in PROVIDERS:
        alone = World(scenarios.parse(_only(provider), "one.yaml"))
        alone.advance(alone.start)
        assert fingerprint_of(account(alone, provider), alone.now) == fingerprint_of(
            account(together, provider), together.now
        )


def _only(provider: Provider) -> str:
    kept = [
        line
        for line in ALL.splitlines()
        if not any(f"{other}: {{" in line or f"provider: {other}" in line for other in PROVIDERS)
        or provider in line
    ]
    return "\n".join(kept) + "\n"
