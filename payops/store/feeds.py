"""How each feed is doing: where it stands, when it last answered, what it costs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import FeedPage

from .redaction import redact_text
from .rows import at, epoch

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed. `read`, `new` and `requests` count since the store was created; `failures` since the last success."""

    account: str
    feed: str
    cursor: str | None
    ok_at: datetime | None
    tried_at: datetime | None
    data_as_of: datetime | None
    read: int
    new: int
    requests: int
    failures: int
    error_bucket: str | None
    error_code: str | None
    error_message: str | None
    error_request_id: str | None
    error_at: datetime | None
    progress: float | None
    more: bool
    wait_s: int | None
    """How long to wait after `tried_at`, before any stretching; None before it was planned."""
    cost: int | None
    """Requests one poll takes, as seen."""
    delay_s: int | None
    """How late the provider's answer may be, as the feed declares."""
    sees: str | None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What payops allows itself at one account in 30 days, what it plans to use of that, and what follows.

    `main` and `rest` are the factors on the interval of the payments feed and of all others.
    """

    account: str
    at: datetime
    allowed: int
    planned: int
    main: float
    rest: float


@dataclass(frozen=True, slots=True)
class Breaker:
    """`failures` of reaching the account in a row, over all feeds. Open since `opened_at`: then nothing is asked
    but one feed at `probe_at`."""

    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None


class FeedFacts:
    _store: Store

    def feed(self, account: str, feed: str) -> FeedState | None:
        """The feed's state, None before its first poll."""
        with self._store.read() as db:
            row = db.execute("SELECT * FROM feeds WHERE account = ? AND feed = ?", (account, feed)).fetchone()
        return None if row is None else _state(row)

    def feeds(self) -> list[FeedState]:
        """All feeds ever polled, by account and name."""
        with self._store.read() as db:
            rows = db.execute("SELECT * FROM feeds ORDER BY account, feed").fetchall()
        return [_state(row) for row in rows]

    def feed_error(self, account: str, feed: str, error: ProviderError, now: datetime) -> None:
        """Record a failed poll: cursor and data stay, the failure is counted and so is one request of the feed."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO feeds (account, feed, tried_at, requests, failures,"
                " error_bucket, error_code, error_message, error_request_id, error_at)"
                " VALUES (?1, ?2, ?3, 1, 1, ?4, ?5, ?6, ?7, ?3)"
                " ON CONFLICT (account, feed) DO UPDATE SET tried_at = excluded.tried_at,"
                " requests = feeds.requests + 1, failures = feeds.failures + 1,"
                " error_bucket = excluded.error_bucket, error_code = excluded.error_code,"
                " error_message = excluded.error_message, error_request_id = excluded.error_request_id,"
                " error_at = excluded.error_at",
                (
                    account,
                    feed,
                    to_epoch(now),
                    error.bucket,
                    error.code and redact_text(error.code),
                    redact_text(error.message),
                    error.request_id,
                ),
            )

    def plan_feed(self, account: str, feed: str, *, wait_s: int, cost: int, delay_s: int, sees: str) -> None:
        """Keep when a feed that was tried is worth asking again, what that costs, and what it declares."""
        with self._store.write() as db:
            db.execute(
                "UPDATE feeds SET wait_s = ?, cost = ?, delay_s = ?, sees = ? WHERE account = ? AND feed = ?",
                (wait_s, cost, delay_s, sees, account, feed),
            )

    def read_plan(self, account: str) -> ReadPlan | None:
        with self._store.read() as db:
            row = db.execute("SELECT * FROM read_plans WHERE account = ?", (account,)).fetchone()
        if row is None:
            return None
        return ReadPlan(
            row["account"], from_epoch(row["at"]), row["allowed"], row["planned"], row["main"], row["rest"]
        )

    def save_read_plan(self, plan: ReadPlan) -> None:
        with self._store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO read_plans (account, at, allowed, planned, main, rest)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (plan.account, to_epoch(plan.at), plan.allowed, plan.planned, plan.main, plan.rest),
            )

    def breaker(self, account: str) -> Breaker:
        """Whether the account is asked at all; closed where nothing is known."""
        with self._store.read() as db:
            row = db.execute("SELECT * FROM breakers WHERE account = ?", (account,)).fetchone()
        return (
            Breaker() if row is None else Breaker(row["failures"], at(row["opened_at"]), at(row["probe_at"]))
        )

    def save_breaker(self, account: str, breaker: Breaker) -> None:
        with self._store.write() as db:
            db.execute(
                "INSERT OR REPLACE INTO breakers (account, failures, opened_at, probe_at) VALUES (?, ?, ?, ?)",
                (account, breaker.failures, epoch(breaker.opened_at), epoch(breaker.probe_at)),
            )


def record_page(db: sqlite3.Connection, account: str, page: FeedPage, new: int, now: datetime) -> None:
    db.execute(
        "INSERT INTO feeds (account, feed, cursor, ok_at, tried_at, data_as_of, read, new, requests,"
        " progress, more) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT (account, feed) DO UPDATE SET cursor = COALESCE(excluded.cursor, feeds.cursor),"
        " ok_at = excluded.ok_at, tried_at = excluded.tried_at,"
        " data_as_of = COALESCE(excluded.data_as_of, feeds.data_as_of),"
        " read = feeds.read + excluded.read, new = feeds.new + excluded.new,"
        " requests = feeds.requests + excluded.requests, failures = 0, error_bucket = NULL,"
        " error_code = NULL, error_message = NULL, error_request_id = NULL, error_at = NULL,"
        " progress = excluded.progress, more = excluded.more",
        (
            account,
            page.feed,
            page.cursor,
            to_epoch(now),
            epoch(page.data_as_of),
            page.read,
            new,
            page.requests,
            page.progress,
            int(page.more),
        ),
    )


def _state(row: sqlite3.Row) -> FeedState:
    return FeedState(
        row["account"],
        row["feed"],
        row["cursor"],
        at(row["ok_at"]),
        at(row["tried_at"]),
        at(row["data_as_of"]),
        row["read"],
        row["new"],
        row["requests"],
        row["failures"],
        row["error_bucket"],
        row["error_code"],
        row["error_message"],
        row["error_request_id"],
        at(row["error_at"]),
        row["progress"],
        bool(row["more"]),
        row["wait_s"],
        row["cost"],
        row["delay_s"],
        row["sees"],
    )
