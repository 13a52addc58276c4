"""The board, built from the store after a tick; the same for the engine's own screen and for one that only looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from payops.config import Settings
from payops.domain.approvals import Approval
from payops.domain.incidents import FixAttempt, Handoff, Incident
from payops.domain.money import Money
from payops.domain.roles import NEVER_QUIET
from payops.escalation import after_quiet
from payops.signals import SignalSet
from payops.signals.impact import impact
from payops.signals.troubles import deadlines
from payops.store import Store

from . import daily
from .board import AccountCard, Blocked, Board, EngineState, IncidentRow, Levels, NextItem
from .cards import card

Tone = Literal["ok", "watch", "bad", "unknown"]
LATE_AFTER_S = 30
RECENT = timedelta(hours=24)
RECENT_SHOWN = 50
LEASE = "engine"


def build(
    store: Store,
    settings: Settings,
    signals: SignalSet,
    now: datetime,
    *,
    operator: str | None,
    holder: str,
    receiver: str,
    trouble: str = "",
) -> Board:
    """The board at `now`; `holder` is this process's name in the engine lease, `trouble` why a tick failed."""
    cards = tuple(card(store, settings, account, signals, now) for account in settings.accounts)
    incidents = store.incidents.open_ones()
    rows = [row(store, incident, now) for incident in incidents]
    rows.sort(
        key=lambda item: (bool(item.quiet), item.severity, not item.needs_human, item.opened_at, item.id)
    )
    recent = [
        row(store, incident, now)
        for incident in store.incidents.resolved_since(now - RECENT, limit=RECENT_SHOWN)
    ]
    engine = engine_state(store, cards, now, holder=holder, receiver=receiver, trouble=trouble)
    tone, headline = say(cards, rows, engine, trouble)
    known = settings.operator(operator)
    view_only = ""
    if operator is None:
        view_only = "no operator: start with --operator NAME or set PAYOPS_OPERATOR"
    elif known is None:
        view_only = f"{operator} is not listed under [[operators]]"
    elif set(known.roles) <= {"viewer"}:
        view_only = f"{operator} has only the role viewer"
    loading = ", ".join(
        f"{item.account}: reading history" for item in cards if item.state in ("loading", "backfilling")
    )
    return Board(
        at=now,
        headline=headline,
        tone=tone,
        engine=engine,
        operator=operator,
        view_only=view_only,
        accounts=cards,
        incidents=tuple(rows),
        recent=tuple(recent),
        next=next_items(incidents, cards, now, _deadlines(store, settings, now)),
        levels=levels(store.incidents.endings()),
        loading=loading,
        operator_pin=known is not None and known.pin is not None,
    )


def engine_state(
    store: Store, cards: Sequence[AccountCard], now: datetime, *, holder: str, receiver: str, trouble: str
) -> EngineState:
    """Who ticks, when last, and whether anything may act."""
    lease = store.leases.holder(LEASE, now)
    last = store.switches.meta_get("last_tick_at")
    last_at = datetime.fromisoformat(last) if last else None
    # A last tick in the future is one from before the clock was set back: as old as nobody knows.
    late = abs(int((now - last_at).total_seconds())) if last_at else 0
    stop = store.switches.stopped()
    return EngineState(
        holder=lease.holder if lease else None,
        mine=bool(lease and lease.holder == holder),
        last_tick_at=last_at,
        late_s=late if late > LATE_AFTER_S else 0,
        stopped=f"{stop.who} at {moment(stop.at, now)}: {stop.reason}" if stop else None,
        armed=any(item.armed for item in cards),
        audit_ok="audit" not in trouble and store.audit.ends_well(),
        receiver=receiver,
    )


def moment(at: datetime, now: datetime) -> str:
    """`09:40 UTC`, with the day before it when that is not today."""
    utc, today = at.astimezone(UTC), now.astimezone(UTC).date()
    return utc.strftime("%H:%M UTC" if utc.date() == today else "%b %d %H:%M UTC")


def say(
    cards: Sequence[AccountCard], rows: Sequence[IncidentRow], engine: EngineState, trouble: str
) -> tuple[Tone, str]:
    """The headline: one sentence, the worst thing first."""
    if trouble:
        return "bad", trouble
    if engine.stopped:
        return "bad", f"STOPPED by {engine.stopped}. No remedy acts; press R to resume."
    if engine.holder is None:
        return "bad", "No engine is running: nothing is polled and nothing is fixed."
    if engine.late_s:
        return "bad", f"The engine is late by {engine.late_s} s: what is shown may be old."
    if rows:
        first = next((item for item in rows if item.needs_human), rows[0])
        more = f"; {len(rows) - 1} more open" if len(rows) > 1 else ""
        return ("bad" if first.needs_human else "watch"), f"{where(first)}: {first.title}{more}."
    unread = [item.account for item in cards if item.state in ("failed", "stale")]
    if unread:
        return "unknown", f"Cannot see {', '.join(unread)}: what is shown there is old."
    if not cards:
        return "unknown", "No account is configured: add one to payops.toml."
    if any(item.state == "loading" for item in cards):
        return "unknown", "Reading for the first time: nothing is known yet."
    reading = [item for item in cards if item.state == "backfilling"]
    if reading:
        return (
            "unknown",
            f"Reading the history of {reading[0].account}: nothing is wrong in what is read so far.",
        )
    return "ok", "Nothing is wrong that payops can see."


BLOCKED_WORDS: dict[Blocked, str] = {
    "observing": "payops only observes {account}",
    "stopped": "payops is stopped",
    "operator": "Level 1 waits for an operator",
    "over": "Level 1 is over",
}


def where(item: IncidentRow) -> str:
    """Which incident, and who or which level has it: the headline's beginning."""
    if item.needs_human:
        why = BLOCKED_WORDS[item.blocked].format(account=item.account) if item.blocked else ""
        return f"{item.id} needs a person{f': {why}' if why else ''}"
    if item.quiet:
        return f"{item.id}, {item.status}"
    if item.held_by:
        return f"{item.id} is at Level {item.level} with {item.held_by}"
    if item.level > 1:
        return f"{item.id} is at Level {item.level}"
    return f"{item.id} is being handled at Level 1"


def blocked(incident: Incident, attempts: Sequence[FixAttempt]) -> Blocked:
    """What keeps Level 1 of an open incident from acting; empty while it acts or its target cannot answer yet."""
    if incident.state != "open" or incident.level > 1 or not incident.l1_reason:
        return ""
    if any(attempt.phase != "done" for attempt in attempts):
        return ""
    return "over" if incident.l1_exhausted_at is not None else incident.l1_blocked


def held_by(incident: Incident, handoffs: Sequence[Handoff]) -> str:
    """Who has it, empty when nobody said so."""
    last = handoffs[-1] if handoffs and incident.level > 1 else None
    if last is not None and last.accepted_by and last.returned_at is None:
        return f"{last.accepted_by} ({last.to})"
    return incident.acknowledged_by or ""


def row(store: Store, incident: Incident, now: datetime) -> IncidentRow:
    """One incident as a line of the table."""
    attempts = store.incidents.attempts(incident.id)
    handoffs = store.incidents.handoffs(incident.id)
    money: tuple[Money, ...] = impact(store, incident, now).money if incident.state != "resolved" else ()
    last = handoffs[-1] if handoffs and incident.state != "resolved" and incident.level > 1 else None
    unanswered = last.to if last is not None and last.accepted_at is None and last.returned_at is None else ""
    obstacle = blocked(incident, attempts)
    quiet = incident.state != "resolved" and incident.is_quiet(now)
    asked = store.incidents.waiting_approval(incident.id) if incident.state != "resolved" else None
    approval = asked if asked is not None and now < asked.expires_at else None
    return IncidentRow(
        id=incident.id,
        severity=incident.severity,
        state=incident.state,
        level=incident.level,
        title=incident.title,
        challenge=incident.challenge,
        provider=incident.provider,
        account=incident.account,
        opened_at=incident.opened_at,
        resolved_at=incident.resolved_at,
        ended_as=incident.ended_as,
        owner=incident.owner,
        money=money,
        next_action=incident.next_action,
        next_at=incident.next_action_at,
        needs_human=(not quiet or unanswered == NEVER_QUIET)
        and (
            bool(unanswered or obstacle)
            or approval is not None
            or (incident.state == "open" and incident.level > 1)
        ),
        status=status(incident, attempts, handoffs, now, approval),
        waits_for=unanswered,
        held_by=held_by(incident, handoffs) if incident.state != "resolved" else "",
        blocked=obstacle,
        approval=approval,
        quiet=incident.quiet_why if quiet else "",
        quiet_until=incident.quiet_until if quiet else None,
    )


ENDED_WORDS = {
    "fixed_by_payops": "fixed at Level 1 by payops",
    "fixed_by_operator": "fixed at Level 1 by an operator",
    "self_healed": "self-healed",
    "false_alarm": "false alarm",
    "level_2": "fixed at Level 2",
    "level_3": "fixed at Level 3",
    "level_4": "decided at Level 4",
}


def status(
    incident: Incident,
    attempts: Sequence[FixAttempt],
    handoffs: Sequence[Handoff],
    now: datetime,
    approval: Approval | None = None,
) -> str:
    """What is happening with the incident, in a few words."""
    if incident.ended_as is not None:
        return ENDED_WORDS[incident.ended_as]
    running = next((attempt for attempt in attempts if attempt.phase != "done"), None)
    if running is not None:
        if running.phase == "applying":
            return f"fixing, attempt {running.n} of 2"
        until = running.verify_until.strftime("%H:%M") if running.verify_until else "?"
        return f"verifying until {until}"
    if incident.quiet_until is not None and incident.is_quiet(now):
        return f"{incident.quiet_why.partition(':')[0]} until {moment(incident.quiet_until, now)}"
    if approval is not None:
        so_far = f", {len(approval.by)} of {approval.people} approved" if approval.people > 1 else ""
        return f"waits for approval until {approval.expires_at:%H:%M:%S} UTC{so_far}"
    if handoffs:
        last = handoffs[-1]
        if last.accepted_at:
            return f"with {last.accepted_by}, {last.to}"
        if last.returned_at:
            return f"returned by {last.returned_by}: {last.question}"
        return f"waits for {last.to}"
    if incident.acknowledged_by:
        return f"acknowledged by {incident.acknowledged_by}"
    return incident.l1_reason or incident.next_action or "open"


def next_items(
    incidents: Sequence[Incident],
    cards: Sequence[AccountCard],
    now: datetime,
    due: Sequence[NextItem] = (),
) -> tuple[NextItem, ...]:
    """What comes next, soonest first: incident actions, deadlines of the providers, the next read of each account."""
    items = list(due)
    items += [
        NextItem(max(incident.next_action_at, now), f"{incident.id}: {incident.next_action}", incident.title)
        for incident in incidents
        if incident.next_action_at is not None and incident.next_action and not incident.is_quiet(now)
    ]
    items += [
        NextItem(
            incident.quiet_until,
            f"{incident.id}: the quiet ends; if it still holds, payops will {after_quiet(incident)}",
            incident.quiet_why,
        )
        for incident in incidents
        if incident.quiet_until is not None and incident.is_quiet(now)
    ]
    items += [
        NextItem(max(card.next_read_at, now), f"read {card.next_feed} of {card.account}")
        for card in cards
        if card.next_read_at is not None
    ]
    return tuple(sorted(items, key=lambda item: (item.at, item.what))[:12])


def _deadlines(store: Store, settings: Settings, now: datetime) -> list[NextItem]:
    """What the providers' calendars and payops's own hold."""
    found = [NextItem(at, what) for each in settings.accounts for at, what in deadlines(store, each, now)]
    check = daily.due_at(store)
    return found if check is None else [*found, NextItem(max(check, now), daily.WHAT)]


def levels(endings: Sequence[tuple[str, int, str | None, int]]) -> Levels:
    """The protocol's counts from (challenge, level, ended_as, count), without payops's own health."""
    counted = [(level, ended, n) for challenge, level, ended, n in endings if challenge != "platform"]
    return Levels(
        incidents=sum(n for _, _, n in counted),
        fixed_at_level1=sum(
            n for _, ended, n in counted if ended in ("fixed_by_payops", "fixed_by_operator")
        ),
        self_healed=sum(n for _, ended, n in counted if ended == "self_healed"),
        escalated=sum(n for level, _, n in counted if level > 1),
        unfinished=sum(n for _, ended, n in counted if ended is None),
    )
