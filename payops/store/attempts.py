"""Attempts, which of them are first attempts, and the minute rollup the rates are read from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from payops.clock import to_epoch
from payops.domain.attempts import COUNTED, RETRY_WINDOW_S, Tried, mark_first, state_rank
from payops.domain.payments import Attempt

from .redaction import redact_text
from .rows import epoch
from .streams import COUNTED as COUNTED_FIRST

_COLUMNS = (
    "attempt_id, at, status, changed_at, payment_id, customer, amount_minor, currency,"
    " decline_code, method, card_brand, country,"
    " initiated_by, captured, capture_before, amount_refunded_minor, order_id"
)
_WIDTH = _COLUMNS.count(",") + 1
_MARKS = ", ".join("?" * _WIDTH)
_LINKED = "attempts.id, attempt_id, at, status, payment_id, customer, amount_minor, currency, attempts.first"
_AT, _STATUS, _CHANGED_AT = 1, 2, 3
_GROUPING = slice(4, 8)
_Values = tuple[Any, ...]


def apply_attempts(db: sqlite3.Connection, account: str, attempts: Iterable[Attempt]) -> tuple[int, int]:
    """Store what was seen of these attempts; returns how many were new and how many changed.

    Of all states ever seen of one attempt the greatest by `state_rank` stays, so neither the order in which
    pages arrive nor how they are cut matters, for the rows as for the first-attempt flags and the rollup.
    """
    best: dict[str, _Values] = {}
    for attempt in attempts:
        values = _values(attempt)
        known = best.get(attempt.attempt_id)
        if known is None or _rank(values) > _rank(known):
            best[attempt.attempt_id] = values
    if not best:
        return 0, 0
    stored = {
        row["attempt_id"]: row
        for row in db.execute(
            f"SELECT {_COLUMNS}, id, first FROM attempts"  # noqa: S608
            " WHERE account = ? AND attempt_id IN (SELECT value FROM json_each(?))",
            (account, json.dumps(list(best))),
        )
    }
    new = [values for attempt_id, values in best.items() if attempt_id not in stored]
    changed = [
        (stored[attempt_id], values)
        for attempt_id, values in best.items()
        if attempt_id in stored and _rank(values) > _rank(tuple(stored[attempt_id])[:_WIDTH])
    ]
    if not new and not changed:
        return 0, 0
    db.executemany(
        f"INSERT INTO attempts (account, {_COLUMNS}) VALUES (?, {_MARKS})",  # noqa: S608
        [(account, *values) for values in new],
    )
    db.executemany(
        f"UPDATE attempts SET ({_COLUMNS}) = ({_MARKS}) WHERE id = ?",  # noqa: S608
        [(*values, row["id"]) for row, values in changed],
    )
    _count(db, account, new)
    touched = [*new, *(values for _, values in changed), *(tuple(row)[:_WIDTH] for row, _ in changed)]
    minutes = {_minute(values[_AT]) for values in touched}
    minutes |= _regroup(db, account, [values for values in touched if values[_STATUS] in COUNTED])
    _roll_up(db, account, minutes)
    return len(new), len(changed)


def _values(attempt: Attempt) -> _Values:
    return (
        attempt.attempt_id,
        to_epoch(attempt.at),
        attempt.status,
        to_epoch(attempt.changed_at),
        attempt.payment_id and redact_text(attempt.payment_id),
        attempt.customer and redact_text(attempt.customer),
        attempt.amount_minor,
        attempt.currency,
        _word(attempt.decline_code),
        _word(attempt.method),
        _word(attempt.card_brand),
        attempt.country,
        attempt.initiated_by,
        None if attempt.captured is None else int(attempt.captured),
        epoch(attempt.capture_before),
        attempt.amount_refunded_minor,
        attempt.order_id and redact_text(attempt.order_id),
    )


@lru_cache(maxsize=1024)
def _word(text: str | None) -> str | None:
    """A column of few different values: each is masked once."""
    return text and redact_text(text)


def _rank(values: _Values) -> tuple[Any, ...]:
    # The rest only makes the order total: two different states never rank the same.
    rest = (values[_AT], *values[_GROUPING], *values[8:])
    return (
        *state_rank(values[_STATUS], values[_CHANGED_AT]),
        *((v is not None, v or 0 if isinstance(v, int) else v or "") for v in rest),
    )


def _count(db: sqlite3.Connection, account: str, new: Sequence[_Values]) -> None:
    if new:
        db.execute(
            "INSERT INTO account_totals (account, attempts, first_at) VALUES (?, ?, ?)"
            " ON CONFLICT (account) DO UPDATE SET attempts = attempts + excluded.attempts,"
            " first_at = MIN(COALESCE(first_at, excluded.first_at), excluded.first_at)",
            (account, len(new), min(values[_AT] for values in new)),
        )


def _regroup(db: sqlite3.Connection, account: str, touched: Sequence[_Values]) -> set[int]:
    """Judge again which attempts are first, as far as `touched` can matter; returns the minutes that changed.

    A verdict depends on earlier rows alone, so what is before the earliest touched row stands and only gives
    context. What is needed is every row linked to a touched one by payment (however old) or by customer (from
    an hour before), and for an old failed row so found, what may have closed its purchase within its hour.
    """
    if not touched:
        return set()
    start = min(values[_AT] for values in touched)
    rows = _linked(db, account, touched, start)
    for old in [row for row in rows.values() if row["first"] and _may_be_closed_unseen(row, start)]:
        rows |= _of_customers(db, account, [(old["customer"], old["at"], old["at"] + RETRY_WINDOW_S)])
    ordered = list(rows.values())
    verdicts = mark_first(
        Tried(
            row["at"],
            row["attempt_id"],
            row["status"],
            row["payment_id"],
            row["customer"],
            row["amount_minor"],
            row["currency"],
            None if row["at"] >= start else bool(row["first"]),
        )
        for row in ordered
    )
    flipped = [
        (int(first), row["id"], row["at"])
        for row, first in zip(ordered, verdicts, strict=True)
        if row["at"] >= start and bool(row["first"]) != first
    ]
    db.executemany("UPDATE attempts SET first = ? WHERE id = ?", [flip[:2] for flip in flipped])
    return {_minute(at) for _, _, at in flipped}


def _may_be_closed_unseen(row: sqlite3.Row, start: int) -> bool:
    return row["status"] == "failed" and bool(row["customer"]) and row["at"] < start - RETRY_WINDOW_S


def _linked(
    db: sqlite3.Connection, account: str, touched: Sequence[_Values], start: int
) -> dict[int, sqlite3.Row]:
    """Every row that shares a payment, or a customer within the hour, with a touched row or one so found."""
    rows: dict[int, sqlite3.Row] = {}
    # A touched row without payment and customer is linked to nothing, not even found by the two look-ups.
    alone = [values[0] for values in touched if not values[4] and not values[5]]
    if alone:
        rows.update(_select(db, "attempt_id IN (SELECT value FROM json_each(?))", account, json.dumps(alone)))
    payments: set[str] = set()
    spans: dict[str, tuple[int, int]] = {}
    edge = [(values[_AT], values[4], values[5]) for values in touched]
    while edge:
        found = _of_payments(db, account, {payment for _, payment, _ in edge if payment} - payments)
        found |= _of_customers(db, account, _widen(spans, edge, start - RETRY_WINDOW_S))
        payments |= {payment for _, payment, _ in edge if payment}
        edge = [
            (row["at"], row["payment_id"], row["customer"]) for key, row in found.items() if key not in rows
        ]
        rows |= found
    return rows


def _widen(
    spans: dict[str, tuple[int, int]], edge: Iterable[tuple[int, str | None, str | None]], floor: int
) -> list[tuple[str, int, int]]:
    """Widen each customer's span to an hour around its rows, not before `floor`; returns what grew."""
    grown: dict[str, tuple[int, int]] = {}
    for at, _, customer in edge:
        if customer and at >= floor:
            low, high = spans.get(customer, (at, at))
            wider = min(low, max(floor, at - RETRY_WINDOW_S)), max(high, at + RETRY_WINDOW_S)
            if wider != spans.get(customer):
                spans[customer] = grown[customer] = wider
    return [(customer, *span) for customer, span in grown.items()]


def _of_payments(db: sqlite3.Connection, account: str, payments: Iterable[str]) -> dict[int, sqlite3.Row]:
    wanted = json.dumps(sorted(payments))
    return _select(db, "payment_id IN (SELECT value FROM json_each(?))", account, wanted)


def _of_customers(
    db: sqlite3.Connection, account: str, spans: Sequence[tuple[str, int, int]]
) -> dict[int, sqlite3.Row]:
    """Rows of each (customer, first second, last second)."""
    return _rows(
        db.execute(
            f"SELECT {_LINKED} FROM json_each(?) AS span CROSS JOIN attempts"  # noqa: S608
            " ON account = ? AND customer = json_extract(span.value, '$[0]')"
            " AND at >= json_extract(span.value, '$[1]') AND at <= json_extract(span.value, '$[2]')",
            (json.dumps(spans), account),
        )
    )


def _select(db: sqlite3.Connection, where: str, account: str, *values: object) -> dict[int, sqlite3.Row]:
    return _rows(
        db.execute(f"SELECT {_LINKED} FROM attempts WHERE account = ? AND {where}", (account, *values))  # noqa: S608
    )


def _rows(found: Iterable[sqlite3.Row]) -> dict[int, sqlite3.Row]:
    return {row["id"]: row for row in found}


def _roll_up(db: sqlite3.Connection, account: str, minutes: Iterable[int]) -> None:
    """Count these minutes anew from the first attempts that acceptance counts."""
    dirty = json.dumps(sorted(minutes))
    db.execute(
        "DELETE FROM rollup WHERE account = ? AND minute IN (SELECT value FROM json_each(?))",
        (account, dirty),
    )
    db.execute(
        "INSERT INTO rollup (account, minute, n, succeeded)"  # noqa: S608
        " SELECT ?1, dirty.value, COUNT(*), SUM(attempts.status = 'succeeded')"
        " FROM json_each(?2) AS dirty CROSS JOIN attempts"
        f" ON attempts.account = ?1 AND {COUNTED_FIRST}"
        " AND attempts.at >= dirty.value AND attempts.at < dirty.value + 60"
        " GROUP BY dirty.value",
        (account, dirty),
    )


def _minute(at: int) -> int:
    return at - at % 60
