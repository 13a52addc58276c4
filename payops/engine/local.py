"""The desk over a store: what the screen and the CLI hold in their hands.

Asking goes through the `commands` table, so that it does not matter which process holds the engine lease.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from payops import escalation, reports
from payops.clock import Now, monotonic_s, utc_now
from payops.config import Settings, resolve_secret
from payops.domain.errors import PayopsError, UsageError
from payops.domain.messages import Message
from payops.domain.plans import Plan, Refusal
from payops.escalation.similar import similar
from payops.remedies import Runner
from payops.signals import SignalSet, read
from payops.signals.impact import impact as impact_of
from payops.store import Store

from .board import PROVED_FOR, Board, CommandResult, HandoffDraft, IncidentDetail, PlanView, ReloadView
from .boards import row
from .drops import drop_evidence
from .pins import prove

WAIT_S = 30.0
EXPORTS = reports.FORMATS


class Boards(Protocol):
    """Where new boards come from."""

    def board(self) -> Board | None: ...

    def subscribe(self, listener: Callable[[Board], None]) -> None: ...

    def unsubscribe(self, listener: Callable[[Board], None]) -> None: ...

    def wake(self) -> None: ...

    def stop(self) -> None: ...


class StoreDesk:
    """Reads the store directly, writes through commands."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        boards: Boards,
        runner: Callable[[], Runner],
        *,
        operator: str | None,
        origin: str,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._settings = settings
        self._boards = boards
        self._runner = runner
        self._operator = operator
        self._origin = origin
        self._now = now
        self._closing = threading.Event()
        self._proved_at: datetime | None = None

    def board(self) -> Board | None:
        return self._boards.board()

    def subscribe(self, listener: Callable[[Board], None]) -> None:
        self._boards.subscribe(listener)

    def unsubscribe(self, listener: Callable[[Board], None]) -> None:
        self._boards.unsubscribe(listener)

    def incident(self, incident_id: str) -> IncidentDetail:
        return detail(self._store, incident_id, self._now())

    def plan(self, incident_id: str) -> PlanView:
        return plan_view(self._runner(), incident_id, self._signals(), self._now())

    def draft(self, incident_id: str) -> HandoffDraft:
        return draft(self._store, self._settings, incident_id, self._signals(), self._now())

    def reload(self) -> ReloadView:
        return reload_view(self._store, self._settings, self._signals(), self._now())

    def unlock(self, given: str) -> CommandResult:
        operator = self._settings.operator(self._operator)
        if operator is None:
            return CommandResult(False, "unlock: nobody is named: start with --operator NAME")
        now = self._now()
        try:
            prove(self._store, operator, partial(resolve_secret, base=self._settings.base), given, now)
        except PayopsError as error:
            return CommandResult(False, str(error))
        self._proved_at = now
        return CommandResult(True, f"{operator.name} is at the keyboard")

    def submit(self, action: str, incident_id: str | None, fields: Mapping[str, str]) -> CommandResult:
        operator = self._settings.operator(self._operator)
        if action == "approve" and operator is not None and operator.pin is not None:
            proved = self._proved_at
            if proved is None or not timedelta() <= self._now() - proved <= PROVED_FOR:
                return CommandResult(False, "approve: enter your PIN first")
        command = self._store.commands.put(
            action, incident_id, dict(fields), self._operator or "", self._origin, self._now()
        )
        self._boards.wake()
        deadline = monotonic_s() + WAIT_S
        while monotonic_s() < deadline and not self._closing.is_set():
            result = self._store.commands.result(command)
            if result.state in ("done", "refused"):
                return CommandResult(result.state == "done", result.message)
            self._closing.wait(0.1)
        return CommandResult(
            False, f"{action}: no answer within {WAIT_S:.0f} s; it stays queued as command {command}"
        )

    def export(self, incident_id: str, format_: str, directory: Path) -> Path:
        path = export(self._store, incident_id, format_, directory, self._now())
        note_export(self._store, incident_id, format_, "internal", self._operator, self._now())
        return path

    def close(self) -> None:
        self._closing.set()
        self._boards.stop()

    def _signals(self) -> SignalSet:
        return read(self._store, self._settings, self._now())


def detail(store: Store, incident_id: str, now: datetime) -> IncidentDetail:
    """One incident whole, ready to show."""
    incident = store.incidents.get(incident_id)
    policy = json.loads(incident.policy)
    impact = impact_of(store, incident, now)
    evidence = [(f"{key}", value) for key, value in incident.labels.items()]
    evidence += drop_evidence(store, incident, now)
    if impact.payments is not None:
        evidence.append(("payments hurt", f"{impact.payments:,}"))
    if impact.money:
        evidence.append(("money at risk", ", ".join(str(money) for money in impact.money)))
    if impact.method:
        evidence.append(("counted as", impact.method))
    like = similar(store, incident)
    evidence += [
        ("ended before by", f"{fix.what}: {fix.times} of {fix.of}, half of them within {_span(fix.median)}")
        for fix in like.fixes[:3]
    ]
    evidence += [
        ("to be done", f"{each.id}: {each.what} ({each.owner})")
        for each in store.followups.of(incident_id)
        if each.done_at is None
    ]
    told = [_delivery(each) for each in store.outbox.of(incident_id)]
    if told:
        evidence.append(("told", "; ".join(told)))
    return IncidentDetail(
        incident=incident,
        row=row(store, incident, now),
        timeline=tuple(store.incidents.timeline(incident_id)),
        attempts=tuple(store.incidents.attempts(incident_id)),
        handoffs=tuple(store.incidents.handoffs(incident_id)),
        runbook=str(policy.get("runbook", "")),
        evidence=tuple(evidence),
    )


def _span(value: timedelta) -> str:
    minutes = int(value.total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(1, minutes)} min"


def _delivery(message: Message) -> str:
    """Whom a message was for, and what became of it."""
    at = message.ended_at or message.due_at
    state = {
        "waiting": f"from {at:%H:%M} UTC",
        "sent": f"at {at:%H:%M} UTC",
        "failed": f"failed: {message.error}",
        "dropped": "no longer needed",
    }[message.state]
    return f"{message.contact} ({message.kind}) {state}"


def plan_view(runner: Runner, incident_id: str, signals: SignalSet, now: datetime) -> PlanView:
    """The next remedy's dry run."""
    plan, would_act, why_not, plan_hash = runner.dry_run(incident_id, signals, now)
    return PlanView(
        plan=plan if isinstance(plan, Plan) else None,
        refusal=plan if isinstance(plan, Refusal) else None,
        would_act=would_act,
        why_not=why_not,
        plan_hash=plan_hash,
    )


def reload_view(store: Store, settings: Settings, signals: SignalSet, now: datetime) -> ReloadView:
    """The reload as a person sees it; mistakes in the files are its problems."""
    from .reloading import plan_reload, told

    try:
        planned = plan_reload(store, settings, signals, now)
    except UsageError as error:
        return ReloadView("", (), tuple(str(error).splitlines()))
    return ReloadView(planned.hash, told(planned.preview, now), planned.problems)


def draft(
    store: Store, settings: Settings, incident_id: str, signals: SignalSet, now: datetime
) -> HandoffDraft:
    """The handoff to the next level as it would go out now."""
    made = escalation.draft(store, settings, store.incidents.get(incident_id), signals, now)
    return HandoffDraft(
        made.level, made.to, made.problem, made.attempted, made.impact, made.gateway, made.request
    )


def export(
    store: Store,
    incident_id: str,
    format_: str,
    directory: Path,
    now: datetime,
    view: reports.View = "internal",
) -> Path:
    """Write one incident's report; the file appears whole or not at all."""
    if format_ not in EXPORTS:
        raise UsageError(f"export: unknown format {format_!r}; use one of {', '.join(EXPORTS)}")
    text = rendered(store, incident_id, format_, now, view)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{incident_id}.{format_}"
    partial = path.with_suffix(f".{format_}.part")
    partial.write_text(text, "utf-8")
    partial.chmod(0o600)
    partial.replace(path)
    return path


def note_export(
    store: Store, incident_id: str, format_: str, view: reports.View, who: str | None, now: datetime
) -> None:
    """Who took a report out of the store is on record."""
    with store.write() as db:
        detail = {"format": format_, "view": view}
        store.audit.append(db, now, who or "nobody named", "export", incident_id, "ok", "report", detail)


def rendered(
    store: Store, incident_id: str, format_: str, now: datetime, view: reports.View = "internal"
) -> str:
    """The incident's report as text, sealed with the end of the audit chain."""
    return reports.incident_report(store, incident_id, format_, now, view)
