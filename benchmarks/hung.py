"""Three providers that accept and never answer: what a tick and quitting cost, against an engine without any."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from payops import config
from payops.clock import utc_now
from payops.engine.host import EngineHost
from payops.engine.outside import Outside
from payops.store import Store

from .harness import Figure, cpu_of, paired

TICKS_S = 6.0
ACCOUNTS = """\
schema = "payops.config/v1"
store = "payops.db"
[receiver]
port = 0
[[accounts]]
name = "stripe-live"
provider = "stripe"
mode = "live"
api_key = "env:KEY"
api_base = "{0}"
[[accounts]]
name = "braintree-live"
provider = "braintree"
mode = "live"
merchant_id = "env:KEY"
public_key = "env:KEY"
private_key = "env:KEY"
api_base = "{1}"
[[accounts]]
name = "paypal-live"
provider = "paypal"
mode = "live"
client_id = "env:KEY"
client_secret = "env:KEY"
api_base = "{2}"
"""


@contextmanager
def hung_servers() -> Iterator[list[str]]:
    """Three ports whose connections are accepted by the kernel and never read."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
            each.listen(64)
        yield [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def run_for(folder: Path, text: str) -> tuple[float, float]:
    """CPU milliseconds of some seconds of ticks, and wall milliseconds of quitting."""
    path = folder / "payops.toml"
    path.write_text(text)
    settings = config.load(str(path))
    store = Store.open(settings.store_path, now=utc_now())
    host = EngineHost(store, settings, Outside(lambda reference: "rk_live_" + "x" * 24), operator=None)
    host.start()
    used = cpu_of(lambda: time.sleep(TICKS_S))
    began = time.monotonic()
    host.stop()
    quitting = 1000 * (time.monotonic() - began)
    store.close()
    return used, quitting


def figures() -> list[Figure]:
    quits: list[float] = []

    def subject() -> float:
        with tempfile.TemporaryDirectory() as folder, hung_servers() as urls:
            used, quitting = run_for(Path(folder), ACCOUNTS.format(*urls))
            quits.append(quitting)
            return used

    def floor() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return run_for(Path(folder), ACCOUNTS.partition("[[accounts]]")[0])[0]

    figure = paired(f"{TICKS_S:.0f} s of ticks, three hung providers", subject, floor, "floor: no providers")
    print(f"quitting with three hung providers: worst of {len(quits)}: {max(quits):.0f} ms (goal 1,000)")
    return [figure]
