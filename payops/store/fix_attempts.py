"""Fix attempts: on disk before the call they describe, at most two for an incident."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import LostRace, NotPossible
from payops.domain.incidents import FixAttempt

from .redaction import redact, redact_body, redact_name, redact_text
from .rows import at, epoch, truth
from .swap import get_incident

if TYPE_CHECKING:
    from .store import Store

MAX_ATTEMPTS = 2
_TIMES = frozenset({"applied_at", "verify_until", "ended_at"})
_CHANGEABLE = _TIMES | {"phase", "outcome", "verified", "request_ids", "progress", "detail"}
_AUDITED = frozenset({"phase", "outcome", "verified"})


class FixAttempts:
    _store: Store

    def start_attempt(self, attempt: FixAttempt, now: datetime, *, origin: str = "engine") -> FixAttempt:
        """Put the attempt on the disk, durably, before its call is made.

        `NotPossible` when the incident has used its two attempts or is resolved; `LostRace` when somebody else
        started this one first.
        """
        with self._store.write_durably() as db:
            incident = get_incident(db, attempt.incident_id)
            if incident.state == "resolved":
                raise NotPossible(f"{incident.id} is resolved: nothing is left to fix")
            made = _all(db, attempt.incident_id)
            if attempt.n > MAX_ATTEMPTS or (len(made) >= MAX_ATTEMPTS and attempt.n > len(made)):
                raise NotPossible(f"{incident.id} has used its two fix attempts: hand it over")
            if attempt.n <= len(made):
                winner = made[attempt.n - 1]
                raise LostRace(
                    f"fix attempt {attempt.n} of {incident.id} was started meanwhile by {winner.by} ({winner.remedy})"
                )
            try:
                _insert(db, attempt)
            except sqlite3.IntegrityError as error:
                if "idempotency_key" not in str(error):
                    raise
                raise LostRace(
                    f"a fix attempt with the idempotency key {attempt.idempotency_key} exists already"
                ) from error
            self._store.audit.append(
                db,
                now,
                attempt.by,
                "start fix",
                attempt.incident_id,
                "started",
                origin,
                {
                    "n": attempt.n,
                    "remedy": attempt.remedy,
                    "action": attempt.action,
                    "idempotency_key": attempt.idempotency_key,
                },
            )
            return _one(db, attempt.incident_id, attempt.n)

    def update_attempt(
        self, incident_id: str, n: int, now: datetime, *, origin: str = "engine", **columns: object
    ) -> FixAttempt:
        """Change phase, outcome, verified, request_ids, progress, detail or times; a known outcome stays.

        Audited when the phase, the outcome or the verdict changes; progress alone is not.
        """
        unknown = sorted(set(columns) - _CHANGEABLE)
        if unknown or not columns:
            raise ValueError(f"update_attempt cannot set {', '.join(unknown) or 'nothing'}")
        values = {name: _column(name, value) for name, value in columns.items()}
        sets = ", ".join(f"{name} = ?" for name in values)
        with self._store.write() as db:
            before = _one(db, incident_id, n)
            db.execute(
                f"UPDATE fix_attempts SET {sets} WHERE incident_id = ? AND n = ?",  # noqa: S608
                (*values.values(), incident_id, n),
            )
            after = _one(db, incident_id, n)
            told = {
                name: getattr(after, name)
                for name in sorted(_AUDITED)
                if getattr(after, name) != getattr(before, name)
            }
            if told:
                self._store.audit.append(
                    db,
                    now,
                    after.by,
                    "fix",
                    incident_id,
                    after.outcome or after.phase,
                    origin,
                    {
                        "n": n,
                        "remedy": after.remedy,
                        **told,
                        "detail": after.detail,
                        "request_ids": list(after.request_ids),
                    },
                )
        return after

    def attempts(self, incident_id: str) -> list[FixAttempt]:
        """The incident's fix attempts in order."""
        with self._store.read() as db:
            return _all(db, incident_id)

    def unfinished_attempts(self) -> list[FixAttempt]:
        """Attempts applying or verifying, of all incidents, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM fix_attempts WHERE phase <> 'done' ORDER BY started_at, incident_id, n"
            ).fetchall()
        return [_attempt(row) for row in rows]

    def attempts_since(self, account: str, remedy: str | None, since: datetime) -> list[FixAttempt]:
        """Attempts of a remedy (None: of any) on an account started at or after `since`, oldest first: for limits."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT fix_attempts.* FROM fix_attempts JOIN incidents ON incidents.id = incident_id"
                " WHERE incidents.account = ?1 AND (?2 IS NULL OR remedy = ?2) AND started_at >= ?3"
                " ORDER BY started_at, incident_id, fix_attempts.n",
                (account, remedy, to_epoch(since)),
            ).fetchall()
        return [_attempt(row) for row in rows]


def _insert(db: sqlite3.Connection, attempt: FixAttempt) -> None:
    db.execute(
        "INSERT INTO fix_attempts (incident_id, n, remedy, action, effect, by, idempotency_key, plan, phase,"
        " started_at, applied_at, verify_until, ended_at, outcome, verified, request_ids, progress, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            attempt.incident_id,
            attempt.n,
            attempt.remedy,
            attempt.action,
            attempt.effect,
            redact_name(attempt.by),
            attempt.idempotency_key,
            redact_body(attempt.plan)[0],
            attempt.phase,
            to_epoch(attempt.started_at),
            epoch(attempt.applied_at),
            epoch(attempt.verify_until),
            epoch(attempt.ended_at),
            attempt.outcome,
            None if attempt.verified is None else int(attempt.verified),
            json.dumps(attempt.request_ids),
            redact_body(attempt.progress)[0],
            redact_text(attempt.detail),
        ),
    )


def _column(name: str, value: object) -> object:
    if name in _TIMES:
        assert value is None or isinstance(value, datetime)
        return epoch(value)
    if name == "verified":
        return None if value is None else int(bool(value))
    if name == "request_ids":
        masked, _ = redact(value)
        return json.dumps(masked)
    if name == "progress":
        return redact_body(str(value))[0]
    return value if value is None else redact_text(str(value))


def _all(db: sqlite3.Connection, incident_id: str) -> list[FixAttempt]:
    rows = db.execute("SELECT * FROM fix_attempts WHERE incident_id = ? ORDER BY n", (incident_id,))
    return [_attempt(row) for row in rows]


def _one(db: sqlite3.Connection, incident_id: str, n: int) -> FixAttempt:
    row = db.execute(
        "SELECT * FROM fix_attempts WHERE incident_id = ? AND n = ?", (incident_id, n)
    ).fetchone()
    if row is None:
        raise ValueError(f"no fix attempt {n} of {incident_id}")
    return _attempt(row)


def _attempt(row: sqlite3.Row) -> FixAttempt:
    return FixAttempt(
        incident_id=row["incident_id"],
        n=row["n"],
        remedy=row["remedy"],
        action=row["action"],
        effect=row["effect"],
        by=row["by"],
        idempotency_key=row["idempotency_key"],
        plan=row["plan"],
        phase=row["phase"],
        started_at=from_epoch(row["started_at"]),
        applied_at=at(row["applied_at"]),
        verify_until=at(row["verify_until"]),
        ended_at=at(row["ended_at"]),
        outcome=row["outcome"],
        verified=truth(row["verified"]),
        request_ids=tuple(json.loads(row["request_ids"])),
        progress=row["progress"],
        detail=row["detail"],
    )
