"""A great many events: memory stays as it is, and one event sent a million times is one event."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from proof import FULL, tell

from payops.receiver import Receiver

from .conftest import ACCOUNT, NOW, body, sign

EVENTS = 1_000_000 if FULL else 3_000
AT_ONCE = 128
STEADY_AFTER = EVENTS // 5
MOST_GROWTH = 24 * 1024 * 1024


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def pumped(receiver: Receiver, bodies: Iterator[bytes]) -> AsyncIterator[int]:
    """Judge and store them as the protocol does, so many at once; how many so far, now and then."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(AT_ONCE)
    failed: list[Exception] = []

    def done(error: Exception | None) -> None:
        room.release()
        if error is not None:
            failed.append(error)

    account, verifier = receiver.at_once(f"/webhooks/{ACCOUNT}".encode())
    for sent, content in enumerate(bodies):
        await room.acquire()
        judged = receiver.judge(account, verifier, content, {"stripe-signature": sign(content)})
        receiver.submit(judged, loop, done)
        if sent % 1_000 == 0:
            yield sent
    for _ in range(AT_ONCE):
        await room.acquire()
    assert failed == []


@pytest.mark.proof
async def test_memory_is_flat_over_a_million_events(receiver, store):
    steady, most = 0, 0
    async for sent in pumped(receiver, (body(n) for n in range(EVENTS))):
        if sent <= STEADY_AFTER or not steady:
            steady = resident()
        most = max(most, resident())
    assert store.inbox.counts(ACCOUNT, NOW).received == EVENTS
    assert most - steady < MOST_GROWTH
    receiver.close()
    tell(f"{EVENTS:,} events: {steady >> 20} MiB after a fifth of them, {most >> 20} MiB at most")


@pytest.mark.proof
async def test_a_million_duplicates_are_one_event(receiver, store):
    content = body(1)
    async for _ in pumped(receiver, (content for _ in range(EVENTS))):
        pass
    assert store.inbox.counts(ACCOUNT, NOW).received == 1
    row = store.inbox.row(ACCOUNT, "evt_1")
    assert row is not None and row.delivery_count == EVENTS
    assert receiver.process_pending(NOW) == 1
    receiver.close()
    tell(f"{EVENTS:,} deliveries of one event: received and processed once")
