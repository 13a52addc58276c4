"""Where each rule stands in its timers, so that `for` survives a restart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch

from .rows import at, epoch

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class RuleState:
    """One rule for one group. `changes` are the recent openings and endings (flap), oldest first."""

    rule: str
    key: str
    labels: Mapping[str, str] = field(default_factory=dict)
    pending_since: datetime | None = None
    clear_since: datetime | None = None
    changes: tuple[datetime, ...] = ()
    held_until: datetime | None = None
    last_row_at: datetime | None = None


class Rules:
    def __init__(self, store: Store) -> None:
        self._store = store

    def states(self, rule_id: str | None = None) -> dict[tuple[str, str], RuleState]:
        """All states, or those of one rule, by (rule, dedup key)."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT rule, key, labels, pending_since, clear_since, changes, held_until, last_row_at"
                " FROM rule_states WHERE ?1 IS NULL OR rule = ?1 ORDER BY rule, key",
                (rule_id,),
            ).fetchall()
        return {
            (row["rule"], row["key"]): RuleState(
                row["rule"],
                row["key"],
                json.loads(row["labels"]),
                at(row["pending_since"]),
                at(row["clear_since"]),
                tuple(from_epoch(change) for change in json.loads(row["changes"])),
                at(row["held_until"]),
                at(row["last_row_at"]),
            )
            for row in rows
        }

    def save_states(self, states: Iterable[RuleState]) -> None:
        """Insert or replace these; others stay as they are."""
        with self._store.write() as db:
            db.executemany(
                "INSERT INTO rule_states"
                " (rule, key, labels, pending_since, clear_since, changes, held_until, last_row_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (rule, key) DO UPDATE SET labels = excluded.labels,"
                " pending_since = excluded.pending_since, clear_since = excluded.clear_since,"
                " changes = excluded.changes, held_until = excluded.held_until,"
                " last_row_at = excluded.last_row_at",
                [
                    (
                        state.rule,
                        state.key,
                        json.dumps(dict(state.labels), sort_keys=True),
                        epoch(state.pending_since),
                        epoch(state.clear_since),
                        json.dumps([to_epoch(change) for change in state.changes]),
                        epoch(state.held_until),
                        epoch(state.last_row_at),
                    )
                    for state in states
                ],
            )
