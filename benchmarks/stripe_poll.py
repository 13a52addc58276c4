"""From a loopback server to normalised payments: the Stripe feed, its floor, and the SDK's own way."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import stripe

from payops.clock import utc_now
from payops.config import AccountSettings
from payops.providers import Patience, open_provider

from .harness import Figure, cpu_of, paired, python
from .stripe_pages import PER_PAGE

PAGES = 60
SDK_PAGES = 3
"""The SDK's own paging is so slow that a few pages tell."""
KEY = "rk_live_" + "x" * 24


class _Card(msgspec.Struct):
    brand: str | None = None
    country: str | None = None


class _Details(msgspec.Struct):
    type: str | None = None
    card: _Card | None = None


class _Charge(msgspec.Struct):
    """The fields an attempt cannot do without."""

    id: str
    status: str
    amount: int
    currency: str
    created: int
    customer: str | None = None
    payment_intent: str | None = None
    failure_code: str | None = None
    payment_method_details: _Details | None = None


class _Data(msgspec.Struct):
    object: _Charge


class _Event(msgspec.Struct):
    id: str
    created: int
    data: _Data


class _Page(msgspec.Struct):
    data: list[_Event]
    has_more: bool


@contextmanager
def pages(count: int) -> Iterator[int]:
    """The port of a server with that many pages."""
    server = subprocess.Popen(
        python("-m", "benchmarks.stripe_pages", str(count)), stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def through_us(port: int) -> int:
    """Payments read through the adapter to values of the domain."""
    settings = AccountSettings(
        name="stripe-live",
        provider="stripe",
        mode="live",
        api_key="env:KEY",
        api_base=f"http://127.0.0.1:{port}",
    )
    provider = open_provider(settings, lambda _: KEY, Patience(requests_per_s=None))
    now, cursor, read = utc_now(), None, 0
    while True:
        page = provider.poll("events", cursor, now)
        cursor = page.cursor
        read += len(page.facts.attempts)
        if not page.more:
            provider.close()
            return read


def through_floor(port: int) -> int:
    """The same pages with the least that could read them."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    decoder = msgspec.json.Decoder(_Page)
    read, after = 0, ""
    while True:
        connection.request("GET", f"/v1/events?limit=100{after}", headers={"Authorization": f"Bearer {KEY}"})
        page = decoder.decode(connection.getresponse().read())
        read += len(page.data)
        if not page.has_more:
            connection.close()
            return read
        after = f"&starting_after={page.data[-1].id}"


def through_sdk(port: int) -> int:
    """The same payments as the SDK's own objects."""
    stripe.enable_telemetry = False
    client = stripe.StripeClient(
        KEY,
        base_addresses={"api": f"http://127.0.0.1:{port}"},
        http_client=stripe.RequestsClient(timeout=30),
    )
    return sum(1 for _ in client.v1.events.list({"limit": 100}).auto_paging_iter())


def figures() -> list[Figure]:
    with pages(PAGES) as port, pages(SDK_PAGES) as few:
        expected = PAGES * PER_PAGE
        assert through_us(port) == through_floor(port) == expected
        assert through_sdk(few) == through_us(few) == SDK_PAGES * PER_PAGE
        return [
            paired(
                f"Stripe: {expected:,} payments to values",
                lambda: cpu_of(lambda: through_us(port)),
                lambda: cpu_of(lambda: through_floor(port)),
                "at most 6 x (floor: http.client + msgspec)",
            ),
            paired(
                f"Stripe: {SDK_PAGES * PER_PAGE} payments, the SDK's paging",
                lambda: cpu_of(lambda: through_sdk(few)),
                lambda: cpu_of(lambda: through_us(port)) * SDK_PAGES / PAGES,
                "at least 25 x (floor: payops, its share)",
            ),
        ]
