"""What the detail of an incident about failures shows beside its labels."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.domain.changes import KINDS
from payops.domain.incidents import Incident
from payops.domain.policy import parse_policy
from payops.signals.drop import FAMILIES, drop
from payops.signals.drop_words import money, sentence
from payops.signals.timeline import suspects
from payops.signals.verdict import verdict
from payops.store import Store
from payops.text import safe_line

SHOWN = 4


def drop_evidence(store: Store, incident: Incident, now: datetime) -> list[tuple[str, str]]:
    """Label → sentence: what fails, whose side, what it costs, what was changed before; empty for other incidents."""
    source = parse_policy(incident.policy).source
    if source not in FAMILIES:
        return []
    until = incident.resolved_at or now
    found = drop(store, incident.account, incident.provider, incident.opened_at, until, FAMILIES[source])
    if found is None:
        return []
    judged = verdict(store, incident.account, incident.provider, found, until)
    told = [("what fails", sentence(found)), ("whose side", judged.sentence.removeprefix("Whose side: "))]
    if collected := money(found):
        told.append(("not collected", collected))
    told += [
        ("changed before", _said(each.change.at, each.change.kind, each.change.text, found.since))
        for each in suspects(store, incident.account, found.since)[:SHOWN]
    ]
    return told


def _said(at: datetime, kind: str, text: str, onset: datetime) -> str:
    minutes = round((onset - at) / timedelta(minutes=1))
    return f"{at:%H:%M} UTC, {minutes} min before: {KINDS[kind].said}: {safe_line(text, limit=120)}"
