"""Nothing ends above Level 1 without a lesson: what was changed, or why nothing was."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.domain.errors import NotPossible
from payops.domain.incidents import Incident
from payops.domain.protocol import LESSONS, Followup, FollowupKind
from payops.store import Store
from payops.text import did_you_mean, safe_line, safe_text

MOST = 4_000
"""Characters of a lesson."""
LEARN_WITHIN = timedelta(days=7)
"""Five business days: the lesson is written while it is remembered."""
_DONE: frozenset[FollowupKind] = frozenset({"rule", "test", "runbook", "nothing"})
"""Lessons that say what was done; an action is still to be done."""


def ask_to_learn(store: Store, incident: Incident, operator: str, now: datetime) -> str:
    """After Level 2 and above: whoever closed the incident owes a lesson, unless one was given already.

    Returns the words to add to the answer, empty when nothing is owed.
    """
    if incident.level < 2 or any(each.kind in LESSONS for each in store.followups.of(incident.id)):
        return ""
    due = now + LEARN_WITHIN
    made = store.followups.add(
        Followup(
            0,
            incident.id,
            "learn",
            f"say what {incident.id} taught: a rule or test added, a runbook changed, an action, or nothing, because …",
            operator,
            due,
            now,
            "payops",
        ),
        "",
        origin="engine",
    )
    return f"; follow-up {made.id}: say what it taught (`payops incidents learn {incident.id}`)"


def learn(
    store: Store,
    incident_id: str,
    kind: str,
    text: str,
    owner: str,
    due_at: datetime | None,
    operator: str,
    now: datetime,
) -> str:
    """Record a lesson: `rule`, `test`, `runbook` say what was changed, `nothing` says why, `action` is to be done."""
    incident = store.incidents.get(incident_id)
    code = kind.strip().lower()
    found = next((lesson for lesson in LESSONS if lesson == code), None)
    if found is None:
        raise NotPossible(
            f"{incident_id}: unknown kind of lesson {safe_line(kind, limit=40)!r}{did_you_mean(code, LESSONS)}; "
            f"one of: {', '.join(LESSONS)}"
        )
    said = safe_text(text, limit=len(text) + 1).strip()
    if len(said) > MOST:
        raise NotPossible(
            f"{incident_id}: the lesson has {len(said):,} characters; at most {MOST:,} are kept"
        )
    if len(said.split()) < 2:
        asked = "because of what?" if found == "nothing" else "what exactly?"
        raise NotPossible(f"{incident_id}: {found}: {asked} Say it in a sentence")
    who = safe_line(owner, limit=64).strip() or operator
    if found == "action" and due_at is None:
        raise NotPossible(f"{incident_id}: an action needs a date: until when is it done?")
    over = found in _DONE
    with store.write():
        made = store.followups.add(
            Followup(
                0,
                incident.id,
                found,
                said,
                who,
                None if over else due_at,
                now,
                operator,
                now if over else None,
                operator if over else None,
            ),
            f"learned ({found}): {said}",
        )
        for owed in store.followups.of(incident_id):
            if owed.kind == "learn" and owed.done_at is None:
                store.followups.done(owed.id, operator, now)
    return (
        f"{incident_id}: learned; follow-up {made.id}{'' if over else f' with {who}, due {due_at:%Y-%m-%d}'}"
    )


def done(store: Store, number: str, operator: str, now: datetime) -> str:
    """Mark a follow-up done."""
    if not (number.isascii() and number.isdigit()):
        raise NotPossible(f"follow-up {safe_line(number, limit=20)!r}: give its number")
    found = store.followups.done(int(number), operator, now)
    return f"follow-up {found.id} of {found.incident_id} is done: {safe_line(found.what)}"
