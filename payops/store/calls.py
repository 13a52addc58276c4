"""Each request payops made to a provider: a day of them one by one, 30 days counted by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.events import ApiCall

from .redaction import redact_text
from .rows import epoch

if TYPE_CHECKING:
    from .store import Store

KEPT_S = 86_400
"""How long single calls are kept."""
COUNTED_S = 31 * 86_400
"""How long the hourly counts are kept: the month a budget looks back on, and a day."""
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class CallStats:
    """How the provider answered over a stretch of time. What nothing is known of is None.

    `answered` counts the answers as asked, declines included; latencies are theirs, in milliseconds.
    `skew_s` is the median of the provider's clock minus ours, to about a second.
    """

    n: int
    answered: int
    outage: int
    network: int
    rate_limited: int
    auth: int
    permission: int
    p50_ms: int | None
    p95_ms: int | None
    skew_s: int | None


class CallFacts:
    _store: Store

    def record_calls(self, account: str, calls: Sequence[ApiCall], now: datetime) -> None:
        """Keep the requests made since the last time; `now` is when they were answered, about."""
        if not calls:
            return
        here = to_epoch(now)
        with self._store.write() as db:
            db.executemany(
                "INSERT INTO api_calls (account, at, resource, taken_ms, bucket, http_status, provider_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        account,
                        here,
                        _resource(call.resource),
                        call.taken_ms,
                        call.bucket,
                        call.http_status,
                        epoch(call.provider_at),
                    )
                    for call in calls
                ],
            )
            db.execute(
                "INSERT INTO call_hours (account, hour, requests) VALUES (?, ?, ?)"
                " ON CONFLICT (account, hour) DO UPDATE SET requests = call_hours.requests + excluded.requests",
                (account, here - here % _HOUR_S, len(calls)),
            )
            db.execute("DELETE FROM api_calls WHERE account = ? AND at < ?", (account, here - KEPT_S))
            db.execute("DELETE FROM call_hours WHERE account = ? AND hour < ?", (account, here - COUNTED_S))

    def call_stats(self, account: str, since: datetime, until: datetime) -> CallStats:
        """The requests answered in (since, until], at most a day back."""
        edges = (account, to_epoch(since), to_epoch(until))
        where = " FROM api_calls WHERE account = ? AND at > ? AND at <= ?"
        with self._store.read() as db:
            counts = {
                row["bucket"]: row["n"]
                for row in db.execute(f"SELECT bucket, COUNT(*) AS n{where} GROUP BY bucket", edges)
            }
            taken = [
                row["taken_ms"]
                for row in db.execute(
                    f"SELECT taken_ms{where} AND bucket IS NULL ORDER BY taken_ms",
                    edges,
                )
            ]
            skews = [
                row["skew"]
                for row in db.execute(
                    f"SELECT provider_at - at AS skew{where} AND provider_at IS NOT NULL ORDER BY skew",
                    edges,
                )
            ]
        return CallStats(
            sum(counts.values()),
            counts.get(None, 0),
            counts.get("outage", 0),
            counts.get("network", 0),
            counts.get("rate_limit", 0),
            counts.get("auth", 0),
            counts.get("permission", 0),
            _quantile(taken, 50),
            _quantile(taken, 95),
            _quantile(skews, 50),
        )

    def reads_since(self, account: str, since: datetime) -> int:
        """Requests payops made to the account's API in the hour of `since` and after it, at most 31 days back."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT COALESCE(SUM(requests), 0) AS n FROM call_hours WHERE account = ? AND hour >= ?",
                (account, _hour(since)),
            ).fetchone()
        return int(row["n"])

    def first_call_at(self, account: str, since: datetime) -> datetime | None:
        """The first hour at or after that of `since` in which payops asked something; None = nothing since."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MIN(hour) AS hour FROM call_hours WHERE account = ? AND hour >= ?",
                (account, _hour(since)),
            ).fetchone()
        return None if row["hour"] is None else from_epoch(row["hour"])


@lru_cache(maxsize=1024)
def _resource(text: str) -> str:
    return redact_text(text)


def _hour(when: datetime) -> int:
    seconds = to_epoch(when)
    return seconds - seconds % _HOUR_S


def _quantile(ordered: Sequence[int], percent: int) -> int | None:
    """The nearest rank, a value that was really seen."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
