from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from payops.config import AccountSettings
from payops.providers import Patience, open_provider
from payops.simulator import scenario as scenarios
from payops.simulator.kinds import credentials, kind
from payops.simulator.server import ProviderServer
from payops.simulator.world import World

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
NAME = "paypal-live"
CLIENT, SECRET = "AfakeClientIdOfTheMonitor4f2a", "EfakeSecretOfTheMonitor77xy"
SECRETS = {
    "env:ID": CLIENT,
    "env:SECRET": SECRET,
    "env:HOOK": "8AB12345CD678901E",
    "env:ID2": "AfakeClientIdOfTheFallback9b1c",
    "env:SECRET2": "EfakeSecretOfTheFallback00zz",
    "env:APP": "AfakeClientIdOfTheShop1111:EfakeSecretOfTheShop2222",
}
Reply = tuple[int, dict[str, str], bytes]
WEBHOOK_EVENTS = "/v1/notifications/webhooks-events"


@dataclass
class Request:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


def reply(value: object, status: int = 200, **headers: str) -> Reply:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return status, {"PayPal-Debug-Id": "dbg1", **{k.replace("_", "-"): v for k, v in headers.items()}}, body


def error(status: int, name: str, issue: str | None = None, message: str = "no", **headers: str) -> Reply:
    body = {"name": name, "message": message, "debug_id": "dbg1"}
    if issue:
        body["details"] = [{"issue": issue, "description": message}]
    return reply(body, status, **headers)


def token(n: int = 1, **over: object) -> Reply:
    return reply(
        {
            "access_token": f"A21AAfake{n}",
            "token_type": "Bearer",
            "expires_in": 32400,
            "scope": "openid https://uri.paypal.com/services/applications/webhooks",
            "app_id": "APP-1OWN",
            **over,
        }
    )


@dataclass
class Scripted:
    """A loopback server that answers what the test scripts, and remembers what it was asked.

    It gives out tokens `A21AAfake1`, `A21AAfake2`, … unless `token` says otherwise.
    """

    answer: Callable[[Request], Reply] = lambda _: reply({})
    token: Callable[[int], Reply] = token
    asked: list[Request] = field(default_factory=list)
    tokens: int = 0
    url: str = ""

    def respond(self, request: Request) -> Reply:
        self.asked.append(request)
        if request.path == "/v1/oauth2/token":
            self.tokens += 1
            return self.token(self.tokens)
        return self.answer(request)

    def paths(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.asked]


@pytest.fixture
def paypal() -> Iterator[Scripted]:
    scripted = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, url.path, dict(parse_qsl(url.query)), headers, body)
            status, sent, content = scripted.respond(request)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **sent}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    yield scripted
    server.shutdown()
    server.server_close()


def settings(api_base: str, **over: object) -> AccountSettings:
    fields = {
        "name": NAME,
        "provider": "paypal",
        "mode": "live",
        "client_id": "env:ID",
        "client_secret": "env:SECRET",
        "webhook_id": "env:HOOK",
        "application_credential": "env:APP",
        "fallback_credentials": [{"client_id": "env:ID2", "client_secret": "env:SECRET2"}],
        "api_base": api_base,
        **over,
    }
    return AccountSettings.model_validate(fields)


@pytest.fixture
def opened(paypal):
    """An adapter on the scripted server; patient, so that a loaded machine changes nothing."""
    providers = []

    def opener(*, secrets=None, **over):
        provider = open_provider(
            settings(**{"api_base": paypal.url, **over}),
            {**SECRETS, **(secrets or {})}.__getitem__,
            Patience(10.0, 30.0, requests_per_s=None),
        )
        providers.append(provider)
        return provider

    yield opener
    for provider in providers:
        provider.close()


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def capture(n: int, at: datetime, **over: object) -> dict:
    return {
        "id": f"CAP{n}",
        "status": "COMPLETED",
        "amount": {"currency_code": "EUR", "value": "19.99"},
        "create_time": iso(at),
        "update_time": iso(at),
        "supplementary_data": {"related_ids": {"order_id": f"ORD{n}"}},
        "links": [{"href": f"https://api.paypal.com/v2/payments/captures/CAP{n}", "rel": "self"}],
        **over,
    }


def event(n: int, at: datetime, kind: str = "PAYMENT.CAPTURE.COMPLETED", resource=None, **over) -> dict:
    return {
        "id": f"WH-{n}",
        "event_type": kind,
        "create_time": iso(at),
        "resource_type": "capture",
        "resource": capture(n, at) if resource is None else resource,
        "links": [{"href": f"https://api.paypal.com{WEBHOOK_EVENTS}/WH-{n}", "rel": "self"}],
        **over,
    }


def listing(events: list[dict], page_size: int = 3) -> Callable[[Request], Reply]:
    """PayPal's event list over `events`: newest first, by time, paged by links that lead to another host."""

    def answer(request: Request) -> Reply:
        if request.path != WEBHOOK_EVENTS:
            return error(404, "RESOURCE_NOT_FOUND")
        start, end = request.params["start_time"], request.params["end_time"]
        hits = [each for each in events if start <= each["create_time"] <= end]
        hits.sort(key=lambda each: (each["create_time"], each["id"]), reverse=True)
        first = int(request.params.get("page_token", "0"))
        links = []
        if first + page_size < len(hits):
            query = f"start_time={start}&end_time={end}&page_size=3&page_token={first + page_size}"
            links = [{"rel": "next", "href": f"https://api.paypal.com{WEBHOOK_EVENTS}?{query}"}]
        return reply({"events": hits[first : first + page_size], "count": len(hits), "links": links})

    return answer


SCENARIO = """
schema: payops.scenario/v1
name: adapter
seed: 5
start: 2026-01-15T09:00:00Z
warmup: {warmup}
duration: 6h
providers:
  paypal: {{mode: live, payments_per_minute: {rate}, success_rate: 0.9, fallback_credential: true,
    application_credential: true}}
faults: {faults}
"""


class Bench:
    """A simulated PayPal in stepped time, and adapters on it."""

    def __init__(self, faults: str = "[]", *, warmup: str = "2h", rate: int = 2) -> None:
        scenario = scenarios.parse(SCENARIO.format(faults=faults, warmup=warmup, rate=rate), "test.yaml")
        self.world = World(scenario)
        self.world.advance(self.world.start)
        self.account = self.world.accounts[NAME]
        self.server = ProviderServer(self.world, "paypal").start()
        self.keys = credentials(scenario)[NAME]
        spare = self.keys["fallback_credentials"][0]
        self.secrets = {
            "env:ID": self.keys["client_id"],
            "env:SECRET": self.keys["client_secret"],
            "env:HOOK": self.keys["webhook_id"],
            "env:ID2": spare["client_id"],
            "env:SECRET2": spare["client_secret"],
            "env:HOOK2": spare["webhook_id"],
            "env:APP": self.keys["application_credential"],
        }
        fallback = {"client_id": "env:ID2", "client_secret": "env:SECRET2", "webhook_id": "env:HOOK2"}
        self.settings = settings(
            self.server.url, webhook_ca=self.keys["webhook_ca"], fallback_credentials=[fallback]
        )
        self.provider = open_provider(
            self.settings, self.secrets.__getitem__, Patience(10.0, 30.0, requests_per_s=None, stated=True)
        )

    @property
    def now(self) -> datetime:
        return self.world.now

    def after(self, **duration: int) -> None:
        self.world.advance(self.world.start + timedelta(**duration))

    def read(self, feed: str, cursor: str | None = None) -> list:
        pages = []
        for _ in range(500):
            pages.append(self.provider.poll(feed, cursor, self.now))
            cursor = pages[-1].cursor
            if not pages[-1].more:
                return pages
        raise AssertionError("reading does not end")

    def deliveries(self) -> list[tuple[bytes, dict[str, str]]]:
        """What is due to our endpoint, signed; nothing of it is answered."""
        signed = [
            kind("paypal").delivery(self.account, send, self.now)
            for send in self.world.due_deliveries(self.now)
        ]
        return [(body, {name.lower(): value for name, value in headers.items()}) for body, headers in signed]

    def close(self) -> None:
        self.provider.close()
        self.server.stop()


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    opened: list[Bench] = []

    def opener(*args: str, **over: object) -> Bench:
        opened.append(Bench(*args, **over))
        return opened[-1]

    yield opener
    for each in opened:
        each.close()
