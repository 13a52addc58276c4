"""Charges that look like one purchase paid twice: found when an attempt is stored, and kept as pairs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

DOUBLE_WITHIN_S = 30 * 60
"""Two successes further apart are two purchases."""
_KEEP = "INSERT OR IGNORE INTO doubles (account, attempt_id, first_id, at, same_order)"
_SAME = (
    " AND earlier.status = 'succeeded' AND later.status = 'succeeded'"
    " AND (earlier.at, earlier.attempt_id) < (later.at, later.attempt_id)"
    f" AND earlier.at >= later.at - {DOUBLE_WITHIN_S}"
    " AND earlier.amount_minor = later.amount_minor AND earlier.currency = later.currency"
    " ORDER BY later.at, later.attempt_id, earlier.at, earlier.attempt_id"
)
# Nearly every order has one attempt: that shows in the index alone.
_REPEATED = (
    "SELECT order_id FROM attempts WHERE account = ? AND order_id IN (SELECT value FROM json_each(?))"
    " GROUP BY order_id HAVING COUNT(*) > 1"
)
_BY_ORDER = (
    f"{_KEEP} SELECT later.account, later.attempt_id, earlier.attempt_id, later.at, 1"  # noqa: S608
    " FROM json_each(?2) AS wanted"
    " CROSS JOIN attempts AS later ON later.account = ?1 AND later.order_id = wanted.value"
    " CROSS JOIN attempts AS earlier ON earlier.account = ?1 AND earlier.order_id = wanted.value"
    # A guest has no customer: then the order alone says that it is the same buyer.
    f" AND COALESCE(earlier.customer = later.customer, 1){_SAME}"
)
_BY_CUSTOMER = (
    f"{_KEEP} SELECT later.account, later.attempt_id, earlier.attempt_id, later.at, 0"  # noqa: S608
    " FROM json_each(?2) AS wanted"
    " CROSS JOIN attempts AS later ON later.account = ?1 AND later.attempt_id = wanted.value"
    " CROSS JOIN attempts AS earlier ON earlier.account = ?1 AND earlier.customer = later.customer"
    f" AND earlier.at BETWEEN later.at - {DOUBLE_WITHIN_S} AND later.at"
    " AND earlier.order_id IS NULL AND later.order_id IS NULL"
    # Two subscriptions of one price fall due together: what a schedule charges is no double click.
    f" AND COALESCE(later.initiated_by, 'customer') = 'customer'{_SAME}"
)


def find_doubles(
    db: sqlite3.Connection, account: str, orders: Iterable[str], without_order: Iterable[str]
) -> None:
    """Keep the pairs among the successes of these orders, and of each of these attempts of a known customer.

    Only a pair of the same order is proven: without orders a customer may have bought the same thing twice. A second
    success of the same order that arrives before the first is found once the first is stored.
    """
    asked = sorted(set(orders))
    repeated = [row[0] for row in db.execute(_REPEATED, (account, json.dumps(asked)))] if asked else []
    for statement, wanted in ((_BY_ORDER, repeated), (_BY_CUSTOMER, sorted(set(without_order)))):
        if wanted:
            db.execute(statement, (account, json.dumps(wanted)))
