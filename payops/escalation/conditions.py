"""What an `escalate:` condition may speak of, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

from payops.domain.incidents import FixAttempt, Handoff, Incident
from payops.domain.policy import Policy, Step
from payops.expressions import ExpressionError, Terms
from payops.expressions.terms import TermType, TermValue
from payops.signals import SOURCES, SignalSet
from payops.signals.rows import known_values, row_for
from payops.signals.schema import ESCALATION_FIELDS

LATE_FULFILMENT_S = 1800
"""A paid order whose event is missing for longer is at risk of not being fulfilled."""
DECISION = "decision:"
"""A Level 3 handoff returned with a question that begins so asks the user to decide."""


def values_of(
    policy: Policy,
    incident: Incident,
    attempts: Sequence[FixAttempt],
    handoffs: Sequence[Handoff],
    signals: SignalSet,
    now: datetime,
) -> dict[str, TermValue | None]:
    """Every name a condition of this incident may use, at `now`; None = unknown."""
    labels = {"account": incident.account, **incident.labels}
    row = row_for(signals, policy.source, labels)
    return {
        **known_values(row, policy.source, now),
        "l1_exhausted": incident.l1_exhausted_at is not None,
        "l1_waiting": waiting(incident),
        "money_lost": money_lost(incident, signals, now),
        "decision_requested": decision_requested(handoffs),
        "attempts": len(attempts),
        "level": incident.level,
        "open_for": now - incident.opened_at,
    }


def due(step: Step, policy: Policy, values: Mapping[str, TermValue | None]) -> bool:
    """Whether every term of the step is true; unknown is not true."""
    if not step.when:
        return False
    try:
        terms = [_terms(policy.source).compile(text) for text in step.when]
    except ExpressionError:
        return False
    return all(term.evaluate(values) is True for term in terms)


def waiting(incident: Incident) -> bool:
    """Level 1 has not begun because its target cannot answer yet."""
    return incident.l1_started_at is None and incident.l1_exhausted_at is None and bool(incident.l1_reason)


def money_lost(incident: Incident, signals: SignalSet, now: datetime) -> bool | None:
    """Payments fail beyond the expected, or paid orders wait too long for their event; None = unknown."""
    labels = {"account": incident.account, **incident.labels}
    if incident.challenge == "webhook_miss":
        values = known_values(row_for(signals, "webhooks", labels), "webhooks", now)
        missing, oldest = values.get("missing"), values.get("missing_oldest_s")
        if not isinstance(missing, int) or not isinstance(oldest, int):
            return None
        return missing > 0 and oldest >= LATE_FULFILMENT_S
    evidence = known_values(row_for(signals, "success", {"account": incident.account}), "success", now).get(
        "evidence"
    )
    return evidence >= 1.0 if isinstance(evidence, int | float) else None


def decision_requested(handoffs: Sequence[Handoff]) -> bool:
    """Level 3 returned its handoff with a question that asks for a decision."""
    return any(
        handoff.level == 3
        and handoff.returned_at is not None
        and (handoff.question or "").strip().lower().startswith(DECISION)
        for handoff in handoffs
    )


@cache
def _terms(source: str) -> Terms:
    known = SOURCES.get(source)
    fields: dict[str, TermType] = {"open_for": "duration"}
    fields |= {name: field.type for name, field in (known.fields if known else {}).items()}
    fields |= {name: field.type for name, field in ESCALATION_FIELDS.items()}
    return Terms(fields)
