"""`payops rules backtest|diff`: rules over the signals a store recorded, and what became of it in life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from payops.clock import iso, iso_or_none
from payops.domain.errors import UsageError
from payops.domain.incidents import Incident
from payops.rulebook import Rule, RuleSet
from payops.rulebook.replay import Fired, Replay
from payops.signals.history import EVERY, recorded
from payops.signals.interval import wilson
from payops.store import Store

NEAR = timedelta(minutes=30)
"""An incident of the same trouble opens within so much of what another rule sees of it."""
UNATTENDED = ("reversible", "external")
"""Effects a remedy may have without anybody's approval."""

Progress = Callable[[float], None]
"""Told the share that is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Span:
    """What was replayed: asked for, and recorded."""

    start: datetime
    end: datetime
    samples: int
    gaps: timedelta
    """Time within in which nothing was recorded: payops was not running."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule over the span. `confirmed`, `false` and `untold` are its firings by what stored incidents say of them."""

    rule: Rule
    fired: tuple[Fired, ...]
    open_for: timedelta
    would_act: int
    acted: int
    confirmed: int
    false: int
    untold: int

    @property
    def precision(self) -> tuple[float, float, float] | None:
        """The confirmed of those somebody judged, with its 95 % interval; None when nobody judged any."""
        n = self.confirmed + self.false
        return None if n == 0 else (self.confirmed / n, *wilson(n, self.confirmed))


def replay(
    store: Store, sets: Sequence[RuleSet], since: timedelta, progress: Progress
) -> tuple[Span, list[Replay]]:
    """Each set over the last `since` of what the store recorded; `UsageError` when it recorded nothing."""
    known = store.samples.span()
    if known is None:
        raise UsageError(f"{store.where}: no signals are recorded: the engine records them while it runs")
    start, end = max(known[0], known[1] - since), known[1]
    replays = [Replay(rules) for rules in sets]
    gaps, last = timedelta(), start
    for at, signals in recorded(store, start, end):
        if at - last > 2 * EVERY:
            gaps += at - last
        last = at
        for each in replays:
            each.see(at, signals)
        progress((at - start) / max(end - start, EVERY))
    return Span(start, end, replays[0].samples, gaps), replays


def judged(store: Store, rules: RuleSet, played: Replay, span: Span) -> list[Judged]:
    """Every rule of the set, with what stored incidents of the same time say of its firings."""
    known = store.incidents.listing(limit=-1)
    return [
        _judged(store, rule, [each for each in played.fired if each.rule == rule.id], known, span)
        for rule in rules
    ]


def _judged(
    store: Store, rule: Rule, fired: Sequence[Fired], known: Sequence[Incident], span: Span
) -> Judged:
    mine = [each for each in known if each.rule == rule.id and span.start <= each.opened_at <= span.end]
    acted = sum(attempt.effect != "read" for each in mine for attempt in store.incidents.attempts(each.id))
    verdicts = [_verdict(rule, each, known, span.end) for each in fired]
    writes = any(remedy.effect in UNATTENDED and remedy.approval is None for remedy in rule.level1.remedies)
    return Judged(
        rule,
        tuple(fired),
        sum((each.open_for(span.end) for each in fired), timedelta()),
        len(fired) if writes else 0,
        acted,
        verdicts.count("confirmed"),
        verdicts.count("false"),
        verdicts.count("untold"),
    )


def _verdict(rule: Rule, fired: Fired, known: Sequence[Incident], end: datetime) -> str:
    """What life said: an incident of this rule, or of the same challenge on the account, about the same time."""
    until = fired.ended_at or end
    about = [
        each
        for each in known
        if each.account == fired.labels.get("account")
        and (each.rule == rule.id or each.challenge == rule.challenge)
        and each.opened_at <= until + NEAR
        and (each.resolved_at or end) >= fired.at - NEAR
    ]
    about = [each for each in about if each.rule == rule.id] or about
    if any(each.ended_as not in (None, "false_alarm") for each in about):
        return "confirmed"
    return "false" if any(each.ended_as == "false_alarm" for each in about) else "untold"


def backtest_document(span: Span, found: Sequence[Judged]) -> dict[str, Any]:
    """The answer of `rules backtest --json`."""
    return {**span_document(span), "rules": [_rule_document(each, span) for each in found]}


def span_document(span: Span | None) -> dict[str, Any]:
    """What was replayed, null where nothing was."""
    if span is None:
        return dict.fromkeys(("from", "until", "samples", "not_recorded_s"))
    return {
        "from": iso(span.start),
        "until": iso(span.end),
        "samples": span.samples,
        "not_recorded_s": int(span.gaps.total_seconds()),
    }


def _rule_document(each: Judged, span: Span) -> dict[str, Any]:
    share = each.precision
    return {
        "rule": each.rule.id,
        "status": each.rule.status,
        "fired": len(each.fired),
        "open_s": int(each.open_for.total_seconds()),
        "would_act": each.would_act,
        "acted": each.acted,
        "confirmed": each.confirmed,
        "false_alarms": each.false,
        "untold": each.untold,
        "precision": share and {"share": share[0], "low": share[1], "high": share[2]},
        "incidents": [fired_document(one, span.end) for one in each.fired],
    }


def fired_document(fired: Fired, end: datetime) -> dict[str, Any]:
    return {
        "at": iso(fired.at),
        "ended_at": iso_or_none(fired.ended_at),
        "open_s": int(fired.open_for(end).total_seconds()),
        "reopened": len(fired.spans) - 1,
        "severity": fired.severity,
        "title": fired.title,
        "account": fired.labels.get("account"),
        "labels": dict(fired.labels),
    }
