"""Asking people before a remedy acts: what they are shown, how many of them it takes, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .roles import OperatorRole

ApprovalState = Literal["waiting", "given", "expired", "withdrawn"]
Aside = Literal["held", "skipped"]
APPROVING: Mapping[OperatorRole, tuple[OperatorRole, ...]] = {
    "operator": ("operator", "coordinator", "security", "admin"),
    "coordinator": ("coordinator", "admin"),
    "security": ("security", "admin"),
    "admin": ("admin",),
}
"""The role a rule names → the roles that may approve for it."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One request to let a remedy act: the plan as it was shown, and who has approved it so far.

    `people` different operators of `role` are needed before `expires_at`. `attempt` is the fix attempt it was
    given to.
    """

    incident_id: str
    seq: int
    remedy: str
    role: OperatorRole
    people: int
    plan: str
    """JSON of `domain.plans.Plan`."""
    plan_hash: str
    requested_at: datetime
    expires_at: datetime
    state: ApprovalState = "waiting"
    ended_at: datetime | None = None
    attempt: int | None = None
    by: tuple[str, ...] = ()
    """Operators who approved, in order."""

    @property
    def lacking(self) -> int:
        """How many more people it takes."""
        return max(0, self.people - len(self.by))


@dataclass(frozen=True, slots=True)
class SetAside:
    """A remedy an operator holds (it waits for `fix` or `approve`) or skips (this incident goes on without it)."""

    remedy: str
    how: Aside
    who: str
    at: datetime
    reason: str
