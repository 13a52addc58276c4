"""A rule as a frozen value: the shape of `payops.rule/v1`. What it speaks of is checked in `checks`."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from payops.domain.errors import Bucket
from payops.domain.incidents import Challenge, EndedAs, Severity
from payops.domain.plans import Effect
from payops.domain.protocol import Trigger
from payops.domain.roles import HandoffRole
from payops.expressions import MAX_TERMS, format_duration, parse_duration

SCHEMA = "payops.rule/v1"
MAX_ATTEMPTS = 2
MAX_LEVEL1 = timedelta(minutes=5)
MAX_REOPEN = timedelta(hours=24)

Status = Literal["draft", "shadow", "stable", "retired"]
OnNoData = Literal["hold", "fire", "resolve"]
ScriptedOutcome = Literal["ok", "rejected", "rate_limited", "timeout_applied", "timeout_lost"]
TestState = Literal[
    "clear", "pending", "inhibited", "no_data", "silenced", "open", "acknowledged", "resolved"
]
TestAction = Literal[
    "ack",
    "fix",
    "approve",
    "hold",
    "skip",
    "escalate",
    "accept",
    "return",
    "resolve",
    "note",
    "silence",
    "unsilence",
    "stop",
    "resume",
]


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"{value} is not a duration: write {value}s, {value}m or {value}h")
    raise ValueError(f"{str(value)[:40]!r} is not a duration: write it as 30s, 5m, 1h30m or 2d")


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0s")
    return value


DURATION = {
    "type": "string",
    "pattern": "^(?=.)([0-9]{1,6}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$",
    "description": "A duration: 30s, 5m, 1h30m or 2d.",
}
"""How a duration is written, in the words of a JSON Schema."""
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(DURATION),
]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"\S")]
Paragraph = Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"\S")]
When = Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_TERMS)]
"""A list of terms: all must be true."""
Labels = Annotated[tuple[str, ...], Field(min_length=1, max_length=10)]


class Part(BaseModel):
    """Anything in a rule file: frozen, nothing coerced, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


class Signal(Part):
    source: str
    group_by: Labels
    on_no_data: OnNoData = "hold"


class SeverityUp(Part):
    to: Severity
    when: When


class Fire(Part):
    when: When
    for_: Duration = Field(alias="for")
    severity: Severity
    severity_up: tuple[SeverityUp, ...] = ()


class Resolve(Part):
    when: When
    for_: Duration = Field(alias="for")


class Flap(Part):
    """More than `max_changes` openings and resolutions `within` keep the incident open for `hold`."""

    max_changes: int = Field(ge=2, le=100)
    within: PositiveDuration
    hold: PositiveDuration


class Inhibitor(Part):
    rule: Name
    equal: Labels


def _at_most_a_day(value: timedelta) -> timedelta:
    if value > MAX_REOPEN:
        raise ValueError(f"at most {format_duration(MAX_REOPEN)}: after that it is a new incident")
    return value


class IncidentPart(Part):
    dedup_key: Labels
    reopen_within: Annotated[Duration, AfterValidator(_at_most_a_day)] = timedelta(0)
    inhibited_by: tuple[Inhibitor, ...] = ()


def _level1_time(value: timedelta) -> timedelta:
    if value > MAX_LEVEL1:
        raise ValueError(f"at most {format_duration(MAX_LEVEL1)}: Level 1 hands over after that")
    return value


class Budget(Part):
    attempts: int = Field(default=MAX_ATTEMPTS, ge=1, le=MAX_ATTEMPTS)
    timeout: Annotated[PositiveDuration, AfterValidator(_level1_time)] = MAX_LEVEL1


class Approval(Part):
    """`people`: so many different operators. Above `two_above_minor` of one currency it takes two."""

    by: Literal["operator", "coordinator", "security", "admin"]
    expires: PositiveDuration
    people: int | None = Field(default=None, ge=1, le=2)
    two_above_minor: int | None = Field(default=None, ge=0)


class Limits(Part):
    cooldown: Duration = timedelta(0)
    per_hour: int | None = Field(default=None, ge=1, le=1_000)
    lock: tuple[str, ...] = ()
    max_targets: int | None = Field(default=None, ge=1, le=100_000)
    max_amount_minor: int | None = Field(default=None, ge=1)


class Verify(Part):
    when: When
    within: PositiveDuration


class Remedy(Part):
    id: Name
    action: str
    effect: Effect
    approval: Approval | None = None
    limits: Limits = Limits()
    retry_on: tuple[Bucket, ...] = ()
    verify: Verify | None = None


class Level1(Part):
    budget: Budget = Budget()
    remedies: tuple[Remedy, ...] = ()


class Level2(Part):
    when: When
    role: HandoffRole
    ack_within: PositiveDuration
    request: Paragraph


class Level3(Part):
    when: When
    role: HandoffRole
    request: Paragraph
    ack_within: PositiveDuration = timedelta(hours=4)
    trigger: Trigger | None = None
    """What lets it skip Level 2; a step without one waits until Level 2 was told."""


class Choice(Part):
    id: Name
    text: Line
    consequence: Line
    executor: Line


class Level4(Part):
    when: When
    question: Paragraph
    options: Annotated[tuple[Choice, ...], Field(min_length=2, max_length=10)]


class Escalate(Part):
    level2: Level2 | None = None
    level3: tuple[Level3, ...] = ()
    level4: tuple[Level4, ...] = ()


class Operator(Part):
    """One thing a person does in a test, `at` a time or `after_opening` of the incident."""

    do: TestAction
    at: Duration | None = None
    after_opening: Duration | None = None
    by: str = "demo"
    text: str = ""
    question: str = ""
    cause: str = ""
    fixed: str = ""
    reason: str = ""
    for_: PositiveDuration | None = Field(default=None, alias="for")


class Expectation(Part):
    """What must hold `at` a time; only what is written is compared."""

    at: Duration
    state: TestState | None = None
    severity: Severity | None = None
    level: int | None = Field(default=None, ge=1, le=4)
    ended_as: EndedAs | None = None
    attempts: int | None = Field(default=None, ge=0, le=MAX_ATTEMPTS)
    handoff_to: HandoffRole | None = None
    incidents: int | None = Field(default=None, ge=0)


class Others(Part):
    """Another rule's incident that is open during a test, from `from` until `until`."""

    rule: Name
    from_: Duration = Field(default=timedelta(0), alias="from")
    until: Duration


class Announced(Part):
    """Announced maintenance of the test's account, from `from` until `until`."""

    from_: Duration = Field(default=timedelta(0), alias="from")
    until: PositiveDuration


class RuleTest(Part):
    name: Line
    every: PositiveDuration
    labels: dict[str, str]
    series: Annotated[dict[str, str], Field(min_length=1)]
    reachable: str | None = None
    """Whether the endpoint's URL answers, as a series of true and false; it always does without one."""
    others: tuple[Others, ...] = ()
    maintenance: tuple[Announced, ...] = ()
    actions: dict[str, tuple[ScriptedOutcome, ...]] = {}
    operators: tuple[Operator, ...] = ()
    expect: Annotated[tuple[Expectation, ...], Field(min_length=1)]


class Rule(Part):
    """One rule. Two rules with the same `hash` judge the same; tests are no part of it."""

    schema_: Literal["payops.rule/v1"] = Field(alias="schema")
    id: Name
    challenge: Challenge
    title: Line
    status: Status
    false_positives: tuple[Line, ...] = ()
    runbook: Paragraph
    signal: Signal
    fire: Fire
    resolve: Resolve
    flap: Flap | None = None
    incident: IncidentPart
    level1: Level1 = Level1()
    escalate: Escalate
    tests: tuple[RuleTest, ...] = ()

    @cached_property
    def policy(self) -> dict[str, Any]:
        """What an incident freezes: the document without its tests, defaults filled in, durations as text."""
        return self.model_dump(mode="json", by_alias=True, exclude={"tests"}, exclude_none=True)

    def policy_json(self) -> str:
        """`policy` as canonical JSON."""
        return self._canonical

    @cached_property
    def _canonical(self) -> str:
        return json.dumps(self.policy, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def hash(self) -> str:
        """sha256 of the policy, hex."""
        return hashlib.sha256(self._canonical.encode()).hexdigest()

    @classmethod
    def from_policy(cls, policy: str) -> Rule:
        """The rule an incident froze; it has no tests."""
        return cls.model_validate_json(policy)
