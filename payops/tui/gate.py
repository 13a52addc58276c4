"""What may be asked right now, and if not, why not: so that a key that does nothing says so."""

from __future__ import annotations

from payops.domain.actions import Action
from payops.engine.board import Board, IncidentRow


def why_not(action: Action, board: Board | None, row: IncidentRow | None) -> str:
    """Why `action` cannot be asked for on `row`, empty when it can. The engine still has the last word."""
    if board is None:
        return f"{action.title}: nothing is loaded yet"
    if action.roles and board.view_only:
        return f"{action.title}: view-only, {board.view_only}"
    if action.scope == "incident":
        return _incident(action, board, row)
    if action.name == "resume" and not board.engine.stopped:
        return "Resume: nothing is stopped"
    if action.name == "stop" and board.engine.stopped:
        return f"Stop: already stopped by {board.engine.stopped}"
    if action.scope == "account" and not board.accounts:
        return f"{action.title}: no account is configured"
    return ""


def _incident(action: Action, board: Board, row: IncidentRow | None) -> str:
    if row is None:
        return f"{action.title}: no incident is selected"
    if row.state == "resolved" and action.name not in ("export", "note", "learn", "done"):
        return f"{action.title}: {row.id} is resolved; Note, Learn and Export are left"
    if action.name == "fix" and board.engine.stopped:
        return f"Fix: stopped by {board.engine.stopped}; R resumes"
    if action.name == "approve":
        return _approve(board, row)
    if action.name in ("hold", "skip") and (row.level > 1 or row.blocked == "over"):
        return f"{action.title}: Level 1 of {row.id} is over, nothing comes next by itself"
    if action.name in ("accept", "return") and row.level < 2:
        return f"{action.title}: {row.id} is at Level 1, nothing was handed over yet"
    if action.name == "decide" and row.level < 4:
        return f"Decide: {row.id} is at Level {row.level}; the user decides at Level 4"
    if action.name == "hand-down" and row.level < 3:
        return f"Hand down: {row.id} is at Level {row.level}, there is no level below to hand it to"
    if action.name == "answer" and row.level < 2:
        return f"Answer: {row.id} is at Level 1, nothing was handed over yet"
    if action.name == "accept" and not row.waits_for:
        return f"Accept: no handoff of {row.id} waits to be accepted"
    if action.name == "escalate" and row.level >= 4:
        return f"Escalate: {row.id} is at Level 4 already, there is no higher one"
    return ""


def _approve(board: Board, row: IncidentRow) -> str:
    if row.approval is None:
        return f"Approve: nothing of {row.id} waits for an approval"
    if board.engine.stopped:
        return f"Approve: stopped by {board.engine.stopped}; R resumes"
    if board.operator in row.approval.by:
        return f"Approve: you approved {row.approval.remedy} already; another operator must as well"
    return ""


def advice(row: IncidentRow) -> tuple[str, tuple[str, ...]]:
    """What a person should know to do about `row`: a sentence, and the actions that come next."""
    if row.state == "resolved":
        return "Closed. Nothing to do.", ()
    if row.quiet and not row.needs_human:
        return "Kept quiet: payops acts and calls people again at the end. To step in:", (
            "fix",
            "ack",
            "note",
        )
    if row.waits_for:
        return f"A person is needed as {row.waits_for}:", ("accept", "return")
    if row.approval is not None:
        return f"{row.approval.remedy} waits for your approval:", ("approve", "hold", "skip", "escalate")
    if row.needs_human and row.level >= 2:
        return "A person is needed:", ("escalate", "ack", "note")
    if row.needs_human:
        return _BLOCKED.get(row.blocked, ("A person is needed:", ("fix", "escalate", "ack")))
    if row.state == "acknowledged":
        return "Somebody has it:", ("resolve", "escalate", "note")
    return "payops is on it, no key is needed. To step in:", ("fix", "hold", "skip", "escalate")


_BLOCKED: dict[str, tuple[str, tuple[str, ...]]] = {
    "observing": (
        "payops only observes here: f shows what it would do; arm it, or",
        ("escalate", "fix"),
    ),
    "stopped": ("payops is stopped, nothing acts:", ("resume", "escalate")),
    "operator": ("Level 1 waits for your decision:", ("fix", "escalate", "ack")),
    "over": ("Level 1 is over, a person is needed:", ("escalate", "fix", "ack")),
}
