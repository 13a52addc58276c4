"""From a loopback server to normalised payments: the PayPal feed, and the SDK's own `api.get` with plain dicts."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import paypalrestsdk

from payops.clock import utc_now
from payops.config import AccountSettings
from payops.providers import Patience, open_provider

from .harness import Figure, cpu_of, paired, python
from .paypal_pages import PATH, PER_PAGE

PAGES = 40
CLIENT = "Abenchmark" + "x" * 24


@contextmanager
def pages(count: int) -> Iterator[int]:
    """The port of a server with that many pages."""
    server = subprocess.Popen(
        python("-m", "benchmarks.paypal_pages", str(count)), stdout=subprocess.PIPE, text=True
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
        name="paypal-live",
        provider="paypal",
        mode="live",
        client_id="env:ID",
        client_secret="env:ID",
        api_base=f"http://127.0.0.1:{port}",
    )
    provider = open_provider(settings, lambda _: CLIENT, Patience(requests_per_s=None))
    now, cursor, read = utc_now(), None, 0
    # The newest window is read to its end first; the server has nothing but that one.
    while read < PAGES * PER_PAGE:
        page = provider.poll("events", cursor, now)
        cursor = page.cursor
        read += len(page.facts.attempts)
    provider.close()
    return read


def through_sdk(port: int) -> int:
    """The same pages as dicts, and nothing made of them."""
    logging.getLogger("paypalrestsdk").setLevel(logging.WARNING)
    api = paypalrestsdk.Api(
        mode="live", client_id=CLIENT, client_secret=CLIENT, endpoint=f"http://127.0.0.1:{port}"
    )
    read, query = 0, f"page_size={PER_PAGE}"
    while query:
        page = api.get(f"{PATH}?{query}")
        read += len(page["events"])
        following = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        query = following.partition("?")[2]
    return read


def figures() -> list[Figure]:
    with pages(PAGES) as port:
        expected = PAGES * PER_PAGE
        assert through_us(port) == through_sdk(port) == expected
        return [
            paired(
                f"PayPal: {expected:,} payments to values",
                lambda: cpu_of(lambda: through_us(port)),
                lambda: cpu_of(lambda: through_sdk(port)),
                "at most 1.5 x (floor: api.get, plain dicts)",
            )
        ]
