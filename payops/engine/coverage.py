"""What the tests of a rule exercise: each remedy, each way up, no data, and the rule's own resolution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from payops.rulebook import Rule
from payops.rulebook.document import Path as Place

from .ruletest_run import Seen


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a rule can do, where it stands in the file, and whether a test saw it."""

    kind: str
    """`remedy`, `way up`, `no data` or `resolve`."""
    what: str
    place: Place
    covered: bool
    missing: str
    """What to say when it is not covered."""


def coverage(rule: Rule, seen: Sequence[Seen]) -> tuple[Part, ...]:
    """Every part of `rule`, in the order of the file."""
    return tuple(_parts(rule, seen))


def _parts(rule: Rule, seen: Sequence[Seen]) -> Iterator[Part]:
    remedies = {remedy for each in seen for remedy in each.remedies}
    branches = {branch for each in seen for branch in each.branches}
    for index, remedy in enumerate(rule.level1.remedies):
        yield Part(
            "remedy",
            remedy.id,
            ("level1", "remedies", index),
            remedy.id in remedies,
            f"no test runs the remedy '{remedy.id}'",
        )
    for place, level, position in _branches(rule):
        yield Part(
            "way up",
            f"Level {level}" if position == 0 else f"Level {level}, way {position + 1}",
            place,
            (level, position) in branches,
            f"no test takes this way to Level {level}",
        )
    yield Part(
        "no data",
        "no data",
        ("signal",),
        any(each.no_data for each in seen),
        "no test expects anything while there is no data: add a series with _",
    )
    yield Part(
        "resolve",
        "resolve",
        ("resolve",),
        any(each.resolved for each in seen),
        "no test sees the rule's own condition resolve the incident",
    )


def _branches(rule: Rule) -> Iterator[tuple[Place, int, int]]:
    if rule.escalate.level2 is not None:
        yield ("escalate", "level2"), 2, 0
    for index in range(len(rule.escalate.level3)):
        yield ("escalate", "level3", index), 3, index
    for index in range(len(rule.escalate.level4)):
        yield ("escalate", "level4", index), 4, index
