from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from stripe import WebhookSignature

from payops.config import AccountSettings
from payops.providers import open_verifier
from payops.receiver import Receiver, serve
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
T0 = int(NOW.timestamp())
SECRET = "whsec_receiver_test"
ACCOUNT = "stripe-live"


def event(n: int, *, created: int = T0, livemode: bool = True, **charge) -> dict:
    thing = {
        "id": f"ch_{n}",
        "object": "charge",
        "created": created,
        "livemode": livemode,
        "amount": 1999,
        "currency": "eur",
        "status": "succeeded",
        "customer": f"cus_{n}",
        "payment_intent": f"pi_{n}",
        **charge,
    }
    return {
        "id": f"evt_{n}",
        "object": "event",
        "type": "charge.succeeded",
        "created": created,
        "livemode": livemode,
        "pending_webhooks": 1,
        "data": {"object": thing},
    }


def body(n: int, **over) -> bytes:
    return json.dumps(event(n, **over)).encode()


def sign(content: bytes, secret: str = SECRET, at: int = T0) -> str:
    return WebhookSignature.generate_signature_header(content.decode(), secret, timestamp=at)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta) -> None:
        self.now += timedelta(**delta)


class Sender:
    """Plain HTTP/1.1 to the receiver, one kept-alive connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def request(self, method: str, path: str, content=None, headers=None, **kind) -> tuple[int, bytes]:
        self._connection.request(method, path, content, headers or {}, **kind)
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        self._connection.close()

    def post(self, content: bytes, signature: str | None = "", path: str = f"/webhooks/{ACCOUNT}") -> int:
        header = sign(content) if signature == "" else signature
        return self.request("POST", path, content, {"Stripe-Signature": header} if header else {})[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "payops.db", now=NOW, seed="receiver")
    yield opened
    opened.close()


@pytest.fixture
def verifiers():
    account = AccountSettings.model_validate(
        {
            "name": ACCOUNT,
            "provider": "stripe",
            "mode": "live",
            "api_key": "env:K",
            "webhook_secrets": ["env:W"],
        }
    )
    return {ACCOUNT: open_verifier(account, lambda _: SECRET)}


@pytest.fixture
def receiver(store, verifiers, clock) -> Receiver:
    return Receiver(store, verifiers, clock)


class Front:
    """One server for many tests: hands every request to the receiver of the test that runs."""

    def __init__(self) -> None:
        self.receiver: Receiver | None = None

    async def __call__(self, scope, receive, send) -> None:
        await self.receiver(scope, receive, send)

    def __getattr__(self, name):
        return getattr(self.receiver, name)

    def close(self, timeout_s: float) -> None:
        return


@pytest.fixture(scope="session")
def front():
    app = Front()
    server = serve(app)
    yield app, server
    server.stop()


@pytest.fixture
def running(front, receiver):
    app, server = front
    app.receiver = receiver
    yield server
    receiver.close()


@pytest.fixture
def sender(running) -> Iterator[Sender]:
    opened = Sender(running.port)
    yield opened
    opened.close()
