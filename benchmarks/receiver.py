"""Webhooks a second, verified and durable, against servers that do nothing and one that works as usual."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .harness import Rate, paired_rates, python
from .webhook_servers import BARE, FRAMEWORK, PAYOPS, PROCESSING, USUAL

CONNECTIONS = 32
EVENTS = {PAYOPS: 12_000, PROCESSING: 8_000, BARE: 20_000, FRAMEWORK: 20_000, USUAL: 1_500}
_TICK_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender saw: answers a second, latencies, answers by status; and the server's CPU microseconds each."""

    per_s: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    cpu_us: float


@contextmanager
def serving(name: str, folder: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The base URL and the process of a server."""
    store = Path(folder) / f"{time.monotonic_ns()}.db"
    process = subprocess.Popen(
        python("-m", "benchmarks.webhook_servers", name, str(store)), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/webhooks/stripe-live", process
    finally:
        process.kill()
        process.wait()


def send(url: str, process: subprocess.Popen[str], count: int, rate: float | None = None) -> Sent:
    before = _cpu_s(process.pid)
    said = subprocess.run(
        python(
            "-m",
            "benchmarks.webhook_sender",
            url,
            str(count),
            str(CONNECTIONS),
            *([str(rate)] if rate else []),
        ),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    told = json.loads(said.stdout)
    if told["statuses"] != {"200": count}:
        raise SystemExit(f"benchmark receiver: not all were answered 200: {told['statuses']}")
    return Sent(**told, cpu_us=1e6 * (_cpu_s(process.pid) - before) / count)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK_S


def measured(name: str) -> Sent:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, serving(name, folder) as (url, process):
        send(url, process, CONNECTIONS * 4)
        return send(url, process, EVENTS[name])


def figures() -> list[Rate]:
    if not sys.platform.startswith("linux"):
        return []
    floors = [(BARE, "stricter than the goal"), (USUAL, "goal 10")]
    if find_spec("starlette"):
        floors.insert(0, (FRAMEWORK, "goal 0.5"))
    found = [
        paired_rates(
            f"webhooks/s, durable ÷ {floor}", lambda: measured(PAYOPS), lambda f=floor: measured(f), goal
        )  # type: ignore[misc]
        for floor, goal in floors
    ]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, serving(PROCESSING, folder) as (url, process):
        rate = found[0].subject / 2
        half = send(url, process, int(rate * 4), rate)
        print(
            f"at half of that, {rate:,.0f}/s, processing: p50 {half.p50_ms:.1f} ms, p99 {half.p99_ms:.1f} ms (goal 50)"
        )
    return found
