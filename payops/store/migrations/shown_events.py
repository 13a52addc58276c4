"""What objects show to have happened, at a provider that lists no events: told once a webhook of it was processed."""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE shown_events (
        account TEXT NOT NULL,
        type TEXT NOT NULL,
        object_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        amount_minor INTEGER,
        currency TEXT,
        told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
        PRIMARY KEY (account, type, object_id)
    ) STRICT""",
    "CREATE INDEX shown_untold ON shown_events (account, at) WHERE told = 0",
)
