"""Card data found on its way to the disk: masked there, remembered here by place and time, never by value.

A confirmed finding closes its field: nothing of that field is stored again until a person has looked at it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import StoreError

from . import files
from .redaction import Finding, Hunt, card_data, redact_text
from .rows import at

if TYPE_CHECKING:
    from .store import Store

MOST = 1_000
"""Findings of one field that are told apart; what comes after is counted together."""
_IN_LIST = re.compile(r"\[\d+\]")
_SEALED = 16


@dataclass(frozen=True, slots=True)
class CardFinding:
    """One finding. `place` is the event type or feed it came by, `ref` the event or object; `seal` is empty but for a
    card number, whose equal ones stay equal."""

    account: str
    place: str
    ref: str
    field: str
    kind: str
    certainty: str
    seal: str
    count: int
    found_at: datetime
    reviewed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CardCounts:
    """What nobody has looked at yet; `seen` counts what was ever found."""

    confirmed: int
    suspected: int
    seen: int
    first_at: datetime | None
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    places: tuple[str, ...]
    closed: tuple[str, ...]


class Findings:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._key: bytes | None = None

    def hunt(self, db: sqlite3.Connection, account: str) -> Hunt:
        """What a search at the door of this account is told."""
        closed = frozenset(
            row[0]
            for row in db.execute(
                "SELECT field FROM card_fields WHERE account = ? AND state = 'closed'", (account,)
            )
        )
        return Hunt(closed, self.seal)

    def seal(self, digits: str) -> str:
        """The keyed hash of a card number; empty when the key beside the store cannot be used."""
        if self._key is None:
            path = self._store.path
            try:
                self._key = (
                    hashlib.sha256(self._store.identity.encode()).digest()
                    if path is None or self._store.seeded
                    else files.key(path.with_name(f"{path.name}.cardkey"))
                )
            except StoreError:
                return ""  # to mask is what matters
        return hmac.new(self._key, digits.encode(), hashlib.sha256).hexdigest()[:_SEALED]

    def record(
        self,
        db: sqlite3.Connection,
        account: str,
        place: str,
        ref: str,
        findings: Iterable[Finding],
        now: datetime,
    ) -> None:
        """Remember what of `findings` is card data, each once however often its event or object is read again."""
        for finding in card_data(tuple(findings)):
            field = redact_text(_IN_LIST.sub("[]", finding.path))[:200] or "body"
            if finding.certainty == "suspected" and _state(db, account, field) == "dismissed":
                continue
            known = db.execute(
                "SELECT COUNT(*) FROM card_findings WHERE account = ? AND field = ? AND kind = ?",
                (account, field, finding.kind),
            ).fetchone()[0]
            many = known >= MOST
            new = db.execute(
                "INSERT INTO card_findings (account, ref, field, kind, seal, place, certainty, count, found_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (account, ref, field, kind, seal) DO UPDATE SET"
                " count = card_findings.count + 1, found_at = excluded.found_at, reviewed_at = NULL WHERE ref = ''",
                (
                    account,
                    "" if many else redact_text(ref),
                    field,
                    finding.kind,
                    "" if many else finding.seal,
                    place,
                    finding.certainty,
                    to_epoch(now),
                ),
            ).rowcount
            if new and finding.certainty == "confirmed":
                db.execute(
                    "INSERT INTO card_fields (account, field, state, since) VALUES (?, ?, 'closed', ?)"
                    " ON CONFLICT (account, field) DO UPDATE SET state = 'closed', since = excluded.since"
                    " WHERE card_fields.state <> 'closed'",
                    (account, field, to_epoch(now)),
                )

    def review(self, account: str, now: datetime, *, false_alarm: bool) -> None:
        """A person has looked at everything found so far: its fields are read again, and news is what comes after."""
        with self._store.write() as db:
            if false_alarm:
                db.execute(
                    "INSERT INTO card_fields (account, field, state, since)"
                    " SELECT DISTINCT account, field, 'dismissed', ?2 FROM card_findings"
                    " WHERE account = ?1 AND reviewed_at IS NULL AND certainty = 'suspected'"
                    " ON CONFLICT (account, field) DO UPDATE SET state = 'dismissed', since = excluded.since",
                    (account, to_epoch(now)),
                )
            db.execute("DELETE FROM card_fields WHERE account = ? AND state = 'closed'", (account,))
            db.execute(
                "UPDATE card_findings SET reviewed_at = ? WHERE account = ? AND reviewed_at IS NULL",
                (to_epoch(now), account),
            )

    def counts(self, account: str) -> CardCounts:
        """What was found for an account. Cheap where nothing ever was."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT certainty, kind, field, place, SUM(count) AS n, MIN(found_at) AS first FROM card_findings"
                " WHERE account = ? AND reviewed_at IS NULL GROUP BY certainty, kind, field, place",
                (account,),
            ).fetchall()
            seen = db.execute(
                "SELECT COALESCE(SUM(count), 0) FROM card_findings WHERE account = ?", (account,)
            ).fetchone()[0]
            closed = db.execute(
                "SELECT field FROM card_fields WHERE account = ? AND state = 'closed' ORDER BY field",
                (account,),
            ).fetchall()

        def different(name: str) -> tuple[str, ...]:
            return tuple(sorted({row[name] for row in rows}))

        return CardCounts(
            confirmed=sum(row["n"] for row in rows if row["certainty"] == "confirmed"),
            suspected=sum(row["n"] for row in rows if row["certainty"] == "suspected"),
            seen=seen,
            first_at=at(min((row["first"] for row in rows), default=None)),
            kinds=different("kind"),
            fields=different("field"),
            places=different("place"),
            closed=tuple(row["field"] for row in closed),
        )

    def listing(self, account: str, since: datetime | None = None, limit: int = 100) -> list[CardFinding]:
        """The newest findings, newest first."""
        with self._store.read() as db:
            rows = db.execute(
                "SELECT * FROM card_findings WHERE account = ? AND found_at >= ?"
                " ORDER BY found_at DESC, ref, field LIMIT ?",
                (account, to_epoch(since) if since else 0, limit),
            ).fetchall()
        return [
            CardFinding(
                row["account"],
                row["place"],
                row["ref"],
                row["field"],
                row["kind"],
                row["certainty"],
                row["seal"],
                row["count"],
                from_epoch(row["found_at"]),
                at(row["reviewed_at"]),
            )
            for row in rows
        ]


def _state(db: sqlite3.Connection, account: str, field: str) -> str | None:
    row = db.execute(
        "SELECT state FROM card_fields WHERE account = ? AND field = ?", (account, field)
    ).fetchone()
    return None if row is None else str(row[0])
