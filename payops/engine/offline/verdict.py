"""The whole way from a file to what would have been told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .attempts import Attempts, first_attempts
from .replay import Judged, judge
from .rows import Skipped, read_export

READING = 0.3
"""Reading's share of the work."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an export held and what was found in it. Every row is counted, uncounted, a duplicate, a retry or skipped."""

    rows: int
    skipped: tuple[Skipped, ...]
    other_encoding: int
    attempts: Attempts
    judged: Judged


def backtest(path: Path, expected_success: float | None, progress: Callable[[float], None]) -> Verdict:
    """Judge an export; UsageError when it cannot be read. `progress` is told the share done."""
    export = read_export(path, lambda share: progress(READING * share))
    attempts = first_attempts(export.rows)
    failures = None if expected_success is None else 1.0 - expected_success
    judged = judge(
        export.columns, attempts, failures, lambda share: progress(READING + (1.0 - READING) * share)
    )
    rows = len(export.rows) + len(export.skipped)
    return Verdict(rows, tuple(export.skipped), export.other_encoding, attempts, judged)
