"""Approvals and what operators set aside: who let a remedy act, before what time, and who keeps it from acting."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, iso, to_epoch
from payops.domain.approvals import Approval, ApprovalState, Aside, SetAside
from payops.domain.errors import LostRace, NotPossible
from payops.domain.roles import OperatorRole

from .redaction import redact_body, redact_name, redact_text
from .rows import at

if TYPE_CHECKING:
    from .store import Store


class Approvals:
    """A part of `Incidents`: each change is one transaction with its line in the audit."""

    _store: Store

    def request_approval(
        self,
        incident_id: str,
        now: datetime,
        *,
        remedy: str,
        role: OperatorRole,
        people: int,
        plan: str,
        plan_hash: str,
        expires_at: datetime,
        who: str = "payops",
    ) -> Approval:
        """Ask people to let a remedy act; a request that waits already is withdrawn by the new one."""
        with self._store.write() as db:
            self.end_approval(incident_id, "withdrawn", now)
            seq = db.execute(
                "SELECT COALESCE(MAX(seq), 0) + 1 FROM approvals WHERE incident_id = ?", (incident_id,)
            ).fetchone()[0]
            db.execute(
                "INSERT INTO approvals (incident_id, seq, remedy, role, people, plan, plan_hash, requested_at,"
                " expires_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
                (
                    incident_id,
                    seq,
                    remedy,
                    role,
                    people,
                    redact_body(plan)[0],
                    plan_hash,
                    to_epoch(now),
                    to_epoch(expires_at),
                ),
            )
            self._store.audit.append(
                db,
                now,
                who,
                "request approval",
                incident_id,
                "waiting",
                "engine",
                {"remedy": remedy, "plan_hash": plan_hash, "people": people, "expires_at": iso(expires_at)},
            )
            return _one(db, incident_id, seq)

    def approve(self, approval: Approval, operator: str, now: datetime) -> Approval:
        """Note that `operator` approved; `NotPossible` when the same one did before, `LostRace` when it is over."""
        with self._store.write_durably() as db:
            current = _one(db, approval.incident_id, approval.seq)
            if current.state != "waiting" or now >= current.expires_at:
                raise LostRace(f"{approval.incident_id}: the request to approve {approval.remedy} is over")
            name = redact_name(operator)
            if name in current.by:
                raise NotPossible(
                    f"{approval.incident_id}: {operator} has approved {approval.remedy} already; it takes "
                    f"{approval.people} different people"
                )
            db.execute(
                "INSERT INTO approvers (incident_id, seq, operator, at) VALUES (?, ?, ?, ?)",
                (approval.incident_id, approval.seq, name, to_epoch(now)),
            )
            self._store.audit.append(
                db,
                now,
                operator,
                "approve",
                approval.incident_id,
                "ok",
                "command",
                {"remedy": approval.remedy, "plan_hash": approval.plan_hash},
            )
            return _one(db, approval.incident_id, approval.seq)

    def give_approval(self, approval: Approval, attempt: int, now: datetime) -> None:
        """Spend the approval on one fix attempt: the database refuses one that lacks people or is late."""
        with self._store.write_durably() as db:
            self._end(db, approval, "given", now, attempt)

    def end_approval(self, incident_id: str, state: ApprovalState, now: datetime) -> Approval | None:
        """End the request that waits, if one does: `expired` or `withdrawn`."""
        with self._store.write() as db:
            waiting = _waiting(db, incident_id)
            if waiting is not None:
                self._end(db, waiting, state, now, None)
            return waiting

    def waiting_approval(self, incident_id: str) -> Approval | None:
        """The request that waits for people, expired or not."""
        with self._store.read() as db:
            return _waiting(db, incident_id)

    def approvals(self, incident_id: str) -> list[Approval]:
        """Every request of the incident, in order."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM approvals WHERE incident_id = ? ORDER BY seq", (incident_id,)
            ).fetchall()
            return [_approval(db, row) for row in rows]

    def set_aside(
        self, incident_id: str, remedy: str, how: Aside, who: str, reason: str, now: datetime
    ) -> None:
        """Hold or skip a remedy of one incident; the later decision replaces the earlier."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO set_aside (incident_id, remedy, how, who, at, reason) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (incident_id, remedy) DO UPDATE SET how = excluded.how, who = excluded.who,"
                " at = excluded.at, reason = excluded.reason",
                (incident_id, remedy, how, redact_name(who), to_epoch(now), redact_text(reason)),
            )
            self._store.audit.append(
                db, now, who, how, incident_id, "ok", "command", {"remedy": remedy, "reason": reason}
            )

    def release(self, incident_id: str, remedy: str, who: str, now: datetime) -> bool:
        """Let a held remedy go on; whether it was held."""
        with self._store.write() as db:
            released = db.execute(
                "DELETE FROM set_aside WHERE incident_id = ? AND remedy = ? AND how = 'held'",
                (incident_id, remedy),
            ).rowcount
            if released:
                self._store.audit.append(
                    db, now, who, "release", incident_id, "ok", "command", {"remedy": remedy}
                )
            return bool(released)

    def aside(self, incident_id: str) -> dict[str, SetAside]:
        """What operators hold or skip of an incident, by remedy."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT remedy, how, who, at, reason FROM set_aside WHERE incident_id = ?", (incident_id,)
            ).fetchall()
        return {
            row["remedy"]: SetAside(
                row["remedy"], row["how"], row["who"], from_epoch(row["at"]), row["reason"]
            )
            for row in rows
        }

    def _end(
        self,
        db: sqlite3.Connection,
        approval: Approval,
        state: ApprovalState,
        now: datetime,
        attempt: int | None,
    ) -> None:
        changed = db.execute(
            "UPDATE approvals SET state = ?, ended_at = ?, attempt = ?"
            " WHERE incident_id = ? AND seq = ? AND state = 'waiting'",
            (state, to_epoch(now), attempt, approval.incident_id, approval.seq),
        ).rowcount
        if not changed:
            raise LostRace(f"{approval.incident_id}: the request to approve {approval.remedy} is over")
        self._store.audit.append(
            db,
            now,
            "payops",
            "approval",
            approval.incident_id,
            state,
            "engine",
            {"remedy": approval.remedy, "attempt": attempt, "by": list(approval.by)},
        )


def _waiting(db: sqlite3.Connection, incident_id: str) -> Approval | None:
    row = db.execute(
        "SELECT * FROM approvals WHERE incident_id = ? AND state = 'waiting'", (incident_id,)
    ).fetchone()
    return None if row is None else _approval(db, row)


def _one(db: sqlite3.Connection, incident_id: str, seq: int) -> Approval:
    row = db.execute(
        "SELECT * FROM approvals WHERE incident_id = ? AND seq = ?", (incident_id, seq)
    ).fetchone()
    return _approval(db, row)


def _approval(db: sqlite3.Connection, row: sqlite3.Row) -> Approval:
    approvers = db.execute(
        "SELECT operator FROM approvers WHERE incident_id = ? AND seq = ? ORDER BY at, rowid",
        (row["incident_id"], row["seq"]),
    )
    return Approval(
        incident_id=row["incident_id"],
        seq=row["seq"],
        remedy=row["remedy"],
        role=row["role"],
        people=row["people"],
        plan=row["plan"],
        plan_hash=row["plan_hash"],
        requested_at=from_epoch(row["requested_at"]),
        expires_at=from_epoch(row["expires_at"]),
        state=row["state"],
        ended_at=at(row["ended_at"]),
        attempt=row["attempt"],
        by=tuple(each["operator"] for each in approvers),
    )
