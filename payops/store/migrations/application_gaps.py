"""What an application's own inbox lacks of the events already compared with it: no tick compares them again.

Frozen once released: a change is a new migration. `compared` is the highest id of `provider_events` that was.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "ALTER TABLE application_sources ADD COLUMN compared INTEGER NOT NULL DEFAULT 0",
    """CREATE TABLE application_missing (
        account TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        event_row INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (account, endpoint, event_row)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX application_missing_created ON application_missing (account, endpoint, created_at)",
)
