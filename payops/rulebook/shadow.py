"""Rules on trial: judged as if they opened incidents, counted, and never acting, calling or inhibiting."""

from __future__ import annotations

from datetime import datetime

from payops.domain.incidents import Incident
from payops.domain.payments import provider_named
from payops.store import Store
from payops.store.firings import Firing
from payops.store.rules import RuleState

from .evaluate import after_opening, after_resolving
from .loader import RuleSet
from .model import Rule
from .templates import render
from .verdict import Verdict

_MARK = "firing-"


def counting(store: Store, ruleset: RuleSet, now: datetime) -> list[Incident]:
    """What shadow rules would have open; what a rule began that is on trial no more ends here."""
    found = []
    for firing in store.rules.firing_now():
        rule = ruleset.get(firing.rule)
        if rule is None or rule.status != "shadow":
            store.rules.end_firing(firing.id, now)
        else:
            found.append(stand_in(rule, firing))
    return found


def is_shadow(incident: Incident) -> bool:
    return incident.id.startswith(_MARK)


def count(store: Store, verdict: Verdict, state: RuleState, now: datetime) -> RuleState:
    """Begin or end what the rule would have open; the rule's timers after that."""
    rule, incident = verdict.rule, verdict.incident
    if incident is None and verdict.outcome == "fire":
        store.rules.begin_firing(
            rule.id, verdict.key, verdict.labels, verdict.severity, rule.hash, verdict.why, now
        )
        return after_opening(state, rule, now)
    if incident is not None and verdict.outcome == "clear":
        store.rules.end_firing(int(incident.id.removeprefix(_MARK)), now)
        return after_resolving(state, rule, now)
    return state


def stand_in(rule: Rule, firing: Firing) -> Incident:
    """An incident only for judging: it has no policy of its own, so the rule as it now is judges it."""
    labels = firing.labels
    return Incident(
        id=f"{_MARK}{firing.id}",
        version=0,
        rule=rule.id,
        challenge=rule.challenge,
        provider=provider_named(labels.get("provider", "")),
        account=labels.get("account", ""),
        mode=labels.get("mode", ""),
        title=render(rule.title, labels),
        severity=firing.severity,
        state="open",
        level=1,
        dedup_key=firing.key,
        labels=labels,
        opened_at=firing.at,
        updated_at=firing.at,
        policy="",
    )
