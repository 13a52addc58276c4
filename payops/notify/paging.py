"""Who is told what. Worked out from the store at each tick: nothing is told twice, and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from payops.config import ContactSettings, Settings
from payops.domain.incidents import Handoff, Incident
from payops.domain.messages import Message, MessageKind
from payops.domain.roles import LEVEL_NAMES, NEVER_QUIET, ContactRole
from payops.store import Store

NO_QUIET = frozenset({"sev1", "sev2"})
"""Severities that quiet hours do not apply to."""
DEADLINES = frozenset({"dispute-deadline", "authorization-expiring"})
"""Rules whose incidents are deadlines: they do not wait for the morning."""


def collect(store: Store, settings: Settings, now: datetime) -> int:
    """Put what people must be told into the outbox, and take out what is of no use any more; how many were put."""
    if not settings.contacts:
        return 0
    put = 0
    standing: set[str] = set()
    for incident in store.incidents.open_ones():
        for message in _of(store, settings, incident, now):
            standing.add(message.key)
            put += store.outbox.put(message)
    gone = [
        each.id
        for each in store.outbox.waiting()
        if each.incident_id is not None and each.key not in standing
    ]
    if gone:
        store.outbox.drop(gone, "answered, or over", now)
    return put


def people_for(settings: Settings, role: ContactRole) -> tuple[ContactSettings, ...]:
    """Who is asked for a role, in the order in which they are asked."""
    return tuple(contact for contact in settings.contacts if role in contact.roles)


def _of(store: Store, settings: Settings, incident: Incident, now: datetime) -> Iterator[Message]:
    handoffs = store.incidents.handoffs(incident.id)
    last = handoffs[-1] if handoffs else None
    if incident.is_quiet(now) and (last is None or last.to != NEVER_QUIET):
        return
    taken = incident.acknowledged_at is not None
    if last is not None and last.accepted_at is None and last.returned_at is None and not taken:
        yield from _pages(store, settings, incident, handoffs, now)
    approval = store.incidents.waiting_approval(incident.id)
    if approval is not None and approval.expires_at > now:
        title = f"{incident.severity} {incident.id}: {approval.remedy} waits for approval"
        body = f"{incident.title}\nUntil {approval.expires_at:%H:%M:%S} UTC: payops incidents approve {incident.id}"
        for contact in people_for(settings, "operator"):
            key = f"approval:{incident.id}:{approval.seq}:{contact.name}"
            yield _message(incident, "approval", key, "operator", contact, title, body, now)
    if incident.state == "acknowledged" and incident.next_action_at is not None:
        holder = next((each for each in settings.contacts if each.name == incident.acknowledged_by), None)
        overdue = store.incidents.update_overdue_at(incident.id)
        if holder is not None and overdue is not None:
            key = f"reminder:{incident.id}:{int(overdue.timestamp())}:{holder.name}"
            title = f"{incident.severity} {incident.id}: how does it stand?"
            body = (
                f"{incident.title}\nNobody has heard of it for a while: payops incidents note {incident.id} …"
            )
            yield _message(incident, "reminder", key, holder.roles[0], holder, title, body, now)


def _pages(
    store: Store, settings: Settings, incident: Incident, handoffs: Sequence[Handoff], now: datetime
) -> Iterator[Message]:
    """The first person of the role; the next one too when a call was not answered or could not be delivered."""
    last = handoffs[-1]
    role: ContactRole = last.to  # type: ignore[assignment]  # a handoff's role is one of them
    people = people_for(settings, role)
    if not people:
        return
    calls = sum(each.to == last.to and each.level == last.level for each in handoffs)
    failed = {
        each.contact
        for each in store.outbox.of(incident.id)
        if each.state == "failed" and each.key.startswith(f"page:{incident.id}:{last.seq}:")
    }
    asked = min(len(people), calls + len(failed))
    awake = sorted(people, key=lambda each: _held_until(each, incident, now) is not None)
    for contact in awake[:asked]:
        key = f"page:{incident.id}:{last.seq}:{contact.name}"
        yield _message(
            incident, "page", key, role, contact, _title(incident, last), _body(incident, last), now
        )


def _message(
    incident: Incident,
    kind: MessageKind,
    key: str,
    role: ContactRole,
    contact: ContactSettings,
    title: str,
    body: str,
    now: datetime,
) -> Message:
    due = _held_until(contact, incident, now) or now
    return Message(key, incident.id, kind, role, contact.name, title, body, now, due)


def _held_until(contact: ContactSettings, incident: Incident, now: datetime) -> datetime | None:
    """The end of the person's quiet hours, where they apply to this incident."""
    urgent = incident.severity in NO_QUIET or incident.challenge == "pci" or incident.rule in DEADLINES
    if contact.quiet is None or urgent:
        return None
    return contact.quiet.ends_at(now)


def _title(incident: Incident, handoff: Handoff) -> str:
    return f"{incident.severity} {incident.id} {LEVEL_NAMES[handoff.level]}: {incident.title}"


def _body(incident: Incident, handoff: Handoff) -> str:
    until = f" until {handoff.accept_by:%H:%M:%S} UTC" if handoff.accept_by else ""
    return (
        f"Problem: {handoff.problem}\n\nAttempted: {handoff.attempted}\n\nImpact: {handoff.impact}\n\n"
        f"Gateway: {handoff.gateway}\n\nRequest: {handoff.request}\n\n"
        f"Accept{until}: payops incidents accept {incident.id}"
    )
