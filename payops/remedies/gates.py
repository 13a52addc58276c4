"""What stands between a plan and its first call. Stored, and fails closed: what cannot be read forbids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.clock import iso
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.incidents import Blocked, FixAttempt, Incident
from payops.domain.plans import EFFECTS, Effect, Plan
from payops.domain.policy import ApprovalPolicy, RemedyPolicy
from payops.domain.roles import OperatorRole
from payops.signals.arming import armed_remedies
from payops.signals.platform import broken_since
from payops.signals.words import plural
from payops.store import Store

HOUR = timedelta(hours=1)
BREAKER = 3
"""So many attempts of a remedy on an account in an hour that did not verify stop it there."""
BREAKER_OF_ALL = 6
"""So many on an account, of whatever remedy, stop every remedy there."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a remedy may not act, and whose doing would end that; `final`: it is not worth Level 1's five minutes."""

    reason: str
    final: bool = False
    whose: Blocked = "operator"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a plan needs of people before it acts: why, of which role, of how many, and how long they have."""

    why: str
    role: OperatorRole
    people: int
    expires: timedelta


def stopped(store: Store) -> str | None:
    """Who stopped everything, when and why; None when remedies may act.

    A stop that was asked for holds at once: it must not wait for the end of the batch it is to end.
    """
    stop = store.switches.stopped()
    if stop is not None:
        return f"stopped by {stop.who} at {iso(stop.at)}: {stop.reason}"
    broken = broken_since(store)
    if broken is not None:
        return f"the audit is not what payops wrote, seen at {broken}: no provider is written to until a person resolved it"
    asked = store.commands.waiting("stop")
    return None if asked is None else f"stop asked for by {asked.operator} at {iso(asked.put_at)}"


def not_armed(store: Store, settings: Settings, account: str, remedy: RemedyPolicy) -> str | None:
    """The sentence that says how to arm the remedy; None when it is armed or only reads."""
    if remedy.effect == "read" or remedy.id in armed_remedies(store, settings, account):
        return None
    return f"observing: {remedy.id} is not armed on {account} (payops arm {account} {remedy.id})"


def held(store: Store, incident: Incident, remedy: RemedyPolicy) -> str | None:
    """Which operator holds the remedy back, since when and why; None when nobody does."""
    aside = store.incidents.aside(incident.id).get(remedy.id)
    if aside is None or aside.how != "held":
        return None
    return f"{remedy.id} is held by {aside.who} since {iso(aside.at)}: {aside.reason}"


def consent(
    remedy: RemedyPolicy,
    plan: Plan,
    endpoint: EndpointSettings | None,
    timeout: timedelta,
    *,
    by_operator: bool,
) -> Consent | None:
    """What the plan needs of people; None when it may act at once. `by_operator`: one of them asks for it."""
    terms = remedy.approval or ApprovalPolicy()
    people = max(terms.people, plan.people)
    if any(money.amount_minor > terms.two_above_minor for money in plan.money) and remedy.effect == "money":
        people = 2
    why = None
    if remedy.effect == "money":
        why = f"{remedy.id} moves money"
    elif remedy.approval is not None:
        why = f"{remedy.id} needs an approval"
    elif not by_operator:
        why = _unattended(remedy, plan, endpoint, timeout)
    if why is None:
        return None
    # Where only being unattended stands against it, the whole time of Level 1 is theirs.
    expires = timeout if remedy.approval is None else min(terms.expires, timeout)
    return Consent(why, terms.role, min(people, 2), expires)


def _unattended(
    remedy: RemedyPolicy, plan: Plan, endpoint: EndpointSettings | None, timeout: timedelta
) -> str | None:
    """What asks for a person's key press whatever is armed."""
    takes = plan.data.get("takes_s")
    if isinstance(takes, int) and timedelta(seconds=takes) > timeout:
        return f"it takes about {takes // 60 + 1} min, longer than Level 1 has: an operator decides"
    if remedy.effect == "external" and not (endpoint and endpoint.idempotent):
        name = endpoint.name if endpoint else "its endpoint"
        return f"{remedy.id} cannot be taken back and {name} is not declared idempotent = true: an operator decides"
    return None


def limits(
    store: Store, remedy: RemedyPolicy, incident: Incident, account: AccountSettings, now: datetime
) -> Obstacle | None:
    """Cool-down, attempts per hour, the circuit breaker and the lock, all from stored attempts."""
    bounds = remedy.limits
    window = max(HOUR, bounds.cooldown)
    recent = store.incidents.attempts_since(account.name, remedy.id, now - window)
    last_hour = [attempt for attempt in recent if now - attempt.started_at < HOUR]
    if bounds.per_hour is not None and len(last_hour) >= bounds.per_hour:
        return Obstacle(
            f"{remedy.id} was tried {plural(len(last_hour), 'time')} on {account.name} within the hour", True
        )
    others = [attempt for attempt in recent if attempt.incident_id != incident.id]
    cooling = max((a.started_at for a in others if now - a.started_at < bounds.cooldown), default=None)
    if cooling is not None:
        return Obstacle(
            f"{remedy.id} cools down on {account.name} until {iso(cooling + bounds.cooldown)}", True
        )
    unproven = [a for a in last_hour if a.phase == "done" and not a.verified and a.effect != "read"]
    if len(unproven) >= BREAKER:
        return Obstacle(
            f"{remedy.id} did not verify {len(unproven)} times within the hour on {account.name}: "
            "the circuit breaker is open",
            True,
        )
    failing = [
        a
        for a in store.incidents.attempts_since(account.name, None, now - HOUR)
        if a.phase == "done" and not a.verified and a.effect != "read"
    ]
    if len(failing) >= BREAKER_OF_ALL:
        return Obstacle(
            f"{len(failing)} attempts did not verify within the hour on {account.name}: the circuit breaker of all "
            "remedies is open",
            True,
        )
    return _locked(store, remedy, incident)


def _locked(store: Store, remedy: RemedyPolicy, incident: Incident) -> Obstacle | None:
    for attempt in store.incidents.unfinished_attempts():
        if attempt.incident_id == incident.id or attempt.phase != "applying":
            continue
        other = store.incidents.get(attempt.incident_id)
        mine, theirs = _labels(incident), _labels(other)
        if all(mine.get(name) == theirs.get(name) for name in remedy.limits.lock):
            return Obstacle(f"{attempt.remedy} of {other.id} acts on {incident.account} right now", whose="")
    return None


def _labels(incident: Incident) -> dict[str, str]:
    return {
        **incident.labels,
        "account": incident.account,
        "provider": incident.provider,
        "mode": incident.mode,
    }


def against_plan(remedy: RemedyPolicy, plan: Plan) -> Obstacle | None:
    """Blast radius and money. Money without a stated bound does not move: a limit that is missing forbids."""
    bounds = remedy.limits
    if remedy.effect == "money" and (bounds.max_targets is None or bounds.max_amount_minor is None):
        return Obstacle(
            f"{remedy.id} moves money and its rule states no max_targets or max_amount_minor", True
        )
    if bounds.max_targets is not None and plan.targets > bounds.max_targets:
        return Obstacle(
            f"{plural(plan.targets, 'target')}, more than the limit of {bounds.max_targets}", True
        )
    if bounds.max_amount_minor is not None:
        over = next((money for money in plan.money if money.amount_minor > bounds.max_amount_minor), None)
        if over is not None:
            return Obstacle(f"{over} is more than the limit of this remedy", True)
    if stricter(remedy.effect, plan.effect) != remedy.effect:
        return Obstacle(f"the plan's effect is {plan.effect}, the rule allows only {remedy.effect}", True)
    return None


def stricter(one: Effect, other: Effect) -> Effect:
    """The effect that asks for more."""
    return max(one, other, key=EFFECTS.index)


def used_up(attempts: Sequence[FixAttempt], most: int) -> str | None:
    """Why no attempt is left; None when one is."""
    if len(attempts) < most:
        return None
    last = attempts[-1]
    return (
        f"{len(attempts)} of {most} attempts are used, the last ended {last.outcome or 'open'}: {last.detail}"
    )
