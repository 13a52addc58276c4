"""Everything an incident report is made of, read at one instant, and what each reader of it may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from payops.domain.incidents import FixAttempt, Handoff, Impact, Incident, TimelineEntry
from payops.domain.policy import parse_policy
from payops.domain.protocol import Answer, Decision, Followup
from payops.signals.impact import impact
from payops.store import Store
from payops.store.audit import AuditRow

View = Literal["internal", "provider", "auditor"]
VIEWS: dict[View, str] = {
    "internal": "everything, for the people of this business",
    "provider": "for the provider's support: what happened there, with request ids; no names, customers or plans",
    "auditor": "everything, with the rule as it was, the audit rows and their hashes",
}
BEFORE = timedelta(minutes=60)
AFTER = timedelta(minutes=30)
LONGEST_CHART = timedelta(hours=12)
PAYOPS = "payops"
MACHINE = frozenset({"opened", "reopened", "severity", "resolved", "level1", "attempt", "plan", "fix"})
"""Kinds of timeline lines that payops wrote about the provider's side."""


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of first attempts: `failed` of `n`."""

    at: datetime
    n: int
    failed: int


@dataclass(frozen=True, slots=True)
class Story:
    """One incident as it is told to one kind of reader."""

    view: View
    incident: Incident
    attempts: tuple[FixAttempt, ...]
    handoffs: tuple[Handoff, ...]
    timeline: tuple[TimelineEntry, ...]
    impact: Impact
    runbook: str
    answers: tuple[Answer, ...]
    decisions: tuple[Decision, ...]
    followups: tuple[Followup, ...]
    minutes: tuple[Minute, ...]
    audit: tuple[AuditRow, ...]
    now: datetime


def tell(store: Store, incident_id: str, now: datetime, view: View = "internal") -> Story:
    """The incident as `view` sees it; `UsageError` when there is none of that id."""
    with store.read():
        incident = store.incidents.get(incident_id)
        whole = Story(
            view="internal",
            incident=incident,
            attempts=tuple(store.incidents.attempts(incident_id)),
            handoffs=tuple(store.incidents.handoffs(incident_id)),
            timeline=tuple(store.incidents.timeline(incident_id)),
            impact=impact(store, incident, now),
            runbook=parse_policy(incident.policy).runbook,
            answers=tuple(store.followups.answers(incident_id)),
            decisions=tuple(store.followups.decisions(incident_id)),
            followups=tuple(store.followups.of(incident_id)),
            minutes=_minutes(store, incident, now),
            audit=tuple(store.audit.about(incident_id)) if view == "auditor" else (),
            now=now,
        )
    return _FOR[view](whole)


def _minutes(store: Store, incident: Incident, now: datetime) -> tuple[Minute, ...]:
    """First attempts around the incident; its first hours when it lasted long."""
    start = incident.opened_at - BEFORE
    end = min((incident.resolved_at or now) + AFTER, now + timedelta(minutes=1), start + LONGEST_CHART)
    found = store.facts.minutes(incident.account, start, end)
    return tuple(Minute(at, n, n - succeeded) for at, n, succeeded in found)


def _whole(story: Story) -> Story:
    return story


def _for_auditor(story: Story) -> Story:
    return replace(story, view="auditor")


def _for_provider(story: Story) -> Story:
    """What the provider's support needs to find it in their logs, and nothing about us."""
    return replace(
        story,
        view="provider",
        incident=replace(story.incident, owner=None, acknowledged_by=None, fixed=None),
        attempts=tuple(replace(each, by=_role(each.by)) for each in story.attempts),
        handoffs=(),
        timeline=tuple(
            replace(each, who=_role(each.who))
            for each in story.timeline
            if each.who == PAYOPS and each.kind in MACHINE
        ),
        impact=replace(story.impact, customers=None, money=()),
        runbook="",
        answers=(),
        decisions=(),
        followups=(),
    )


def _role(who: str) -> str:
    return who if who == PAYOPS else "an operator"


_FOR: dict[View, Callable[[Story], Story]] = {
    "internal": _whole,
    "provider": _for_provider,
    "auditor": _for_auditor,
}
