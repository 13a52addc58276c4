"""Who approves a remedy and until when, what an operator holds or skips, and the time of Level 1 as a constraint."""

from __future__ import annotations

TABLES: tuple[str, ...] = (
    """CREATE TABLE approvals (
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        seq INTEGER NOT NULL,
        remedy TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('operator', 'coordinator', 'security', 'admin')),
        people INTEGER NOT NULL CHECK (people BETWEEN 1 AND 2),
        plan TEXT NOT NULL,
        plan_hash TEXT NOT NULL,
        requested_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL CHECK (expires_at > requested_at),
        state TEXT NOT NULL CHECK (state IN ('waiting', 'given', 'expired', 'withdrawn')),
        ended_at INTEGER,
        attempt INTEGER,
        PRIMARY KEY (incident_id, seq),
        CHECK ((state = 'waiting') = (ended_at IS NULL)),
        CHECK ((state = 'given') = (attempt IS NOT NULL))
    ) STRICT""",
    "CREATE UNIQUE INDEX approvals_waiting ON approvals (incident_id) WHERE state = 'waiting'",
    """CREATE TABLE approvers (
        incident_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        operator TEXT NOT NULL CHECK (operator <> 'payops' AND trim(operator) <> ''),
        at INTEGER NOT NULL,
        PRIMARY KEY (incident_id, seq, operator),
        FOREIGN KEY (incident_id, seq) REFERENCES approvals (incident_id, seq)
    ) STRICT""",
    """CREATE TABLE set_aside (
        incident_id TEXT NOT NULL REFERENCES incidents (id),
        remedy TEXT NOT NULL,
        how TEXT NOT NULL CHECK (how IN ('held', 'skipped')),
        who TEXT NOT NULL,
        at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (incident_id, remedy)
    ) STRICT""",
    "ALTER TABLE incidents ADD COLUMN l1_blocked TEXT NOT NULL DEFAULT ''"
    " CHECK (l1_blocked IN ('', 'observing', 'stopped', 'operator'))",
)

GUARDS: tuple[str, ...] = (
    """CREATE TRIGGER approvals_frozen BEFORE UPDATE OF incident_id, seq, remedy, role, people, plan, plan_hash,
            requested_at, expires_at ON approvals
       BEGIN SELECT RAISE(ABORT, 'what was asked to be approved does not change'); END""",
    """CREATE TRIGGER approvals_end_once BEFORE UPDATE OF state ON approvals WHEN OLD.state <> 'waiting'
       BEGIN SELECT RAISE(ABORT, 'an approval ends once'); END""",
    """CREATE TRIGGER approvals_given_by_enough BEFORE UPDATE OF state ON approvals
       WHEN NEW.state = 'given' AND (NEW.ended_at >= NEW.expires_at OR NEW.people >
            (SELECT COUNT(*) FROM approvers WHERE incident_id = NEW.incident_id AND seq = NEW.seq))
       BEGIN SELECT RAISE(ABORT, 'an approval is given in time and by as many people as it needs'); END""",
    """CREATE TRIGGER approvals_kept BEFORE DELETE ON approvals
       BEGIN SELECT RAISE(ABORT, 'an approval is never deleted'); END""",
    """CREATE TRIGGER approvers_in_time BEFORE INSERT ON approvers
       WHEN NOT EXISTS (SELECT 1 FROM approvals WHERE incident_id = NEW.incident_id AND seq = NEW.seq
            AND state = 'waiting' AND NEW.at < expires_at)
       BEGIN SELECT RAISE(ABORT, 'nothing waits for this approval'); END""",
    """CREATE TRIGGER approvers_immutable BEFORE UPDATE ON approvers
       BEGIN SELECT RAISE(ABORT, 'who approved does not change'); END""",
    """CREATE TRIGGER approvers_kept BEFORE DELETE ON approvers
       BEGIN SELECT RAISE(ABORT, 'who approved is never deleted'); END""",
    """CREATE TRIGGER fix_attempts_money_is_approved BEFORE INSERT ON fix_attempts
       WHEN NEW.effect = 'money' AND (NEW.by = 'payops' OR NOT EXISTS (SELECT 1 FROM approvals
            WHERE incident_id = NEW.incident_id AND state = 'given' AND attempt = NEW.n AND remedy = NEW.remedy))
       BEGIN SELECT RAISE(ABORT, 'money moves only when people approved this very attempt'); END""",
    # The first plan begins Level 1's time; an operator's own press begins its own, or what its plan says it takes.
    """CREATE TRIGGER fix_attempts_in_time BEFORE INSERT ON fix_attempts
       WHEN COALESCE(json_extract(NEW.progress, '$.apply_until'), 0) > CASE NEW.by WHEN 'payops'
            THEN 300 + COALESCE((SELECT l1_started_at FROM incidents WHERE id = NEW.incident_id), NEW.started_at)
            ELSE NEW.started_at + MAX(300, 2 * COALESCE(json_extract(NEW.plan, '$.data.takes_s'), 0)) END
       BEGIN SELECT RAISE(ABORT, 'Level 1 has five minutes from its first plan'); END""",
    """CREATE TRIGGER fix_attempts_call_in_time BEFORE UPDATE OF progress ON fix_attempts
       WHEN json_extract(NEW.progress, '$.apply_until') IS NOT json_extract(OLD.progress, '$.apply_until')
         OR (json_extract(NEW.progress, '$.doing_at') IS NOT json_extract(OLD.progress, '$.doing_at')
             AND json_extract(NEW.progress, '$.doing_at') > json_extract(OLD.progress, '$.apply_until'))
       BEGIN SELECT RAISE(ABORT, 'no call is begun after the time of its attempt'); END""",
)

STATEMENTS: tuple[str, ...] = TABLES + GUARDS
