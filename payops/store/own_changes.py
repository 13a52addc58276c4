"""What people and providers changed: deploys told by hand, beside what payops sees for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch

from .redaction import redact_text

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed at `at`; `account` None = it may touch any of them."""

    at: datetime
    kind: str
    text: str
    who: str
    account: str | None = None


class Changes:
    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, change: Change) -> None:
        """Keep it for good."""
        with self._store.write() as db:
            db.execute(
                "INSERT INTO changes (at, kind, account, who, text) VALUES (?, ?, ?, ?, ?)",
                (to_epoch(change.at), change.kind, change.account, change.who, redact_text(change.text)),
            )

    def told(self, since: datetime, until: datetime, account: str | None = None) -> list[Change]:
        """What was told of [since, until], oldest first; with an account, only what may touch it."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT at, kind, text, who, account FROM changes WHERE at >= ?1 AND at <= ?2"
                " AND (?3 IS NULL OR account IS NULL OR account = ?3) ORDER BY at, id",
                (to_epoch(since), to_epoch(until), account),
            ).fetchall()
        return [Change(from_epoch(row["at"]), *row[1:]) for row in rows]
