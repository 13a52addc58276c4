from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

from payops.simulator import scenario as scenarios
from payops.simulator.account import Account
from payops.simulator.kinds import credentials
from payops.simulator.scenario import Scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World

ACCOUNT = "stripe-live"


def make_scenario(
    *,
    faults: str = "[]",
    rate: float = 6,
    warmup: str = "30m",
    duration: str = "4h",
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
duration: {duration}
providers:
  stripe: {{mode: {mode}, payments_per_minute: {rate}, success_rate: {success}{options}}}
faults: {faults}
""",
        "test.yaml",
    )


@dataclass
class Live:
    """A world at its run's start, behind a server in stepped time, and the real SDK pointed at it."""

    world: World
    server: ProviderServer
    client: stripe.StripeClient
    key: str

    @property
    def account(self) -> Account:
        return self.world.accounts[ACCOUNT]

    def after(self, **duration: float) -> None:
        self.world.advance(self.world.start + timedelta(**duration))

    def sdk(self, key: str) -> stripe.StripeClient:
        return sdk(self.server.url, key)


def sdk(url: str, key: str) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": url},
        http_client=stripe.RequestsClient(timeout=(3, 10)),
        max_network_retries=0,
    )


@pytest.fixture(autouse=True)
def _quiet_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "enable_telemetry", False)


@pytest.fixture
def live() -> Iterator[Callable[..., Live]]:
    """`live(faults=…, rate=…)` opens a world; everything is closed after the test."""
    servers: list[ProviderServer] = []

    def open_(receiver: str | None = None, **settings: object) -> Live:
        scenario = make_scenario(**settings)  # type: ignore[arg-type]
        world = World(scenario)
        world.advance(world.start)
        server = ProviderServer(world, "stripe", receiver=receiver).start()
        servers.append(server)
        key = credentials(scenario)[ACCOUNT]["api_key"]
        return Live(world, server, sdk(server.url, key), key)

    yield open_
    for server in servers:
        server.stop()


@dataclass
class Receiver:
    """Something that answers webhooks with `status` and remembers them."""

    url: str = ""
    status: int = 200
    got: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.got.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}))
            self._answer()

        def do_GET(self) -> None:
            state.probes.append(self.path)
            self._answer()

        def _answer(self) -> None:
            self.send_response(state.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
