"""What a rule that only counts (`status: shadow`) would have opened, from when until when."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.incidents import Severity, Why

from .redaction import redact
from .rows import at
from .swap import why_json

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class Firing:
    """One time a rule would have had an incident open for one group; `ended_at` None while it still would."""

    id: int
    rule: str
    key: str
    labels: Mapping[str, str]
    severity: Severity
    rule_hash: str
    why: tuple[Why, ...]
    at: datetime
    ended_at: datetime | None = None


class Firings:
    _store: Store

    def begin_firing(
        self,
        rule: str,
        key: str,
        labels: Mapping[str, str],
        severity: Severity,
        rule_hash: str,
        why: Sequence[Why],
        now: datetime,
    ) -> None:
        """It would open now; nothing changes while one of that rule and key is under way."""
        kept, _ = redact(dict(labels))
        with self._store.write() as db:
            db.execute(
                "INSERT INTO rule_firings (rule, key, labels, severity, rule_hash, why, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    rule,
                    key,
                    json.dumps(kept, sort_keys=True),
                    severity,
                    rule_hash,
                    why_json(why),
                    to_epoch(now),
                ),
            )

    def end_firing(self, firing_id: int, now: datetime) -> None:
        """It would resolve now."""
        with self._store.write() as db:
            db.execute(
                "UPDATE rule_firings SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
                (to_epoch(now), firing_id),
            )

    def firing_now(self) -> list[Firing]:
        """Those under way, in order of their beginning."""
        with self._store.read() as db:
            rows = db.execute("SELECT * FROM rule_firings WHERE ended_at IS NULL ORDER BY id").fetchall()
        return [_firing(row) for row in rows]

    def firings_since(self, since: datetime, rule: str | None = None) -> list[Firing]:
        """Those that began at or after `since`, oldest first; of one rule when it is named."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM rule_firings WHERE at >= ?1 AND (?2 IS NULL OR rule = ?2) ORDER BY id",
                (to_epoch(since), rule),
            ).fetchall()
        return [_firing(row) for row in rows]


def _firing(row: sqlite3.Row) -> Firing:
    return Firing(
        row["id"],
        row["rule"],
        row["key"],
        json.loads(row["labels"]),
        row["severity"],
        row["rule_hash"],
        tuple(Why(term, value) for term, value in json.loads(row["why"])),
        from_epoch(row["at"]),
        at(row["ended_at"]),
    )
