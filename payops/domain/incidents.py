"""An incident, what was tried, and what was handed over. The vocabulary of INTERFACE documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .money import Money
from .payments import Provider
from .protocol import HandoffCause, Trigger

Challenge = Literal[
    "api_auth",
    "webhook_miss",
    "transaction_fail",
    "pci",
    "refund_fail",
    "subscription_error",
    "wrong_environment",
    "platform",
]
CHALLENGES: tuple[Challenge, ...] = (
    "api_auth",
    "webhook_miss",
    "transaction_fail",
    "pci",
    "refund_fail",
    "subscription_error",
    "wrong_environment",
    "platform",
)
State = Literal["open", "acknowledged", "resolved"]
Severity = Literal["sev1", "sev2", "sev3", "sev4"]
SEVERITIES: tuple[Severity, ...] = ("sev1", "sev2", "sev3", "sev4")
EndedAs = Literal[
    "fixed_by_payops", "fixed_by_operator", "self_healed", "false_alarm", "level_2", "level_3", "level_4"
]
ENDINGS: tuple[EndedAs, ...] = (
    "fixed_by_payops",
    "fixed_by_operator",
    "self_healed",
    "false_alarm",
    "level_2",
    "level_3",
    "level_4",
)
Outcome = Literal["succeeded", "not_verified", "rejected", "rate_limited", "refused", "unknown"]
AttemptPhase = Literal["applying", "verifying", "done"]
Blocked = Literal["", "observing", "stopped", "operator"]
"""What keeps Level 1 from acting: nothing that needs a person, arming, a stop, or a decision an operator takes."""
Value = bool | int | float | str


HOUSE = "payops"
"""The account of an incident that is about payops itself: no account of the configuration may be called so."""


@dataclass(frozen=True, slots=True)
class Why:
    """One term of a rule and the value it had; None = unknown."""

    term: str
    value: Value | None


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble at one place, from opening to end. `version` guards every change (compare-and-swap)."""

    id: str
    version: int
    rule: str
    challenge: Challenge
    provider: Provider
    account: str
    mode: str
    title: str
    severity: Severity
    state: State
    level: int
    dedup_key: str
    labels: Mapping[str, str]
    opened_at: datetime
    updated_at: datetime
    why: tuple[Why, ...] = ()
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    owner: str | None = None
    resolved_at: datetime | None = None
    ended_as: EndedAs | None = None
    next_action_at: datetime | None = None
    next_action: str = ""
    l1_started_at: datetime | None = None
    l1_exhausted_at: datetime | None = None
    l1_reason: str = ""
    """Why Level 1 is over, or what it waits for."""
    l1_blocked: Blocked = ""
    """Whose doing ends what Level 1 waits for."""
    rule_hash: str = ""
    policy: str = "{}"
    """The rule as it was at opening (JSON): an edit of the file never changes an open incident."""
    quiet_until: datetime | None = None
    """Silenced or announced until then: payops neither acts nor hands over, but goes on watching and writing."""
    quiet_why: str = ""
    """By whom or by which window, and why: `silenced by ana: deploy`."""

    def is_quiet(self, now: datetime) -> bool:
        return self.quiet_until is not None and now < self.quiet_until

    cause: str | None = None
    """The cause code given when a person closed it."""
    fixed: str | None = None
    """What fixed it, in that person's words."""


@dataclass(frozen=True, slots=True)
class FixAttempt:
    """One try of a remedy: written before the call, `outcome` None while running or verifying."""

    incident_id: str
    n: int
    remedy: str
    action: str
    effect: str
    by: str
    """`payops` or the operator's name."""
    idempotency_key: str
    plan: str
    """JSON of `domain.plans.Plan`."""
    phase: AttemptPhase
    started_at: datetime
    applied_at: datetime | None = None
    verify_until: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    verified: bool | None = None
    request_ids: tuple[str, ...] = ()
    progress: str = "{}"
    """JSON the remedy keeps between ticks: which steps are done."""
    detail: str = ""

    @property
    def cured(self) -> bool:
        """It is proved, and something of ours took effect: neither looking nor what healed by itself is a fix."""
        return (
            bool(self.verified) and self.effect != "read" and not json.loads(self.progress).get("by_itself")
        )


@dataclass(frozen=True, slots=True)
class Handoff:
    """The five fields, to whom, and what became of it."""

    incident_id: str
    seq: int
    level: int
    to: str
    problem: str
    attempted: str
    impact: str
    gateway: str
    request: str
    sent_at: datetime
    sent_by: str
    accept_by: datetime | None = None
    accepted_at: datetime | None = None
    accepted_by: str | None = None
    returned_at: datetime | None = None
    returned_by: str | None = None
    question: str | None = None
    cause: HandoffCause | None = None
    """Why it went out; None for one of a store that did not keep it."""
    trigger: Trigger | None = None
    """What skipped a level, when one was skipped."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an incident's story. Machine lines are immutable; people append notes."""

    at: datetime
    kind: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Who and how much is hurt, since when; `method` says how it was counted."""

    since: datetime | None
    payments: int | None
    customers: int | None
    money: tuple[Money, ...] = field(default_factory=tuple)
    method: str = ""
