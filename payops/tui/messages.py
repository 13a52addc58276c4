"""What comes back to the message loop from other threads."""

from __future__ import annotations

from pathlib import Path

from textual.message import Message

from payops.engine.board import Board, CommandResult, HandoffDraft, IncidentDetail, PlanView, ReloadView


class BoardArrived(Message):
    """A new picture; an older one that is still queued is skipped."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, BoardArrived)


class Started(Message):
    """`start` has returned."""


class StartFailed(Message):
    """`start` raised; the application ends with this error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class DetailArrived(Message):
    def __init__(self, detail: IncidentDetail) -> None:
        super().__init__()
        self.detail = detail


class PlanArrived(Message):
    def __init__(self, view: PlanView) -> None:
        super().__init__()
        self.view = view


class ReloadArrived(Message):
    def __init__(self, view: ReloadView) -> None:
        super().__init__()
        self.view = view


class DraftArrived(Message):
    def __init__(self, draft: HandoffDraft) -> None:
        super().__init__()
        self.draft = draft


class Answered(Message):
    """The engine's answer to a submitted action."""

    def __init__(self, action: str, target: str, result: CommandResult) -> None:
        super().__init__()
        self.action = action
        self.target = target
        self.result = result


class Unlocked(Message):
    """What came of proving who is at the keyboard."""

    def __init__(self, result: CommandResult) -> None:
        super().__init__()
        self.result = result


class Exported(Message):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class Failed(Message):
    """A desk call raised; `error` is one line a person can act on."""

    def __init__(self, what: str, error: str) -> None:
        super().__init__()
        self.what = what
        self.error = error
