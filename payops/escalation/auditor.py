"""Finds the incident everybody forgot: every open one has a next step in the future, or is raised."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.config import Settings
from payops.domain.errors import LostRace
from payops.domain.incidents import Incident
from payops.domain.policy import parse_policy
from payops.signals import SignalSet
from payops.store import Store

from .drafting import for_step, next_level, step_for
from .machine import send

GRACE = timedelta(minutes=2)
"""How late a next step may be before the incident counts as forgotten."""


def forgotten(store: Store, now: datetime) -> list[Incident]:
    """Open incidents whose next step has no time or one that has passed, untouched for longer than `GRACE`.

    A quiet one waits for the end of its silence.
    """
    return [
        incident
        for incident in store.incidents.open_ones()
        if (incident.next_action_at is None or incident.next_action_at <= now - GRACE)
        and incident.updated_at <= now - GRACE
        and not incident.is_quiet(now)
    ]


def audit(store: Store, settings: Settings, signals: SignalSet, now: datetime) -> list[str]:
    """Hand every forgotten incident to a person; returns their ids.

    One that reached Level 3 is called there again: to Level 4 nothing goes by timer alone.
    """
    raised = []
    for incident in forgotten(store, now):
        policy = parse_policy(incident.policy)
        handoffs = store.incidents.handoffs(incident.id)
        level = min(max(2, next_level(incident, handoffs)), 3)
        waited = incident.next_action or "nothing"
        why = f"it was left waiting for: {waited}; "
        try:
            made = for_step(store, settings, incident, step_for(policy, level), now)
            send(store, incident, made, now, by="payops", why=why, cause="auditor")
        except LostRace:
            continue
        raised.append(incident.id)
    return raised
