"""Messages to people: put once, sent at least once, never lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import NotPossible
from payops.domain.messages import Message

from .redaction import redact_name, redact_text
from .rows import at
from .swap import add_entry

if TYPE_CHECKING:
    from .store import Store


class Outbox:
    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, message: Message) -> bool:
        """Keep a message to be sent; False when one with its key is there already."""
        with self._store.write() as db:
            return bool(
                db.execute(
                    "INSERT INTO outbox (key, incident_id, kind, role, contact, title, body, created_at, due_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
                    (
                        message.key,
                        message.incident_id,
                        message.kind,
                        message.role,
                        redact_name(message.contact),
                        redact_text(message.title),
                        redact_text(message.body),
                        to_epoch(message.created_at),
                        to_epoch(message.due_at),
                    ),
                ).rowcount
            )

    def reword(self, message: Message, body: str) -> Message:
        """Give a message that still waits its text."""
        with self._store.write() as db:
            db.execute(
                "UPDATE outbox SET body = ? WHERE id = ? AND state = 'waiting'",
                (redact_text(body), message.id),
            )
        return replace(message, body=body)

    def due(self, now: datetime, limit: int = 50) -> list[Message]:
        """What waits and may go out by now, the longest waiting first."""
        return self._where(
            "state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT ?", to_epoch(now), limit
        )

    def trying(self, message: Message, next_at: datetime) -> None:
        """A try begins: on record before it, so that a crash costs a second try and never the message."""
        with self._store.write() as db:
            db.execute(
                "UPDATE outbox SET tries = tries + 1, due_at = ? WHERE id = ? AND state = 'waiting'",
                (to_epoch(next_at), message.id),
            )

    def sent(self, message: Message, now: datetime) -> None:
        """At least one target took it; the incident's timeline says so."""
        self._end(message, "sent", "", now, f"told {message.contact} ({message.role}): {message.title}")

    def failed(self, message: Message, error: str, now: datetime) -> None:
        """No target took it, and no further try is made."""
        text = f"could not tell {message.contact} ({message.role}): {error}"
        self._end(message, "failed", error, now, text)

    def put_off(self, message: Message, error: str) -> None:
        """This try failed; the next one is due when `trying` said."""
        with self._store.write() as db:
            db.execute("UPDATE outbox SET error = ? WHERE id = ?", (redact_text(error), message.id))

    def drop(self, ids: Sequence[int], why: str, now: datetime) -> None:
        """Nobody needs to be told any more."""
        with self._store.write() as db:
            db.executemany(
                "UPDATE outbox SET state = 'dropped', ended_at = ?, error = ? WHERE id = ? AND state = 'waiting'",
                [(to_epoch(now), why, each) for each in ids],
            )

    def confirm(self, number: int, who: str, now: datetime) -> Message:
        """A person says that a message reached them. `NotPossible` for one that is not there or was confirmed."""
        with self._store.write() as db:
            found = self.get(number)
            if found is None:
                raise NotPossible(f"no message {number}; `payops notify list` shows them")
            if found.confirmed_at is not None:
                raise NotPossible(f"message {number} was confirmed by {found.confirmed_by} already")
            db.execute(
                "UPDATE outbox SET confirmed_at = ?, confirmed_by = ? WHERE id = ?",
                (to_epoch(now), redact_name(who), number),
            )
            self._store.audit.append(
                db, now, who, "confirm", f"message {number}", "ok", "command", {"contact": found.contact}
            )
        return found

    def get(self, number: int) -> Message | None:
        found = self._where("id = ?", number)
        return found[0] if found else None

    def of(self, incident_id: str) -> list[Message]:
        """What was said about one incident, in order."""
        return self._where("incident_id = ? ORDER BY id", incident_id)

    def newest(self, limit: int) -> list[Message]:
        return self._where("1 ORDER BY id DESC LIMIT ?", limit)

    def waiting(self) -> list[Message]:
        """Everything still to be sent."""
        return self._where("state = 'waiting' ORDER BY due_at, id")

    def stuck_since(self, now: datetime, late_s: int) -> datetime | None:
        """The oldest due time of a message that should have gone out `late_s` ago; None when there is none."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT MIN(due_at) AS at FROM outbox WHERE state = 'waiting' AND due_at <= ?",
                (to_epoch(now) - late_s,),
            ).fetchone()
        return at(row["at"])

    def _end(self, message: Message, state: str, error: str, now: datetime, entry: str) -> None:
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE outbox SET state = ?, ended_at = ?, error = ? WHERE id = ? AND state = 'waiting'",
                (state, to_epoch(now), redact_text(error), message.id),
            ).rowcount
            if changed and message.incident_id is not None:
                add_entry(db, message.incident_id, now, "told", "payops", entry)

    def _where(self, condition: str, *values: object) -> list[Message]:
        with self._store.read() as db:
            rows = db.execute(f"SELECT * FROM outbox WHERE {condition}", values).fetchall()  # noqa: S608
        return [_message(row) for row in rows]


def _message(row: sqlite3.Row) -> Message:
    return Message(
        key=row["key"],
        incident_id=row["incident_id"],
        kind=row["kind"],
        role=row["role"],
        contact=row["contact"],
        title=row["title"],
        body=row["body"],
        created_at=from_epoch(row["created_at"]),
        due_at=from_epoch(row["due_at"]),
        id=row["id"],
        state=row["state"],
        tries=row["tries"],
        ended_at=at(row["ended_at"]),
        error=row["error"],
        confirmed_at=at(row["confirmed_at"]),
        confirmed_by=row["confirmed_by"],
    )
