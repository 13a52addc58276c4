"""What keeps payops quiet about an incident: silences that people set, and until when each incident is quiet.

Frozen once released: a change is a new migration. Units as in schema 1. A silence without a dedup key covers
every group of its rule on the account.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE silences (
        id INTEGER PRIMARY KEY,
        rule TEXT NOT NULL,
        account TEXT NOT NULL,
        dedup_key TEXT,
        at INTEGER NOT NULL,
        until INTEGER NOT NULL CHECK (until > at),
        who TEXT NOT NULL,
        reason TEXT NOT NULL CHECK (reason <> ''),
        ended_at INTEGER,
        ended_by TEXT
    ) STRICT""",
    "CREATE INDEX silences_until ON silences (until)",
    "ALTER TABLE incidents ADD COLUMN quiet_until INTEGER",
    "ALTER TABLE incidents ADD COLUMN quiet_why TEXT NOT NULL DEFAULT ''",
)
