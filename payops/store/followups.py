"""What came of incidents: coordinators' answers, the user's decisions, and what is still to be done because of them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import NotPossible
from payops.domain.incidents import Incident
from payops.domain.protocol import Answer, Decision, Followup

from .redaction import redact_name, redact_text
from .rows import at, epoch
from .swap import add_entry, get_incident, swap

if TYPE_CHECKING:
    from .store import Store


class Followups:
    """Owns answers, decisions and follow-ups. Each is written with its timeline line and audit row, or not at all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, made: Followup, entry: str, *, origin: str = "command") -> Followup:
        """Keep a follow-up; its `id` is given here. Resolved incidents may have them too."""
        with self._store.write() as db:
            get_incident(db, made.incident_id)
            number = db.execute(
                "INSERT INTO followups (incident_id, kind, what, owner, due_at, made_at, made_by, done_at, done_by)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    made.incident_id,
                    made.kind,
                    redact_text(made.what),
                    redact_name(made.owner),
                    epoch(made.due_at),
                    to_epoch(made.made_at),
                    redact_name(made.made_by),
                    epoch(made.done_at),
                    made.done_by and redact_name(made.done_by),
                ),
            ).lastrowid
            kind = "learn" if made.kind not in ("answer", "decision") else made.kind
            if entry:
                add_entry(db, made.incident_id, made.made_at, kind, made.made_by, entry)
            self._store.audit.append(
                db, made.made_at, made.made_by, f"follow-up {number}", made.incident_id, "ok", origin, {
                    "kind": made.kind, "what": made.what, "owner": made.owner,
                }
            )  # fmt: skip
        return replace(made, id=int(number or 0))

    def done(self, number: int, who: str, now: datetime, *, origin: str = "command") -> Followup:
        """Mark one done. `NotPossible` when there is none of that number or it is done already."""
        with self._store.write() as db:
            row = db.execute("SELECT * FROM followups WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise NotPossible(f"no follow-up {number}; `payops report shift` lists what is to be done")
            found = _followup(row)
            if found.done_at is not None:
                raise NotPossible(
                    f"follow-up {number} was done by {found.done_by} at {found.done_at:%Y-%m-%d}"
                )
            db.execute(
                "UPDATE followups SET done_at = ?, done_by = ? WHERE id = ?",
                (to_epoch(now), redact_name(who), number),
            )
            add_entry(db, found.incident_id, now, "followup_done", who, f"done: {found.what}")
            self._store.audit.append(
                db, now, who, f"follow-up {number} done", found.incident_id, "ok", origin, {}
            )
        return replace(found, done_at=now, done_by=who)

    def of(self, incident_id: str) -> list[Followup]:
        """All of one incident, in order."""
        return self._where("incident_id = ? ORDER BY id", incident_id)

    def open_ones(self) -> list[Followup]:
        """Everything still to be done, the soonest due first, what has no date last."""
        return self._where("done_at IS NULL ORDER BY due_at IS NULL, due_at, id")

    def answer(self, answer: Answer, incident: Incident, entry: str, **columns: object) -> Incident:
        """Keep what a coordinator answered; returns the incident with `columns` changed."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO answers (incident_id, handoff_seq, kind, text, by, at) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    answer.incident_id,
                    answer.handoff_seq,
                    answer.kind,
                    redact_text(answer.text),
                    redact_name(answer.by),
                    to_epoch(answer.at),
                ),
            )
            return swap(
                db,
                self._store.audit,
                incident,
                answer.at,
                who=answer.by,
                entry=entry,
                kind="answer",
                origin="command",
                columns=columns,
            )

    def answers(self, incident_id: str) -> list[Answer]:
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM answers WHERE incident_id = ? ORDER BY rowid", (incident_id,)
            ).fetchall()
        return [
            Answer(
                row["incident_id"],
                row["handoff_seq"],
                row["kind"],
                row["text"],
                row["by"],
                from_epoch(row["at"]),
            )
            for row in rows
        ]

    def decide(self, decision: Decision, incident: Incident, entry: str, **columns: object) -> Incident:
        """Keep what the user decided; returns the incident with `columns` changed."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO decisions (incident_id, option, text, why, executor, by, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    decision.incident_id,
                    decision.option,
                    redact_text(decision.text),
                    redact_text(decision.why),
                    redact_text(decision.executor),
                    redact_name(decision.by),
                    to_epoch(decision.at),
                ),
            )
            return swap(
                db,
                self._store.audit,
                incident,
                decision.at,
                who=decision.by,
                entry=entry,
                kind="decide",
                origin="command",
                columns=columns,
            )

    def decisions(self, incident_id: str) -> list[Decision]:
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM decisions WHERE incident_id = ? ORDER BY rowid", (incident_id,)
            ).fetchall()
        return [
            Decision(
                row["incident_id"],
                row["option"],
                row["text"],
                row["why"],
                row["executor"],
                row["by"],
                from_epoch(row["at"]),
            )
            for row in rows
        ]

    def _where(self, condition: str, *values: object) -> list[Followup]:
        with self._store.read() as db:
            rows = db.execute(f"SELECT * FROM followups WHERE {condition}", values).fetchall()  # noqa: S608
        return [_followup(row) for row in rows]


def _followup(row: sqlite3.Row) -> Followup:
    return Followup(
        row["id"],
        row["incident_id"],
        row["kind"],
        row["what"],
        row["owner"],
        at(row["due_at"]),
        from_epoch(row["made_at"]),
        row["made_by"],
        at(row["done_at"]),
        row["done_by"],
    )
