"""The Level 4 brief: the decision that is asked for, its options with numbers, what was tried, what is not known.

One page for the user, which can also be given to an adviser: it carries its facts as JSON and needs nothing else.
payops sends it nowhere by itself, and an adviser's answer decides nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payops.clock import iso
from payops.domain.incidents import Impact, Incident
from payops.domain.money import Money
from payops.domain.policy import Option, parse_policy
from payops.escalation.drafting import attempted, gateway, impact_sentence
from payops.escalation.similar import Likeness, similar
from payops.store import Store
from payops.text import safe_json

from .document import incident_json
from .story import Story, tell

NO_OPTIONS = (
    Option(
        "wait", "Go on as it is and look again in an hour", "the loss goes on at the present rate", "nobody"
    ),
    Option("act", "Name another way in words", "as stated by whoever proposes it", "whoever is named"),
)
"""What there is to choose where the rule lists nothing."""


@dataclass(frozen=True, slots=True)
class Brief:
    """`per_hour` is what the incident has cost an hour so far, per currency; empty where it is not known."""

    story: Story
    question: str
    options: tuple[Option, ...]
    per_hour: tuple[Money, ...]
    attempted: str
    impact: str
    gateway: str
    unknown: tuple[str, ...]
    like: Likeness
    facts: str
    """The incident document as JSON, redacted as everything in the store is."""


def brief(store: Store, incident_id: str, now: datetime) -> Brief:
    """The brief as it stands; `UsageError` when there is no such incident."""
    story = tell(store, incident_id, now)
    incident = story.incident
    steps = parse_policy(incident.policy).at_level(4)
    step = steps[0] if steps else None
    asked = next(
        (each.question for each in reversed(story.handoffs) if each.level == 3 and each.question), None
    )
    facts: dict[str, Any] = {**incident_json(store, incident_id), "impact": _impact(story.impact, now)}
    return Brief(
        story=story,
        question=(step.request if step and step.request else asked)
        or f"What do we do about {incident.title}?",
        options=step.options if step and step.options else NO_OPTIONS,
        per_hour=_per_hour(story.impact, incident, now),
        attempted=attempted(incident, story.attempts),
        impact=impact_sentence(store, incident, now),
        gateway=gateway(store, incident, None, story.attempts),
        unknown=_unknown(story),
        like=similar(store, incident),
        facts=safe_json(json.dumps(facts, indent=1, ensure_ascii=False)),
    )


def _per_hour(impact: Impact, incident: Incident, now: datetime) -> tuple[Money, ...]:
    since = impact.since or incident.opened_at
    hours = ((incident.resolved_at or now) - since).total_seconds() / 3600
    if hours <= 0:
        return ()
    return tuple(Money(round(each.amount_minor / max(hours, 0.25)), each.currency) for each in impact.money)


def _unknown(story: Story) -> tuple[str, ...]:
    """What nobody can say, in sentences."""
    found = []
    if story.impact.payments is None:
        found.append(f"How many payments are hurt: {story.impact.method}.")
    elif not story.impact.money:
        found.append("What the hurt payments are worth: their amounts are not known.")
    found += [
        f"The value of {why.term}: it could not be read." for why in story.incident.why if why.value is None
    ]
    found += [
        f"Whether attempt {each.n} ({each.remedy}) took effect: its answer was lost."
        for each in story.attempts
        if each.outcome == "unknown"
    ]
    found += [f"What {each.returned_by} asked: {each.question}" for each in story.handoffs if each.question]
    return tuple(found)


def _impact(impact: Impact, now: datetime) -> dict[str, Any]:
    return {
        "as_of": iso(now),
        "since": iso(impact.since) if impact.since else None,
        "payments": impact.payments,
        "customers": impact.customers,
        "money": [{"currency": each.currency, "amount_minor": each.amount_minor} for each in impact.money],
        "method": impact.method,
    }
