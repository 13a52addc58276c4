"""A handoff before it is sent: the five fields, and what makes one fit to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, get_args

HandoffField = Literal["problem", "attempted", "impact", "gateway", "request"]
FIELDS: tuple[HandoffField, ...] = get_args(HandoffField)
ASKS: dict[HandoffField, str] = {
    "problem": "what is wrong, where and since when",
    "attempted": "what was tried and what came of it, or why nothing was",
    "impact": "who and how much is hurt, since when",
    "gateway": "the provider, the endpoint or credential, the error code and request ids",
    "request": "what you want to be told or decided",
}
"""What each field answers; shown beside it and in a refusal."""
LEAST_WORDS = 3
_EMPTY_WORDS = {"n/a", "na", "tbd", "todo", "none", "nothing", "unknown", "see above", "test", "asap", "help"}


@dataclass(frozen=True, slots=True)
class Draft:
    """The five fields prefilled from facts, who would receive them, and how long they have to accept."""

    level: int
    to: str
    problem: str
    attempted: str
    impact: str
    gateway: str
    request: str
    ack_within: timedelta

    def edited(self, fields: Mapping[HandoffField, str]) -> Draft:
        """The draft with the fields a person wrote anew."""
        return replace(
            self,
            problem=fields.get("problem", self.problem),
            attempted=fields.get("attempted", self.attempted),
            impact=fields.get("impact", self.impact),
            gateway=fields.get("gateway", self.gateway),
            request=fields.get("request", self.request),
        )


def fault_of(field: HandoffField, text: str) -> str | None:
    """Why this text cannot be sent as `field`, as a sentence that says what to write; None when it can."""
    words = text.split()
    if not words:
        return f"{field} is empty: say {ASKS[field]}; if it is not known, say what was tried to learn it"
    plain = text.strip().strip(".!?-… ").lower()
    if plain in _EMPTY_WORDS or len(words) < LEAST_WORDS or not any(ch.isalpha() for ch in text):
        return f"{field} says too little ({text.strip()[:40]!r}): say {ASKS[field]} in a sentence"
    return None
