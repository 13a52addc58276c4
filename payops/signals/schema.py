"""The typed signals a rule may speak of: known when a rule file is loaded, and nothing else exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from payops.domain.incidents import Value

FieldType = Literal["bool", "int", "double", "string"]


@dataclass(frozen=True, slots=True)
class Field:
    type: FieldType
    meaning: str


@dataclass(frozen=True, slots=True)
class Source:
    """One signal: what it is grouped by, which labels come along, and its fields."""

    name: str
    meaning: str
    group_by: tuple[str, ...]
    labels: tuple[str, ...]
    fields: Mapping[str, Field]
    stale_after_s: int
    """A row older than this is unknown."""
    kept: tuple[str, ...] = ()
    """Labels an incident keeps that rules and their tests do not speak of."""


@dataclass(frozen=True, slots=True)
class SignalRow:
    """The values of one group at one instant; a value of None is unknown."""

    labels: Mapping[str, str]
    values: Mapping[str, Value | None]
    as_of: datetime | None


SignalSet = Mapping[str, tuple[SignalRow, ...]]
"""Source name → its rows at one instant."""

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "success",
            "Acceptance: first attempts that became authorized, of all first attempts, per account.",
            ("account",),
            ("account", "provider", "mode"),
            {
                "n_5m": Field("int", "first attempts in the last 5 minutes"),
                "rate_5m": Field("double", "their acceptance, 0..1"),
                "n_15m": Field("int", "first attempts in the last 15 minutes"),
                "rate_15m": Field("double", "their acceptance, 0..1"),
                "n_1h": Field("int", "first attempts in the last hour"),
                "rate_1h": Field("double", "their acceptance, 0..1"),
                "n_baseline": Field(
                    "int",
                    "first attempts in the 24 hours before the judged ones (the last 2 hours, less while history is short)",
                ),
                "expected": Field(
                    "double", "acceptance expected from the baseline, its lower bound while history is short"
                ),
                "evidence": Field(
                    "double",
                    "of a drop: 1.0 is one false alarm in 30 days at this volume, given the baseline",
                ),
                "lost_1h": Field("double", "payments failed in the last hour beyond those expected"),
            },
            stale_after_s=900,
        ),
        Source(
            "endpoints",
            "Webhook endpoints as the provider reports them, one row for each endpoint of the configuration.",
            ("account", "endpoint"),
            ("account", "provider", "mode", "endpoint", "topology"),
            {
                "disabled": Field("bool", "the provider sends nothing to it"),
                "present": Field("bool", "the provider knows an endpoint with the configured URL"),
                "ours": Field("bool", "what is sent to it reaches payops's own receiver"),
                "disabled_by_user": Field(
                    "bool", "a person switched it off; unknown where the provider does not tell"
                ),
                "missing": Field(
                    "int", "events generated for it and not in our inbox; unknown where it is not ours"
                ),
            },
            stale_after_s=900,
            kept=("receiver",),
        ),
        Source(
            "webhooks",
            "What the provider generated, what reached us, and what we did with it, per endpoint of ours.",
            ("account", "endpoint"),
            ("account", "provider", "mode", "endpoint", "topology"),
            {
                "undelivered": Field(
                    "int", "events not delivered to at least one endpoint of the account, by the provider"
                ),
                "unprocessed": Field("int", "received here, not processed yet"),
                "dead": Field("int", "dead letters: given up here after every retry"),
                "oldest_unprocessed_s": Field("int", "age of the oldest unprocessed event, seconds"),
                "missing": Field(
                    "int", "generated for a subscribed type, not in our inbox, older than the grace"
                ),
                "missing_oldest_s": Field("int", "age of the oldest missing event, seconds"),
                "received_15m": Field("int", "events received in the last 15 minutes"),
            },
            stale_after_s=900,
            kept=("receiver",),
        ),
        Source(
            "credentials",
            "What the last cheap read proved about the monitor credential in use.",
            ("account",),
            ("account", "provider", "mode"),
            {
                "accepted": Field("bool", "the provider accepted it"),
                "rejected": Field("bool", "the provider rejected it (401); an outage is neither"),
                "code": Field("string", "the provider's error code, empty when accepted"),
                "wrong_mode": Field("bool", "it is proven to belong to the other mode"),
                "fallbacks": Field("int", "other credentials stored for this account"),
            },
            stale_after_s=900,
        ),
        Source(
            "mode",
            "Objects and events whose mode is not the account's.",
            ("account",),
            ("account", "provider", "mode"),
            {"wrong_mode_events_1h": Field("int", "quarantined events in the last hour")},
            stale_after_s=900,
        ),
    )
}

ESCALATION_FIELDS: Mapping[str, Field] = {
    "l1_exhausted": Field("bool", "Level 1 is over and the incident is still open"),
    "l1_waiting": Field("bool", "Level 1 waits for a target that cannot answer yet"),
    "money_lost": Field("bool", "payments are failing beyond the expected, or fulfilment is at risk"),
    "decision_requested": Field("bool", "Level 3 asked the user for a decision"),
    "attempts": Field("int", "fix attempts made"),
    "level": Field("int", "the level reached"),
}
"""Names an `escalate:` condition may use, besides `open_for` (a duration) and the rule's own signal fields."""
