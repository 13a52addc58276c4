"""A desk that opens after the first frame: the screen is there at once, the engine follows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from payops.domain.errors import UsageError

from .board import Board, CommandResult, HandoffDraft, IncidentDetail, PlanView, ReloadView
from .desk import Desk

Listener = Callable[[Board], None]


class DeferredDesk:
    """Stands in for the desk `opener` will return; until then there is no board and nothing can be asked."""

    def __init__(self, opener: Callable[[Listener], Desk]) -> None:
        """`opener` may hand boards to the listener it is given before it returns: the last known picture."""
        self._opener = opener
        self._desk: Desk | None = None
        self._listeners: list[Listener] = []
        self._last: Board | None = None
        self._lock = threading.Lock()
        self._closed = False

    def open(self) -> None:
        """Open the real desk; blocks, raises what a user must put right. Call it from a thread."""
        desk = self._opener(self._hand_on)
        with self._lock:
            if not self._closed:
                self._desk = desk
                desk.subscribe(self._hand_on)
                return
        desk.close()

    def _hand_on(self, board: Board) -> None:
        self._last = board
        for listener in list(self._listeners):
            listener(board)

    def _real(self) -> Desk:
        if self._desk is None:
            raise UsageError("payops is still starting: try again in a moment")
        return self._desk

    def board(self) -> Board | None:
        return self._last

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def incident(self, incident_id: str) -> IncidentDetail:
        return self._real().incident(incident_id)

    def plan(self, incident_id: str) -> PlanView:
        return self._real().plan(incident_id)

    def draft(self, incident_id: str) -> HandoffDraft:
        return self._real().draft(incident_id)

    def reload(self) -> ReloadView:
        return self._real().reload()

    def unlock(self, given: str) -> CommandResult:
        return self._real().unlock(given)

    def submit(self, action: str, incident_id: str | None, fields: Mapping[str, str]) -> CommandResult:
        return self._real().submit(action, incident_id, fields)

    def export(self, incident_id: str, format_: str, directory: Path) -> Path:
        return self._real().export(incident_id, format_, directory)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            desk = self._desk
        if desk is not None:
            desk.close()
