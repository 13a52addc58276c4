"""Who may do what, and who a handoff goes to."""

from __future__ import annotations

from typing import Literal

OperatorRole = Literal["viewer", "operator", "coordinator", "security", "admin"]
OPERATOR_ROLES: tuple[OperatorRole, ...] = ("viewer", "operator", "coordinator", "security", "admin")

HandoffRole = Literal[
    "backend-coordinator", "integration-coordinator", "tech-lead-orchestrator", "security-coordinator", "user"
]
ContactRole = Literal[
    "operator",
    "backend-coordinator",
    "integration-coordinator",
    "tech-lead-orchestrator",
    "security-coordinator",
    "user",
]
"""Whom people are told as: a handoff's role, or the operators, who approve."""
ROLE_LEVELS: dict[HandoffRole, int] = {
    "backend-coordinator": 2,
    "integration-coordinator": 2,
    "tech-lead-orchestrator": 3,
    "security-coordinator": 3,
    "user": 4,
}
NEVER_QUIET: HandoffRole = "security-coordinator"
"""Who is told whatever is silenced, and whatever maintenance is announced."""
LEVEL_NAMES: dict[int, str] = {
    1: "Level 1 self-recovery",
    2: "Level 2 peer consultation",
    3: "Level 3 strategic",
    4: "Level 4 user decision",
}
