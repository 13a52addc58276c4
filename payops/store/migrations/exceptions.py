"""Schema: what went wrong with single payments, refunds and subscriptions, found without reading the others.

Frozen once released: a change is a new migration. Units as in schema 1. Pairs of charges are looked for when a charge
is stored, so those of before are not in `doubles`; an old debt counts from its last known state.
"""

from __future__ import annotations

STATEMENTS: tuple[str, ...] = (
    "ALTER TABLE refunds ADD COLUMN pending_reason TEXT",
    "ALTER TABLE subscriptions ADD COLUMN owing_since INTEGER",
    "UPDATE subscriptions SET owing_since = changed_at WHERE status IN ('past_due', 'unpaid', 'suspended')",
    """CREATE TABLE doubles (
        account TEXT NOT NULL,
        attempt_id TEXT NOT NULL,
        first_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        same_order INTEGER NOT NULL CHECK (same_order IN (0, 1)),
        PRIMARY KEY (account, attempt_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX doubles_at ON doubles (account, at)",
    "CREATE INDEX attempts_over_refunded ON attempts (account, at) WHERE amount_refunded_minor > amount_minor",
    "CREATE INDEX attempts_renewed ON attempts (account, at, status) WHERE initiated_by = 'renewal'",
    "CREATE INDEX disputes_changed ON disputes (account, status, changed_at)",
    "CREATE INDEX incidents_closed ON incidents (account, rule, resolved_at)"
    " WHERE ended_as IN ('false_alarm', 'level_2', 'level_3', 'level_4')",
)
