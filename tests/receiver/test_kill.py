"""kill -9 of receivers under load: what was answered 200 is there, exactly once."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from proof import FULL, tell

from payops.clock import utc_now
from payops.receiver import Receiver
from payops.store import Store

from .conftest import ACCOUNT, SECRET, event, sign

KILLS = 100 if FULL else 3
PER_LIFE = (5, 150)
"""Events answered in one life of the receiver before it is killed."""
SENDERS = 6


class Provider:
    """Sends each event until it is answered 2xx, as Stripe does; where there are two receivers, to either."""

    def __init__(self, ports: list[int]) -> None:
        self.ports = ports
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
            tries = 0
            while not self._delivered(
                self.ports[(n + tries) % len(self.ports)], content, sign(content, at=now)
            ):
                tries += 1
                time.sleep(0.01)
            with self._lock:
                self.acknowledged.add(f"evt_{n}")

    def _delivered(self, port: int, content: bytes, signature: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
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
@pytest.mark.parametrize("receivers", [1, 2])
def test_event_answered_2xx_survives_kill(tmp_path, receivers):
    seed = 20260115
    rng = random.Random(seed)
    path = tmp_path / "payops.db"
    started = [start(path, 0) for _ in range(receivers)]
    processes, ports = [process for process, _ in started], [port for _, port in started]
    provider = Provider(ports)
    senders = [threading.Thread(target=provider.run, daemon=True) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(KILLS):
            goal = len(provider.acknowledged) + rng.randint(*PER_LIFE)
            limit = time.monotonic() + 30
            while len(provider.acknowledged) < goal:
                assert time.monotonic() < limit and all(process.poll() is None for process in processes)
                time.sleep(0.001)
            victim = rng.randrange(receivers)
            processes[victim].kill()
            processes[victim].wait()
            promised = set(provider.acknowledged)
            with_store = Store.open_existing(path)
            assert promised <= with_store.inbox.received_ids(ACCOUNT)
            assert with_store.quick_check() == ()
            with_store.close()
            processes[victim], _ = start(path, ports[victim])
        provider.finish()
        for sender in senders:
            sender.join(30)
            assert not sender.is_alive()
    finally:
        provider.finish()
        for process in processes:
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
    tell(f"seed {seed}: {KILLS} kills of {receivers}, {len(sent)} events, none lost, none doubled")
