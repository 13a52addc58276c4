"""Runs a subject and its floor in turn, and prints the median of the paired ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Figure:
    """CPU milliseconds of subject and floor, medians, and the median paired ratio with its range."""

    name: str
    subject_ms: float
    floor_ms: float
    ratio: float
    low: float
    high: float
    goal: str

    def __str__(self) -> str:
        return (
            f"{self.name:<46} {self.subject_ms:>9.1f} ms {self.floor_ms:>9.1f} ms   "
            f"{self.ratio:>6.2f} x  [{self.low:.2f}..{self.high:.2f}]   {self.goal}"
        )


HEAD = f"{'benchmark (CPU time, median of ' + str(ROUNDS) + ')':<46} {'subject':>12} {'floor':>12}   {'ratio':>8}"


def paired(name: str, subject: Callable[[], float], floor: Callable[[], float], goal: str) -> Figure:
    """Each callable returns CPU milliseconds of one run; they run in turn so that drift hits both."""
    subject()
    floor()
    pairs = [(subject(), floor()) for _ in range(ROUNDS)]
    ratios = [a / b for a, b in pairs]
    return Figure(
        name,
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        goal,
    )


class Served(Protocol):
    """What one run of a server shows."""

    per_s: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second of subject and floor, medians, and the medians of the paired ratios in wall and in CPU time."""

    name: str
    subject: float
    floor: float
    ratio: float
    low: float
    high: float
    cpu_ratio: float
    goal: str

    def __str__(self) -> str:
        return (
            f"{self.name:<46} {self.subject:>9,.0f} /s {self.floor:>9,.0f} /s   "
            f"{self.ratio:>6.2f} x  [{self.low:.2f}..{self.high:.2f}]   {self.goal} (CPU {self.cpu_ratio:.2f})"
        )


def paired_rates(name: str, subject: Callable[[], Served], floor: Callable[[], Served], goal: str) -> Rate:
    """As `paired` for servers: more is better."""
    pairs = [(subject(), floor()) for _ in range(ROUNDS)]
    ratios = [a.per_s / b.per_s for a, b in pairs]
    return Rate(
        name,
        statistics.median(a.per_s for a, _ in pairs),
        statistics.median(b.per_s for _, b in pairs),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(b.cpu_us / a.cpu_us for a, b in pairs),
        goal,
    )


def cpu_of(work: Callable[[], object]) -> float:
    """CPU milliseconds of this process spent in `work`."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def cpu_of_process(command: Sequence[str], env: dict[str, str] | None = None) -> float:
    """CPU milliseconds (user + system) of a whole child process."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    after = os.times()
    return (
        after.children_user - before.children_user + after.children_system - before.children_system
    ) * 1000


def python(*args: str) -> list[str]:
    return [sys.executable, *args]
