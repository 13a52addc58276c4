"""The incident document: stable keys, ISO times, null for what is not known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from payops.clock import iso, iso_or_none
from payops.domain.incidents import FixAttempt, Handoff, Incident, TimelineEntry
from payops.store import Store

from .story import Story


def incident_json(store: Store, incident_id: str) -> dict[str, Any]:
    """The incident as JSON-able values; `UsageError` when there is none of that id."""
    with store.read():
        incident = store.incidents.get(incident_id)
        attempts = store.incidents.attempts(incident_id)
        handoffs = store.incidents.handoffs(incident_id)
        timeline = store.incidents.timeline(incident_id)
    return _document(incident, attempts, handoffs, timeline)


def story_json(story: Story) -> dict[str, Any]:
    """The same for one kind of reader, with what came of it."""
    made = _document(story.incident, story.attempts, story.handoffs, story.timeline)
    impact = story.impact
    made |= {
        "view": story.view,
        "impact": {
            "since": iso_or_none(impact.since),
            "payments": impact.payments,
            "customers": impact.customers,
            "money": [
                {"currency": each.currency, "amount_minor": each.amount_minor} for each in impact.money
            ],
            "method": impact.method,
        },
        "cause": story.incident.cause,
        "fixed": story.incident.fixed,
        "answers": [
            {"at": iso(each.at), "by": each.by, "kind": each.kind, "text": each.text}
            for each in story.answers
        ],
        "decisions": [
            {
                "at": iso(each.at),
                "by": each.by,
                "option": each.option,
                "text": each.text,
                "why": each.why,
                "executor": each.executor,
            }
            for each in story.decisions
        ],
        "followups": [
            {
                "id": each.id,
                "kind": each.kind,
                "what": each.what,
                "owner": each.owner,
                "due_at": iso_or_none(each.due_at),
                "done_at": iso_or_none(each.done_at),
            }
            for each in story.followups
        ],
    }
    if story.view == "auditor":
        made["rule_hash"] = story.incident.rule_hash
        made["policy"] = json.loads(story.incident.policy)
        made["audit"] = [
            {
                "seq": row.seq,
                "at": iso(row.at),
                "who": row.who,
                "what": row.what,
                "result": row.result,
                "origin": row.origin,
                "hash": row.hash,
            }
            for row in story.audit
        ]
    return made


def _document(
    incident: Incident,
    attempts: Sequence[FixAttempt],
    handoffs: Sequence[Handoff],
    timeline: Sequence[TimelineEntry],
) -> dict[str, Any]:
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
