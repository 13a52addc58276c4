"""A disk without room: what was answered is kept, what cannot be kept is refused, and afterwards all goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from payops.domain.errors import StoreError
from payops.domain.events import Delivery, WebhookEvent
from payops.store import Store

now = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
path = Path(sys.argv[1])
store = Store.open(path, now=now, seed="full")

def delivery(n):
    event = WebhookEvent("stripe-live", f"evt_{n}", "charge.failed", now, True)
    return Delivery("stripe-live", event, now, '{"x":"' + "y" * 4000 + '"}', "ab" * 32, "ok")

wal = path.with_name(path.name + "-wal")
room = max(path.stat().st_size, wal.stat().st_size if wal.exists() else 0) + 200_000
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
kept, n = [], 0
try:
    while n < 1000:
        store.inbox.receive([delivery(n)])
        kept.append(n)
        n += 1
    print("never full")
except StoreError as error:
    print("refused:", str(error).replace(str(path), "STORE"))
try:
    with store.write() as db:
        store.audit.append(db, now, "ana", "note", "inc-1", "ok", "test", {"text": "z" * 200_000})
    print("audit written")
except StoreError:
    print("audit refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.inbox.receive([delivery(n)])
kept.append(n)
found = sum(store.inbox.has("stripe-live", f"evt_{each}") for each in kept)
print("kept", found == len(kept), store.audit.verify().ok, store.quick_check())
store.close()
"""


def test_a_full_disk_refuses_and_loses_nothing_that_was_answered(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "payops.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    refused, audit, kept = done.stdout.splitlines()
    assert refused.startswith("refused: STORE: ") and "nothing of this change was stored" in refused
    assert audit == "audit refused"
    assert kept == "kept True True ()"
