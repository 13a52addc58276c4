"""Schema 2: what an attempt's life needs, the other objects of an account, and each request payops made.

Frozen once released: a change is a new migration. Units as in schema 1. What old rows were not told is
NULL; the last change of an old refund counts as its creation.
"""

from __future__ import annotations

COLUMNS: tuple[str, ...] = (
    "ALTER TABLE attempts ADD COLUMN initiated_by TEXT"
    " CHECK (initiated_by IN ('customer', 'renewal', 'dunning'))",
    "ALTER TABLE attempts ADD COLUMN captured INTEGER CHECK (captured IN (0, 1))",
    "ALTER TABLE attempts ADD COLUMN capture_before INTEGER",
    "ALTER TABLE attempts ADD COLUMN amount_refunded_minor INTEGER",
    "ALTER TABLE attempts ADD COLUMN order_id TEXT",
    # Only the exceptions: an authorization that may lapse, a purchase by the shop's own name.
    "CREATE INDEX attempts_uncaptured ON attempts (account, capture_before)"
    " WHERE captured = 0 AND capture_before IS NOT NULL",
    "CREATE INDEX attempts_order ON attempts (account, order_id) WHERE order_id IS NOT NULL",
    "ALTER TABLE refunds ADD COLUMN attempt_id TEXT",
    "ALTER TABLE refunds ADD COLUMN changed_at INTEGER",
    "UPDATE refunds SET changed_at = at",
    "CREATE INDEX refunds_attempt ON refunds (account, attempt_id) WHERE attempt_id IS NOT NULL",
    "CREATE INDEX refunds_status ON refunds (account, status, at)",
    "ALTER TABLE credential_proofs ADD COLUMN permissions TEXT",
    "ALTER TABLE credential_proofs ADD COLUMN missing TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE credential_proofs ADD COLUMN evidence TEXT NOT NULL DEFAULT ''",
)

OBJECTS: tuple[str, ...] = (
    """CREATE TABLE subscriptions (
        account TEXT NOT NULL,
        subscription_id TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('incomplete', 'trialing', 'active', 'past_due', 'unpaid',
            'paused', 'suspended', 'canceled', 'expired')),
        at INTEGER NOT NULL,
        customer TEXT,
        amount_minor INTEGER,
        currency TEXT,
        next_billing_at INTEGER,
        outstanding_minor INTEGER,
        failed_payments INTEGER,
        cancel_at_period_end INTEGER CHECK (cancel_at_period_end IN (0, 1)),
        has_payment_method INTEGER CHECK (has_payment_method IN (0, 1)),
        PRIMARY KEY (account, subscription_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX subscriptions_status ON subscriptions (account, status)",
    """CREATE TABLE invoices (
        account TEXT NOT NULL,
        invoice_id TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'uncollectible', 'void')),
        at INTEGER NOT NULL,
        amount_due_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        subscription_id TEXT,
        attempt_count INTEGER,
        next_attempt_at INTEGER,
        finalization_error TEXT,
        PRIMARY KEY (account, invoice_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX invoices_status ON invoices (account, status)",
    """CREATE TABLE disputes (
        account TEXT NOT NULL,
        dispute_id TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('needs_response', 'under_review', 'accepted', 'won', 'lost',
            'expired', 'closed')),
        at INTEGER NOT NULL,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        reason TEXT,
        attempt_id TEXT,
        reply_by INTEGER,
        PRIMARY KEY (account, dispute_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX disputes_status ON disputes (account, status)",
    """CREATE TABLE payouts (
        account TEXT NOT NULL,
        payout_id TEXT NOT NULL,
        changed_at INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('pending', 'in_transit', 'paid', 'failed', 'canceled')),
        at INTEGER NOT NULL,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        arrives_at INTEGER,
        failure_code TEXT,
        PRIMARY KEY (account, payout_id)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX payouts_changed ON payouts (account, changed_at)",
    """CREATE TABLE account_states (
        account TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        charges_enabled INTEGER CHECK (charges_enabled IN (0, 1)),
        payouts_enabled INTEGER CHECK (payouts_enabled IN (0, 1)),
        due TEXT NOT NULL,
        reason TEXT,
        api_version TEXT
    ) STRICT""",
)

CALLS: tuple[str, ...] = (
    """CREATE TABLE api_calls (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        at INTEGER NOT NULL,
        resource TEXT NOT NULL,
        taken_ms INTEGER NOT NULL,
        bucket TEXT,
        http_status INTEGER,
        provider_at INTEGER
    ) STRICT""",
    "CREATE INDEX api_calls_at ON api_calls (account, at)",
    """CREATE TABLE call_hours (
        account TEXT NOT NULL,
        hour INTEGER NOT NULL CHECK (hour % 3600 = 0),
        requests INTEGER NOT NULL,
        PRIMARY KEY (account, hour)
    ) STRICT, WITHOUT ROWID""",
    # The daily count of schema 1 goes on as the first hour of its day.
    "INSERT INTO call_hours (account, hour, requests) SELECT account, day * 86400, requests FROM reads",
    "DROP TABLE reads",
)

PLANS: tuple[str, ...] = (
    # What a feed declares of itself, what a poll of it costs, and how long to wait after the last: a restart
    # asks for nothing early.
    "ALTER TABLE feeds ADD COLUMN wait_s INTEGER",
    "ALTER TABLE feeds ADD COLUMN cost INTEGER",
    "ALTER TABLE feeds ADD COLUMN delay_s INTEGER",
    "ALTER TABLE feeds ADD COLUMN sees TEXT",
    """CREATE TABLE read_plans (
        account TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        allowed INTEGER NOT NULL,
        planned INTEGER NOT NULL,
        main REAL NOT NULL,
        rest REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE breakers (
        account TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        opened_at INTEGER,
        probe_at INTEGER,
        CHECK ((opened_at IS NULL) = (probe_at IS NULL))
    ) STRICT""",
)

STATEMENTS: tuple[str, ...] = COLUMNS + OBJECTS + CALLS + PLANS
