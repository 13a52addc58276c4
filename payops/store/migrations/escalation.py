"""What the protocol above Level 1 keeps: why each handoff went out, answers, decisions, follow-ups, how it ended.

Frozen once released: a change is a new migration. What old rows were not told is NULL.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "ALTER TABLE handoffs ADD COLUMN cause TEXT",
    "ALTER TABLE handoffs ADD COLUMN trigger TEXT",
    "ALTER TABLE incidents ADD COLUMN cause TEXT",
    "ALTER TABLE incidents ADD COLUMN fixed TEXT",
    "CREATE INDEX incidents_opened ON incidents (opened_at)",
    """CREATE TABLE answers (
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        handoff_seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        text TEXT NOT NULL CHECK (trim(text) <> ''),
        by TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX answers_incident ON answers (incident_id)",
    """CREATE TABLE decisions (
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        option TEXT NOT NULL,
        text TEXT NOT NULL,
        why TEXT NOT NULL CHECK (trim(why) <> ''),
        executor TEXT NOT NULL,
        by TEXT NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX decisions_incident ON decisions (incident_id)",
    """CREATE TABLE followups (
        id INTEGER PRIMARY KEY,
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        kind TEXT NOT NULL,
        what TEXT NOT NULL CHECK (trim(what) <> ''),
        owner TEXT NOT NULL,
        due_at INTEGER,
        made_at INTEGER NOT NULL,
        made_by TEXT NOT NULL,
        done_at INTEGER,
        done_by TEXT,
        CHECK ((done_at IS NULL) = (done_by IS NULL))
    ) STRICT""",
    "CREATE INDEX followups_open ON followups (due_at) WHERE done_at IS NULL",
    "CREATE INDEX followups_incident ON followups (incident_id)",
    # What people would search by. Kept by the store when an incident is opened, noted and closed.
    # The rowid is the incident's number.
    "CREATE VIRTUAL TABLE incident_words USING fts5 (title, codes, notes)",
    "INSERT INTO incident_words (rowid, title, codes, notes)"
    " SELECT n, title, rule || ' ' || challenge || ' ' || provider, '' FROM incidents",
)
