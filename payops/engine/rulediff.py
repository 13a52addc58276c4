"""`payops rules diff A B`: what was written differently, and what that changes in behaviour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from payops.rulebook import RuleSet
from payops.rulebook.replay import Fired, Replay

from .backtest import Span, fired_document, span_document


@dataclass(frozen=True, slots=True)
class Change:
    """One place of a rule that says something else; None where it says nothing."""

    place: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class RuleDiff:
    """One rule that differs: its changes, and the incidents only one of the two would have had."""

    rule: str
    kind: str
    """`added`, `removed` or `changed`."""
    changes: tuple[Change, ...]
    both: int = 0
    only_before: tuple[Fired, ...] = ()
    only_after: tuple[Fired, ...] = ()
    open_before: timedelta = timedelta()
    open_after: timedelta = timedelta()


def written(before: RuleSet, after: RuleSet) -> list[RuleDiff]:
    """Every rule that differs, by id, without its behaviour."""
    found = []
    for rule_id in sorted({*before.ids, *after.ids}):
        old, new = before.get(rule_id), after.get(rule_id)
        if old is None or new is None:
            found.append(RuleDiff(rule_id, "added" if old is None else "removed", ()))
        elif old.hash != new.hash:
            found.append(RuleDiff(rule_id, "changed", tuple(_changes("", old.policy, new.policy))))
    return found


def behaved(diff: RuleDiff, before: Replay, after: Replay, span: Span) -> RuleDiff:
    """The same difference with what both did over the span. Incidents match where both were open at once."""
    old = [each for each in before.fired if each.rule == diff.rule]
    new = [each for each in after.fired if each.rule == diff.rule]
    only_before = [each for each in old if not _matched(each, new, span.end)]
    only_after = [each for each in new if not _matched(each, old, span.end)]
    return RuleDiff(
        diff.rule,
        diff.kind,
        diff.changes,
        len(old) - len(only_before),
        tuple(only_before),
        tuple(only_after),
        sum((each.open_for(span.end) for each in old), timedelta()),
        sum((each.open_for(span.end) for each in new), timedelta()),
    )


def _matched(fired: Fired, others: Sequence[Fired], end: datetime) -> bool:
    return any(
        other.key == fired.key and other.at <= (fired.ended_at or end) and (other.ended_at or end) >= fired.at
        for other in others
    )


def _changes(place: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _changes(f"{place}.{key}".lstrip("."), before.get(key), after.get(key))
    elif before != after:
        yield Change(place, _said(before), _said(after))


def _said(value: Any) -> str | None:
    if value is None:
        return None
    return (
        value
        if isinstance(value, str)
        else ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )


def diff_document(diffs: Sequence[RuleDiff], span: Span | None) -> dict[str, Any]:
    """The answer of `rules diff --json`; without a span nothing was replayed and no behaviour is known."""
    return {
        **span_document(span),
        "rules": [
            {
                "rule": each.rule,
                "kind": each.kind,
                "changes": [
                    {"place": change.place, "before": change.before, "after": change.after}
                    for change in each.changes
                ],
                "behaviour": None if span is None else _behaviour(each, span),
            }
            for each in diffs
        ],
    }


def _behaviour(each: RuleDiff, span: Span) -> dict[str, Any]:
    return {
        "both": each.both,
        "only_before": [fired_document(one, span.end) for one in each.only_before],
        "only_after": [fired_document(one, span.end) for one in each.only_after],
        "open_before_s": int(each.open_before.total_seconds()),
        "open_after_s": int(each.open_after.total_seconds()),
    }
