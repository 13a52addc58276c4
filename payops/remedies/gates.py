"""What stands between a plan and its first call. Stored, and fails closed: what cannot be read forbids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.clock import iso
from payops.config import AccountSettings, EndpointSettings, Settings
from payops.domain.incidents import FixAttempt, Incident
from payops.domain.obstacles import BUSY, OBSERVING, STOP_ASKED, STOPPED
from payops.domain.plans import EFFECTS, Effect, Plan
from payops.domain.policy import RemedyPolicy
from payops.signals.arming import armed_remedies
from payops.signals.words import plural
from payops.store import Store

HOUR = timedelta(hours=1)
BREAKER = 3
"""So many attempts of a remedy on an account in an hour that did not verify stop it there."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a remedy may not act. `final`: waiting for it is not worth Level 1's five minutes."""

    reason: str
    final: bool = False


def stopped(store: Store) -> str | None:
    """Who stopped everything, when and why; None when remedies may act.

    A stop that was asked for holds at once: it must not wait for the end of the batch it is to end.
    """
    stop = store.switches.stopped()
    if stop is not None:
        return f"{STOPPED}{stop.who} at {iso(stop.at)}: {stop.reason}"
    asked = store.commands.waiting("stop")
    return None if asked is None else f"{STOP_ASKED}{asked.operator} at {iso(asked.put_at)}"


def not_armed(store: Store, settings: Settings, account: str, remedy: RemedyPolicy) -> str | None:
    """The sentence that says how to arm the remedy; None when it is armed or only reads."""
    if remedy.effect == "read" or remedy.id in armed_remedies(store, settings, account):
        return None
    return f"{OBSERVING}{remedy.id} is not armed on {account} (payops arm {account} {remedy.id})"


def unattended(remedy: RemedyPolicy, endpoint: EndpointSettings | None) -> Obstacle | None:
    """What needs a person's key press whatever is armed."""
    if remedy.effect == "money":
        return Obstacle(f"{remedy.id} moves money: a person must approve it")
    if remedy.needs_approval:
        return Obstacle(f"{remedy.id} needs an operator's approval: press f, or payops incidents fix")
    if remedy.effect == "external" and not (endpoint and endpoint.idempotent):
        name = endpoint.name if endpoint else "its endpoint"
        return Obstacle(
            f"{remedy.id} cannot be taken back and {name} is not declared idempotent = true: an operator decides"
        )
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
    return _locked(store, remedy, incident)


def _locked(store: Store, remedy: RemedyPolicy, incident: Incident) -> Obstacle | None:
    for attempt in store.incidents.unfinished_attempts():
        if attempt.incident_id == incident.id or attempt.phase != "applying":
            continue
        other = store.incidents.get(attempt.incident_id)
        mine, theirs = _labels(incident), _labels(other)
        if all(mine.get(name) == theirs.get(name) for name in remedy.limits.lock):
            return Obstacle(f"{attempt.remedy} of {other.id} acts on {incident.account}{BUSY}")
    return None


def _labels(incident: Incident) -> dict[str, str]:
    return {
        **incident.labels,
        "account": incident.account,
        "provider": incident.provider,
        "mode": incident.mode,
    }


def against_plan(
    remedy: RemedyPolicy, plan: Plan, timeout: timedelta, *, by_operator: bool
) -> Obstacle | None:
    """Blast radius, money, and whether the plan fits into the time Level 1 has."""
    bounds = remedy.limits
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
    takes = plan.data.get("takes_s")
    if not by_operator and isinstance(takes, int) and timedelta(seconds=takes) > timeout:
        return Obstacle(f"it takes about {takes // 60 + 1} min, longer than Level 1 has: an operator decides")
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
