"""The schema's history. Each migration is a frozen list of statements; `PRAGMA user_version` counts them.

sqlite-utils applies them and records their names. It is imported only when something is to be applied:
opening a current store, and so the first frame of the screen, does not wait for it.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from . import (
    api_versions,
    application_gaps,
    approvals,
    card_findings,
    dispute_times,
    escalation,
    exceptions,
    first,
    orders,
    outbox,
    owing,
    rulebook,
    second,
    shown_events,
    signal_history,
    silences,
    streams,
    third,
    topologies,
)

HISTORY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0001_first", first.STATEMENTS),
    ("0002_second", second.STATEMENTS),
    ("0003_third", third.STATEMENTS),
    ("0004_silences", silences.STATEMENTS),
    ("0005_topologies", topologies.STATEMENTS),
    ("0006_exceptions", exceptions.STATEMENTS),
    ("0007_card_findings", card_findings.STATEMENTS),
    ("0008_approvals", approvals.STATEMENTS),
    ("0009_escalation", escalation.STATEMENTS),
    ("0010_rulebook", rulebook.STATEMENTS),
    ("0011_outbox", outbox.STATEMENTS),
    ("0012_api_versions", api_versions.STATEMENTS),
    ("0013_owing", owing.STATEMENTS),
    ("0014_signal_history", signal_history.STATEMENTS),
    ("0015_streams", streams.STATEMENTS),
    ("0016_application_gaps", application_gaps.STATEMENTS),
    ("0017_shown_events", shown_events.STATEMENTS),
    ("0018_orders", orders.STATEMENTS),
    ("0019_dispute_times", dispute_times.STATEMENTS),
)
CURRENT = len(HISTORY)
APPLICATION_ID = 0x7061796F
"""`payo`: marks a SQLite file as ours."""


def version(conn: sqlite3.Connection) -> int:
    """How many migrations the file has seen; 0 = none yet."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def migrate(conn: sqlite3.Connection, now: datetime) -> None:
    """Apply what is missing, all of it or nothing; several processes may try at once."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        if version(conn) < CURRENT:
            _apply(conn, now)
            conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            conn.execute(f"PRAGMA user_version = {CURRENT}")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _apply(conn: sqlite3.Connection, now: datetime) -> None:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("payops")
    for name, statements in HISTORY:

        def run(db: Database, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                db.conn.execute(statement)

        migrations(name=name)(run)
    database = Database(conn, execute_plugins=False)
    pending = [migration.name for migration in migrations.pending(database)]
    migrations.apply(database)
    # The library stamps its records with the wall clock; the store knows only the time it is told.
    conn.executemany(
        "UPDATE _sqlite_migrations SET applied_at = ? WHERE migration_set = 'payops' AND name = ?",
        [(now.isoformat(), name) for name in pending],
    )
