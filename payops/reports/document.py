"""The incident document: stable keys, ISO times, null for what is not known."""

from __future__ import annotations

from typing import Any

from payops.clock import iso, iso_or_none
from payops.domain.incidents import FixAttempt, Handoff, TimelineEntry
from payops.store import Store


def incident_json(store: Store, incident_id: str) -> dict[str, Any]:
    """The incident as JSON-able values; `UsageError` when there is none of that id."""
    with store.read():
        incident = store.incidents.get(incident_id)
        attempts = store.incidents.attempts(incident_id)
        handoffs = store.incidents.handoffs(incident_id)
        timeline = store.incidents.timeline(incident_id)
    return {
        "id": incident.id,
        "rule": incident.rule,
        "challenge": incident.challenge,
        "provider": incident.provider,
        "account": incident.account,
        "opened_at": iso(incident.opened_at),
        "state": incident.state,
        "level": incident.level,
        "severity": incident.severity,
        "resolved_at": iso_or_none(incident.resolved_at),
        "ended_as": incident.ended_as,
        "attempts": [_attempt(attempt) for attempt in attempts],
        "handoffs": [_handoff(handoff) for handoff in handoffs],
        "why": [{"term": why.term, "value": why.value} for why in incident.why],
        "title": incident.title,
        "mode": incident.mode,
        "labels": dict(incident.labels),
        "owner": incident.owner,
        "quiet": {"until": iso(incident.quiet_until), "why": incident.quiet_why}
        if incident.quiet_until and incident.state != "resolved"
        else None,
        "timeline": [_entry(entry) for entry in timeline],
    }


def _attempt(attempt: FixAttempt) -> dict[str, Any]:
    return {
        "n": attempt.n,
        "remedy": attempt.remedy,
        "outcome": attempt.outcome,
        "verified": attempt.verified,
        "started_at": iso(attempt.started_at),
        "ended_at": iso_or_none(attempt.ended_at),
        "request_ids": list(attempt.request_ids),
        "by": attempt.by,
        "effect": attempt.effect,
        "detail": attempt.detail,
    }


def _handoff(handoff: Handoff) -> dict[str, Any]:
    return {
        "level": handoff.level,
        "to": handoff.to,
        "problem": handoff.problem,
        "attempted": handoff.attempted,
        "impact": handoff.impact,
        "gateway": handoff.gateway,
        "request": handoff.request,
        "sent_at": iso(handoff.sent_at),
        "accepted_at": iso_or_none(handoff.accepted_at),
        "sent_by": handoff.sent_by,
        "accept_by": iso_or_none(handoff.accept_by),
        "accepted_by": handoff.accepted_by,
        "returned_at": iso_or_none(handoff.returned_at),
        "question": handoff.question,
    }


def _entry(entry: TimelineEntry) -> dict[str, Any]:
    return {"at": iso(entry.at), "kind": entry.kind, "who": entry.who, "text": entry.text}
