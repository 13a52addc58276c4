from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from payops.config import AccountSettings
from payops.providers import Patience, open_provider

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
T0 = int(NOW.timestamp())
KEY = "rk_live_abcdefghijklmnop4f2a"
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Request:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class Stripe:
    """A loopback server that answers what the test scripts, and remembers what it was asked."""

    answer: Callable[[Request], Reply | Callable] = lambda _: reply({})
    asked: list[Request] = field(default_factory=list)
    url: str = ""

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.asked]


def reply(value: object, status: int = 200, **headers: str) -> Reply:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return status, {"Request-Id": "req_1", **{k.replace("_", "-"): v for k, v in headers.items()}}, body


def error(
    status: int, message: str = "no", code: str | None = None, kind: str = "api_error", **headers
) -> Reply:
    return reply({"error": {"type": kind, "message": message, "code": code}}, status, **headers)


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    scripted = Stripe()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            url = urlsplit(self.path)
            request = Request(
                self.command,
                url.path,
                dict(parse_qsl(url.query) + parse_qsl(body)),
                {name.lower(): value for name, value in self.headers.items()},
            )
            scripted.asked.append(request)
            answer = scripted.answer(request)
            if callable(answer):
                self.close_connection = True
                answer(self)
                return
            status, headers, content = answer
            self.send_response_only(status)  # no Date but a scripted one
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_port}"
    yield scripted
    server.shutdown()
    server.server_close()


def settings(api_base: str, **over) -> AccountSettings:
    fields = {
        "name": "stripe-live",
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "api_base": api_base,
        "fallback_credentials": [{"api_key": "env:KEY2"}],
        **over,
    }
    return AccountSettings.model_validate(fields)


SECRETS = {"env:KEY": KEY, "env:KEY2": "rk_live_zyxwvutsrqponmlk9b1c"}


@pytest.fixture
def open_account(stripe):
    """An adapter on the scripted server; patient, so that a loaded machine changes nothing."""
    opened = []

    def opener(*, secrets=None, timeout_s=(10.0, 30.0), **over):
        provider = open_provider(
            settings(over.pop("api_base", stripe.url), **over),
            {**SECRETS, **(secrets or {})}.__getitem__,
            Patience(*timeout_s, requests_per_s=None),
        )
        opened.append(provider)
        return provider

    yield opener
    for provider in opened:
        provider.close()


def charge_event(n: int, created: int, *, livemode: bool = True, **charge) -> dict:
    return {
        "id": f"evt_{n}",
        "object": "event",
        "type": "charge.succeeded",
        "created": created,
        "livemode": livemode,
        "pending_webhooks": 0,
        "data": {
            "object": {
                "id": f"ch_{n}",
                "object": "charge",
                "created": created,
                "livemode": livemode,
                "amount": 1999,
                "currency": "eur",
                "status": "succeeded",
                "customer": "cus_1",
                "payment_intent": f"pi_{n}",
                "payment_method_details": {"type": "card", "card": {"brand": "visa", "country": "DE"}},
                **charge,
            }
        },
    }


def listing(events: list[dict]) -> Callable[[Request], Reply]:
    """Stripe's event list over `events`, as far as the adapter uses it."""

    def answer(request: Request) -> Reply:
        if request.path == "/v1/balance":
            return reply({"object": "balance", "livemode": True})
        if request.path != "/v1/events":
            return error(404, "no such path")
        ordered = sorted(events, key=lambda event: (-event["created"], event["id"]))
        after = request.params.get("starting_after")
        if after is not None:
            ids = [event["id"] for event in ordered]
            if after not in ids:
                return error(404, f"No such event: '{after}'", "resource_missing", "invalid_request_error")
            ordered = ordered[ids.index(after) + 1 :]
        gte = int(request.params.get("created[gte]", 0))
        lte = int(request.params.get("created[lte]", 2**40))
        hits = [event for event in ordered if gte <= event["created"] <= lte]
        limit = int(request.params["limit"])
        return reply({"object": "list", "data": hits[:limit], "has_more": len(hits) > limit})

    return answer
