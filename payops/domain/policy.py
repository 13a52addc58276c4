"""The frozen rule of an incident as Level 1 and the level machine read it: a small typed view of its JSON.

The rulebook validates a rule when its file is loaded and freezes it into the incident. This view reads that
JSON back, years later if need be, and never widens it: what is missing or unreadable becomes the stricter value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

from .approvals import APPROVING
from .plans import EFFECTS, Effect
from .protocol import TRIGGERS, Trigger
from .roles import ROLE_LEVELS, HandoffRole, OperatorRole

MOST_ATTEMPTS = 2
LONGEST_LEVEL1 = timedelta(minutes=5)
DEFAULT_VERIFY = timedelta(minutes=10)
DEFAULT_ACK = timedelta(hours=1)
DEFAULT_APPROVAL = timedelta(minutes=4)
"""A minute of the five is left to act in."""
TWO_ABOVE_MINOR = 100_000
"""Money above this needs two people: 1,000.00 in most currencies."""
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True, slots=True)
class Limits:
    """How often and how far a remedy may reach. `cooldown` counts from the last attempt of another incident."""

    cooldown: timedelta = timedelta()
    per_hour: int | None = None
    lock: tuple[str, ...] = ("account",)
    max_targets: int | None = None
    max_amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Who lets a remedy act. Above `two_above_minor` in any one currency it takes two people, whatever `people` says."""

    role: OperatorRole = "operator"
    expires: timedelta = DEFAULT_APPROVAL
    people: int = 1
    two_above_minor: int = TWO_ABOVE_MINOR


@dataclass(frozen=True, slots=True)
class RemedyPolicy:
    """One remedy of a rule: what it does, within which bounds, and what proves that it worked."""

    id: str
    action: str
    effect: Effect
    limits: Limits
    retry_on: tuple[str, ...]
    verify_when: tuple[str, ...]
    verify_within: timedelta
    approval: ApprovalPolicy | None
    """Who must approve it; None: nobody, unless what it does asks for a person."""


@dataclass(frozen=True, slots=True)
class Option:
    """One choice at Level 4: what it means and who carries it out."""

    id: str
    text: str
    consequence: str
    executor: str


@dataclass(frozen=True, slots=True)
class Step:
    """One branch of the escalation: when it goes out, to whom, and what it asks."""

    level: int
    when: tuple[str, ...]
    role: HandoffRole
    ack_within: timedelta
    request: str
    options: tuple[Option, ...] = ()
    trigger: Trigger | None = None
    """What lets it skip Level 2; without one it waits for its turn."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rule as it was when the incident opened. `attempts` and `timeout` bound Level 1 whichever remedy."""

    rule: str
    challenge: str
    title: str
    source: str
    group_by: tuple[str, ...]
    runbook: str
    attempts: int
    timeout: timedelta
    remedies: tuple[RemedyPolicy, ...]
    steps: tuple[Step, ...]

    def remedy(self, remedy_id: str) -> RemedyPolicy | None:
        return next((remedy for remedy in self.remedies if remedy.id == remedy_id), None)

    def at_level(self, level: int) -> tuple[Step, ...]:
        """The steps of one level, in the order of the rule."""
        return tuple(step for step in self.steps if step.level == level)


@lru_cache(maxsize=1024)
def parse_policy(text: str) -> Policy:
    """The view of `Incident.policy`; ValueError when it is not a JSON object."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("the frozen rule is not a JSON object")
    signal = _table(document, "signal")
    level1 = _table(document, "level1")
    budget = _table(level1, "budget")
    escalate = _table(document, "escalate")
    return Policy(
        rule=str(document.get("id", "")),
        challenge=str(document.get("challenge", "")),
        title=str(document.get("title", "")),
        source=str(signal.get("source", "")),
        group_by=_texts(signal.get("group_by")),
        runbook=str(document.get("runbook") or ""),
        attempts=min(_count(budget.get("attempts")) or MOST_ATTEMPTS, MOST_ATTEMPTS),
        timeout=min(_duration(budget.get("timeout"), LONGEST_LEVEL1), LONGEST_LEVEL1),
        remedies=tuple(_remedy(entry) for entry in _tables(level1.get("remedies"))),
        steps=tuple(
            _step(level, entry) for level in (2, 3, 4) for entry in _tables(escalate.get(f"level{level}"))
        ),
    )


def route(challenge: str, level: int) -> HandoffRole:
    """Who a handoff goes to when the rule does not say: the routing table of the protocol."""
    if level >= 4:
        return "user"
    if level == 3:
        return "security-coordinator" if challenge == "pci" else "tech-lead-orchestrator"
    return (
        "backend-coordinator"
        if challenge in ("transaction_fail", "refund_fail")
        else "integration-coordinator"
    )


def _remedy(entry: Mapping[str, Any]) -> RemedyPolicy:
    verify = _table(entry, "verify")
    effect = entry.get("effect")
    return RemedyPolicy(
        id=str(entry.get("id", "")),
        action=str(entry.get("action", "")),
        effect=cast(Effect, effect) if effect in EFFECTS else "money",
        limits=_limits(_table(entry, "limits")),
        retry_on=_texts(entry.get("retry_on")),
        verify_when=_texts(verify.get("when")),
        verify_within=_duration(verify.get("within"), DEFAULT_VERIFY),
        approval=_approval(entry.get("approval"), effect),
    )


def _approval(entry: object, effect: object) -> ApprovalPolicy | None:
    """Money without a readable approval asks for two people."""
    if not isinstance(entry, dict):
        return None if effect in EFFECTS and effect != "money" else ApprovalPolicy(people=2)
    role, people = entry.get("by"), _count(entry.get("people"))
    above = _count(entry.get("two_above_minor"))
    return ApprovalPolicy(
        role=cast(OperatorRole, role) if role in APPROVING else "admin",
        expires=min(_duration(entry.get("expires"), DEFAULT_APPROVAL), LONGEST_LEVEL1),
        people=2 if people is not None and people > 1 else 1,
        two_above_minor=TWO_ABOVE_MINOR if above is None else above,
    )


def _limits(entry: Mapping[str, Any]) -> Limits:
    return Limits(
        cooldown=_duration(entry.get("cooldown"), timedelta()),
        per_hour=_count(entry.get("per_hour")),
        lock=_texts(entry.get("lock")) or ("account",),
        max_targets=_count(entry.get("max_targets")),
        max_amount_minor=_count(entry.get("max_amount_minor")),
    )


def _step(level: int, entry: Mapping[str, Any]) -> Step:
    role = entry.get("role")
    return Step(
        level=level,
        when=_texts(entry.get("when")),
        role=cast(HandoffRole, role) if role in ROLE_LEVELS else "user" if level == 4 else route("", level),
        ack_within=_duration(entry.get("ack_within"), DEFAULT_ACK),
        request=str(entry.get("request") or entry.get("question") or ""),
        options=tuple(
            Option(*(str(option.get(name, "")) for name in ("id", "text", "consequence", "executor")))
            for option in _tables(entry.get("options"))
        ),
        trigger=next((trigger for trigger in TRIGGERS if trigger == entry.get("trigger")), None),
    )


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _tables(value: object) -> list[Mapping[str, Any]]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, dict)]


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _duration(value: object, default: timedelta) -> timedelta:
    """`1h30m` or whole seconds; anything else is the default."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return timedelta(seconds=value)
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        return default
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
