"""Several processes on one file, some of them killed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from payops.domain.errors import LostRace
from payops.domain.incidents import Incident
from payops.store import Store

PRELUDE = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from payops.domain.errors import LostRace
from payops.store import Store
path, now = Path(sys.argv[1]), datetime(2026, 1, 15, 9, tzinfo=UTC)
def ready():
    print("ready", flush=True)
    sys.stdin.readline()
"""
CONTEND_FOR_LEASE = """
store = Store.open(path, now=now)
me = sys.argv[2]
ready()
for second in range(40):
    lease = store.leases.acquire("engine", me, now + timedelta(seconds=second), 1)
    if lease:
        print(second, lease.token, flush=True)
"""
COUNT_UP = """
store = Store.open(path, now=now)
me = sys.argv[2]
ready()
won = lost = 0
while won < 15:
    incident = store.incidents.get("inc-1")
    try:
        store.incidents.change(incident, now, who=me, entry=f"{me} {won}", kind="assign", owner=me)
        won += 1
    except LostRace as error:
        assert "inc-1 changed meanwhile" in str(error), error
        lost += 1
print(won, lost, flush=True)
"""
OPEN_NEW = """
ready()
print(Store.open(path, now=now).identity, flush=True)
"""
RECEIVE = """
from payops.domain.events import Delivery, WebhookEvent
store = Store.open(path, now=now)
ready()
n = 0
while True:
    batch = [
        Delivery("a", WebhookEvent("a", f"evt_{n + i}", "charge.failed", now, True), now, "{}", "0", "ok")
        for i in range(3)
    ]
    store.inbox.receive(batch)
    n += 3
    with store.write() as db:
        store.audit.append(db, now, "child", "note", "x", "ok", "test", {"n": n})
    print(n, flush=True)
"""
HOLD_WRITE = """
store = Store.open(path, now=now)
with store.write() as db:
    store.switches.meta_set("half", "done")
    ready()
"""

Child = subprocess.Popen[str]


@contextlib.contextmanager
def children(script: str, path: Path, names: list[str]) -> Iterator[list[Child]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PRELUDE + script, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for child in started:
            assert child.stdout and child.stdout.readline() == "ready\n"
        yield started
    finally:
        for child in started:
            child.kill()
            child.communicate()


def go(child: Child) -> None:
    assert child.stdin
    child.stdin.write("go\n")
    child.stdin.flush()


def results(started: list[Child]) -> list[list[str]]:
    for child in started:
        go(child)
    lines = [child.communicate(timeout=60)[0].split("\n")[:-1] for child in started]
    assert [child.returncode for child in started] == [0] * len(started)
    return lines


def test_lease_has_one_holder_at_a_time_among_processes_and_tokens_only_grow(path: Path, now: datetime):
    Store.open(path, now=now).close()
    with children(CONTEND_FOR_LEASE, path, ["one", "two", "three"]) as started:
        lines = [line for output in results(started) for line in output]
    grants = sorted(tuple(map(int, line.split())) for line in lines)
    seconds, tokens = [second for second, _ in grants], [token for _, token in grants]
    assert len(set(seconds)) == len(seconds), "two processes held the lease in the same second"
    assert tokens == list(range(1, len(tokens) + 1))


def test_incident_changed_by_many_processes_loses_no_change(path: Path, now: datetime, draft: Incident):
    with Store.open(path, now=now) as store:
        assert store.incidents.open(draft, "why", now)
        with children(COUNT_UP, path, ["one", "two"]) as started:
            results(started)
        assert store.incidents.get("inc-1").version == 31
        assert len(store.incidents.timeline("inc-1")) == 31
        assert store.audit.verify().ok


def test_processes_that_create_the_store_at_once_agree_on_it(path: Path, now: datetime):
    with children(OPEN_NEW, path, ["one", "two", "three", "four"]) as started:
        identities = {line for output in results(started) for line in output}
    assert len(identities) == 1
    with Store.open_existing(path) as store:
        assert {store.identity} == identities
        assert store.quick_check() == ()


def test_what_was_acknowledged_survives_kill_9(path: Path, now: datetime):
    with Store.open(path, now=now) as watching:
        with children(RECEIVE, path, ["writer"]) as (writer,):
            go(writer)
            assert writer.stdout
            acknowledged = [int(writer.stdout.readline()) for _ in range(20)][-1]
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split("\n")[:-1])])
            writer.wait(10)
        assert watching.quick_check() == ()
    with Store.open_existing(path) as store:
        received = store.inbox.received_ids("a")
        assert received >= {f"evt_{n}" for n in range(acknowledged)}
        assert len(received) % 3 == 0, "a batch is stored whole or not at all"
        assert store.inbox.counts("a", now).received == len(received)
        assert store.audit.verify().ok
        assert store.quick_check() == ()


def test_unfinished_write_of_a_killed_process_is_gone_and_blocks_nobody(path: Path, now: datetime):
    Store.open(path, now=now).close()
    with children(HOLD_WRITE, path, ["writer"]) as (writer,):
        writer.kill()
        writer.wait(10)
    with Store.open_existing(path) as store:
        assert store.switches.meta_get("half") is None
        store.switches.meta_set("half", "mine")


def test_engine_that_was_overtaken_while_it_slept_writes_nothing(path: Path, now: datetime, draft: Incident):
    with Store.open(path, now=now) as slow, Store.open(path, now=now) as fast:
        old = slow.leases.acquire("engine", "slow", now, 10)
        assert old and fast.leases.acquire("engine", "fast", now + timedelta(seconds=11), 10)
        with slow.fenced(old), pytest.raises(LostRace, match="fast has it"):
            slow.incidents.open(draft, "why", now)
        assert fast.incidents.open_ones() == []
        assert fast.audit.verify().rows == 0
