"""A rule made ready for judging many groups a second: its terms compiled, its keys and quiet verdicts kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from urllib.parse import quote

from payops.domain.incidents import Severity, Value
from payops.expressions import Term
from payops.signals.schema import SOURCES

from .checks import signal_terms
from .model import Rule
from .verdict import Outcome, Verdict

MOST = 1_000
"""Rules kept ready: those in use, and those open incidents froze."""

Group = tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """`group` takes a row's group out of its labels; `keys` are the dedup keys made so far, by their labels."""

    rule: Rule
    fire: tuple[Term, ...]
    resolve: tuple[Term, ...]
    steps: tuple[tuple[Severity, tuple[Term, ...]], ...]
    names: tuple[str, ...]
    """Every field the rule fires or resolves by."""
    stale_after: timedelta
    labels: frozenset[str]
    """What a row of its signal is labelled with."""
    group: Callable[[Mapping[str, str]], Group]
    _key_of: Callable[[Mapping[str, str]], Group]
    _keys: dict[Group, str] = field(default_factory=dict)
    _quiet: dict[tuple[str, Outcome, bool], Verdict] = field(default_factory=dict)

    def key(self, labels: Mapping[str, str]) -> str:
        """`v1:rule:values`: one open incident per key. Values are quoted, so that no two groups share one."""
        values = self._key_of(labels)
        known = self._keys.get(values)
        if known is None:
            known = ":".join(("v1", self.rule.id, *(quote(value, safe="") for value in values)))
            self._keys[values] = known
        return known

    def quiet(self, key: str, labels: Mapping[str, str], outcome: Outcome, blind: bool) -> Verdict:
        """The verdict on a group of which nothing is to be said, one object as long as its labels stay."""
        place = (key, outcome, blind)
        known = self._quiet.get(place)
        if known is None or known.labels != labels:
            severity = self.rule.fire.severity
            known = Verdict(self.rule, key, dict(labels), outcome, severity, (), blind, None, None)
            self._quiet[place] = known
        return known

    def blind(self, values: Mapping[str, Value | None]) -> bool:
        """Nothing the rule speaks of is known."""
        for name in self.names:  # noqa: SIM110 - asked of every group at every tick, and nearly always over at once
            if values.get(name) is not None:
                return False
        return True


_plans: dict[str, Plan] = {}


def plan_of(rule: Rule) -> Plan:
    """The rule made ready; made once for each way a rule can read."""
    plan = _plans.get(rule.hash)
    if plan is None:
        if len(_plans) >= MOST:
            _plans.clear()
        plan = _plans[rule.hash] = _made(rule)
    return plan


def _made(rule: Rule) -> Plan:
    source = SOURCES[rule.signal.source]
    compiler = signal_terms(rule.signal.source)

    def compiled(texts: Iterable[str]) -> tuple[Term, ...]:
        return tuple(compiler.compile(text) for text in texts)

    fire, resolve = compiled(rule.fire.when), compiled(rule.resolve.when)
    return Plan(
        rule,
        fire,
        resolve,
        tuple((step.to, compiled(step.when)) for step in rule.fire.severity_up),
        tuple({name: None for term in (*fire, *resolve) for name in term.names}),
        timedelta(seconds=source.stale_after_s),
        frozenset(source.labels),
        _taker(rule.signal.group_by),
        _taker(sorted(rule.incident.dedup_key)),
    )


def _taker(names: Sequence[str]) -> Callable[[Mapping[str, str]], Group]:
    if len(names) == 1:
        (name,) = names
        return lambda labels: (labels[name],)
    take: Callable[[Mapping[str, str]], Group] = itemgetter(*names)
    return take
