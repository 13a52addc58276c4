"""What a rule speaks of must exist: fields, labels, actions, roles. Every mistake is reported at its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from payops.domain.incidents import SEVERITIES
from payops.domain.remedy_actions import REMEDY_ACTIONS
from payops.domain.roles import ROLE_LEVELS
from payops.expressions import ExpressionError, Term, Terms, format_duration
from payops.expressions.terms import TermType
from payops.signals.schema import ESCALATION_FIELDS, SOURCES, Source
from payops.text import did_you_mean, safe_line

from .document import Document, Path, inside
from .model import Remedy, Rule, RuleTest
from .series import parse_series
from .shape import dotted
from .templates import problems

NEVER_RETRIED = ("network", "outage")
"""After these the provider may have applied the call: it is read back, not repeated."""


@lru_cache(maxsize=64)
def signal_terms(source: str) -> Terms:
    """The compiler for a source's own fields."""
    return Terms({name: field.type for name, field in SOURCES[source].fields.items()})


@lru_cache(maxsize=64)
def escalation_terms(source: str) -> Terms:
    """The compiler for `escalate:` conditions: the source's fields, the incident's, and `open_for`."""
    fields: dict[str, TermType] = {name: field.type for name, field in SOURCES[source].fields.items()}
    fields |= {name: field.type for name, field in ESCALATION_FIELDS.items()}
    return Terms({**fields, "open_for": "duration"})


def check(rule: Rule, document: Document) -> None:
    """Add every mistake of meaning within one file to `document.errors`."""
    source = SOURCES.get(rule.signal.source)
    if source is None:
        name = rule.signal.source
        _error(
            document,
            ("signal", "source"),
            f"no signal '{safe_line(name)}'{did_you_mean(name, SOURCES)}{_list(SOURCES)}",
        )
        return
    _check_labels(rule, source, document)
    _check_conditions(rule, document)
    _check_level1(rule, source, document)
    _check_escalation(rule, document)
    _check_tests(rule, source, document)


def _check_labels(rule: Rule, source: Source, document: Document) -> None:
    groups, key = rule.signal.group_by, rule.incident.dedup_key
    _known(document, ("signal", "group_by"), groups, source.labels, "label")
    if set(groups) != set(source.group_by):
        want = f"[{', '.join(source.group_by)}]"
        _error(
            document,
            ("signal", "group_by"),
            f"the signal '{source.name}' has one row for each {want}: write {want}",
        )
    _known(document, ("incident", "dedup_key"), key, source.labels, "label")
    lacking = [label for label in source.group_by if label not in key]
    if lacking:
        _error(
            document,
            ("incident", "dedup_key"),
            f"lacks '{lacking[0]}': two groups would share one incident; write [{', '.join(source.group_by)}]",
        )
    for column, message in problems(rule.title, source.labels):
        mark = inside(document.place(("title",)), 1, column)
        document.error(mark, f"title: {message}")


def _check_conditions(rule: Rule, document: Document) -> None:
    terms = signal_terms(rule.signal.source)
    _compile(document, terms, ("fire", "when"), rule.fire.when, needs_field=True)
    _compile(document, terms, ("resolve", "when"), rule.resolve.when, needs_field=True)
    for index, step in enumerate(rule.fire.severity_up):
        path = ("fire", "severity_up", index)
        _compile(document, terms, (*path, "when"), step.when)
        if SEVERITIES.index(step.to) >= SEVERITIES.index(rule.fire.severity):
            _error(
                document, (*path, "to"), f"{step.to} is not more severe than the rule's {rule.fire.severity}"
            )


def _check_level1(rule: Rule, source: Source, document: Document) -> None:
    _unique(document, ("level1", "remedies"), [remedy.id for remedy in rule.level1.remedies], "id")
    for index, remedy in enumerate(rule.level1.remedies):
        _check_remedy(rule, remedy, ("level1", "remedies", index), source, document)


def _check_remedy(rule: Rule, remedy: Remedy, path: Path, source: Source, document: Document) -> None:
    action = REMEDY_ACTIONS.get(remedy.action)
    if action is None:
        close = did_you_mean(remedy.action, REMEDY_ACTIONS)
        _error(
            document,
            (*path, "action"),
            f"no action '{safe_line(remedy.action)}'{close}{_list(REMEDY_ACTIONS)}",
        )
    else:
        if remedy.effect != action.effect:
            _error(
                document,
                (*path, "effect"),
                f"{remedy.action} is {action.effect}, not {remedy.effect}: write {action.effect}",
            )
        lacking = [label for label in SOURCES[action.source].group_by if label not in source.labels]
        if lacking:
            _error(
                document,
                (*path, "action"),
                f"{remedy.action} acts on one {lacking[0]}, which the signal '{source.name}' does not name",
            )
    if remedy.effect == "money" and remedy.approval is None:
        _error(
            document,
            (*path, "effect"),
            "effect money needs approval: add approval: {by: operator, expires: 4m}",
        )
    if remedy.approval is not None and remedy.approval.expires > rule.level1.budget.timeout:
        whole = format_duration(rule.level1.budget.timeout)
        _error(
            document, (*path, "approval", "expires"), f"longer than the Level 1 budget of {whole}: shorten it"
        )
    if remedy.effect != "read" and remedy.verify is None:
        _error(document, path, f"remedy '{remedy.id}' lacks 'verify': only what is verified counts as fixed")
    if remedy.verify is not None:
        terms = signal_terms(source.name)
        _compile(document, terms, (*path, "verify", "when"), remedy.verify.when, needs_field=True)
    _known(document, (*path, "limits", "lock"), remedy.limits.lock, source.labels, "label")
    for position, bucket in enumerate(remedy.retry_on):
        if bucket in NEVER_RETRIED:
            message = f"{bucket}: the provider may have applied the call; it is read back first, never repeated: remove it"
            _error(document, (*path, "retry_on", position), message)


def _check_escalation(rule: Rule, document: Document) -> None:
    escalate, terms = rule.escalate, escalation_terms(rule.signal.source)
    if escalate.level2 is None and not escalate.level3:
        _error(document, ("escalate",), "no way up: add level2 (or level3 for what must go there at once)")
    if escalate.level2 is not None:
        _compile(document, terms, ("escalate", "level2", "when"), escalate.level2.when)
        _role(document, ("escalate", "level2", "role"), escalate.level2.role, 2)
    for index, step in enumerate(escalate.level3):
        path = ("escalate", "level3", index)
        _compile(document, terms, (*path, "when"), step.when)
        _role(document, (*path, "role"), step.role, 3)
    for index, decision in enumerate(escalate.level4):
        path = ("escalate", "level4", index)
        compiled = _compile(document, terms, (*path, "when"), decision.when)
        if len(compiled) == len(decision.when) and not any(
            set(term.names) - {"open_for"} for term in compiled
        ):
            _error(
                document,
                (*path, "when"),
                "Level 4 never comes by timer alone: name decision_requested or a field",
            )
        _unique(document, (*path, "options"), [choice.id for choice in decision.options], "id")


def _check_tests(rule: Rule, source: Source, document: Document) -> None:
    _unique(document, ("tests",), [test.name for test in rule.tests], "name")
    for index, test in enumerate(rule.tests):
        _check_test(rule, test, ("tests", index), source, document)


def _check_test(rule: Rule, test: RuleTest, path: Path, source: Source, document: Document) -> None:
    _known(document, (*path, "labels"), test.labels, source.labels, "label", keys=True)
    lacking = [label for label in source.labels if label not in test.labels]
    if lacking:
        _error(
            document,
            (*path, "labels"),
            f"lacks {', '.join(lacking)}: a row of '{source.name}' has all of them",
        )
    _known(document, (*path, "series"), test.series, source.fields, "field", keys=True)
    for name, text in test.series.items():
        if name in source.fields:
            try:
                parse_series(text, source.fields[name].type)
            except ValueError as error:
                _error(document, (*path, "series", name), f"{name}: {error}")
    if test.reachable is not None:
        try:
            parse_series(test.reachable, "bool")
        except ValueError as error:
            _error(document, (*path, "reachable"), str(error))
    actions = [remedy.action for remedy in rule.level1.remedies]
    _known(document, (*path, "actions"), test.actions, actions, "action of this rule", keys=True)
    inhibitors = [entry.rule for entry in rule.incident.inhibited_by]
    for position, other in enumerate(test.others):
        _known(
            document,
            (*path, "others", position, "rule"),
            [other.rule],
            inhibitors,
            "inhibiting rule",
            scalar=True,
        )
    for position, step in enumerate(test.operators):
        if (step.at is None) == (step.after_opening is None):
            _error(document, (*path, "operators", position), "write either at or after_opening, one of them")
        if step.do == "silence" and (step.for_ is None or not step.reason):
            _error(
                document,
                (*path, "operators", position),
                "a silence has an end and a reason: add for and reason",
            )
    for position, window in enumerate(test.maintenance):
        if window.until <= window.from_:
            _error(document, (*path, "maintenance", position, "until"), "must be later than from")
    for position, expected in enumerate(test.expect):
        if expected.model_fields_set == {"at"}:
            _error(document, (*path, "expect", position), "expects nothing: add state, level, severity, …")


def check_set(rules: Sequence[tuple[Rule, Document]], known: dict[str, Rule]) -> None:
    """Add the mistakes that only show between rules: inhibition by unknown rules, unshared labels, circles."""
    for rule, document in rules:
        for index, entry in enumerate(rule.incident.inhibited_by):
            path: Path = ("incident", "inhibited_by", index)
            other = known.get(entry.rule)
            if other is None:
                close = did_you_mean(entry.rule, known)
                _error(
                    document,
                    (*path, "rule"),
                    f"no rule '{entry.rule}'{close}{'' if close else _list(sorted(known))}",
                )
                continue
            shared = [
                label
                for label in SOURCES[rule.signal.source].labels
                if label in SOURCES[other.signal.source].labels
            ]
            _known(document, (*path, "equal"), entry.equal, shared, f"label shared with '{entry.rule}'")
            circle = _circle(rule.id, entry.rule, known)
            if circle:
                _error(
                    document,
                    (*path, "rule"),
                    f"inhibits in a circle ({' → '.join(circle)}): nothing would ever open",
                )


def _circle(start: str, first: str, known: dict[str, Rule]) -> list[str]:
    """The way from `start` by `inhibited_by` back to itself, empty when there is none."""
    trail: list[tuple[str, list[str]]] = [(first, [start, first])]
    seen: set[str] = set()
    while trail:
        name, way = trail.pop()
        if name == start:
            return way
        if name not in seen and name in known:
            seen.add(name)
            trail += [(entry.rule, [*way, entry.rule]) for entry in known[name].incident.inhibited_by]
    return []


def _compile(
    document: Document, terms: Terms, path: Path, texts: Sequence[str], *, needs_field: bool = False
) -> list[Term]:
    compiled = []
    for index, text in enumerate(texts):
        here = (*path, index)
        try:
            term = terms.compile(text)
        except ExpressionError as error:
            document.error(
                inside(document.place(here), error.line, error.column),
                f"{dotted(here)}: {error.message}, in {safe_line(text, limit=80)!r}",
            )
            continue
        compiled.append(term)
        if needs_field and not term.names:
            _error(
                document,
                here,
                f"{safe_line(text, limit=60)!r} names no field: it would hold without any data",
            )
    return compiled


def _role(document: Document, path: Path, role: str, level: int) -> None:
    fit = [name for name, at in ROLE_LEVELS.items() if at == level]
    if role not in fit:
        _error(document, path, f"{role} is not a Level {level} role: write {' or '.join(fit)}")


def _known(
    document: Document,
    path: Path,
    names: Iterable[str],
    known: Iterable[str],
    what: str,
    *,
    keys: bool = False,
    scalar: bool = False,
) -> None:
    options = list(known)
    for index, name in enumerate(names):
        if name not in options:
            here = path if scalar else (*path, name if keys else index)
            mark = document.key(here) if keys else document.place(here)
            close = did_you_mean(name, options)
            document.error(
                mark, f"{dotted(path)}: no {what} '{safe_line(name, limit=60)}'{close}{_list(options)}"
            )


def _unique(document: Document, path: Path, names: Sequence[str], key: str) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            _error(
                document,
                (*path, index, key),
                f"'{safe_line(name, limit=60)}' is used twice: names must differ",
            )


def _list(known: Iterable[str]) -> str:
    return f"; known: {', '.join(known) or 'none'}"


def _error(document: Document, path: Path, message: str) -> None:
    document.error(document.place(path), f"{dotted(path)}: {message}")
