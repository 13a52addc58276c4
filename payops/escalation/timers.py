"""How long things may take, by severity, and what an open incident waits for next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payops.domain.incidents import Handoff, Incident, Severity

ACK_LASTS: dict[Severity, timedelta] = {
    "sev1": timedelta(hours=2),
    "sev2": timedelta(hours=4),
    "sev3": timedelta(hours=8),
    "sev4": timedelta(hours=24),
}
"""How long an acknowledgement holds without another word of a person; then the incident is open again."""
HANDOFF_LASTS: dict[Severity, timedelta] = {
    "sev1": timedelta(hours=8),
    "sev2": timedelta(hours=24),
    "sev3": timedelta(hours=24),
    "sev4": timedelta(hours=48),
}
"""The same for who accepted a handoff: they are reminded of each update they owe before it is given to others."""
UPDATE_EVERY: dict[Severity, timedelta] = {
    "sev1": timedelta(minutes=30),
    "sev2": timedelta(hours=1),
    "sev3": timedelta(hours=4),
    "sev4": timedelta(hours=12),
}
"""How often whoever has an incident says how it stands."""
NO_RULE_SAYS = timedelta(minutes=30)
"""After Level 1, when the rule hands over to nobody, the incident goes to Level 2 all the same."""
TARGET_ANSWERS = timedelta(minutes=60)
"""How long Level 1 waits for a target that cannot answer before somebody must know."""


def ack_ends_at(
    incident: Incident, handoffs: Sequence[Handoff], last_word: datetime | None
) -> datetime | None:
    """When the acknowledgement lapses, unless its holder says something; None when nobody acknowledged."""
    if incident.state != "acknowledged" or incident.acknowledged_at is None:
        return None
    accepted = bool(handoffs) and handoffs[-1].accepted_at is not None
    lasts = (HANDOFF_LASTS if accepted else ACK_LASTS)[incident.severity]
    return max(incident.acknowledged_at, last_word or incident.acknowledged_at) + lasts


def update_due_at(incident: Incident, last_word: datetime | None, now: datetime) -> datetime:
    """The next moment, after `now`, at which the holder owes an update: one each interval since the last word."""
    every = UPDATE_EVERY[incident.severity]
    since = last_word or incident.acknowledged_at or incident.opened_at
    missed = max(0, int((now - since) / every))
    return since + every * (missed + 1)


def next_action(
    incident: Incident, handoffs: Sequence[Handoff], last_word: datetime | None, now: datetime
) -> tuple[str, datetime]:
    """What is waited for once Level 1 is over or somebody was told, and until when; always a time."""
    last = handoffs[-1] if handoffs else None
    if last is not None and last.returned_at is not None:
        return (
            f"answer {last.returned_by}: {last.question}",
            last.returned_at + UPDATE_EVERY[incident.severity],
        )
    if last is not None and last.accepted_at is not None and incident.state == "acknowledged":
        return f"{last.accepted_by} has it as {last.to} and gives an update", update_due_at(
            incident, last_word, now
        )
    if incident.state == "acknowledged":
        return f"{incident.acknowledged_by} has it and gives an update", update_due_at(
            incident, last_word, now
        )
    if last is not None and last.accept_by is not None:
        return f"{last.to} accepts", last.accept_by
    since = incident.l1_exhausted_at or incident.opened_at
    return "the rule's Level 2 condition, a person, or Level 2 in any case", since + NO_RULE_SAYS
