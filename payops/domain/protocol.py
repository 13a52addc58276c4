"""The words of the protocol above Level 1: why a handoff goes out, what may skip a level, what people answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Trigger = Literal[
    "money_at_risk",
    "provider_api_change",
    "pci_concern",
    "critical_failure_rate",
    "refund_redesign",
    "leaked_key",
    "card_testing",
    "account_restricted",
]
TRIGGERS: dict[Trigger, str] = {
    "money_at_risk": "money is at risk beyond what Level 2 may decide",
    "provider_api_change": "the provider changed its API",
    "pci_concern": "card data may be exposed",
    "critical_failure_rate": "payments fail at a critical rate",
    "refund_redesign": "how refunds or chargebacks are handled must change",
    "leaked_key": "a key may have leaked",
    "card_testing": "somebody tests stolen cards on us",
    "account_restricted": "the provider restricts the account",
}
"""What lets an incident skip Level 2, in words; nothing else does. Level 1 goes on beside it."""
SECURITY: frozenset[Trigger] = frozenset({"pci_concern", "leaked_key", "card_testing"})
"""Triggers whose Level 3 is the security-coordinator."""

HandoffCause = Literal["rule", "trigger", "person", "silence", "answer", "lapsed", "auditor", "down"]
"""Why a handoff went out. `rule`: its condition held; `trigger`: a stated trigger skipped a level; `person`: somebody
escalated; `silence`: nobody accepted the one before; `answer`: it answers a returned one; `lapsed`: who had it gave no
update; `auditor`: an incident was left without a next step; `down`: handed back to a lower level."""

AnswerKind = Literal[
    "architecture_review", "advice", "pci_verified", "pci_refused", "provider_issue", "architecture_change"
]
ANSWERS: dict[AnswerKind, str] = {
    "architecture_review": "architecture review",
    "advice": "error-handling or resilience advice",
    "pci_verified": "PCI approach verified",
    "pci_refused": "PCI approach not verified",
    "provider_issue": "escalate: provider issue",
    "architecture_change": "escalate: architecture change",
}
"""What a coordinator may answer; each becomes a follow-up with owner and date."""
GOES_UP: frozenset[AnswerKind] = frozenset({"provider_issue", "architecture_change"})

FollowupKind = Literal["answer", "decision", "rule", "test", "runbook", "action", "nothing", "learn"]
LESSONS: tuple[FollowupKind, ...] = ("rule", "test", "runbook", "action", "nothing")
"""What was learned at Level 2 and above: a rule or a test added, a runbook changed, an action, or nothing, because …"""


@dataclass(frozen=True, slots=True)
class Followup:
    """Something that is to be done after, or because of, an incident; it stays in the handover until it is done."""

    id: int
    incident_id: str
    kind: FollowupKind
    what: str
    owner: str
    due_at: datetime | None
    made_at: datetime
    made_by: str
    done_at: datetime | None = None
    done_by: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a coordinator answered to a handoff."""

    incident_id: str
    handoff_seq: int
    kind: AnswerKind
    text: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What the user decided at Level 4, why, and who carries it out."""

    incident_id: str
    option: str
    text: str
    why: str
    executor: str
    by: str
    at: datetime
