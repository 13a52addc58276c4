"""Attempts, which of them are first attempts, and the minute rollup the rates are read from."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from payops.clock import to_epoch
from payops.domain.attempts import COUNTED, RETRY_WINDOW_S, TERMINAL, Tried, mark_first, state_rank
from payops.domain.payments import Attempt

from .counted import COUNTED as COUNTED_FIRST
from .doubles import find_doubles
from .redaction import redact_text
from .rows import epoch
from .streams import note_settled

_COLUMNS = (
    "attempt_id, at, status, changed_at, payment_id, customer, amount_minor, currency,"
    " decline_code, method, card_brand, country,"
    " initiated_by, captured, capture_before, amount_refunded_minor, order_id"
)
_WIDTH = _COLUMNS.count(",") + 1
_MARKS = ", ".join("?" * _WIDTH)
_LINKED = "attempts.id, attempt_id, at, status, payment_id, attempts.customer, amount_minor, currency, attempts.first"
_AT, _STATUS, _CHANGED_AT, _CUSTOMER, _ORDER = 1, 2, 3, 5, 16
_GROUPING = slice(4, 8)
_TOGETHER = 100
_INSERT = f"INSERT INTO attempts (account, {_COLUMNS}, first) VALUES (?, {_MARKS}, ?)"  # noqa: S608
_INSERT_MANY = _INSERT + f", (?, {_MARKS}, ?)" * (_TOGETHER - 1)
_SPANS = (
    f"WITH span (customer, low, high) AS (VALUES {', '.join(['(?, ?, ?)'] * _TOGETHER)})"  # noqa: S608
    f" SELECT {_LINKED} FROM span CROSS JOIN attempts ON account = ?"
    " AND attempts.customer = span.customer AND at >= low AND at <= high"
)
_id_of = itemgetter(0)
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
            (account, json.dumps(sorted(best))),
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
        f"UPDATE attempts SET ({_COLUMNS}) = ({_MARKS}) WHERE id = ?",  # noqa: S608
        [(*values, row["id"]) for row, values in changed],
    )
    note_settled(
        db,
        account,
        [
            (row["id"], values[_CHANGED_AT])
            for row, values in changed
            if values[_STATUS] in TERMINAL and row["status"] not in (*COUNTED, values[_STATUS])
        ],
    )
    moved = [*(values for _, values in changed), *(tuple(row)[:_WIDTH] for row, _ in changed)]
    # Judged before they are stored: marking them afterwards would write every row twice.
    first, minutes = _regroup(db, account, new, moved)
    _insert(db, [(account, *values, values[0] in first) for values in sorted(new, key=_id_of)])
    _count(db, account, new)
    taken = [
        values for values in (*new, *(values for _, values in changed)) if values[_STATUS] == "succeeded"
    ]
    find_doubles(
        db,
        account,
        (values[_ORDER] for values in taken if values[_ORDER]),
        (values[0] for values in taken if values[_CUSTOMER] and not values[_ORDER]),
    )
    minutes |= {_minute(values[_AT]) for values in (*new, *moved)}
    _roll_up(db, account, minutes)
    return len(new), len(changed)


def _insert(db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """New rows, in the order of their random ids (neighbours share pages of the index) and many to a statement."""
    whole = len(rows) - len(rows) % _TOGETHER
    for start in range(0, whole, _TOGETHER):
        db.execute(_INSERT_MANY, tuple(chain.from_iterable(rows[start : start + _TOGETHER])))
    db.executemany(_INSERT, rows[whole:])


def _values(attempt: Attempt) -> _Values:
    at = to_epoch(attempt.at)
    return (
        attempt.attempt_id,
        at,
        attempt.status,
        at if attempt.changed_at is attempt.at else to_epoch(attempt.changed_at),
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


def _regroup(
    db: sqlite3.Connection, account: str, new: Sequence[_Values], moved: Sequence[_Values]
) -> tuple[set[str], set[int]]:
    """Judge again which attempts are first, as far as the touched ones can matter.

    `new` are not stored yet, `moved` are the states before and after of stored ones. Returns the ids of the new
    ones that are first, and the minutes in which stored ones turned. A verdict depends on earlier rows alone, so
    what is before the earliest touched row stands and only gives context. What is needed is every row linked to
    a touched one by payment (however old) or by customer (from an hour before), and for an old failed row so
    found, what may have closed its purchase within its hour.
    """
    fresh = [values for values in new if values[_STATUS] in COUNTED]
    touched = [*fresh, *(values for values in moved if values[_STATUS] in COUNTED)]
    if not touched:
        return set(), set()
    start = min(values[_AT] for values in touched)
    rows = _linked(db, account, touched, [values[0] for values in moved], start)
    for old in [row for row in rows.values() if row["first"] and _may_be_closed_unseen(row, start)]:
        rows |= _of_customers(db, account, [(old["customer"], old["at"], old["at"] + RETRY_WINDOW_S)])
    stored = list(rows.values())
    verdicts = mark_first(
        [
            *(Tried(values[_AT], values[0], values[_STATUS], *values[_GROUPING]) for values in fresh),
            *(
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
                for row in stored
            ),
        ]
    )
    flipped = [
        (int(first), row["id"], row["at"])
        for row, first in zip(stored, verdicts[len(fresh) :], strict=True)
        if row["at"] >= start and bool(row["first"]) != first
    ]
    db.executemany("UPDATE attempts SET first = ? WHERE id = ?", [flip[:2] for flip in flipped])
    firsts = {values[0] for values, first in zip(fresh, verdicts, strict=False) if first}
    return firsts, {_minute(at) for _, _, at in flipped}


def _may_be_closed_unseen(row: sqlite3.Row, start: int) -> bool:
    return row["status"] == "failed" and bool(row["customer"]) and row["at"] < start - RETRY_WINDOW_S


def _linked(
    db: sqlite3.Connection,
    account: str,
    touched: Sequence[_Values],
    moved: Sequence[str],
    start: int,
) -> dict[int, sqlite3.Row]:
    """Every stored row that shares a payment, or a customer within the hour, with a touched row or one so found."""
    rows: dict[int, sqlite3.Row] = {}
    if moved:  # found by themselves, for they may have neither payment nor customer
        rows.update(_select(db, "attempt_id IN (SELECT value FROM json_each(?))", account, json.dumps(moved)))
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
    return sorted((customer, *span) for customer, span in grown.items())


def _of_payments(db: sqlite3.Connection, account: str, payments: Iterable[str]) -> dict[int, sqlite3.Row]:
    wanted = json.dumps(sorted(payments))
    return _select(db, "payment_id IN (SELECT value FROM json_each(?))", account, wanted)


def _of_customers(
    db: sqlite3.Connection, account: str, spans: Sequence[tuple[str, int, int]]
) -> dict[int, sqlite3.Row]:
    """Rows of each (customer, first second, last second)."""
    rows: dict[int, sqlite3.Row] = {}
    for start in range(0, len(spans), _TOGETHER):
        part = spans[start : start + _TOGETHER]
        nobody = [(None, 0, 0)] * (_TOGETHER - len(part))  # one statement, prepared once, whatever is asked
        rows |= _rows(db.execute(_SPANS, (*chain.from_iterable((*part, *nobody)), account)))
    return rows


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
