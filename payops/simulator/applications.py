"""The applications behind endpoints that are not payops's, and those it relays to: they verify, answer, and keep books.

An application behind a relay is posted to by payops; one with a file for its inbox is sent to by the provider itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from payops.clock import from_epoch, iso

from .scenario_model import ApplicationOptions


@dataclass(slots=True)
class Application:
    """One application. `served` are the events it took, by when it first did; what comes again changes nothing there."""

    name: str
    options: ApplicationOptions
    began_ms: int
    served: dict[str, int] = field(default_factory=dict)
    again: int = 0
    """Requests with an event it had taken already."""
    unsigned: int = 0
    """Requests it refused, for it could not verify them."""

    def down(self, at_ms: int) -> bool:
        """Whether it takes nothing now; one with an inbox of its own takes it in and does nothing with it."""
        options, since_ms = self.options, at_ms - self.began_ms
        if options.down_at is None or since_ms < options.down_at.total_seconds() * 1000:
            return False
        return options.down_until is None or since_ms < options.down_until.total_seconds() * 1000

    def take(self, event_id: str, at_ms: int) -> None:
        if event_id in self.served:
            self.again += 1
        else:
            self.served[event_id] = at_ms


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that reached an application's own endpoint."""

    event_id: str
    type: str
    at_ms: int


def inbox_path(folder: Path, account: str, endpoint: str) -> Path:
    """Where an application's own inbox is kept."""
    return folder / f"{account}.{endpoint}.jsonl"


class InboxFile:
    """An application's inbox as a JSONL file: a line when an event arrives, and one when it is done with.

    Written from the beginning by each process that plays the application, and the same then: it follows from the world.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
        self._written = 0
        self._waiting: list[Arrival] = []

    def follow(self, application: Application, arrivals: list[Arrival], now_ms: int) -> None:
        """Bring the file to `now_ms`; `arrivals` are all that ever came, in order."""
        came, self._written = arrivals[self._written :], len(arrivals)
        lines = []
        for each in came:
            if application.down(each.at_ms):
                self._waiting.append(each)
                lines.append(_line(each, None))
            else:
                lines.append(_line(each, each.at_ms))
        if self._waiting and not application.down(now_ms):
            lines += [_line(each, now_ms) for each in self._waiting]
            self._waiting = []
        self._write(lines)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, lines: Iterable[str]) -> None:
        data = "".join(lines).encode()
        if data:
            os.write(self._file, data)


def _line(arrival: Arrival, processed_ms: int | None) -> str:
    entry = {
        "event_id": arrival.event_id,
        "type": arrival.type,
        "received_at": iso(from_epoch(arrival.at_ms / 1000)),
        "processed_at": None if processed_ms is None else iso(from_epoch(processed_ms / 1000)),
    }
    return json.dumps(entry) + "\n"
