"""Keeping quiet: a silence or announced maintenance stops what payops does and whom it calls, never what it sees.

A quiet incident stays in the list with its reason, is judged and written down as ever, and says what will come
when the quiet ends. Security is never kept quiet: a PCI concern cannot be silenced, and a handoff to the security
coordinator goes out whatever else is silenced.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import OperatorSettings, Settings
from payops.domain.errors import LostRace, NotPossible, UsageError
from payops.domain.incidents import Incident
from payops.domain.maintenance import Window
from payops.domain.policy import Policy, parse_policy
from payops.domain.roles import NEVER_QUIET
from payops.expressions import format_duration, parse_duration
from payops.store import Store
from payops.store.silences import Silence
from payops.text import safe_line

log = logging.getLogger(__name__)
LONGEST = timedelta(days=7)
"""A silence is looked at again at least once a week."""
ORIGIN = "command"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Until when and why; `why` names the person or the window."""

    until: datetime
    why: str


def tick(store: Store, settings: Settings, now: datetime) -> None:
    """Bring every open incident in line with the silences and windows of `now`."""
    incidents = store.incidents.open_ones()
    if not incidents:
        return
    silences = store.silences.in_force(now)
    windows = [(each, until) for each in settings.windows if (until := each.open_until(now)) is not None]
    for incident in incidents:
        try:
            _settle(store, incident, quiet_of(incident, silences, windows), now)
        except LostRace as lost:
            log.info("%s: %s", incident.id, lost)


def quiet_of(
    incident: Incident, silences: Iterable[Silence], windows: Iterable[tuple[Window, datetime]]
) -> Quiet | None:
    """What keeps the incident quiet, of several what lasts longest; None where nothing may or does."""
    if incident.challenge == "pci":
        return None
    found = [
        Quiet(each.until, f"silenced by {each.who}: {each.reason}")
        for each in silences
        if each.covers(incident.rule, incident.account, incident.dedup_key)
    ]
    found += [
        Quiet(until, f"maintenance {window.name}: {window.reason}")
        for window, until in windows
        if window.covers(incident.account, incident.rule)
    ]
    return max(found, key=lambda each: each.until, default=None)


def after(incident: Incident) -> str:
    """What payops does next with an incident that still holds: `plan enable-endpoint`."""
    policy = parse_policy(incident.policy)
    if incident.l1_exhausted_at is None and policy.remedies:
        return f"plan {policy.remedies[0].id}"
    if incident.level > 1 and incident.next_action:
        return f"take up where it was: {incident.next_action}"
    step = next((each for each in policy.steps if each.level > incident.level), None)
    return f"hand it to {step.role} (Level {step.level})" if step is not None else "call its people again"


def silence(
    store: Store,
    settings: Settings,
    incident_id: str,
    lasts: str,
    reason: str,
    scope: str,
    operator: OperatorSettings,
    now: datetime,
) -> str:
    """Keep quiet about the incident's group, or with scope `account` about its rule on the whole account."""
    incident = store.incidents.get(incident_id)
    if scope not in ("", "group", "account"):
        raise UsageError(f"silence: scope is group or account, not {safe_line(scope, limit=40)!r}")
    policy = parse_policy(incident.policy)
    _may_silence(incident, policy, operator)
    key = None if scope == "account" else incident.dedup_key
    until = now + _lasting(lasts)
    with store.write():
        for old in store.silences.in_force(now):
            if (old.rule, old.account, old.dedup_key) == (incident.rule, incident.account, key):
                store.silences.end(old.id, operator.name, now)
        store.silences.put(incident.rule, incident.account, key, until, operator.name, reason, now)
    tick(store, settings, now)
    where = f"{incident.rule} on {incident.account}" if key is None else incident_id
    then = "nothing is open" if incident.state == "resolved" else f"payops will {after(incident)}"
    return (
        f"{where}: silenced until {until:%Y-%m-%d %H:%M:%S} UTC. It stays in the list; "
        f"at its end, if it still holds, {then}."
    )


def unsilence(store: Store, settings: Settings, incident_id: str, operator: str, now: datetime) -> str:
    """End every silence that covers the incident."""
    incident = store.incidents.get(incident_id)
    found = [
        each
        for each in store.silences.in_force(now)
        if each.covers(incident.rule, incident.account, incident.dedup_key)
    ]
    if not found:
        window = (
            " A maintenance window ends by itself, or in the configuration." if incident.quiet_why else ""
        )
        raise NotPossible(f"{incident_id}: no silence covers it.{window}")
    with store.write():
        for each in found:
            store.silences.end(each.id, operator, now)
    tick(store, settings, now)
    return f"{incident_id}: silenced no more; what still holds acts and is handed over at the next tick"


def _may_silence(incident: Incident, policy: Policy, operator: OperatorSettings) -> None:
    if incident.challenge == "pci":
        raise NotPossible(f"{incident.id}: a PCI concern is never silenced; hand it over or resolve it")
    secured = any(step.role == NEVER_QUIET for step in policy.steps)
    if secured and not {"security", "admin"} & set(operator.roles):
        raise NotPossible(
            f"{incident.id}: its Level 3 is security; only the roles security and admin may silence the rest of it"
        )


def _lasting(text: str) -> timedelta:
    try:
        lasts = parse_duration(text.strip())
    except ValueError as error:
        raise UsageError(f"silence: for: {error}") from error
    if not timedelta() < lasts <= LONGEST:
        raise UsageError(
            f"silence: for: {safe_line(text, limit=40)} is not between 1s and {format_duration(LONGEST)}"
        )
    return lasts


def _settle(store: Store, incident: Incident, quiet: Quiet | None, now: datetime) -> None:
    until, why = (quiet.until, quiet.why) if quiet else (None, "")
    if (until, why) == (incident.quiet_until, incident.quiet_why):
        return
    then = after(incident)
    if quiet is not None:
        entry = f"{why}; quiet until {until:%Y-%m-%d %H:%M:%S} UTC, then, if it still holds: {then}"
    else:
        entry = f"no longer quiet ({incident.quiet_why}), and it still holds: {then}"
    store.incidents.change(
        incident,
        now,
        who="payops",
        entry=entry,
        kind="quiet" if quiet else "quiet_over",
        quiet_until=until,
        quiet_why=why,
    )
