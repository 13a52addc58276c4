"""Rules over recorded signals: what they would have opened, for how long, and nothing is touched.

Every rule counts as if it were in use; those that are not stable inhibit nobody, as in life. People close nothing in
a replay and no remedy cures anything: an incident lasts until its own condition clears.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from payops.domain.incidents import SEVERITIES, Incident, Severity, Why
from payops.signals.schema import SignalSet
from payops.store.firings import Firing
from payops.store.rules import RuleState

from .evaluate import after_opening, after_resolving, evaluate
from .loader import RuleSet
from .model import Rule
from .shadow import stand_in
from .templates import render
from .verdict import Verdict


@dataclass(slots=True)
class Fired:
    """One incident a rule would have had: its spans, more than one where it would have been reopened."""

    rule: str
    key: str
    title: str
    labels: Mapping[str, str]
    severity: Severity
    why: tuple[Why, ...]
    spans: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    """From, until; None while it was open at the end of the replay."""

    @property
    def at(self) -> datetime:
        return self.spans[0][0]

    @property
    def ended_at(self) -> datetime | None:
        return self.spans[-1][1]

    def open_for(self, end: datetime) -> timedelta:
        """How long it was open, in all, up to `end`."""
        return sum(((until or end) - start for start, until in self.spans), timedelta())


class Replay:
    """Feed it what was recorded, in order; `fired` is what came of it."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = RuleSet({rule.id: _judged(rule) for rule in rules if rule.status != "retired"})
        self._states: dict[tuple[str, str], RuleState] = {}
        self._open: dict[tuple[str, str], tuple[Fired, Incident]] = {}
        self._last: dict[tuple[str, str], Fired] = {}
        self.fired: list[Fired] = []
        self.samples = 0

    def see(self, now: datetime, signals: SignalSet) -> None:
        """Judge one recorded moment."""
        self.samples += 1
        open_ones = [incident for _, incident in self._open.values()]
        evaluation = evaluate(
            self._rules,
            signals,
            self._states,
            [each for each in open_ones if self._rules[each.rule].status == "stable"],
            now,
            first_tick=self.samples == 1,
            shadows=[each for each in open_ones if self._rules[each.rule].status != "stable"],
        )
        self._states = dict(evaluation.states)
        for verdict in evaluation.verdicts:
            if verdict.incident is None and verdict.outcome != "fire":
                continue
            place = (verdict.rule.id, verdict.key)
            if verdict.incident is None:
                self._begin(place, verdict, now)
                self._states[place] = after_opening(self._states[place], verdict.rule, now)
            elif verdict.outcome == "clear":
                fired, _ = self._open.pop(place)
                fired.spans[-1] = (fired.spans[-1][0], now)
                self._states[place] = after_resolving(self._states[place], verdict.rule, now)
            else:
                fired, incident = self._open[place]
                if SEVERITIES.index(verdict.severity) < SEVERITIES.index(fired.severity):
                    fired.severity = verdict.severity
                    self._open[place] = (fired, replace(incident, severity=verdict.severity))

    def _begin(self, place: tuple[str, str], verdict: Verdict, now: datetime) -> None:
        rule, last = verdict.rule, self._last.get(place)
        ended = last.ended_at if last else None
        if last is not None and ended is not None and now - ended <= rule.incident.reopen_within:
            fired = last
        else:
            title = render(rule.title, verdict.labels)
            fired = Fired(rule.id, verdict.key, title, verdict.labels, verdict.severity, verdict.why)
            self.fired.append(fired)
        fired.spans.append((now, None))
        self._last[place] = fired
        number = len(self.fired)
        firing = Firing(number, rule.id, verdict.key, verdict.labels, verdict.severity, rule.hash, (), now)
        self._open[place] = (fired, stand_in(rule, firing))


def _judged(rule: Rule) -> Rule:
    """A draft is judged as a rule on trial is."""
    return rule.model_copy(update={"status": "shadow"}) if rule.status == "draft" else rule
