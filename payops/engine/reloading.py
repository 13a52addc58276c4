"""Another rule set for the running engine: read whole, tested, shown, and only then swapped.

The set in use is kept in the store, rule by rule: whichever process holds the lease judges by it, and an edited
file changes nothing until somebody reloads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from payops.config import Settings
from payops.domain.errors import NotPossible, UsageError
from payops.rulebook import Preview, RuleSet, preview
from payops.signals import SignalSet
from payops.store import Store
from payops.text import safe_line

from .ruletest import problems
from .wiring import load_rules


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reload would do. `problems` are failed tests and uncovered parts of what changed: they forbid it."""

    hash: str
    rules: RuleSet
    preview: Preview
    problems: tuple[str, ...]


def plan_reload(store: Store, settings: Settings, signals: SignalSet, now: datetime) -> Reload:
    """Read the files and compare them with the set in use; `UsageError` lists every mistake in them."""
    new = load_rules(settings)
    old = rules_in_use(store) or new
    seen = preview(old, new, signals, store.rules.states(), store.incidents.open_ones(), now)
    found = problems([new[rule] for rule in (*seen.added, *seen.changed)], new.documents)
    return Reload(new.hash, new, seen, tuple(str(each) for each in found))


def reload(
    store: Store, settings: Settings, signals: SignalSet, expected: str, who: str, now: datetime
) -> str:
    """Judge by the rule files from the next tick on; `expected` is the hash the asker was shown, or empty."""
    planned = plan_reload(store, settings, signals, now)
    if planned.problems:
        raise NotPossible("the rules stay as they are: " + "; ".join(planned.problems))
    if expected and expected != planned.hash:
        raise NotPossible("the rule files changed since they were shown; look at them again")
    if not planned.preview.differs:
        raise NotPossible("the rule files say what is in use already; nothing was changed")
    store.rules.use(
        planned.hash, planned.rules.policies(), who, summary(planned.preview), now, origin="command"
    )
    return f"{summary(planned.preview)}; in use from the next tick on."


def summary(seen: Preview) -> str:
    """`1 rule added (x), 2 changed (y, z); 1 incident would open now`."""
    words = (("added", seen.added), ("changed", seen.changed), ("removed", seen.removed))
    parts = [f"{len(names)} {word} ({', '.join(names)})" for word, names in words if names]
    opens = f"; {len(seen.opens)} would open now" if seen.opens else ""
    kept = f"; {len(seen.outgrown)} open under the old rules stay until they clear" if seen.outgrown else ""
    return f"rules: {', '.join(parts) or 'no difference'}{opens}{kept}"


def told(seen: Preview, now: datetime) -> tuple[str, ...]:
    """The whole preview, a line for each thing; empty when nothing differs."""
    lines = [f"{rule}: new" for rule in seen.added]
    lines += [f"{rule}: changed" for rule in seen.changed]
    lines += [f"{rule}: no more" for rule in seen.removed]
    lines += [f"would open now: {each.title}" for each in seen.opens]
    lines += [f"would open at {each.when:%H:%M} UTC if it goes on: {each.title}" for each in seen.pending]
    lines += [
        f"{each.incident} would not be open under the new rules, and stays until its own condition clears: {each.title}"
        for each in seen.outgrown
    ]
    return tuple(lines) if seen.differs else ()


def rules_in_use(store: Store) -> RuleSet | None:
    """The set the engine judges by, as the store keeps it; None before its first tick."""
    wanted = store.rules.in_use()
    policies = store.rules.policies(wanted) if wanted else {}
    return RuleSet.from_policies(policies) if policies else None


def follow(store: Store, mine: RuleSet) -> RuleSet:
    """The set to judge by: `mine` unless another is in use by now."""
    wanted = store.rules.in_use()
    if wanted is None or wanted == mine.hash:
        return mine
    found = rules_in_use(store)
    if found is None or found.hash != wanted:
        raise UsageError(
            f"the rule set {safe_line(wanted, limit=12)} in use is not in the store: reload the rules"
        )
    return found
