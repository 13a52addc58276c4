"""When a rule test must be looked at next: what would be the same step again is jumped over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from payops.domain.incidents import FixAttempt, Incident
from payops.escalation.auditor import GRACE
from payops.expressions import parse_duration
from payops.remedies.driving import SETTLES
from payops.rulebook import Rule
from payops.store import RuleState

_DURATION = re.compile(r"duration\('([^']*)'\)")


def waits_for_people(incident: Incident, attempts: Sequence[FixAttempt]) -> bool:
    """Level 1 has nothing under way, and nothing to begin while nothing changes."""
    if any(attempt.phase != "done" for attempt in attempts):
        return False
    return incident.l1_exhausted_at is not None or bool(attempts and attempts[-1].verified)


def timers(rule: Rule, states: Iterable[RuleState], incident: Incident | None) -> Iterator[datetime]:
    """When a condition's `for`, a hold, the incident's next step or its quiet ends."""
    for state in states:
        if state.pending_since is not None:
            yield state.pending_since + rule.fire.for_
        if state.clear_since is not None:
            yield state.clear_since + rule.resolve.for_
        if state.held_until is not None:
            yield state.held_until
    if incident is not None and incident.next_action_at is not None:
        yield incident.next_action_at
    if incident is not None and incident.quiet_until is not None:
        yield incident.quiet_until


def patience(rule: Rule, incident: Incident, attempts: Sequence[FixAttempt]) -> Iterator[datetime]:
    """When something may become due by time alone, besides the incident's own next step."""
    for step in (rule.escalate.level2, *rule.escalate.level3, *rule.escalate.level4):
        for term in step.when if step is not None else ():
            yield from (incident.opened_at + _lasting(text) for text in _DURATION.findall(term))
    if incident.next_action_at is not None:
        yield incident.next_action_at + GRACE
    yield from (attempt.ended_at + SETTLES for attempt in attempts if attempt.ended_at is not None)


def _lasting(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        return timedelta()  # CEL knows milliseconds; what they time is over at the next sample
