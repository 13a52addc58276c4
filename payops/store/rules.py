"""Where each rule stands in its timers, so that `for` survives a restart, and which rules are in use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch

from .firings import Firings
from .redaction import redact_name
from .rows import at, epoch
from .switches import set_meta

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


IN_USE = "rules"
"""The `meta` key that names the rule set in use."""
STATES = "rule_states"
"""The `meta` key of the mark that changes whenever a state does."""


class Rules(Firings):
    """Owns the timers, the rule sets and what shadow rules would have opened."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: tuple[str, dict[tuple[str, str], RuleState]] | None = None
        """The mark the states bore when they were read or written here last, and the states."""

    def states(self, rule_id: str | None = None) -> dict[tuple[str, str], RuleState]:
        """All states, or those of one rule, by (rule, dedup key)."""
        with self._store.read() as db:
            if rule_id is None:
                # Thousands of rows, asked for at every tick, and nearly always the ones this process wrote.
                marked = db.execute("SELECT value FROM meta WHERE key = ?", (STATES,)).fetchone()
                if self._read is not None and marked is not None and self._read[0] == marked["value"]:
                    return dict(self._read[1])
            rows = db.execute(
                "SELECT rule, key, labels, pending_since, clear_since, changes, held_until, last_row_at"
                " FROM rule_states WHERE ?1 IS NULL OR rule = ?1 ORDER BY rule, key",
                (rule_id,),
            ).fetchall()
        found = {
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
        if rule_id is None and marked is not None:
            self._read = (marked["value"], dict(found))
        return found

    def save_states(self, states: Sequence[RuleState]) -> None:
        """Insert or replace these; others stay as they are."""
        with self._store.write() as db:
            known = self.states()
            # Not a count: what is rolled back here and written elsewhere must never bear the same mark.
            mark = token_hex(8)
            set_meta(db, STATES, mark)
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
            known |= {(state.rule, state.key): state for state in states}
            self._read = (mark, known)

    def in_use(self) -> str | None:
        """The hash of the rule set payops judges by; None before its first tick."""
        with self._store.read() as db:
            row = db.execute("SELECT value FROM meta WHERE key = ?", (IN_USE,)).fetchone()
        return row and str(row["value"])

    def policies(self, set_hash: str) -> dict[str, str]:
        """Rule id → canonical JSON of the rule, of a set that was in use; empty when it is not known."""
        with self._store.read() as db:
            row = db.execute("SELECT policies FROM rule_sets WHERE hash = ?", (set_hash,)).fetchone()
        return {} if row is None else dict(json.loads(row["policies"]))

    def use(
        self,
        set_hash: str,
        policies: Mapping[str, str],
        who: str,
        why: str,
        now: datetime,
        *,
        origin: str = "engine",
    ) -> None:
        """Judge by this set from now on; kept whole, so that another process can take over with it. Audited."""
        with self._store.write() as db:
            before = self.in_use()
            db.execute(
                "INSERT INTO rule_sets (hash, at, who, policies) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (hash) DO UPDATE SET at = excluded.at, who = excluded.who",
                (set_hash, to_epoch(now), redact_name(who), json.dumps(dict(policies), sort_keys=True)),
            )
            set_meta(db, IN_USE, set_hash)
            self._store.audit.append(
                db, now, who, "use rules", set_hash[:12], "ok", origin, {"before": before, "why": why}
            )
