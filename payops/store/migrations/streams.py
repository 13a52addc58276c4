"""The streams that are watched: how far each has come, what it noticed, and what changed beside it.

Frozen once released: a change is a new migration. Times are epoch seconds, `state` is what `payops.streams` packs.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        family TEXT NOT NULL,
        slice TEXT NOT NULL,
        state BLOB NOT NULL,
        n INTEGER NOT NULL,
        per_30_days REAL NOT NULL,
        level REAL NOT NULL,
        expected REAL,
        last_at INTEGER NOT NULL,
        alarmed_at INTEGER,
        onset_at INTEGER,
        since_n INTEGER,
        since_failed INTEGER,
        since_expected REAL,
        UNIQUE (account, family, slice),
        CHECK ((onset_at IS NULL) = (alarmed_at IS NULL))
    ) STRICT""",
    # How far each account's attempts have been counted. Its history is gone through first, by the time of each.
    """CREATE TABLE stream_cursors (
        account TEXT PRIMARY KEY,
        seen_id INTEGER NOT NULL,
        replay_at INTEGER,
        replay_id INTEGER,
        last_at INTEGER,
        overdue_at INTEGER,
        call_id INTEGER NOT NULL DEFAULT 0,
        usual TEXT NOT NULL DEFAULT '{}',
        CHECK ((replay_at IS NULL) = (replay_id IS NULL))
    ) STRICT""",
    "CREATE TABLE stream_book (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT",
    "INSERT INTO stream_book (one, version) VALUES (1, 0)",
    # Attempts that ended after they had been stored as pending: the cursor has passed them.
    """CREATE TABLE settled (
        attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
        account TEXT NOT NULL,
        ended_at INTEGER NOT NULL
    ) STRICT""",
    # Attempts that were counted as failed because they stayed pending for too long.
    "CREATE TABLE overdue (attempt INTEGER PRIMARY KEY REFERENCES attempts (id)) STRICT",
    "CREATE INDEX attempts_pending ON attempts (account, at) WHERE status = 'pending'",
    """CREATE TABLE notices (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        family TEXT NOT NULL,
        slice TEXT NOT NULL,
        what TEXT NOT NULL CHECK (what IN ('watch', 'alarm', 'recovery')),
        at INTEGER NOT NULL,
        onset_at INTEGER NOT NULL,
        n INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        expected REAL NOT NULL,
        evidence REAL NOT NULL,
        part_of INTEGER REFERENCES notices (id)
    ) STRICT""",
    "CREATE INDEX notices_account ON notices (account, family, at)",
    """CREATE TABLE changes (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        account TEXT,
        who TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX changes_at ON changes (at)",
)
