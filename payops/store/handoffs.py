"""Handoffs: the only way up a level. Sent ones never change; they are accepted or returned."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, iso, to_epoch
from payops.domain.errors import NotPossible
from payops.domain.incidents import Handoff, Incident

from .redaction import redact_name, redact_text
from .rows import at, epoch
from .swap import swap

if TYPE_CHECKING:
    from .store import Store

_LOWERING = ("down", "auditor")
"""Causes of a handoff to a lower level than the one before it."""
FIVE_FIELDS = ("problem", "attempted", "impact", "gateway", "request")


class Handoffs:
    _store: Store

    def add_handoff(
        self,
        handoff: Handoff,
        incident: Incident,
        now: datetime,
        *,
        entry: str | None = None,
        origin: str = "engine",
        **columns: object,
    ) -> Incident:
        """Send the handoff and raise the incident to its level, both or neither; returns the incident.

        The handoff's `seq` is given here, and the incident's level stays the highest one reached. `NotPossible`
        when one of the five fields is blank, the level is below the last one's though nobody handed it down, or the
        incident is resolved; `LostRace` when it changed meanwhile.
        """
        _refuse_resolved(incident)
        blank = [name for name in FIVE_FIELDS if not getattr(handoff, name).strip()]
        if blank:
            raise NotPossible(
                f"the handoff of {incident.id} has no {', '.join(blank)}: say what was tried to learn it"
            )
        with self._store.write() as db:
            last = _latest(db, incident.id)
            seq = last.seq + 1 if last else 1
            if last is not None and handoff.level < last.level and handoff.cause not in _LOWERING:
                raise NotPossible(
                    f"{incident.id} is at level {last.level} already: a handoff to level {handoff.level} would lower it"
                )
            db.execute(
                "INSERT INTO handoffs (incident_id, seq, level, to_role, problem, attempted, impact, gateway,"
                " request, sent_at, sent_by, accept_by, cause, trigger)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    incident.id,
                    seq,
                    handoff.level,
                    handoff.to,
                    *(redact_text(getattr(handoff, name)) for name in FIVE_FIELDS),
                    to_epoch(handoff.sent_at),
                    redact_name(handoff.sent_by),
                    epoch(handoff.accept_by),
                    handoff.cause,
                    handoff.trigger,
                ),
            )
            return swap(
                db,
                self._store.audit,
                incident,
                now,
                who=handoff.sent_by,
                entry=entry or f"Handed to {handoff.to} (level {handoff.level}): {handoff.request}",
                kind="handoff",
                origin=origin,
                columns=columns,
                level=max(handoff.level, incident.level),
            )

    def accept_handoff(
        self,
        incident: Incident,
        who: str,
        now: datetime,
        *,
        entry: str | None = None,
        origin: str = "payops",
        **columns: object,
    ) -> Incident:
        """Take over the handoff that waits: the incident is acknowledged by `who`.

        `NotPossible` when none waits or the incident is resolved; `LostRace` when the incident changed meanwhile.
        """
        _refuse_resolved(incident)
        defaults = {
            "state": "acknowledged",
            "acknowledged_at": now,
            "acknowledged_by": who,
            "owner": who,
        }
        with self._store.write() as db:
            waiting = _waiting(db, incident)
            db.execute(
                "UPDATE handoffs SET accepted_at = ?, accepted_by = ? WHERE incident_id = ? AND seq = ?",
                (to_epoch(now), redact_name(who), incident.id, waiting.seq),
            )
            return swap(
                db,
                self._store.audit,
                incident,
                now,
                who=who,
                entry=entry or f"Accepted by {who} for {waiting.to}",
                kind="accept",
                origin=origin,
                columns={**defaults, **columns},
            )

    def return_handoff(
        self,
        incident: Incident,
        who: str,
        question: str,
        now: datetime,
        *,
        entry: str | None = None,
        origin: str = "payops",
        **columns: object,
    ) -> Incident:
        """Send the waiting or accepted handoff back with a question; the level stays."""
        _refuse_resolved(incident)
        if not question.strip():
            raise NotPossible(f"a handoff of {incident.id} is returned with a question: ask one")
        with self._store.write() as db:
            handoff = _latest(db, incident.id)
            if handoff is None or handoff.returned_at is not None:
                raise NotPossible(f"{incident.id} has no handoff to return")
            db.execute(
                "UPDATE handoffs SET returned_at = ?, returned_by = ?, question = ?"
                " WHERE incident_id = ? AND seq = ?",
                (to_epoch(now), redact_name(who), redact_text(question), incident.id, handoff.seq),
            )
            return swap(
                db,
                self._store.audit,
                incident,
                now,
                who=who,
                entry=entry or f"Returned by {who}: {question}",
                kind="return",
                origin=origin,
                columns=columns,
            )

    def handoffs(self, incident_id: str) -> list[Handoff]:
        """The incident's handoffs in order."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM handoffs WHERE incident_id = ? ORDER BY seq", (incident_id,)
            ).fetchall()
        return [_handoff(row) for row in rows]


def _refuse_resolved(incident: Incident) -> None:
    if incident.state == "resolved":
        raise NotPossible(f"{incident.id} is resolved: nothing is handed over any more")


def _latest(db: sqlite3.Connection, incident_id: str) -> Handoff | None:
    row = db.execute(
        "SELECT * FROM handoffs WHERE incident_id = ? ORDER BY seq DESC LIMIT 1", (incident_id,)
    ).fetchone()
    return None if row is None else _handoff(row)


def _waiting(db: sqlite3.Connection, incident: Incident) -> Handoff:
    handoff = _latest(db, incident.id)
    if handoff is None:
        raise NotPossible(f"{incident.id} was not handed over: escalate it first")
    if handoff.accepted_at is not None:
        raise NotPossible(
            f"the handoff of {incident.id} was accepted by {handoff.accepted_by} at {iso(handoff.accepted_at)}"
        )
    if handoff.returned_at is not None:
        raise NotPossible(
            f"the handoff of {incident.id} was returned by {handoff.returned_by}: answer it by a new one"
        )
    return handoff


def _handoff(row: sqlite3.Row) -> Handoff:
    return Handoff(
        incident_id=row["incident_id"],
        seq=row["seq"],
        level=row["level"],
        to=row["to_role"],
        problem=row["problem"],
        attempted=row["attempted"],
        impact=row["impact"],
        gateway=row["gateway"],
        request=row["request"],
        sent_at=from_epoch(row["sent_at"]),
        sent_by=row["sent_by"],
        accept_by=at(row["accept_by"]),
        accepted_at=at(row["accepted_at"]),
        accepted_by=row["accepted_by"],
        returned_at=at(row["returned_at"]),
        returned_by=row["returned_by"],
        question=row["question"],
        cause=row["cause"],
        trigger=row["trigger"],
    )
