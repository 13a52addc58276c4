"""The handover: what the next shift must know, worst first, and what is still to be done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payops.clock import iso, iso_or_none
from payops.domain.incidents import Impact, Incident
from payops.domain.protocol import Followup
from payops.signals.impact import impact
from payops.store import Store
from payops.store.silences import Silence


@dataclass(frozen=True, slots=True)
class OpenLine:
    incident: Incident
    impact: Impact
    tried: str
    with_whom: str
    last_word: str


@dataclass(frozen=True, slots=True)
class Handover:
    """The state at `at`, and what happened since `since`."""

    since: datetime
    at: datetime
    open: tuple[OpenLine, ...]
    closed: tuple[Incident, ...]
    opened: tuple[Incident, ...]
    followups: tuple[Followup, ...]
    silences: tuple[Silence, ...]
    stopped: str | None


def handover(store: Store, since: datetime, now: datetime) -> Handover:
    """Read it from the store."""
    with store.read():
        standing = sorted(store.incidents.open_ones(), key=lambda each: (each.severity, each.opened_at))
        stop = store.switches.stopped()
        return Handover(
            since=since,
            at=now,
            open=tuple(_open(store, each, now) for each in standing),
            closed=tuple(reversed(store.incidents.resolved_since(since))),
            opened=tuple(store.incidents.opened_between(since, now)),
            followups=tuple(store.followups.open_ones()),
            silences=tuple(store.silences.in_force(now)),
            stopped=f"{stop.who}: {stop.reason}" if stop else None,
        )


def document(made: Handover) -> dict[str, Any]:
    """The handover as plain values."""
    return {
        "at": iso(made.at),
        "since": iso(made.since),
        "stopped": made.stopped,
        "open": [
            {
                **_incident(line.incident),
                "with": line.with_whom,
                "tried": line.tried,
                "last_word": line.last_word,
                "payments": line.impact.payments,
                "money": [
                    {"currency": m.currency, "amount_minor": m.amount_minor} for m in line.impact.money
                ],
                "next": line.incident.next_action,
                "next_at": iso_or_none(line.incident.next_action_at),
            }
            for line in made.open
        ],
        "opened": [each.id for each in made.opened],
        "closed": [
            {**_incident(each), "ended_as": each.ended_as, "cause": each.cause, "fixed": each.fixed}
            for each in made.closed
        ],
        "followups": [
            {
                "id": each.id,
                "incident": each.incident_id,
                "kind": each.kind,
                "what": each.what,
                "owner": each.owner,
                "due_at": iso_or_none(each.due_at),
                "overdue": each.due_at is not None and each.due_at < made.at,
            }
            for each in made.followups
        ],
        "silences": [
            {
                "rule": each.rule,
                "account": each.account,
                "until": iso(each.until),
                "who": each.who,
                "reason": each.reason,
            }
            for each in made.silences
        ],
    }


def _incident(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "severity": incident.severity,
        "state": incident.state,
        "level": incident.level,
        "account": incident.account,
        "title": incident.title,
        "opened_at": iso(incident.opened_at),
    }


def _open(store: Store, incident: Incident, now: datetime) -> OpenLine:
    attempts = store.incidents.attempts(incident.id)
    handoffs = store.incidents.handoffs(incident.id)
    last = handoffs[-1] if handoffs else None
    if last is not None and last.accepted_by and last.returned_at is None:
        who = f"{last.accepted_by} as {last.to}"
    elif last is not None and last.returned_at is None:
        who = f"nobody yet: waits for {last.to}"
    else:
        who = incident.acknowledged_by or incident.owner or "nobody"
    tried = "; ".join(
        f"{each.remedy} by {each.by}: {each.outcome or each.phase}, "
        f"{'it only read' if each.effect == 'read' else 'verified' if each.verified else 'not verified'}"
        for each in attempts
    )
    words = [each for each in store.incidents.timeline(incident.id) if each.who != "payops"]
    return OpenLine(
        incident=incident,
        impact=impact(store, incident, now),
        tried=tried or incident.l1_reason or "nothing yet",
        with_whom=who,
        last_word=f"{words[-1].who}: {words[-1].text}" if words else "",
    )
