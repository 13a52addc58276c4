"""The board: everything a face shows, as one immutable value built off the loop after a tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from payops.domain.approvals import Approval
from payops.domain.incidents import FixAttempt, Handoff, Incident, TimelineEntry
from payops.domain.money import Money
from payops.domain.plans import Plan, Refusal

PROVED_FOR = timedelta(minutes=5)
"""How long a PIN counts for approvals."""
AccountState = Literal["loading", "backfilling", "live", "stale", "failed"]
Blocked = Literal["", "observing", "stopped", "operator", "over"]
"""What keeps Level 1 from acting: nothing, arming, a stop, a decision an operator takes, or that it is over."""


@dataclass(frozen=True, slots=True)
class WindowRate:
    """Acceptance over one window: n first attempts, the rate and its 95 % Wilson interval, None when n is 0."""

    n: int
    succeeded: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has not arrived or is not done. None = this topology or provider cannot tell."""

    undelivered: int | None
    unprocessed: int
    dead: int
    missing: int | None
    oldest_s: int | None


@dataclass(frozen=True, slots=True)
class FeedRow:
    """One feed: how fresh it is, what it can see and how late it may be."""

    feed: str
    ok_at: datetime | None
    data_as_of: datetime | None
    delay_s: int | None
    """Declared: how late the provider's answer may be; None before the first poll."""
    sees: str
    """Declared: which failures it can see, as a sentence."""
    failures: int
    error: str
    """Bucket and message of the last failure, empty while it answers."""
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountCard:
    account: str
    provider: str
    mode: str
    mode_proven: str | None
    """`live` or `test` as the provider proved it; None = not proven yet."""
    armed: tuple[str, ...]
    """Remedies that may act here; empty = observing."""
    success: dict[str, WindowRate]
    """Keys `5m`, `1h`, `24h`."""
    expected: float | None
    spark: tuple[float | None, ...]
    """Acceptance per minute, oldest first, 60 minutes; None = no payment in that minute."""
    spark_n: tuple[int, ...]
    backlog: Backlog
    topology: str
    budget: str
    """payops's own reads, as a sentence; the application's are unknown."""
    reads_month: int
    reads_allowed: int
    fresh_at: datetime | None
    state: AccountState
    problem: str
    """What is wrong with reading this account, empty when nothing."""
    retry_at: datetime | None
    progress: float | None
    """Share of the history read, 0..1, while backfilling."""
    sees: str
    reads_forecast: int | None = None
    """payops's requests 30 days come to as things stand; None before the first."""
    breaker: Literal["closed", "open", "half-open"] = "closed"
    """Open: the provider cannot be reached, and one feed at a time is tried."""
    breaker_since: datetime | None = None
    next_read_at: datetime | None = None
    next_feed: str = ""
    feeds: tuple[FeedRow, ...] = ()
    """The payments feed first, then by name."""
    cannot: tuple[tuple[str, str], ...] = ()
    """What the provider's API cannot do for payops, and why."""
    noticed: str = ""
    """What the detectors noticed, as a sentence that begins with `alarm` or `watch`; empty when nothing."""
    declines_visible: bool = True
    """False: some failures leave no trace, so `success` counts completions and has no rate."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    id: str
    severity: str
    state: str
    level: int
    title: str
    challenge: str
    provider: str
    account: str
    opened_at: datetime
    resolved_at: datetime | None
    ended_as: str | None
    owner: str | None
    money: tuple[Money, ...]
    next_action: str
    next_at: datetime | None
    needs_human: bool
    status: str
    """One short phrase: `fixing 1/2`, `verifying until 14:05`, `waits for integration-coordinator`, …"""
    waits_for: str = ""
    """Who is to accept or return the last handoff; empty when none is unanswered."""
    held_by: str = ""
    """Who accepted or acknowledged it, with the role: `ana (backend-coordinator)`."""
    blocked: Blocked = ""
    """Why Level 1 cannot go on without a person."""
    quiet: str = ""
    """`silenced by ana: deploy`: nothing acts and nobody is called until `quiet_until`; empty when not."""
    quiet_until: datetime | None = None
    approval: Approval | None = None
    """What waits for people to approve it, with its plan, and until when."""


@dataclass(frozen=True, slots=True)
class NextItem:
    at: datetime
    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class EngineState:
    holder: str | None
    mine: bool
    """This process holds the lease."""
    last_tick_at: datetime | None
    late_s: int
    """How far behind the engine is, 0 when in time."""
    stopped: str | None
    """Who stopped everything, when and why; None = not stopped."""
    armed: bool
    """At least one remedy may act somewhere."""
    audit_ok: bool
    receiver: str
    """Where the receiver listens, or why it does not."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The protocol so far, over all incidents of the store but `platform`."""

    incidents: int
    fixed_at_level1: int
    self_healed: int
    escalated: int
    unfinished: int


@dataclass(frozen=True, slots=True)
class Board:
    at: datetime
    headline: str
    tone: Literal["ok", "watch", "bad", "unknown"]
    engine: EngineState
    operator: str | None
    view_only: str
    """Why nothing can be done from here; empty when it can."""
    accounts: tuple[AccountCard, ...]
    incidents: tuple[IncidentRow, ...]
    """Open ones, worst first."""
    recent: tuple[IncidentRow, ...]
    """Resolved in the last 24 hours, newest first."""
    next: tuple[NextItem, ...]
    levels: Levels
    loading: str = ""
    """What is still being read, empty when nothing."""
    operator_pin: bool = False
    """The operator has a PIN; it is asked before an approval."""


@dataclass(frozen=True, slots=True)
class PlanView:
    """The dry run as a person sees it; `would_act` False says in `why_not` what stands against it."""

    plan: Plan | None
    refusal: Refusal | None
    would_act: bool
    why_not: str
    plan_hash: str


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    incident: Incident
    row: IncidentRow
    timeline: tuple[TimelineEntry, ...]
    attempts: tuple[FixAttempt, ...]
    handoffs: tuple[Handoff, ...]
    runbook: str
    evidence: tuple[tuple[str, str], ...]
    """Label → value, ready to show."""


@dataclass(frozen=True, slots=True)
class HandoffDraft:
    """The five fields prefilled from facts, and who would receive them."""

    level: int
    to: str
    problem: str
    attempted: str
    impact: str
    gateway: str
    request: str


@dataclass(frozen=True, slots=True)
class ReloadView:
    """What reading the rule files again would do; `hash` names what was shown. Empty `lines`: no difference."""

    hash: str
    lines: tuple[str, ...]
    problems: tuple[str, ...]
    """Why the rules cannot be reloaded; every line one mistake."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    ok: bool
    message: str
