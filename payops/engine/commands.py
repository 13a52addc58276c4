"""What people ask for, carried out by the holder of the engine lease: one function per action of the registry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from payops import escalation
from payops.config import OperatorSettings, Settings
from payops.domain.actions import BY_NAME
from payops.domain.errors import NotPossible, PayopsError, UsageError
from payops.remedies import Runner
from payops.signals import SignalSet
from payops.store import Store
from payops.text import did_you_mean, safe_line

from .board import CommandResult
from .outside import Outside
from .told import change_of, tell

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One asked-for action, with everything needed to judge and do it."""

    action: str
    incident_id: str | None
    fields: Mapping[str, str]
    operator: str
    now: datetime
    signals: SignalSet


@dataclass(frozen=True, slots=True)
class Hands:
    """What a command may touch."""

    store: Store
    settings: Settings
    runner: Runner
    outside: Outside | None = None
    """How what a command opens itself reaches the world; None = as real life does."""


_ANY_TIME = datetime(9999, 1, 1, tzinfo=UTC)
"""Whether a time lies ahead is for whoever carries it out to say."""
Handler = Callable[[Hands, Request], str]


def authorize(settings: Settings, action: str, operator: str | None) -> OperatorSettings:
    """The operator, when listed and allowed to do this; `UsageError` says what is missing."""
    if operator is None:
        raise UsageError(f"{action}: acting needs an identity: pass --operator NAME or set PAYOPS_OPERATOR")
    known = settings.operator(operator)
    if known is None:
        names = [entry.name for entry in settings.operators]
        raise UsageError(
            f"{action}: {safe_line(operator)!r} is not listed under [[operators]]{did_you_mean(operator, names)}"
        )
    needed = BY_NAME[action].roles
    if needed and not set(known.roles) & set(needed):
        raise UsageError(
            f"{action}: {known.name} has the roles {', '.join(known.roles)}; needed: {', '.join(needed)}"
        )
    return known


def check(settings: Settings, action: str, operator: str | None, fields: Mapping[str, str]) -> None:
    """What can be told before anything is queued: who asks, and the ids and words asked with."""
    authorize(settings, action, operator)
    for name in REQUIRED.get(action, ()):
        _word(action, fields, name)
    if action == "change":
        change_of(settings, fields, operator or "", _ANY_TIME)
    if action in ("arm", "disarm"):
        _switched(settings, action, fields)


def carry_out(hands: Hands, request: Request) -> CommandResult:
    """Do it, or say why not; never raises for what a person can put right. A refusal is audited too."""
    try:
        authorize(hands.settings, request.action, request.operator)
        return CommandResult(True, HANDLERS[request.action](hands, request))
    except KeyError:
        message = f"unknown action {safe_line(request.action)!r}{did_you_mean(request.action, HANDLERS)}"
    except PayopsError as error:
        message = str(error)
    with hands.store.write() as db:
        hands.store.audit.append(
            db,
            at=request.now,
            who=request.operator,
            what=f"{request.action} refused",
            object_=request.incident_id or "engine",
            result="refused",
            origin="command",
            detail={"why": message},
        )
    return CommandResult(False, message)


def _incident(request: Request) -> str:
    if not request.incident_id:
        raise UsageError(f"{request.action}: which incident? Give its id, for example inc-1")
    return request.incident_id


def _word(action: str, fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise UsageError(f"{action}: {name} is empty; say it in a sentence")
    return value


def _field(request: Request, name: str) -> str:
    return _word(request.action, request.fields, name)


def _switched(settings: Settings, action: str, fields: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The account and the remedies to arm or disarm; `UsageError` for one that does not exist."""
    from .wiring import remedy_ids

    account = settings.account(_word(action, fields, "account")).name
    wanted = tuple(_word(action, fields, "remedies").replace(",", " ").split())
    known = remedy_ids(settings)
    for remedy in wanted:
        if remedy not in known:
            raise UsageError(
                f"no remedy {safe_line(remedy)!r}{did_you_mean(remedy, known)}; known: {', '.join(known)}"
            )
    if not wanted:
        raise UsageError(f"{action}: name at least one remedy; known: {', '.join(known)}")
    return account, wanted


def _ack(hands: Hands, request: Request) -> str:
    return escalation.ack(hands.store, _incident(request), request.operator, request.now)


def _assign(hands: Hands, request: Request) -> str:
    return escalation.assign(
        hands.store, _incident(request), _field(request, "to"), request.operator, request.now
    )


def _note(hands: Hands, request: Request) -> str:
    return escalation.note(
        hands.store, _incident(request), _field(request, "text"), request.operator, request.now
    )


def _fix(hands: Hands, request: Request) -> str:
    return hands.runner.request_fix(
        _incident(request),
        request.operator,
        request.signals,
        request.now,
        seen=request.fields.get("plan_hash", ""),
    )


def _approve(hands: Hands, request: Request) -> str:
    return hands.runner.approve(
        _incident(request),
        request.operator,
        request.signals,
        request.now,
        seen=request.fields.get("plan_hash", ""),
    )


def _hold(hands: Hands, request: Request) -> str:
    return hands.runner.hold(
        _incident(request), request.operator, request.fields.get("reason", "").strip(), request.now
    )


def _skip(hands: Hands, request: Request) -> str:
    return hands.runner.skip(
        _incident(request), request.operator, request.fields.get("reason", "").strip(), request.now
    )


def _escalate(hands: Hands, request: Request) -> str:
    return escalation.escalate(
        hands.store,
        hands.settings,
        _incident(request),
        dict(request.fields),
        request.operator,
        request.signals,
        request.now,
    )


def _accept(hands: Hands, request: Request) -> str:
    return escalation.accept(hands.store, _incident(request), request.operator, request.now)


def _return(hands: Hands, request: Request) -> str:
    return escalation.return_(
        hands.store, _incident(request), _field(request, "question"), request.operator, request.now
    )


def _resolve(hands: Hands, request: Request) -> str:
    return escalation.resolve(
        hands.store,
        _incident(request),
        _field(request, "cause"),
        _field(request, "fixed"),
        request.fields.get("note", ""),
        request.operator,
        request.now,
    )


def _silence(hands: Hands, request: Request) -> str:
    return escalation.silence(
        hands.store,
        hands.settings,
        _incident(request),
        _field(request, "for"),
        _field(request, "reason"),
        request.fields.get("scope", ""),
        authorize(hands.settings, request.action, request.operator),
        request.now,
    )


def _unsilence(hands: Hands, request: Request) -> str:
    return escalation.unsilence(
        hands.store, hands.settings, _incident(request), request.operator, request.now
    )


def _answer(hands: Hands, request: Request) -> str:
    return escalation.answer(
        hands.store,
        hands.settings,
        _incident(request),
        _field(request, "answer"),
        _field(request, "text"),
        request.fields.get("owner", ""),
        _date(request, "due"),
        request.operator,
        request.signals,
        request.now,
    )


def _hand_down(hands: Hands, request: Request) -> str:
    return escalation.hand_down(
        hands.store,
        hands.settings,
        _incident(request),
        _field(request, "reason"),
        request.operator,
        request.now,
    )


def _decide(hands: Hands, request: Request) -> str:
    return escalation.decide(
        hands.store,
        _incident(request),
        _field(request, "option"),
        _field(request, "why"),
        request.operator,
        request.now,
    )


def _learn(hands: Hands, request: Request) -> str:
    return escalation.learn(
        hands.store,
        _incident(request),
        _field(request, "lesson"),
        _field(request, "text"),
        request.fields.get("owner", ""),
        _date(request, "due"),
        request.operator,
        request.now,
    )


def _done(hands: Hands, request: Request) -> str:
    return escalation.done(hands.store, _field(request, "followup"), request.operator, request.now)


def _confirm(hands: Hands, request: Request) -> str:
    said = _field(request, "message").removeprefix("#")
    if not (said.isascii() and said.isdigit()):
        raise UsageError(f"confirm: {safe_line(said, limit=40)!r} is no number of a message")
    found = hands.store.outbox.confirm(int(said), request.operator, request.now)
    return f"message {found.id} to {found.contact}: confirmed by {request.operator}"


def _date(request: Request, name: str) -> datetime | None:
    """The end of the UTC day a person named as YYYY-MM-DD; None when they named none."""
    said = request.fields.get(name, "").strip()
    if not said:
        return None
    try:
        day = datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(
            f"{request.action}: {name} {safe_line(said, limit=40)!r} is no date; write 2026-01-31"
        ) from None
    ends = day + timedelta(days=1, seconds=-1)
    if ends < request.now:
        raise UsageError(f"{request.action}: {name} {said} is in the past")
    return ends


def _reload(hands: Hands, request: Request) -> str:
    from .reloading import reload

    return reload(
        hands.store,
        hands.settings,
        request.signals,
        request.fields.get("hash", ""),
        request.operator,
        request.now,
    )


def _stop(hands: Hands, request: Request) -> str:
    hands.store.switches.stop(
        request.operator, request.fields.get("reason", "").strip() or "no reason given", request.now
    )
    return "No remedy acts until `payops resume`."


def _resume(hands: Hands, request: Request) -> str:
    if hands.store.switches.stopped() is None:
        raise NotPossible("nothing is stopped: armed remedies act already")
    hands.store.switches.resume(
        request.operator, request.fields.get("reason", "").strip() or "no reason given", request.now
    )
    return "Armed remedies act again."


def _arm(hands: Hands, request: Request) -> str:
    account, remedies = _switched(hands.settings, request.action, request.fields)
    hands.store.switches.arm(account, remedies, request.operator, _field(request, "reason"), request.now)
    return f"Armed on {account}: {', '.join(remedies)}."


def _replay(hands: Hands, request: Request) -> str:
    from .replay import replay

    return replay(hands, request)


def _change(hands: Hands, request: Request) -> str:
    change = change_of(hands.settings, request.fields, request.operator, request.now)
    return tell(hands.store, change, request.now)


def _disarm(hands: Hands, request: Request) -> str:
    account, remedies = _switched(hands.settings, request.action, request.fields)
    hands.store.switches.disarm(account, remedies, request.operator, _field(request, "reason"), request.now)
    return f"Disarmed on {account}: {', '.join(remedies)}."


REQUIRED: dict[str, tuple[str, ...]] = {
    "assign": ("to",),
    "note": ("text",),
    "return": ("question",),
    "resolve": ("cause", "fixed"),
    "silence": ("for", "reason"),
    "answer": ("answer", "text"),
    "hand-down": ("reason",),
    "decide": ("option", "why"),
    "learn": ("lesson", "text"),
    "done": ("followup",),
    "confirm": ("message",),
    "arm": ("account", "remedies", "reason"),
    "disarm": ("account", "remedies", "reason"),
    "change": ("text",),
}
"""The words without which an action means nothing."""

HANDLERS: dict[str, Handler] = {
    "ack": _ack,
    "assign": _assign,
    "note": _note,
    "fix": _fix,
    "approve": _approve,
    "hold": _hold,
    "skip": _skip,
    "escalate": _escalate,
    "accept": _accept,
    "return": _return,
    "resolve": _resolve,
    "silence": _silence,
    "unsilence": _unsilence,
    "answer": _answer,
    "hand-down": _hand_down,
    "decide": _decide,
    "learn": _learn,
    "done": _done,
    "confirm": _confirm,
    "reload": _reload,
    "stop": _stop,
    "resume": _resume,
    "arm": _arm,
    "disarm": _disarm,
    "change": _change,
    "replay": _replay,
}
