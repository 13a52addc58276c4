"""What people are told: one row for each message to each person, kept until it was delivered or is of no use.

Frozen once released: a change is a new migration.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        incident_id TEXT REFERENCES incidents (id),
        kind TEXT NOT NULL,
        role TEXT NOT NULL,
        contact TEXT NOT NULL,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed', 'dropped')),
        tries INTEGER NOT NULL DEFAULT 0,
        ended_at INTEGER,
        error TEXT NOT NULL DEFAULT '',
        confirmed_at INTEGER,
        confirmed_by TEXT
    ) STRICT""",
    "CREATE INDEX outbox_due ON outbox (due_at) WHERE state = 'waiting'",
    "CREATE INDEX outbox_incident ON outbox (incident_id) WHERE incident_id IS NOT NULL",
)
