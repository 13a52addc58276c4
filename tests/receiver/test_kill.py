"""kill -9 of a receiver under load: what was answered 200 is there, exactly once."""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from payops.clock import utc_now
from payops.receiver import Receiver
from payops.store import Store

from .conftest import ACCOUNT, SECRET, event, sign

FULL = os.environ.get("PAYOPS_PROOF") == "full"
KILLS = 100 if FULL else 3
PER_LIFE = (5, 150)
"""Events answered in one life of the receiver before it is killed."""
SENDERS = 6


class Provider:
    """Sends each event until it is answered 2xx, as Stripe does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.acknowledged: set[str] = set()
        self.given_out = 0
        self._lock = threading.Lock()
        self._last = threading.Event()

    def finish(self) -> None:
        self._last.set()

    def run(self) -> None:
        while not self._last.is_set():
            with self._lock:
                n = self.given_out
                self.given_out += 1
            now = int(time.time())
            content = json.dumps(event(n, created=now)).encode()
            while not self._delivered(content, sign(content, at=now)):
                time.sleep(0.01)
            with self._lock:
                self.acknowledged.add(f"evt_{n}")

    def _delivered(self, content: bytes, signature: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", f"/webhooks/{ACCOUNT}", content, {"Stripe-Signature": signature})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def start(path: Path, port: int) -> tuple[subprocess.Popen[str], int]:
    child = Path(__file__).with_name("child.py")
    process = subprocess.Popen(
        [sys.executable, str(child), str(path), str(port), ACCOUNT, SECRET], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.proof
def test_event_answered_2xx_survives_kill(tmp_path):
    seed = 20260115
    rng = random.Random(seed)
    path = tmp_path / "payops.db"
    process, port = start(path, 0)
    provider = Provider(port)
    senders = [threading.Thread(target=provider.run, daemon=True) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(KILLS):
            goal = len(provider.acknowledged) + rng.randint(*PER_LIFE)
            limit = time.monotonic() + 30
            while len(provider.acknowledged) < goal:
                assert time.monotonic() < limit and process.poll() is None
                time.sleep(0.001)
            process.kill()
            process.wait()
            promised = set(provider.acknowledged)
            with_store = Store.open_existing(path)
            assert promised <= with_store.inbox.received_ids(ACCOUNT)
            assert with_store.quick_check() == ()
            with_store.close()
            process, _ = start(path, port)
        provider.finish()
        for sender in senders:
            sender.join(30)
            assert not sender.is_alive()
    finally:
        provider.finish()
        process.kill()
        process.wait()
    store = Store.open_existing(path)
    Receiver(store, {}, utc_now).process_pending(utc_now())
    sent = {f"evt_{n}" for n in range(provider.given_out)}
    assert provider.acknowledged == sent == store.inbox.received_ids(ACCOUNT)
    assert store.inbox.counts(ACCOUNT, utc_now()).received == len(sent)
    processed = store.inbox.processed_ids(ACCOUNT)
    assert store.facts.attempts_count(ACCOUNT) == len(processed)
    with store.read() as db:
        assert db.execute("SELECT COUNT(*) FROM inbox").fetchone()[0] == len(sent)
    store.close()
    print(f"seed {seed}: {KILLS} kills, {len(sent)} events, none lost, none doubled")
