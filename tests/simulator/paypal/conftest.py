from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import paypalrestsdk
import pytest
import requests

from payops.simulator import scenario as scenarios
from payops.simulator.deliverer import Deliverer
from payops.simulator.kinds import credentials
from payops.simulator.paypal.account import PayPalAccount
from payops.simulator.scenario import Scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World


def make_scenario(
    *,
    faults: str = "[]",
    rate: float = 6,
    warmup: str = "30m",
    duration: str = "4h",
    options: str = "",
    success: float = 0.9,
    mode: str = "live",
    seed: int = 3,
) -> Scenario:
    return scenarios.parse(
        f"""
schema: payops.scenario/v1
name: a test
seed: {seed}
start: 2026-01-15T09:00:00Z
warmup: {warmup}
duration: {duration}
providers:
  paypal: {{mode: {mode}, payments_per_minute: {rate}, success_rate: {success}{options}}}
faults: {faults}
""",
        "test.yaml",
    )


@dataclass
class Shop:
    """A world at its run's start, behind a server in stepped time, and the real SDK's generic client."""

    world: World
    server: ProviderServer
    stored: dict[str, Any]
    deliverer: Deliverer
    api: paypalrestsdk.Api = field(init=False)

    def __post_init__(self) -> None:
        self.api = self.client(self.stored)

    @property
    def account(self) -> PayPalAccount:
        return cast(PayPalAccount, next(iter(self.world.accounts.values())))

    def client(self, stored: dict[str, Any]) -> paypalrestsdk.Api:
        return paypalrestsdk.Api(
            mode="live",
            client_id=stored["client_id"],
            client_secret=stored["client_secret"],
            endpoint=self.server.url,
        )

    def after(self, **duration: float) -> None:
        self.world.advance(self.world.start + timedelta(**duration))

    def deliver(self) -> int:
        return self.deliverer.deliver_due(self.world.now)

    def raw(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request with a good token, as it is answered."""
        headers = {"Authorization": f"Bearer {self.api.get_access_token()}", **more.pop("headers", {})}
        return requests.request(
            method, f"{self.server.url}{path}", headers=headers, allow_redirects=False, timeout=10, **more
        )

    def events(self, query: str = "") -> list[dict[str, Any]]:
        """All events there are, newest first, page by page."""
        size = "" if "page_size" in query else "&page_size=100"
        path = f"v1/notifications/webhooks-events?{(query + size).lstrip('&')}"
        found: list[dict[str, Any]] = []
        while True:
            page = self.api.get(path)
            found += page["events"]
            following = [each["href"] for each in page["links"] if each["rel"] == "next"]
            if not following:
                return found
            path = following[0].partition("paypal.com/")[2]

    def kinds(self) -> list[str]:
        return [event["event_type"] for event in self.events()]

    def newest(self, event_type: str) -> dict[str, Any]:
        """The newest event of a type."""
        return self.api.get(f"v1/notifications/webhooks-events?page_size=1&event_type={event_type}")[
            "events"
        ][0]

    def capture_id(self) -> str:
        """A capture that nothing has come back from."""
        fine = next(
            charge
            for charge in reversed(self.account.charges.rows)
            if charge.decline is None and self.account.shows_capture(charge) and not charge.refunds
        )
        return fine.id


def refusal(error: paypalrestsdk.exceptions.ConnectionError) -> tuple[int, str, str | None]:
    """Status, name and issue of a refusal."""
    body = error.response.json()
    details = body.get("details") or [{}]
    return error.response.status_code, body.get("name") or body["error"], details[0].get("issue")


@pytest.fixture
def shop() -> Iterator[Callable[..., Shop]]:
    """`shop(faults=…, rate=…)` opens a world; everything is closed after the test."""
    servers: list[ProviderServer] = []

    def open_(receiver: str | None = None, **settings: Any) -> Shop:
        scenario = make_scenario(**settings)
        world = World(scenario)
        world.advance(world.start)
        server = ProviderServer(world, "paypal", receiver=receiver).start()
        servers.append(server)
        stored = credentials(scenario)[scenario.account("paypal")]
        return Shop(world, server, stored, Deliverer(world, receiver))

    yield open_
    for server in servers:
        server.stop()


@pytest.fixture
def refused() -> Callable[[paypalrestsdk.exceptions.ConnectionError], tuple[int, str, str | None]]:
    return refusal


@pytest.fixture
def scenario_of() -> Callable[..., Scenario]:
    return make_scenario
