"""Past incidents that resemble one: first by rule and place, then by the words of titles, codes and notes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import to_epoch
from payops.domain.incidents import Incident

from .swap import incident_from

if TYPE_CHECKING:
    from .store import Store

_WORD = re.compile(r"\w{3,}")
MOST_WORDS = 24


class Similar:
    _store: Store

    def same_rule(self, incident: Incident, before: datetime, limit: int) -> list[Incident]:
        """Closed ones of the same rule, those of the same account first, the newest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM incidents WHERE rule = ? AND id <> ? AND state = 'resolved' AND opened_at < ?"
                " ORDER BY account = ? DESC, provider = ? DESC, n DESC LIMIT ?",
                (incident.rule, incident.id, to_epoch(before), incident.account, incident.provider, limit),
            ).fetchall()
        return [incident_from(row) for row in rows]

    def same_words(self, incident: Incident, text: str, before: datetime, limit: int) -> list[Incident]:
        """Closed ones of other rules whose words match best."""
        words = list(dict.fromkeys(_WORD.findall(text.lower())))[:MOST_WORDS]
        if not words:
            return []
        # Each word is quoted: none of them can be an operator of the query language.
        query = " OR ".join(f'"{word}"' for word in words)
        with self._store.read() as db:
            rows = db.execute(
                "SELECT incidents.* FROM incident_words JOIN incidents ON incidents.n = incident_words.rowid"
                " WHERE incident_words MATCH ? AND incidents.state = 'resolved' AND incidents.rule <> ?"
                " AND incidents.id <> ? AND incidents.opened_at < ? ORDER BY bm25(incident_words) LIMIT ?",
                (query, incident.rule, incident.id, to_epoch(before), limit),
            ).fetchall()
        return [incident_from(row) for row in rows]
