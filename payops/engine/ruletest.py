"""`payops rules check|test`: the tests inside rule files, and whether they cover what the rules do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from payops.clock import monotonic_s
from payops.rulebook import Rule, RuleError, RuleFileErrors, load
from payops.rulebook.document import Document
from payops.rulebook.model import RuleTest

from .coverage import Part, coverage
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
    seen: Seen = field(default_factory=Seen)
    """What it exercised."""
    of: Rule | None = None
    """None for a file that could not be read."""


def check(paths: Sequence[Path]) -> list[RuleError]:
    """Everything wrong with the rules: mistakes in the files, rules without tests, parts that no test exercises."""
    try:
        rules = load(paths)
    except RuleFileErrors as errors:
        return list(errors.errors)
    return problems(list(rules), rules.documents)


def problems(rules: Sequence[Rule], documents: Mapping[str, Document]) -> list[RuleError]:
    """What the tests of these rules have against them: none at all, failed ones, and parts that none exercises."""
    found = []
    for rule in rules:
        document = documents[rule.id]
        before = len(document.errors)
        if not rule.tests:
            document.error(document.place(()), f"the rule '{rule.id}' has no tests: add `tests:`")
        else:
            played = [play(rule, test) for test in rule.tests]
            for index, outcome in enumerate(played):
                if outcome.why:
                    where = document.place(("tests", index))
                    document.error(where, f"the test '{rule.tests[index].name}' fails: {outcome.why}")
            for part in coverage(rule, [outcome.seen for outcome in played]):
                if not part.covered:
                    document.error(document.place(part.place), f"not covered: {part.missing}")
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
    played = play(rule, test)
    seconds = monotonic_s() - started
    return TestResult(rule.id, test.name, not played.why, played.why, seconds, played.seen, rule)


def covered(results: Sequence[TestResult]) -> dict[str, tuple[Part, ...]]:
    """Rule id → what those of its tests that ran exercised."""
    played = [each for each in results if each.of is not None]
    return {
        rule: coverage(tests[0].of, [each.seen for each in tests])
        for rule, found in groupby(played, key=lambda each: each.rule)
        if (tests := list(found)) and tests[0].of is not None
    }
