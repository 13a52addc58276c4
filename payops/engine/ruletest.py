"""`payops rules check|test`: the tests inside rule files, and whether they cover what the rules do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from payops.clock import monotonic_s
from payops.rulebook import Rule, RuleError, RuleFileErrors, load
from payops.rulebook.document import Document
from payops.rulebook.document import Path as Place
from payops.rulebook.model import RuleTest

from .ruletest_run import Seen, play


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of one rule. `why` is empty when it passed; `seconds` is how long it took."""

    __test__: ClassVar[bool] = False  # not for pytest to collect

    rule: str
    name: str
    ok: bool
    why: str
    seconds: float


def check(paths: Sequence[Path]) -> list[RuleError]:
    """Everything wrong with the rules: mistakes in the files, rules without tests, parts that no test exercises."""
    try:
        rules = load(paths)
    except RuleFileErrors as errors:
        return list(errors.errors)
    found = []
    for rule in rules:
        document = rules.documents[rule.id]
        before = len(document.errors)
        if not rule.tests:
            document.error(document.place(()), f"the rule '{rule.id}' has no tests: add `tests:`")
        else:
            _cover(rule, document, [play(rule, test).seen for test in rule.tests])
        found += document.errors[before:]
    return found


def run(paths: Sequence[Path], pattern: str | None = None) -> list[TestResult]:
    """Run the tests whose rule or name contains `pattern` (all without one); a bad file is a failed test."""
    try:
        rules = load(paths)
    except RuleFileErrors as errors:
        return [
            TestResult(Path(error.file).name, f"line {error.line}", False, str(error), 0.0)
            for error in errors.errors
        ]
    return [
        _run_one(rule, test)
        for rule in rules
        for test in rule.tests
        if pattern is None or pattern.lower() in f"{rule.id} {test.name}".lower()
    ]


def _run_one(rule: Rule, test: RuleTest) -> TestResult:
    started = monotonic_s()
    why = play(rule, test).why
    return TestResult(rule.id, test.name, not why, why, monotonic_s() - started)


def _cover(rule: Rule, document: Document, seen: Sequence[Seen]) -> None:
    remedies = set().union(*(each.remedies for each in seen))
    for index, remedy in enumerate(rule.level1.remedies):
        if remedy.id not in remedies:
            _uncovered(document, ("level1", "remedies", index), f"no test runs the remedy '{remedy.id}'")
    branches = set().union(*(each.branches for each in seen))
    for place, level, position in _branches(rule):
        if (level, position) not in branches:
            _uncovered(document, place, f"no test takes this way to Level {level}")
    if not any(each.no_data for each in seen):
        _uncovered(
            document, ("signal",), "no test expects anything while there is no data: add a series with _"
        )
    if not any(each.resolved for each in seen):
        _uncovered(document, ("resolve",), "no test sees the rule's own condition resolve the incident")


def _branches(rule: Rule) -> Iterator[tuple[Place, int, int]]:
    if rule.escalate.level2 is not None:
        yield ("escalate", "level2"), 2, 0
    for index in range(len(rule.escalate.level3)):
        yield ("escalate", "level3", index), 3, index
    for index in range(len(rule.escalate.level4)):
        yield ("escalate", "level4", index), 4, index


def _uncovered(document: Document, place: Place, message: str) -> None:
    document.error(document.place(place), f"not covered: {message}")
