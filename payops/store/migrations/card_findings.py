"""Card data that was found and masked: where, when and how often, never what.

Frozen once released: a change is a new migration. `seal` is a keyed hash of a card number, empty for anything else.
A `closed` field is kept out of the store; in a `dismissed` one a mere suspicion is no news.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE card_findings (
        account TEXT NOT NULL,
        ref TEXT NOT NULL,
        field TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('pan', 'cvv', 'track')),
        seal TEXT NOT NULL,
        place TEXT NOT NULL,
        certainty TEXT NOT NULL CHECK (certainty IN ('confirmed', 'suspected')),
        count INTEGER NOT NULL,
        found_at INTEGER NOT NULL,
        reviewed_at INTEGER,
        PRIMARY KEY (account, ref, field, kind, seal)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX card_findings_new ON card_findings (account, found_at) WHERE reviewed_at IS NULL",
    """CREATE TABLE card_fields (
        account TEXT NOT NULL,
        field TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('closed', 'dismissed')),
        since INTEGER NOT NULL,
        PRIMARY KEY (account, field)
    ) STRICT, WITHOUT ROWID""",
)
