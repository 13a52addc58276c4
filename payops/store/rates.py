"""Acceptance and its slices: whole windows from the minute rollup, details from the first attempts."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from payops.clock import from_epoch, to_epoch
from payops.domain.blocks import BLOCKS
from payops.domain.counting import AUTHENTICATION, is_delayed
from payops.domain.money import Money, totals
from payops.domain.payments import Provider

from .counted import COUNTED, STOPPED
from .rows import at

if TYPE_CHECKING:
    from .store import Store

SliceColumn = Literal["card_brand", "country", "method", "currency"]
_SLICES: tuple[SliceColumn, ...] = ("card_brand", "country", "method", "currency")


@dataclass(frozen=True, slots=True)
class Window:
    """First attempts of a stretch of minutes, and how many of them succeeded."""

    n: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class FirstAttempt:
    """A customer's first attempt that no rule of the merchant's stopped."""

    at: datetime
    succeeded: bool
    decline_code: str | None
    card_brand: str | None
    country: str | None
    method: str | None
    amount_minor: int | None
    currency: str | None
    customer: str | None
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class Slice:
    """First attempts that share one value of a column (None = not known)."""

    value: str | None
    n: int
    failed: int


@dataclass(frozen=True, slots=True)
class Stages:
    """Attempts of a stretch of time by the stage that ended them, each as (n, succeeded).

    `attempts`: every try of a customer that no rule of the merchant's stopped. `payments`: the purchases behind them,
    paid by whichever try. `authorizations`: tries of anybody that reached an issuer. `renewals` and `dunning` are the
    provider's own tries, `delayed` those by methods that take days. `abandoned` counts what was begun and left.
    """

    attempts: Window
    payments: Window
    authorizations: Window
    renewals: Window
    dunning: Window
    delayed: Window
    abandoned: int
    authentication_failed: int


class RateFacts:
    _store: Store

    def window(self, account: str, start: datetime, end: datetime) -> Window:
        """The minutes that begin in [minute of `start`, `end`): half-open, so neighbours do not overlap.

        Minutes are whole: with `end` = now the running minute is included.
        """
        with self._store.read() as db:
            row = db.execute(
                "SELECT COALESCE(SUM(n), 0) AS n, COALESCE(SUM(succeeded), 0) AS succeeded FROM rollup"
                " WHERE account = ? AND minute >= ? AND minute < ?",
                (account, _minute(start), to_epoch(end)),
            ).fetchone()
        return Window(row["n"], row["succeeded"])

    def windows(
        self, account: str, now: datetime, spans_s: Sequence[int] = (300, 3600, 86400)
    ) -> tuple[Window, ...]:
        """First attempts of the last so many seconds, to the second: in (now - span, now], for each span.

        Whole minutes come from the rollup in one pass, the part of a minute at each far edge from the attempts.
        """
        here = to_epoch(now)
        edges = [here - span for span in spans_s]
        whole = [edge - edge % 60 + 60 for edge in edges]
        columns = ", ".join(
            "COALESCE(SUM(CASE WHEN minute >= ? THEN n END), 0),"
            " COALESCE(SUM(CASE WHEN minute >= ? THEN succeeded END), 0)"
            for _ in spans_s
        )
        found = []
        with self._store.read() as db:
            row = db.execute(
                f"SELECT {columns} FROM rollup WHERE account = ? AND minute >= ? AND minute <= ?",  # noqa: S608
                (*(start for start in whole for _ in range(2)), account, min(whole), here),
            ).fetchone()
            for index, (edge, start) in enumerate(zip(edges, whole, strict=True)):
                part = db.execute(
                    "SELECT COUNT(*), COALESCE(SUM(status = 'succeeded'), 0) FROM attempts"  # noqa: S608
                    f" WHERE account = ? AND {COUNTED} AND at > ? AND at < ?",
                    (account, edge, start),
                ).fetchone()
                found.append(Window(row[2 * index] + part[0], row[2 * index + 1] + part[1]))
        return tuple(found)

    def minutes(self, account: str, start: datetime, end: datetime) -> list[tuple[datetime, int, int]]:
        """(minute, n, succeeded) of each minute in [minute of `start`, `end`) that had a first attempt."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT minute, n, succeeded FROM rollup"
                " WHERE account = ? AND minute >= ? AND minute < ? ORDER BY minute",
                (account, _minute(start), to_epoch(end)),
            ).fetchall()
        return [(from_epoch(row["minute"]), row["n"], row["succeeded"]) for row in rows]

    def first_attempts(self, account: str, since: datetime, limit: int) -> list[FirstAttempt]:
        """The newest `limit` first attempts at or after `since`, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT at, status, decline_code, card_brand, country, method, amount_minor, currency,"  # noqa: S608
                f" customer, payment_id FROM attempts WHERE account = ? AND {COUNTED} AND at >= ?"
                " ORDER BY at DESC, attempt_id DESC LIMIT ?",
                (account, to_epoch(since), limit),
            ).fetchall()
        return [
            FirstAttempt(
                from_epoch(row["at"]),
                row["status"] == "succeeded",
                row["decline_code"],
                row["card_brand"],
                row["country"],
                row["method"],
                row["amount_minor"],
                row["currency"],
                row["customer"],
                row["payment_id"],
            )
            for row in reversed(rows)
        ]

    def first_outcomes(self, account: str, since: datetime, limit: int) -> list[bool]:
        """Whether each of the newest `limit` first attempts made since then succeeded, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT status = 'succeeded' FROM attempts WHERE account = ? AND {COUNTED} AND at >= ?"  # noqa: S608
                " ORDER BY at DESC, status DESC LIMIT ?",
                (account, to_epoch(since), limit),
            ).fetchall()
        return [bool(row[0]) for row in reversed(rows)]

    def decline_codes(self, account: str, since: datetime) -> list[tuple[str, int]]:
        """Why first attempts failed at or after `since`, most frequent first; `unknown` where not told."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT COALESCE(decline_code, 'unknown') AS code, COUNT(*) AS n FROM attempts"  # noqa: S608
                f" WHERE account = ? AND {COUNTED} AND status = 'failed' AND at >= ?"
                " GROUP BY 1 ORDER BY n DESC, code",
                (account, to_epoch(since)),
            ).fetchall()
        return [(row["code"], row["n"]) for row in rows]

    def stopped(self, account: str, start: datetime, end: datetime) -> list[tuple[str, int]]:
        """First attempts in [start, end) that the merchant's own rules stopped, by reason, most frequent first.

        They are in none of the other answers here.
        """
        with self._store.read() as db:
            rows = db.execute(
                "SELECT decline_code AS code, COUNT(*) AS n FROM attempts"  # noqa: S608
                f" WHERE account = ? AND {STOPPED} AND at >= ? AND at < ? GROUP BY 1 ORDER BY n DESC, code",
                (account, to_epoch(start), to_epoch(end)),
            ).fetchall()
        return [(row["code"], row["n"]) for row in rows]

    def stages(self, account: str, provider: Provider, start: datetime, end: datetime) -> Stages:
        """What ended at each stage in [start, end). It reads every attempt of that time: for a look, not for a tick."""
        stopped = tuple(sorted(BLOCKS[provider]))
        shy = tuple(sorted(AUTHENTICATION[provider]))
        with self._store.read() as db:
            rows = db.execute(
                "SELECT status, COALESCE(initiated_by, 'customer') AS who, COALESCE(decline_code, '') AS code,"
                " COALESCE(method, '') AS method, COALESCE(payment_id, attempt_id) AS payment, COUNT(*) AS n"
                " FROM attempts WHERE account = ? AND at >= ? AND at < ? AND status <> 'pending' GROUP BY 1, 2, 3, 4, 5",
                (account, to_epoch(start), to_epoch(end)),
            ).fetchall()
        ended = [row for row in rows if row["status"] != "canceled"]
        passed = [row for row in ended if row["code"] not in stopped]
        own = [row for row in passed if row["who"] == "customer" and not is_delayed(row["method"])]
        paid = {row["payment"] for row in own if row["status"] == "succeeded"}
        return Stages(
            attempts=_sum(own),
            payments=Window(len({row["payment"] for row in own}), len(paid)),
            authorizations=_sum([row for row in passed if row["code"] not in shy]),
            renewals=_sum([row for row in passed if row["who"] == "renewal"]),
            dunning=_sum([row for row in passed if row["who"] == "dunning"]),
            delayed=_sum([row for row in passed if is_delayed(row["method"])]),
            abandoned=sum(
                row["n"] for row in rows if row["status"] == "canceled" and row["who"] == "customer"
            ),
            authentication_failed=sum(row["n"] for row in own if row["code"] in shy),
        )

    def slices(self, account: str, since: datetime, until: datetime, column: SliceColumn) -> list[Slice]:
        """First attempts in [since, until) by the values of one column, most failures first."""
        if column not in _SLICES:
            raise ValueError(f"no slice by {column!r}")
        with self._store.read() as db:
            rows = db.execute(
                f"SELECT {column} AS value, COUNT(*) AS n, SUM(status = 'failed') AS failed FROM attempts"  # noqa: S608
                f" WHERE account = ? AND {COUNTED} AND at >= ? AND at < ?"
                " GROUP BY 1 ORDER BY failed DESC, n DESC, value",
                (account, to_epoch(since), to_epoch(until)),
            ).fetchall()
        return [Slice(row["value"], row["n"], row["failed"]) for row in rows]

    def failed_money(self, account: str, since: datetime) -> tuple[Money, ...]:
        """What the first attempts that failed at or after `since` were worth, per currency."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT currency, SUM(amount_minor) AS amount FROM attempts"  # noqa: S608
                f" WHERE account = ? AND {COUNTED} AND status = 'failed' AND at >= ?"
                " AND amount_minor IS NOT NULL AND currency IS NOT NULL GROUP BY currency",
                (account, to_epoch(since)),
            ).fetchall()
        return totals(Money(row["amount"], row["currency"].upper()) for row in rows)

    def attempts_count(self, account: str) -> int:
        """All attempts stored for the account, retries and pending ones too."""
        with self._store.read() as db:
            row = db.execute("SELECT attempts FROM account_totals WHERE account = ?", (account,)).fetchone()
        return 0 if row is None else int(row["attempts"])

    def first_seen_at(self, account: str) -> datetime | None:
        """When the oldest stored attempt was made."""
        with self._store.read() as db:
            row = db.execute("SELECT first_at FROM account_totals WHERE account = ?", (account,)).fetchone()
        return None if row is None else at(row["first_at"])


def _sum(rows: Sequence[sqlite3.Row]) -> Window:
    return Window(
        sum(row["n"] for row in rows), sum(row["n"] for row in rows if row["status"] == "succeeded")
    )


def _minute(when: datetime) -> int:
    seconds = to_epoch(when)
    return seconds - seconds % 60
