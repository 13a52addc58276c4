"""Forwarding in real time: a hanging application holds up nobody, and what a killed process owed is taken over."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from shop import Shop, Taken
from stripe import WebhookSignature

from payops import config
from payops.clock import utc_now
from payops.config import Settings
from payops.domain.events import Delivery, WebhookEvent
from payops.engine.forwarding import TOGETHER, LiveForwarding
from payops.engine.outside import Outside
from payops.store import Store

ACCOUNT = "stripe-live"
SECRET = "whsec_1234567890abcdef"


def settings(tmp_path: Path, **urls: str) -> Settings:
    endpoints = "".join(
        f'[[accounts.endpoints]]\nname = "{name}"\nurl = "https://ops.example/webhooks/{ACCOUNT}"\n'
        f'topology = "relay"\nforward_to = "{url}"\n'
        for name, url in urls.items()
    )
    (tmp_path / "payops.toml").write_text(
        f'schema = "payops.config/v1"\nstore = "payops.db"\n[[accounts]]\nname = "{ACCOUNT}"\n'
        f'provider = "stripe"\nmode = "live"\napi_key = "env:K"\nwebhook_secrets = ["env:W"]\n{endpoints}'
    )
    return config.load(str(tmp_path / "payops.toml"))


def until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as opened:
        yield opened


@pytest.fixture
def hanging() -> Iterator[tuple[Shop, threading.Event]]:
    free = threading.Event()

    def wait(taken: Taken) -> int:
        free.wait(30)
        return 200

    with Shop(wait) as opened:
        yield opened, free
        free.set()


def receive(store: Store, forwarding: LiveForwarding, n: int) -> None:
    now = utc_now()
    event = WebhookEvent(ACCOUNT, f"evt_{n}", "charge.succeeded", now, True, f"ch_{n}")
    delivery = Delivery(ACCOUNT, event, now, "{}", "ab", "signature", forwarding.relay.owed(ACCOUNT, now))
    store.inbox.receive([delivery])
    forwarding.relay.keep(delivery, b"{}", [])


def test_an_application_that_hangs_holds_up_no_other_and_no_quitting(
    tmp_path: Path, shop: Shop, hanging: tuple[Shop, threading.Event]
) -> None:
    slow, free = hanging
    of = settings(tmp_path, quick=shop.url, slow=slow.url)
    with Store.open(of.store_path, now=utc_now()) as store:
        forwarding = LiveForwarding(store, of, Outside(lambda _: "x"), None, "here", utc_now)
        forwarding.start()
        for n in range(3 * TOGETHER):
            receive(store, forwarding, n)
        until(lambda: len(shop.taken) == 3 * TOGETHER, "the quick one has all")
        until(lambda: len(slow.taken) == TOGETHER, "the slow one is asked so much at once, and no more")
        until(lambda: store.forwards.counts(ACCOUNT, "quick").waiting == 0, "which is noted")
        assert store.forwards.counts(ACCOUNT, "slow").waiting == 3 * TOGETHER
        began = time.monotonic()
        forwarding.stop()
        assert time.monotonic() - began < 1.0
        free.set()
        until(lambda: store.forwards.counts(ACCOUNT, "slow").waiting <= 2 * TOGETHER, "tries under way end")


def test_what_a_killed_receiver_owed_is_fetched_and_forwarded_by_who_takes_over(
    tmp_path: Path, shop: Shop
) -> None:
    """Every event that was answered 2xx reaches the application, though its bytes died with the process."""
    of = settings(tmp_path, shop=shop.url)
    shop.answer = lambda taken: 503 if int(taken.headers["Payops-Event"][4:]) % 2 else 200
    env = {**os.environ, "K": "rk_live_1234567890abcdefghijkl", "W": SECRET}
    process = subprocess.Popen(
        [sys.executable, "-m", "payops", "receive", "--port", "0", "--config", str(tmp_path / "payops.toml")],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    port = urlsplit(process.stdout.readline().split()[-1]).port
    assert port is not None
    answered = []
    for n in range(10):
        thing = {"id": f"ch_{n}", "object": "charge"}
        body = json.dumps(
            {
                "id": f"evt_{n}",
                "object": "event",
                "type": "charge.succeeded",
                "created": int(time.time()),
                "livemode": True,
                "data": {"object": thing},
            }
        )
        signature = WebhookSignature.generate_signature_header(body, SECRET, timestamp=int(time.time()))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", f"/webhooks/{ACCOUNT}", body, {"Stripe-Signature": signature})
        if connection.getresponse().status == 200:
            answered.append(f"evt_{n}")
        connection.close()
    until(lambda: len(shop.taken) == 10, "each was tried once from memory")
    process.send_signal(signal.SIGKILL)
    process.wait()
    fetched: list[str] = []
    with Store.open(of.store_path, now=utc_now()) as store:
        owed = {row.event_id for row in store.forwards.listing(ACCOUNT, "shop", "waiting")}
        assert owed >= {event_id for event_id in answered if int(event_id[4:]) % 2}
        shop.answer = lambda taken: 200

        def fetch(account: str, event_id: str, now: object) -> bytes:
            fetched.append(event_id)
            return json.dumps({"id": event_id}).encode()

        later = timedelta(minutes=5)
        engine = LiveForwarding(
            store, of, Outside(lambda _: "x"), fetch, "engine", lambda: utc_now() + later, lambda: True
        )
        engine.start()
        until(lambda: store.forwards.counts(ACCOUNT, "shop").waiting == 0, "all of it is taken")
        engine.stop()
        assert store.forwards.delivered_ids(ACCOUNT, "shop") == set(answered)
    assert len(answered) == 10 and set(fetched) == owed
    assert {json.loads(taken.body)["id"] for taken in shop.taken} == set(answered)
