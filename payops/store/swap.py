"""The compare-and-swap every change of an incident goes through, and an incident's columns."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from payops.clock import from_epoch, iso, to_epoch
from payops.domain.errors import LostRace, UsageError
from payops.domain.incidents import Incident, Why
from payops.text import did_you_mean, safe_line

from .redaction import redact, redact_name, redact_text
from .rows import at, epoch

if TYPE_CHECKING:
    from .audit import Audit

_TIMES = frozenset(
    {"acknowledged_at", "resolved_at", "next_action_at", "l1_started_at", "l1_exhausted_at", "quiet_until"}
)
_TEXTS = frozenset({"title", "next_action", "l1_reason", "quiet_why", "fixed"})
_NAMES = frozenset({"acknowledged_by", "owner"})
_WORDS = frozenset({"severity", "state", "ended_as", "l1_blocked", "cause"})
SEARCHED = frozenset({"note", "resolve", "answer", "decide", "learn"})
"""Kinds of timeline lines whose words are kept for finding similar incidents."""
CHANGEABLE = _TIMES | _TEXTS | _NAMES | _WORDS | {"why"}
"""Columns a change may set. The level is raised by a handoff and by nothing else."""


def get_incident(db: sqlite3.Connection, incident_id: str) -> Incident:
    """One incident; `UsageError` with a suggestion when there is none."""
    row = db.execute("SELECT * FROM incidents WHERE id = ?", (incident_id,)).fetchone()
    if row is None:
        known = [found["id"] for found in db.execute("SELECT id FROM incidents ORDER BY n DESC LIMIT 200")]
        hint = did_you_mean(incident_id, known) or ("" if known else " (there are none yet)")
        raise UsageError(f"no incident {safe_line(incident_id, limit=60)!r}{hint}")
    return incident_from(row)


def swap(
    db: sqlite3.Connection,
    audit: Audit,
    incident: Incident,
    now: datetime,
    *,
    who: str,
    entry: str,
    kind: str,
    origin: str,
    columns: Mapping[str, object],
    level: int | None = None,
) -> Incident:
    """Change `incident` if it is still at the version the caller saw; timeline and audit go with it."""
    unknown = sorted(set(columns) - CHANGEABLE)
    if unknown:
        raise ValueError(f"a change cannot set {', '.join(unknown)}")
    values: dict[str, object] = {name: _column(name, value) for name, value in columns.items()}
    if level is not None:
        values["level"] = level
    values |= {
        "updated_at": to_epoch(now),
        "changed_by": redact_name(who),
        "changed_what": redact_text(entry or kind),
    }
    sets = ", ".join(f"{name} = ?" for name in values)
    changed = db.execute(
        f"UPDATE incidents SET version = version + 1, {sets} WHERE id = ? AND version = ?",  # noqa: S608
        (*values.values(), incident.id, incident.version),
    ).rowcount
    if not changed:
        raise lost_race(db, incident.id, kind)
    if entry:
        add_entry(db, incident.id, now, kind, who, entry)
    shown = {name: _shown(value) for name, value in columns.items() if name != "why"}
    audit.append(db, now, who, kind, incident.id, "ok", origin, {"entry": entry, **shown})
    return get_incident(db, incident.id)


def lost_race(db: sqlite3.Connection, incident_id: str, kind: str) -> LostRace:
    """Who changed the incident last, when, and what they did."""
    get_incident(db, incident_id)
    row = db.execute(
        "SELECT changed_by, changed_what, updated_at FROM incidents WHERE id = ?", (incident_id,)
    ).fetchone()
    return LostRace(
        f"{incident_id} changed meanwhile: {row['changed_by']} at {iso(from_epoch(row['updated_at']))}: "
        f"{safe_line(row['changed_what'])}; look again before you {kind.replace('_', ' ')}"
    )


def add_entry(
    db: sqlite3.Connection, incident_id: str, now: datetime, kind: str, who: str, text: str
) -> None:
    """Append a line to the incident's timeline; what people wrote can be searched from then on."""
    line = redact_text(text)
    db.execute(
        "INSERT INTO timeline (incident_id, at, kind, who, text) VALUES (?, ?, ?, ?, ?)",
        (incident_id, to_epoch(now), kind, redact_name(who), line),
    )
    if kind in SEARCHED:
        db.execute(
            "UPDATE incident_words SET notes = notes || ? WHERE rowid = (SELECT n FROM incidents WHERE id = ?)",
            (f"{line}\n", incident_id),
        )


def why_json(why: Sequence[Why]) -> str:
    terms, _ = redact([[one.term, one.value] for one in why])
    return json.dumps(terms)


@lru_cache(maxsize=512)
def _why(text: str) -> tuple[Why, ...]:
    return tuple(Why(term, value) for term, value in json.loads(text))


def incident_from(row: sqlite3.Row) -> Incident:
    return Incident(
        id=row["id"],
        version=row["version"],
        rule=row["rule"],
        challenge=row["challenge"],
        provider=row["provider"],
        account=row["account"],
        mode=row["mode"],
        title=row["title"],
        severity=row["severity"],
        state=row["state"],
        level=row["level"],
        dedup_key=row["dedup_key"],
        labels=json.loads(row["labels"]),
        opened_at=from_epoch(row["opened_at"]),
        updated_at=from_epoch(row["updated_at"]),
        why=_why(row["why"]),
        acknowledged_at=at(row["acknowledged_at"]),
        acknowledged_by=row["acknowledged_by"],
        owner=row["owner"],
        resolved_at=at(row["resolved_at"]),
        ended_as=row["ended_as"],
        next_action_at=at(row["next_action_at"]),
        next_action=row["next_action"],
        l1_started_at=at(row["l1_started_at"]),
        l1_exhausted_at=at(row["l1_exhausted_at"]),
        l1_reason=row["l1_reason"],
        l1_blocked=row["l1_blocked"],
        rule_hash=row["rule_hash"],
        policy=row["policy"],
        quiet_until=at(row["quiet_until"]),
        quiet_why=row["quiet_why"],
        cause=row["cause"],
        fixed=row["fixed"],
    )


def _column(name: str, value: object) -> object:
    if name == "why":
        return why_json(value)  # type: ignore[arg-type]
    if value is None:
        return None
    if name in _TIMES:
        assert isinstance(value, datetime)
        return epoch(value)
    if name in _TEXTS:
        return redact_text(str(value))
    return redact_name(str(value)) if name in _NAMES else str(value)


def _shown(value: object) -> object:
    return iso(value) if isinstance(value, datetime) else value
