"""A message to a person, on its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .roles import ContactRole

MessageKind = Literal["page", "reminder", "approval", "test"]
"""`page`: a handoff waits for the role; `reminder`: an update is owed; `approval`: a remedy waits; `test`: a trial."""
MessageState = Literal["waiting", "sent", "failed", "dropped"]
"""`failed`: no target of the person took it, after every try; `dropped`: it was of no use any more."""


@dataclass(frozen=True, slots=True)
class Message:
    """`key` says what it is about and to whom: the same thing is told the same person once."""

    key: str
    incident_id: str | None
    kind: MessageKind
    role: ContactRole
    contact: str
    title: str
    body: str
    created_at: datetime
    due_at: datetime
    """Not before then: quiet hours, or the pause before the next try."""
    id: int = 0
    state: MessageState = "waiting"
    tries: int = 0
    ended_at: datetime | None = None
    error: str = ""
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None
