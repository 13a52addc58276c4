"""The rule sets payops judged by, and what rules that only count would have opened.

Frozen once released: a change is a new migration. Units as in schema 1. `policies` is a JSON object of rule id →
the rule without its tests; the set in use is named by `meta.rules`.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    """CREATE TABLE rule_sets (
        hash TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        policies TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE rule_firings (
        id INTEGER PRIMARY KEY,
        rule TEXT NOT NULL,
        key TEXT NOT NULL,
        labels TEXT NOT NULL,
        severity TEXT NOT NULL,
        rule_hash TEXT NOT NULL,
        why TEXT NOT NULL,
        at INTEGER NOT NULL,
        ended_at INTEGER
    ) STRICT""",
    "CREATE UNIQUE INDEX rule_firings_open ON rule_firings (rule, key) WHERE ended_at IS NULL",
    "CREATE INDEX rule_firings_at ON rule_firings (rule, at)",
)
