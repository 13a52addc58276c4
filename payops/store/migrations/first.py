"""Schema 1. Frozen once released: a change is a new migration.

Times are INTEGER epoch seconds UTC, money is INTEGER minor units with a currency, JSON is TEXT.
"""

from __future__ import annotations

FACTS: tuple[str, ...] = (
    """CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT""",
    """CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        attempt_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed', 'pending', 'canceled')),
        changed_at INTEGER NOT NULL,
        payment_id TEXT,
        customer TEXT,
        amount_minor INTEGER,
        currency TEXT,
        decline_code TEXT,
        method TEXT,
        card_brand TEXT,
        country TEXT,
        first INTEGER NOT NULL DEFAULT 0 CHECK (first IN (0, 1)),
        UNIQUE (account, attempt_id)
    ) STRICT""",
    "CREATE INDEX attempts_payment ON attempts (account, payment_id) WHERE payment_id IS NOT NULL",
    "CREATE INDEX attempts_customer ON attempts (account, customer, at) WHERE customer IS NOT NULL",
    "CREATE INDEX attempts_first ON attempts (account, at, status) WHERE first = 1",
    """CREATE TABLE rollup (
        account TEXT NOT NULL,
        minute INTEGER NOT NULL CHECK (minute % 60 = 0),
        n INTEGER NOT NULL,
        succeeded INTEGER NOT NULL,
        PRIMARY KEY (account, minute)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE refunds (
        account TEXT NOT NULL,
        refund_id TEXT NOT NULL,
        payment_id TEXT,
        at INTEGER NOT NULL,
        status TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        failure_reason TEXT,
        PRIMARY KEY (account, refund_id)
    ) STRICT""",
    """CREATE TABLE account_totals (
        account TEXT PRIMARY KEY,
        attempts INTEGER NOT NULL DEFAULT 0,
        first_at INTEGER
    ) STRICT""",
    """CREATE TABLE feeds (
        account TEXT NOT NULL,
        feed TEXT NOT NULL,
        cursor TEXT,
        ok_at INTEGER,
        tried_at INTEGER,
        data_as_of INTEGER,
        read INTEGER NOT NULL DEFAULT 0,
        new INTEGER NOT NULL DEFAULT 0,
        requests INTEGER NOT NULL DEFAULT 0,
        failures INTEGER NOT NULL DEFAULT 0,
        error_bucket TEXT,
        error_code TEXT,
        error_message TEXT,
        error_request_id TEXT,
        error_at INTEGER,
        progress REAL,
        more INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (account, feed)
    ) STRICT""",
    """CREATE TABLE reads (
        account TEXT NOT NULL,
        day INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        PRIMARY KEY (account, day)
    ) STRICT""",
)

EVENTS: tuple[str, ...] = (
    """CREATE TABLE provider_events (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        livemode INTEGER,
        object_id TEXT,
        amount_minor INTEGER,
        currency TEXT,
        pending_webhooks INTEGER,
        in_inbox INTEGER NOT NULL DEFAULT 0 CHECK (in_inbox IN (0, 1)),
        UNIQUE (account, event_id)
    ) STRICT""",
    "CREATE INDEX provider_events_missing ON provider_events (account, created_at, type) WHERE in_inbox = 0",
    """CREATE TABLE quarantine (
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        livemode INTEGER,
        object_id TEXT,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (account, event_id)
    ) STRICT""",
    "CREATE INDEX quarantine_created ON quarantine (account, created_at)",
    """CREATE TABLE endpoints (
        account TEXT NOT NULL,
        endpoint_id TEXT NOT NULL,
        url TEXT NOT NULL,
        status TEXT NOT NULL,
        event_types TEXT NOT NULL,
        livemode INTEGER,
        api_version TEXT,
        disabled_reason TEXT,
        created_at INTEGER,
        PRIMARY KEY (account, endpoint_id)
    ) STRICT""",
    """CREATE TABLE endpoint_changes (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        endpoint_id TEXT NOT NULL,
        at INTEGER NOT NULL,
        status TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX endpoint_changes_endpoint ON endpoint_changes (account, endpoint_id, id)",
    """CREATE TABLE undelivered (
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        livemode INTEGER,
        object_id TEXT,
        amount_minor INTEGER,
        currency TEXT,
        pending_webhooks INTEGER,
        PRIMARY KEY (account, event_id)
    ) STRICT""",
    """CREATE TABLE snapshots (
        account TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('endpoints', 'undelivered')),
        at INTEGER NOT NULL,
        PRIMARY KEY (account, kind)
    ) STRICT""",
    """CREATE TABLE credential_proofs (
        account TEXT NOT NULL,
        slot INTEGER NOT NULL,
        hint TEXT NOT NULL,
        at INTEGER NOT NULL,
        ok INTEGER NOT NULL,
        identity TEXT,
        mode TEXT,
        error TEXT,
        code TEXT,
        message TEXT NOT NULL,
        request_id TEXT,
        PRIMARY KEY (account, slot)
    ) STRICT""",
    """CREATE TABLE credential_slots (
        account TEXT PRIMARY KEY,
        slot INTEGER NOT NULL,
        at INTEGER NOT NULL
    ) STRICT""",
)

INBOX: tuple[str, ...] = (
    """CREATE TABLE inbox (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        type TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        livemode INTEGER,
        object_id TEXT,
        amount_minor INTEGER,
        currency TEXT,
        pending_webhooks INTEGER,
        body TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        verdict TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('received', 'processed', 'failed', 'dead')),
        received_at INTEGER NOT NULL,
        last_received_at INTEGER NOT NULL,
        delivery_count INTEGER NOT NULL DEFAULT 1,
        tries INTEGER NOT NULL DEFAULT 0,
        next_try_at INTEGER,
        processed_at INTEGER,
        error TEXT,
        UNIQUE (account, event_id)
    ) STRICT""",
    "CREATE INDEX inbox_open ON inbox (created_at, id) WHERE state IN ('received', 'failed')",
    "CREATE INDEX inbox_unprocessed ON inbox (account, state, received_at) WHERE state <> 'processed'",
    "CREATE INDEX inbox_received ON inbox (account, received_at) WHERE verdict <> 'imported'",
    """CREATE TABLE inbox_totals (
        account TEXT PRIMARY KEY,
        received INTEGER NOT NULL,
        first_created_at INTEGER,
        last_received_at INTEGER
    ) STRICT""",
    """CREATE TABLE refused (
        account TEXT NOT NULL,
        minute INTEGER NOT NULL,
        kind TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (account, minute, kind, reason)
    ) STRICT""",
)

INCIDENTS: tuple[str, ...] = (
    """CREATE TABLE incidents (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL DEFAULT 1,
        rule TEXT NOT NULL,
        challenge TEXT NOT NULL,
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        mode TEXT NOT NULL,
        title TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('sev1', 'sev2', 'sev3', 'sev4')),
        state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
        level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 4),
        dedup_key TEXT NOT NULL,
        labels TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        changed_by TEXT NOT NULL,
        changed_what TEXT NOT NULL,
        why TEXT NOT NULL,
        acknowledged_at INTEGER,
        acknowledged_by TEXT,
        owner TEXT,
        resolved_at INTEGER,
        ended_as TEXT CHECK (ended_as IN ('fixed_by_payops', 'fixed_by_operator', 'self_healed',
            'false_alarm', 'level_2', 'level_3', 'level_4')),
        next_action_at INTEGER,
        next_action TEXT NOT NULL,
        l1_started_at INTEGER,
        l1_exhausted_at INTEGER,
        l1_reason TEXT NOT NULL,
        rule_hash TEXT NOT NULL,
        policy TEXT NOT NULL,
        CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
        CHECK ((state = 'resolved') = (ended_as IS NOT NULL)),
        CHECK (ended_as IS NULL OR ended_as NOT LIKE 'level%' OR ended_as = 'level_' || level)
    ) STRICT""",
    "CREATE UNIQUE INDEX incidents_dedup ON incidents (dedup_key) WHERE state <> 'resolved'",
    "CREATE INDEX incidents_due ON incidents (next_action_at) WHERE state <> 'resolved'",
    "CREATE INDEX incidents_resolved ON incidents (resolved_at) WHERE state = 'resolved'",
    """CREATE TABLE timeline (
        id INTEGER PRIMARY KEY,
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        who TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX timeline_incident ON timeline (incident_id, id)",
    """CREATE TABLE fix_attempts (
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        n INTEGER NOT NULL CHECK (n BETWEEN 1 AND 2),
        remedy TEXT NOT NULL,
        action TEXT NOT NULL,
        effect TEXT NOT NULL CHECK (effect IN ('read', 'reversible', 'external', 'money')),
        by TEXT NOT NULL,
        idempotency_key TEXT NOT NULL UNIQUE,
        plan TEXT NOT NULL,
        phase TEXT NOT NULL CHECK (phase IN ('applying', 'verifying', 'done')),
        started_at INTEGER NOT NULL,
        applied_at INTEGER,
        verify_until INTEGER,
        ended_at INTEGER,
        outcome TEXT CHECK (outcome IN ('succeeded', 'not_verified', 'rejected', 'rate_limited',
            'refused', 'unknown')),
        verified INTEGER CHECK (verified IN (0, 1)),
        request_ids TEXT NOT NULL,
        progress TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (incident_id, n)
    ) STRICT""",
    "CREATE INDEX fix_attempts_unfinished ON fix_attempts (incident_id, n) WHERE phase <> 'done'",
    """CREATE TABLE handoffs (
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        seq INTEGER NOT NULL,
        level INTEGER NOT NULL CHECK (level BETWEEN 2 AND 4),
        to_role TEXT NOT NULL CHECK (trim(to_role) <> ''),
        problem TEXT NOT NULL CHECK (trim(problem) <> ''),
        attempted TEXT NOT NULL CHECK (trim(attempted) <> ''),
        impact TEXT NOT NULL CHECK (trim(impact) <> ''),
        gateway TEXT NOT NULL CHECK (trim(gateway) <> ''),
        request TEXT NOT NULL CHECK (trim(request) <> ''),
        sent_at INTEGER NOT NULL,
        sent_by TEXT NOT NULL,
        accept_by INTEGER,
        accepted_at INTEGER,
        accepted_by TEXT,
        returned_at INTEGER,
        returned_by TEXT,
        question TEXT,
        PRIMARY KEY (incident_id, seq)
    ) STRICT""",
)

# What no statement of ours, and no hand on the sqlite3 shell, may do by accident.
GUARDS: tuple[str, ...] = (
    """CREATE TRIGGER incidents_opened_at_level_1 BEFORE INSERT ON incidents
       WHEN NEW.level <> 1 OR EXISTS (SELECT 1 FROM incidents WHERE n = NEW.n OR id = NEW.id)
       BEGIN SELECT RAISE(ABORT, 'an incident is opened once, at level 1'); END""",
    """CREATE TRIGGER incidents_level_grows BEFORE UPDATE OF level ON incidents WHEN NEW.level < OLD.level
       BEGIN SELECT RAISE(ABORT, 'the level of an incident never falls'); END""",
    """CREATE TRIGGER incidents_level_needs_handoff BEFORE UPDATE OF level ON incidents
       WHEN NEW.level > OLD.level AND NOT EXISTS
            (SELECT 1 FROM handoffs WHERE incident_id = NEW.id AND level = NEW.level)
       BEGIN SELECT RAISE(ABORT, 'a level is reached by a handoff to it'); END""",
    """CREATE TRIGGER incidents_version_counts BEFORE UPDATE ON incidents WHEN NEW.version <> OLD.version + 1
       BEGIN SELECT RAISE(ABORT, 'every change of an incident counts its version up by one'); END""",
    """CREATE TRIGGER incidents_frozen BEFORE UPDATE OF n, id, rule, dedup_key, opened_at, rule_hash, policy
       ON incidents
       BEGIN SELECT RAISE(ABORT, 'what an incident was opened with does not change'); END""",
    """CREATE TRIGGER incidents_kept BEFORE DELETE ON incidents
       BEGIN SELECT RAISE(ABORT, 'an incident is never deleted'); END""",
    """CREATE TRIGGER timeline_immutable BEFORE UPDATE ON timeline
       BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END""",
    """CREATE TRIGGER timeline_kept BEFORE DELETE ON timeline
       BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END""",
    """CREATE TRIGGER fix_attempts_in_order BEFORE INSERT ON fix_attempts
       WHEN NEW.n <> 1 + (SELECT COUNT(*) FROM fix_attempts WHERE incident_id = NEW.incident_id)
       BEGIN SELECT RAISE(ABORT, 'fix attempts are numbered in order, at most two'); END""",
    """CREATE TRIGGER fix_attempts_outcome_final BEFORE UPDATE OF outcome ON fix_attempts
       WHEN OLD.outcome IS NOT NULL AND OLD.outcome <> 'unknown' AND NEW.outcome IS NOT OLD.outcome
       BEGIN SELECT RAISE(ABORT, 'the outcome of a fix attempt is final'); END""",
    """CREATE TRIGGER fix_attempts_kept BEFORE DELETE ON fix_attempts
       BEGIN SELECT RAISE(ABORT, 'a fix attempt is never deleted'); END""",
    """CREATE TRIGGER handoffs_immutable BEFORE UPDATE OF incident_id, seq, level, to_role, problem,
            attempted, impact, gateway, request, sent_at, sent_by ON handoffs
       BEGIN SELECT RAISE(ABORT, 'a sent handoff does not change'); END""",
    """CREATE TRIGGER handoffs_kept BEFORE DELETE ON handoffs
       BEGIN SELECT RAISE(ABORT, 'a handoff is never deleted'); END""",
)

ENGINE: tuple[str, ...] = (
    """CREATE TABLE rule_states (
        rule TEXT NOT NULL,
        key TEXT NOT NULL,
        labels TEXT NOT NULL,
        pending_since INTEGER,
        clear_since INTEGER,
        changes TEXT NOT NULL,
        held_until INTEGER,
        last_row_at INTEGER,
        PRIMARY KEY (rule, key)
    ) STRICT""",
    """CREATE TABLE commands (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        action TEXT NOT NULL,
        incident_id TEXT,
        fields TEXT NOT NULL,
        operator TEXT NOT NULL,
        origin TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'refused')),
        put_at INTEGER NOT NULL,
        taken_at INTEGER,
        token INTEGER,
        finished_at INTEGER,
        message TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX commands_open ON commands (id) WHERE state IN ('queued', 'running')",
    """CREATE TABLE leases (
        name TEXT PRIMARY KEY,
        holder TEXT,
        token INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT""",
    """CREATE TRIGGER leases_token_grows BEFORE UPDATE OF token ON leases WHEN NEW.token < OLD.token
       BEGIN SELECT RAISE(ABORT, 'a lease token never falls'); END""",
    """CREATE TRIGGER leases_kept BEFORE DELETE ON leases
       BEGIN SELECT RAISE(ABORT, 'a lease keeps its last token'); END""",
    """CREATE TABLE stops (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE arming (
        account TEXT NOT NULL,
        remedy TEXT NOT NULL,
        armed INTEGER NOT NULL CHECK (armed IN (0, 1)),
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (account, remedy)
    ) STRICT""",
)

AUDIT: tuple[str, ...] = (
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        what TEXT NOT NULL,
        object TEXT NOT NULL,
        result TEXT NOT NULL,
        origin TEXT NOT NULL,
        detail TEXT NOT NULL,
        prev_hash TEXT NOT NULL,
        hash TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE audit_head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        count INTEGER NOT NULL,
        head TEXT NOT NULL
    ) STRICT""",
    "INSERT INTO audit_head (one, count, head) VALUES (1, 0, printf('%064d', 0))",
    # Also refuses INSERT OR REPLACE, which would delete a row without firing the delete trigger.
    """CREATE TRIGGER audit_appends BEFORE INSERT ON audit
       WHEN NOT EXISTS (SELECT 1 FROM audit_head WHERE count = NEW.seq - 1 AND head = NEW.prev_hash)
       BEGIN SELECT RAISE(ABORT, 'the audit only grows, at its end'); END""",
    """CREATE TRIGGER audit_moves_head AFTER INSERT ON audit
       BEGIN UPDATE audit_head SET count = NEW.seq, head = NEW.hash WHERE one = 1; END""",
    """CREATE TRIGGER audit_immutable BEFORE UPDATE ON audit
       BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
    """CREATE TRIGGER audit_kept BEFORE DELETE ON audit
       BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
    """CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head
       WHEN NOT EXISTS (SELECT 1 FROM audit WHERE seq = NEW.count AND hash = NEW.head)
            OR NEW.count <> OLD.count + 1
       BEGIN SELECT RAISE(ABORT, 'the head of the audit is its last row'); END""",
    """CREATE TRIGGER audit_head_kept BEFORE DELETE ON audit_head
       BEGIN SELECT RAISE(ABORT, 'the head of the audit is its last row'); END""",
)

STATEMENTS: tuple[str, ...] = FACTS + EVENTS + INBOX + INCIDENTS + GUARDS + ENGINE + AUDIT
