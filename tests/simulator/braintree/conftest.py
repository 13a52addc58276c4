from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import braintree
import pytest

from payops.simulator import scenario as scenarios
from payops.simulator.braintree import kind
from payops.simulator.braintree.account import BraintreeAccount
from payops.simulator.braintree.transactions import Transaction
from payops.simulator.kinds import credentials
from payops.simulator.scenario import Scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World

Open = Callable[..., "Live"]


def make_scenario(
    *,
    faults: str = "[]",
    rate: float = 4,
    warmup: str = "30m",
    options: str = "",
    success: float = 0.9,
    mode: str = "live",
) -> Scenario:
    return scenarios.parse(
        f"""
schema: payops.scenario/v1
name: a test
seed: 3
start: 2026-01-15T09:00:00Z
warmup: {warmup}
duration: 8h
providers:
  braintree: {{mode: {mode}, payments_per_minute: {rate}, success_rate: {success}{options}}}
faults: {faults}
""",
        "test.yaml",
    )


@dataclass
class Live:
    """A world at its run's start, behind a server in stepped time, and the real SDK pointed at it."""

    world: World
    server: ProviderServer
    stored: dict[str, Any]
    gateway: braintree.BraintreeGateway

    @property
    def account(self) -> BraintreeAccount:
        (account,) = self.world.accounts.values()
        assert isinstance(account, BraintreeAccount)
        return account

    def after(self, **duration: float) -> None:
        self.world.advance(self.world.start + timedelta(**duration))

    def later(self, **duration: float) -> None:
        self.world.advance(self.world.now + timedelta(**duration))

    def sdk(self, merchant_id: str, public_key: str, private_key: str) -> braintree.BraintreeGateway:
        return sdk(self.server.url, merchant_id, public_key, private_key)

    def newest(self, status: str, type_: str = "sale") -> Transaction:
        """The newest transaction of a customer in a status."""
        return next(
            row
            for row in self.account.book.newest()
            if row.status == status and row.type == type_ and row.token is not None
        )

    def notifications(self) -> list[tuple[str, str]]:
        """Signature and payload of what is due to payops's own endpoint now; each is taken."""
        found = []
        for send in self.world.due_deliveries(self.world.now):
            found.append(notification(self.world, send))
            self.world.delivered(send, self.world.now)
        return found


def notification(world: World, send: Any, at: datetime | None = None) -> tuple[str, str]:
    body, headers = kind.delivery(world.account_of(send), send, at or world.now)
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = parse_qs(body.decode("ascii"), strict_parsing=True)
    return form["bt_signature"][0], form["bt_payload"][0]


def sdk(url: str, merchant_id: str, public_key: str, private_key: str) -> braintree.BraintreeGateway:
    port = str(urlsplit(url).port)
    environment = braintree.Environment(
        "simulator", "127.0.0.1", port, "http://127.0.0.1:1", False, None, "127.0.0.1", port
    )
    return braintree.BraintreeGateway(
        braintree.Configuration(
            environment=environment,
            merchant_id=merchant_id,
            public_key=public_key,
            private_key=private_key,
            timeout=10,
            wrap_http_exceptions=True,
        )
    )


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK sends even loopback through a proxy, whatever NO_PROXY says."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def live() -> Iterator[Open]:
    """`live(faults=…, rate=…)` opens a world; everything is closed after the test."""
    servers: list[ProviderServer] = []

    def open_(**settings: Any) -> Live:
        scenario = make_scenario(**settings)
        world = World(scenario)
        world.advance(world.start)
        server = ProviderServer(world, "braintree").start()
        servers.append(server)
        (stored,) = credentials(scenario).values()
        gateway = sdk(server.url, stored["merchant_id"], stored["public_key"], stored["private_key"])
        return Live(world, server, stored, gateway)

    yield open_
    for server in servers:
        server.stop()
