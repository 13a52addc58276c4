"""Sends signed webhooks over kept-alive connections and prints what came of it as one JSON line.

`python -m benchmarks.webhook_sender URL COUNT CONNECTIONS [RATE]`: as fast as it is answered, or RATE a second, where
the latency is counted from the moment a request was due, not from when a connection was free for it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from typing import Any
from urllib.parse import urlsplit

import uvloop

from .webhook_events import requests


class Connection(asyncio.Protocol):
    """One request at a time; the answers are small and come with their length."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._transport: Any = None
        self._answer = b""
        self._due = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        answer = self._answer + data
        head, found, rest = answer.partition(b"\r\n\r\n")
        if not found or len(rest) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]):
            self._answer = answer
            return
        self._answer = b""
        self._run.answered(self, int(head[9:12]), time.perf_counter() - self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.lost()


class Run:
    """All connections of one run."""

    def __init__(self, to_send: list[bytes], rate: float | None) -> None:
        self._waiting = deque(to_send)
        self._rate = rate
        self._idle: list[Connection] = []
        self._late: deque[float] = deque()
        self._left = len(to_send)
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answered(self, connection: Connection, status: int, taken: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(taken)
        self._left -= 1
        if self._left == 0:
            self.ended.set_result(None)
        elif self._rate is None:
            if self._waiting:
                connection.send(self._waiting.popleft(), time.perf_counter())
        elif self._late:
            connection.send(self._waiting.popleft(), self._late.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError("the server hung up"))

    async def go(self, connections: list[Connection]) -> float:
        """Seconds from the first request to the last answer."""
        began = time.perf_counter()
        if self._rate is None:
            for connection in connections:
                connection.send(self._waiting.popleft(), began)
        else:
            self._idle = connections
            await self._pace(began, len(self._waiting), self._rate)
        await self.ended
        return time.perf_counter() - began

    async def _pace(self, began: float, count: int, rate: float) -> None:
        given_out = 0
        while given_out < count:
            now = time.perf_counter()
            while given_out < count and began + given_out / rate <= now:
                due = began + given_out / rate
                if self._idle:
                    self._idle.pop().send(self._waiting.popleft(), due)
                else:
                    self._late.append(due)
                given_out += 1
            await asyncio.sleep(0.001)


async def main(url: str, count: int, connections: int, rate: float | None) -> None:
    where = urlsplit(url)
    run = Run(requests(count, where.netloc, where.path), rate)
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: Connection(run), where.hostname, where.port))[1]
        for _ in range(connections)
    ]
    took = await run.go(opened)
    ordered = sorted(run.latencies)
    print(
        json.dumps(
            {
                "per_s": count / took,
                "p50_ms": 1000 * ordered[len(ordered) // 2],
                "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
                "statuses": run.statuses,
            }
        )
    )


if __name__ == "__main__":
    given = sys.argv[1:]
    uvloop.run(main(given[0], int(given[1]), int(given[2]), float(given[3]) if len(given) > 3 else None))
