"""What is owed to applications behind a relay, what an application's own inbox says, and changes told twice.

Frozen once released: a change is a new migration. Units as in the first schema. `forwards` holds no content: the raw
bytes of an event are in memory only.
"""

from __future__ import annotations

RELAY: tuple[str, ...] = (
    """CREATE TABLE forwards (
        account TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        event_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
        owed_at INTEGER NOT NULL,
        tries INTEGER NOT NULL DEFAULT 0,
        due_at INTEGER,
        holder TEXT NOT NULL DEFAULT '',
        held_until INTEGER,
        last_at INTEGER,
        last_status INTEGER,
        last_error TEXT,
        content TEXT,
        delivered_at INTEGER,
        PRIMARY KEY (account, endpoint, event_id),
        CHECK ((state = 'waiting') = (due_at IS NOT NULL))
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX forwards_due ON forwards (due_at) WHERE state = 'waiting'",
    "CREATE INDEX forwards_open ON forwards (account, endpoint, state) WHERE state <> 'delivered'",
    "CREATE INDEX forwards_delivered ON forwards (account, endpoint, delivered_at) WHERE state = 'delivered'",
)

IMPORT: tuple[str, ...] = (
    """CREATE TABLE application_inbox (
        account TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        event_id TEXT NOT NULL,
        type TEXT,
        received_at INTEGER NOT NULL,
        processed_at INTEGER,
        PRIMARY KEY (account, endpoint, event_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX application_inbox_received ON application_inbox (account, endpoint, received_at)",
    "CREATE INDEX application_inbox_waiting ON application_inbox (account, endpoint, received_at)"
    " WHERE processed_at IS NULL",
    """CREATE TABLE application_sources (
        account TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        source TEXT NOT NULL,
        cursor TEXT NOT NULL,
        tried_at INTEGER NOT NULL,
        read_at INTEGER,
        first_received_at INTEGER,
        tells_processed INTEGER CHECK (tells_processed IN (0, 1)),
        wrong INTEGER NOT NULL DEFAULT 0,
        problem TEXT,
        PRIMARY KEY (account, endpoint)
    ) STRICT, WITHOUT ROWID""",
)

CHANGES: tuple[str, ...] = (
    # `change` is a digest of what the event says of its object, `same_as` the event that said it first.
    "ALTER TABLE inbox ADD COLUMN change TEXT",
    "ALTER TABLE inbox ADD COLUMN same_as TEXT",
)

STATEMENTS: tuple[str, ...] = RELAY + IMPORT + CHANGES
