"""The desk: how a face sees the engine and asks it for something. Faces know nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from .board import Board, CommandResult, HandoffDraft, IncidentDetail, PlanView, ReloadView


class Desk(Protocol):
    """`board`, `subscribe` and `unsubscribe` return at once; everything else may block and belongs in a thread."""

    def board(self) -> Board | None:
        """The newest board, None before the first one."""

    def subscribe(self, listener: Callable[[Board], None]) -> None:
        """Call `listener` from another thread after each new board."""

    def unsubscribe(self, listener: Callable[[Board], None]) -> None: ...

    def incident(self, incident_id: str) -> IncidentDetail:
        """One incident whole; `UsageError` when there is none."""

    def plan(self, incident_id: str) -> PlanView:
        """The dry run of the next remedy: reads only."""

    def draft(self, incident_id: str) -> HandoffDraft:
        """The handoff to the next level as it would go out now."""

    def reload(self) -> ReloadView:
        """What reloading the rule files would do now; nothing is swapped by asking."""

    def unlock(self, given: str) -> CommandResult:
        """Prove that the operator is at the keyboard: by PIN, or by name where they have none."""

    def submit(self, action: str, incident_id: str | None, fields: Mapping[str, str]) -> CommandResult:
        """Ask for an action of the registry in the operator's name and wait for its result, at most 30 s."""

    def export(self, incident_id: str, format_: str, directory: Path) -> Path:
        """Write the incident report (`md` or `json`) and return where it is."""

    def close(self) -> None:
        """Stop what this desk started; returns within a second."""
