"""What people asked for: queued by any process, done by the holder of the engine lease."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from payops.clock import from_epoch, to_epoch
from payops.domain.errors import LostRace, UsageError

from .redaction import redact, redact_name, redact_text
from .rows import at

if TYPE_CHECKING:
    from .store import Store

CommandState = Literal["queued", "running", "done", "refused"]


@dataclass(frozen=True, slots=True)
class Command:
    """One request. `message` is the result for the person who asked, empty until it is finished."""

    id: int
    action: str
    incident_id: str | None
    fields: Mapping[str, str]
    operator: str
    origin: str
    state: CommandState
    put_at: datetime
    finished_at: datetime | None
    message: str

    @property
    def finished(self) -> bool:
        return self.state in ("done", "refused")


class Commands:
    def __init__(self, store: Store) -> None:
        self._store = store

    def put(
        self,
        action: str,
        incident_id: str | None,
        fields: Mapping[str, str],
        operator: str,
        origin: str,
        now: datetime,
    ) -> int:
        """Queue a request; returns its id for `result`."""
        masked, _ = redact(dict(fields))
        with self._store.write() as db:
            cursor = db.execute(
                "INSERT INTO commands (action, incident_id, fields, operator, origin, state, put_at)"
                " VALUES (?, ?, ?, ?, ?, 'queued', ?)",
                (action, incident_id, json.dumps(masked), redact_name(operator), origin, to_epoch(now)),
            )
            command_id = int(cursor.lastrowid or 0)
            self._store.audit.append(
                db,
                now,
                operator,
                f"ask {action}",
                incident_id or "engine",
                "queued",
                origin,
                {"command": command_id, "fields": dict(fields)},
            )
        return command_id

    def take(self, now: datetime, token: int) -> list[Command]:
        """Everything queued, now running, oldest first. For the lease holder with that token.

        A holder does one after the other, so what is still running was left by an earlier holder, or by a failure
        of this one. It is refused: whether it took effect is not known here.
        """
        with self._store.write() as db:
            db.execute(
                "UPDATE commands SET state = 'refused', finished_at = ?,"
                " message = 'payops stopped while doing this: look at the incident before asking again'"
                " WHERE state = 'running' AND token <= ?",
                (to_epoch(now), token),
            )
            ids = [
                row["id"] for row in db.execute("SELECT id FROM commands WHERE state = 'queued' ORDER BY id")
            ]
            db.executemany(
                "UPDATE commands SET state = 'running', taken_at = ?, token = ? WHERE id = ?",
                [(to_epoch(now), token, command_id) for command_id in ids],
            )
            return [self._get(db, command_id) for command_id in ids]

    def waiting(self, action: str) -> Command | None:
        """The oldest request for `action` that nobody has taken yet."""
        with self._store.read() as db:
            row = db.execute(
                "SELECT id FROM commands WHERE state = 'queued' AND action = ? ORDER BY id LIMIT 1", (action,)
            ).fetchone()
            return None if row is None else self._get(db, row["id"])

    def finish(self, command_id: int, ok: bool, message: str, now: datetime) -> None:
        """Record the result; `LostRace` when it was finished already."""
        with self._store.write() as db:
            changed = db.execute(
                "UPDATE commands SET state = ?, message = ?, finished_at = ?"
                " WHERE id = ? AND state IN ('queued', 'running')",
                ("done" if ok else "refused", redact_text(message), to_epoch(now), command_id),
            ).rowcount
            command = self._get(db, command_id)
            if not changed:
                raise LostRace(
                    f"command {command_id} ({command.action}) was finished before: {command.message}"
                )
            self._store.audit.append(
                db,
                now,
                command.operator,
                command.action,
                command.incident_id or "engine",
                command.state,
                command.origin,
                {"command": command_id, "message": message},
            )

    def result(self, command_id: int) -> Command:
        """The request as it stands; `UsageError` when there is none of that id."""
        with self._store.read() as db:
            return self._get(db, command_id)

    def _get(self, db: sqlite3.Connection, command_id: int) -> Command:
        row = db.execute(
            "SELECT id, action, incident_id, fields, operator, origin, state, put_at, finished_at, message"
            " FROM commands WHERE id = ?",
            (command_id,),
        ).fetchone()
        if row is None:
            raise UsageError(f"no command {command_id}")
        return Command(
            row["id"],
            row["action"],
            row["incident_id"],
            json.loads(row["fields"]),
            row["operator"],
            row["origin"],
            row["state"],
            from_epoch(row["put_at"]),
            at(row["finished_at"]),
            row["message"],
        )
