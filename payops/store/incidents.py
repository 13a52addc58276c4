"""Incidents from opening to end. Every change is a compare-and-swap; the loser learns who won and with what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import LostRace
from payops.domain.incidents import Incident, State, TimelineEntry

from .approvals import Approvals
from .fix_attempts import FixAttempts
from .handoffs import Handoffs
from .redaction import redact_name, redact_text
from .rows import at, epoch
from .similar import Similar
from .swap import add_entry, get_incident, incident_from, lost_race, swap, why_json

if TYPE_CHECKING:
    from .store import Store


class Incidents(FixAttempts, Approvals, Handoffs, Similar):
    """Owns incidents, their timelines, fix attempts with their approvals, and handoffs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open(
        self, draft: Incident, why_text: str, now: datetime, *, who: str = "payops", origin: str = "engine"
    ) -> Incident | None:
        """Open the draft at Level 1 as the next `inc-N`; None while one with its dedup key is open.

        The draft's id, version, state, level and times are set here.
        """
        with self._store.write() as db:
            if db.execute(
                "SELECT 1 FROM incidents WHERE dedup_key = ? AND state <> 'resolved'", (draft.dedup_key,)
            ).fetchone():
                return None
            number = db.execute("SELECT COALESCE(MAX(n), 0) + 1 AS n FROM incidents").fetchone()["n"]
            incident_id = f"inc-{number}"
            db.execute(
                "INSERT INTO incidents (n, id, rule, challenge, provider, account, mode, title, severity,"
                " state, level, dedup_key, labels, opened_at, updated_at, changed_by, changed_what, why,"
                " owner, next_action_at, next_action, l1_started_at, l1_exhausted_at, l1_reason, rule_hash,"
                " policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', 1, ?, ?, ?, ?, ?, 'opened it', ?,"
                " ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    incident_id,
                    draft.rule,
                    draft.challenge,
                    draft.provider,
                    draft.account,
                    draft.mode,
                    redact_text(draft.title),
                    draft.severity,
                    draft.dedup_key,
                    json.dumps(dict(draft.labels), sort_keys=True),
                    to_epoch(now),
                    to_epoch(now),
                    redact_name(who),
                    why_json(draft.why),
                    draft.owner,
                    epoch(draft.next_action_at),
                    redact_text(draft.next_action),
                    epoch(draft.l1_started_at),
                    epoch(draft.l1_exhausted_at),
                    redact_text(draft.l1_reason),
                    draft.rule_hash,
                    draft.policy,
                ),
            )
            db.execute(
                "INSERT INTO incident_words (rowid, title, codes, notes) VALUES (?, ?, ?, '')",
                (number, redact_text(draft.title), _codes(draft)),
            )
            add_entry(db, incident_id, now, "opened", who, why_text)
            self._store.audit.append(
                db,
                now,
                who,
                "open",
                incident_id,
                "ok",
                origin,
                {
                    "rule": draft.rule,
                    "rule_hash": draft.rule_hash,
                    "severity": draft.severity,
                    "why": why_text,
                },
            )
            return get_incident(db, incident_id)

    def reopen(
        self,
        incident_id: str,
        version: int,
        now: datetime,
        *,
        why_text: str,
        who: str = "payops",
        origin: str = "engine",
        **columns: object,
    ) -> Incident:
        """Open a resolved incident again: same id, level, attempts and frozen rule. `LostRace` when it moved on."""
        with self._store.write() as db:
            incident = get_incident(db, incident_id)
            if incident.version != version or incident.state != "resolved":
                raise lost_race(db, incident_id, "reopen")
            other = db.execute(
                "SELECT id FROM incidents WHERE dedup_key = ? AND state <> 'resolved'", (incident.dedup_key,)
            ).fetchone()
            if other:
                raise LostRace(f"{incident_id} was not reopened: {other['id']} is open for the same trouble")
            return self.change(
                incident,
                now,
                who=who,
                entry=why_text,
                kind="reopened",
                origin=origin,
                **{
                    "state": "open",
                    "resolved_at": None,
                    "ended_as": None,
                    "cause": None,
                    "fixed": None,
                    "acknowledged_at": None,
                    "acknowledged_by": None,
                    **columns,
                },
            )

    def reopened_at(self, incident_id: str) -> datetime | None:
        """When it was last opened again; None while it never was."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MAX(at) AS at FROM timeline WHERE incident_id = ? AND kind = 'reopened'",
                (incident_id,),
            ).fetchone()
        return at(row["at"])

    def change(
        self,
        incident: Incident,
        now: datetime,
        *,
        who: str,
        entry: str,
        kind: str,
        origin: str = "engine",
        **columns: object,
    ) -> Incident:
        """The incident with these columns changed, if it is still at the version the caller saw.

        `entry` is the timeline's line (none when empty), `kind` its kind and the audit's verb. Raises
        `LostRace` saying who changed it meanwhile and what they did.
        """
        with self._store.write() as db:
            return swap(
                db,
                self._store.audit,
                incident,
                now,
                who=who,
                entry=entry,
                kind=kind,
                origin=origin,
                columns=columns,
            )

    def get(self, incident_id: str) -> Incident:
        """One incident; `UsageError` with a suggestion when there is none."""
        with self._store.read() as db:
            return get_incident(db, incident_id)

    def listing(self, states: Sequence[State] | None = None, limit: int = 500) -> list[Incident]:
        """Incidents in these states (all when None), newest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM incidents WHERE ?1 IS NULL OR state IN (SELECT value FROM json_each(?1))"
                " ORDER BY n DESC LIMIT ?2",
                (None if states is None else json.dumps(list(states)), limit),
            ).fetchall()
        return [incident_from(row) for row in rows]

    def open_ones(self) -> list[Incident]:
        """Everything not resolved, in order of opening."""
        return self._where("state <> 'resolved' ORDER BY n")

    def resolved_since(self, since: datetime, limit: int = -1) -> list[Incident]:
        """Resolved at or after `since`, newest first, at most `limit` (-1: all)."""
        return self._where(
            "state = 'resolved' AND resolved_at >= ? ORDER BY resolved_at DESC, n DESC LIMIT ?",
            to_epoch(since),
            limit,
        )

    def opened_between(self, since: datetime, until: datetime) -> list[Incident]:
        """Opened in [since, until), in order of opening."""
        return self._where("opened_at >= ? AND opened_at < ? ORDER BY n", to_epoch(since), to_epoch(until))

    def due(self, now: datetime) -> list[Incident]:
        """Not resolved and with something to do by `now`, the longest waiting first."""
        return self._where(
            "state <> 'resolved' AND next_action_at <= ? ORDER BY next_action_at, n", to_epoch(now)
        )

    def find_open(self, dedup_key: str) -> Incident | None:
        found = self._where("dedup_key = ? AND state <> 'resolved'", dedup_key)
        return found[0] if found else None

    def find_recent(self, dedup_key: str, since: datetime) -> Incident | None:
        """The last one of that key resolved at or after `since`."""
        found = self._where(
            "dedup_key = ? AND state = 'resolved' AND resolved_at >= ? ORDER BY resolved_at DESC, n DESC LIMIT 1",
            dedup_key,
            to_epoch(since),
        )
        return found[0] if found else None

    def closed_at(self, account: str, rule: str) -> datetime | None:
        """When a person last ended an incident of this rule at the account; None when nobody has."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MAX(resolved_at) FROM incidents WHERE account = ? AND rule = ?"
                " AND ended_as IN ('false_alarm', 'level_2', 'level_3', 'level_4')",
                (account, rule),
            ).fetchone()
        return at(row[0])

    def endings(self) -> list[tuple[str, int, str | None, int]]:
        """(challenge, level, ended_as, count) over all incidents, for the protocol's shares."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT challenge, level, ended_as, COUNT(*) AS n FROM incidents"
                " GROUP BY challenge, level, ended_as ORDER BY challenge, level, ended_as"
            ).fetchall()
        return [(row["challenge"], row["level"], row["ended_as"], row["n"]) for row in rows]

    def timeline(self, incident_id: str) -> list[TimelineEntry]:
        """Its story, oldest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT at, kind, who, text FROM timeline WHERE incident_id = ? ORDER BY id", (incident_id,)
            ).fetchall()
        return [TimelineEntry(from_epoch(row["at"]), row["kind"], row["who"], row["text"]) for row in rows]

    def first_taken_at(self, incident_id: str) -> datetime | None:
        """When a person first acknowledged it or accepted its handoff; None when nobody has."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MIN(at) AS at FROM timeline WHERE incident_id = ? AND kind IN ('ack', 'accept')",
                (incident_id,),
            ).fetchone()
        return at(row["at"])

    def update_overdue_at(self, incident_id: str) -> datetime | None:
        """When payops last wrote down that its holder owes an update, unless a person has said something since."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MAX(at) AS at FROM timeline WHERE incident_id = ?1 AND kind = 'update_overdue'"
                " AND at > COALESCE((SELECT MAX(at) FROM timeline WHERE incident_id = ?1 AND who <> 'payops'), 0)",
                (incident_id,),
            ).fetchone()
        return at(row["at"])

    def last_word_at(self, incident_id: str) -> datetime | None:
        """When a person last said or did something with it; None when nobody has."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MAX(at) AS at FROM timeline WHERE incident_id = ? AND who <> 'payops'", (incident_id,)
            ).fetchone()
        return at(row["at"])

    def note(
        self,
        incident_id: str,
        who: str,
        text: str,
        now: datetime,
        *,
        kind: str = "note",
        origin: str = "payops",
    ) -> None:
        """Append a line to the timeline; the incident itself does not change."""
        with self._store.write() as db:
            get_incident(db, incident_id)
            add_entry(db, incident_id, now, kind, who, text)
            self._store.audit.append(db, now, who, kind, incident_id, "ok", origin, {"text": text})

    def _where(self, condition: str, *values: object) -> list[Incident]:
        with self._store.read() as db:
            rows = db.execute(f"SELECT * FROM incidents WHERE {condition}", values).fetchall()  # noqa: S608
        return [incident_from(row) for row in rows]


def _codes(draft: Incident) -> str:
    """What an incident can be found by besides its title: its rule, where it is, and the words its terms had."""
    words = [draft.rule, draft.challenge, draft.provider, draft.account, *draft.labels.values()]
    words += [why.value for why in draft.why if isinstance(why.value, str)]
    return redact_text(" ".join(dict.fromkeys(words)))
