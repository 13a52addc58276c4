"""The `backtest --json` document, as INTERFACE.md states it."""

from __future__ import annotations

from typing import Any

from payops.clock import from_epoch, iso, iso_or_none

from .alarms import Told
from .findings import Toll
from .verdict import Verdict


def document(verdict: Verdict) -> dict[str, Any]:
    """Counts and alarms. An alarm's numbers are those at `at`; `in_all` holds them until it recovered or the end."""
    attempts, judged = verdict.attempts, verdict.judged
    return {
        "rows": verdict.rows,
        "counted": len(attempts.counted),
        "uncounted": attempts.uncounted,
        "duplicates": attempts.duplicates,
        "retries": attempts.retries,
        "skipped": [{"line": one.line, "reason": one.reason} for one in verdict.skipped],
        "streams": judged.streams,
        "alarms": [_alarm(told) for told in judged.alarms],
        "watches": judged.watches,
        "recoveries": sum(told.recovered_us is not None for told in judged.alarms),
    }


def _alarm(told: Told) -> dict[str, Any]:
    located = told.alarm.located
    return {
        "at": iso(from_epoch(told.at_us / 1_000_000)),
        "onset": iso(from_epoch(told.onset_us / 1_000_000)),
        "slice": dict(told.alarm.slice),
        **_toll(told.toll),
        "evidence_years": float(f"{told.alarm.evidence_years:.6g}"),
        "recovered_at": iso_or_none(
            from_epoch(told.recovered_us / 1_000_000) if told.recovered_us is not None else None
        ),
        "or_slice": dict(located.runner_up.slice) if located and located.runner_up else None,
        "codes": [
            {"code": code.code, "observed": code.observed, "expected": round(code.expected, 2)}
            for code in told.in_all.codes[:5]
        ],
        "in_all": _toll(told.in_all),
    }


def _toll(toll: Toll) -> dict[str, Any]:
    return {
        "observed": toll.observed,
        "failed": toll.failed,
        "expected": round(toll.expected, 2),
        "money": [
            {"currency": loss.currency, "lost_minor": loss.lost_minor, "se_minor": loss.se_minor}
            for loss in toll.money
        ],
    }
