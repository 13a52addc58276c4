"""Which remedy comes next, what it would do, and what stands against it."""

from __future__ import annotations

from dataclasses import dataclass

from payops.domain.approvals import Approval
from payops.domain.errors import ProviderError
from payops.domain.plans import Plan, Refusal, plan_of
from payops.domain.policy import RemedyPolicy
from payops.domain.remedy_actions import REMEDY_ACTIONS

from . import gates
from .case import Case
from .gates import Consent, Obstacle
from .moving import Moves
from .registry import REMEDIES
from .results import Remedy


@dataclass(frozen=True, slots=True)
class Ready:
    """Nothing stands against this plan."""

    remedy: RemedyPolicy
    plan: Plan


@dataclass(frozen=True, slots=True)
class Asking:
    """Nothing stands against this plan but that people must approve it."""

    remedy: RemedyPolicy
    plan: Plan
    consent: Consent


@dataclass(frozen=True, slots=True)
class Blocked:
    """A plan to show, and why it may not be carried out."""

    remedy: RemedyPolicy
    plan: Plan
    obstacle: Obstacle


Choice = Ready | Asking | Blocked | Refusal


def for_payops(case: Case) -> Choice:
    """The next remedy payops may try by itself."""
    return _choose(case, case.eligible(), by_operator=False)


def for_operator(case: Case, remedy_id: str | None = None) -> Choice:
    """The next remedy an operator's key press would run, or the one named; a hold does not stand against it."""
    wanted = [each for each in case.wanted() if remedy_id in (None, each.id)]
    return _choose(case, tuple(wanted), by_operator=True)


def outdated(case: Case, approval: Approval) -> bool:
    """Whether other objects stand now than those the waiting plan looked at; costs no read at the provider."""
    policy = case.policy.remedy(approval.remedy)
    remedy = REMEDIES.get(policy.action) if policy is not None else None
    if policy is None or not isinstance(remedy, Moves):
        return False
    return remedy.outdated(case.context(policy), plan_of(approval.plan))


def standing(case: Case, remedy: RemedyPolicy, *, by_operator: bool) -> Obstacle | None:
    """What stands against a remedy whatever its plan says; costs no read at the provider."""
    stop = gates.stopped(case.store)
    if stop is not None:
        return Obstacle(stop, whose="stopped")
    observing = gates.not_armed(case.store, case.settings, case.account.name, remedy)
    if observing is not None:
        return Obstacle(observing, whose="observing")
    held = None if by_operator else gates.held(case.store, case.incident, remedy)
    if held is not None:
        return Obstacle(held)
    return gates.limits(case.store, remedy, case.incident, case.account, case.now)


def _at_this_provider(case: Case, remedies: tuple[RemedyPolicy, ...]) -> tuple[RemedyPolicy, ...]:
    """Without those that are another provider's; where all are, they say so themselves."""
    possible = tuple(
        each
        for each in remedies
        if each.action not in REMEDY_ACTIONS or case.account.provider in REMEDY_ACTIONS[each.action].providers
    )
    return possible or remedies


def _choose(case: Case, remedies: tuple[RemedyPolicy, ...], *, by_operator: bool) -> Choice:
    """The first remedy with a plan and nothing against it, or nothing but that people must approve it; else the
    best there is to show."""
    blocked: list[Blocked] = []
    refusals: list[Refusal] = []
    for policy in _at_this_provider(case, remedies):
        remedy = REMEDIES.get(policy.action)
        if remedy is None:
            refusals.append(Refusal(f"{policy.id}: payops knows no action {policy.action}"))
            continue
        plan = _plan(case, remedy, policy)
        if isinstance(plan, Refusal):
            refusals.append(plan)
            continue
        obstacle = standing(case, policy, by_operator=by_operator) or gates.against_plan(policy, plan)
        if obstacle is not None:
            blocked.append(Blocked(policy, plan, obstacle))
            continue
        consent = gates.consent(policy, plan, case.endpoint, case.policy.timeout, by_operator=by_operator)
        return Ready(policy, plan) if consent is None else Asking(policy, plan, consent)
    if blocked:
        return min(blocked, key=lambda each: each.obstacle.final)
    waits = next((refusal for refusal in refusals if refusal.waits), None)
    return waits or Refusal("; ".join(refusal.reason for refusal in refusals) or "there is nothing to do")


def _plan(case: Case, remedy: Remedy, policy: RemedyPolicy) -> Plan | Refusal:
    try:
        return remedy.plan(case.context(policy))
    except ProviderError as error:
        said = ", ".join(each for each in (error.code, error.request_id) if each)
        return Refusal(
            f"{case.account.name}: {remedy.id} cannot be planned: {error.bucket}, {error.message}"
            f"{f' ({said})' if said else ''}"
        )
