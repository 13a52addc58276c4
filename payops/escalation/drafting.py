"""The five fields of a handoff, prefilled from facts. What is not known says what was tried to learn it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from payops.config import AccountSettings, RateSettings, Settings
from payops.domain.gaps import amounts
from payops.domain.handoffs import Draft
from payops.domain.incidents import HOUSE, FixAttempt, Handoff, Incident, Value
from payops.domain.payments import PROVIDER_NAMES
from payops.domain.plans import plan_of
from payops.domain.policy import DEFAULT_ACK, Policy, Step, parse_policy, route
from payops.domain.roles import LEVEL_NAMES
from payops.signals import SignalSet
from payops.signals.credentials import application_sentence
from payops.signals.drop import FAMILIES, drop
from payops.signals.drop_words import sentence
from payops.signals.exchange import together
from payops.signals.impact import impact
from payops.signals.verdict import verdict
from payops.signals.words import plural, spoken
from payops.store import Store
from payops.store.migrations import CURRENT
from payops.text import safe_line

ASKS = {
    "api_auth": "Which authentication strategy do we follow?",
    "webhook_miss": "Which webhook reliability pattern do we follow?",
    "transaction_fail": "Which error handling strategy do we follow?",
    "pci": "Which PCI compliance pattern do we follow?",
    "refund_fail": "Which refund handling strategy do we follow?",
    "subscription_error": "Which subscription pattern do we follow?",
    "wrong_environment": "How do we manage environments and their keys?",
    "platform": "What does payops need to watch and act again?",
}
"""What Level 2 is asked by challenge when the rule asks nothing of its own."""


def next_level(incident: Incident, handoffs: Sequence[Handoff]) -> int:
    """Where the next handoff goes: one up, or to the same level again when the last one came back."""
    last = handoffs[-1] if handoffs else None
    at = last.level if last else incident.level
    return at if last is not None and last.returned_at is not None else min(at + 1, 4)


def draft(store: Store, settings: Settings, incident: Incident, signals: SignalSet, now: datetime) -> Draft:
    """The handoff to the next level as it would go out now."""
    policy = parse_policy(incident.policy)
    handoffs = store.incidents.handoffs(incident.id)
    level = next_level(incident, handoffs)
    return for_step(store, settings, incident, step_for(policy, level), now)


def step_for(policy: Policy, level: int) -> Step:
    """The rule's first step of this level, or the protocol's routing where it has none."""
    steps = policy.at_level(level)
    if steps:
        return steps[0]
    return Step(
        level, (), route(policy.challenge, level), timedelta(hours=4) if level == 3 else DEFAULT_ACK, ""
    )


def for_step(store: Store, settings: Settings, incident: Incident, step: Step, now: datetime) -> Draft:
    """The five fields for this step of the rule."""
    attempts = store.incidents.attempts(incident.id)
    account = next((each for each in settings.accounts if each.name == incident.account), None)
    return Draft(
        level=step.level,
        to=step.role,
        problem=problem(store, incident, now),
        attempted=attempted(incident, attempts),
        impact=impact_sentence(store, incident, now, settings.rates),
        gateway=gateway(store, incident, account, attempts),
        request=request(step, incident),
        ack_within=step.ack_within,
    )


def problem(store: Store, incident: Incident, now: datetime) -> str:
    """What is wrong, by which values, since when; of a drop the one sentence that says it all."""
    source = parse_policy(incident.policy).source
    if source in FAMILIES:
        found = drop(store, incident.account, incident.provider, incident.opened_at, now, FAMILIES[source])
        if found is not None:
            return (
                f"{incident.title}. Opened at {_at(incident.opened_at)}, {incident.severity}, "
                f"{_age(now - incident.opened_at)}. {sentence(found)} "
                f"{verdict(store, incident.account, incident.provider, found, now).sentence}"
            )
    # The values behind the rule's terms say more than that the terms are true.
    values = {why.term: why.value for why in incident.why if why.term.isidentifier()}
    told = spoken(parse_policy(incident.policy).source, values)
    if not told:
        told = [f"{why.term} is {_value(why.value)}" for why in incident.why]
    because = f": {'; '.join(told)}" if told else ""
    return (
        f"{incident.title}. Opened at {_at(incident.opened_at)}, {incident.severity}, "
        f"{_age(now - incident.opened_at)}{because}."
    )


def attempted(incident: Incident, attempts: Sequence[FixAttempt]) -> str:
    """Every attempt with its outcome and proof, or why nothing was applied."""
    told = [_attempt(attempt, len(attempts)) for attempt in attempts]
    if not told:
        reason = incident.l1_reason or "Level 1 has not planned anything yet"
        return f"Nothing was applied: {reason.rstrip('.')}."
    repeated = any(attempt.detail and attempt.detail in incident.l1_reason for attempt in attempts)
    if incident.l1_exhausted_at is not None and incident.l1_reason and not repeated:
        told.append(f"Level 1 ended at {_at(incident.l1_exhausted_at)}: {incident.l1_reason.rstrip('.')}.")
    return " ".join(told)


def impact_sentence(
    store: Store, incident: Incident, now: datetime, rates: Sequence[RateSettings] = ()
) -> str:
    """Payments, customers, money per currency, since when; or what was tried to learn it.

    Currencies are summed only where there are dated rates (the configuration's) for all of them.
    """
    hurt = impact(store, incident, now)
    since = f" since {_at(hurt.since)}" if hurt.since else ""
    if hurt.payments is None and not hurt.money:
        return f"Unknown how many payments are hurt{since}: {hurt.method}."
    if hurt.payments == 0 and not hurt.money:
        return f"No payment is known to be hurt{since}; counted so: {hurt.method}."
    who = plural(hurt.payments, "payment") if hurt.payments is not None else "Payments"
    customers = f" of {plural(hurt.customers, 'customer')}" if hurt.customers else ""
    worth = f" worth {amounts(hurt.money)}" if hurt.money else ", amount not known,"
    whole = together(hurt.money, rates)
    return f"{who}{customers}{worth}{f' ({whole})' if whole else ''}{since}; counted so: {hurt.method}."


def gateway(
    store: Store, incident: Incident, account: AccountSettings | None, attempts: Sequence[FixAttempt]
) -> str:
    """Provider, endpoint, credential, error codes and request ids: what the provider's support asks for."""
    if incident.account == HOUSE:
        return (
            f"{incident.account} itself, {store.where} on schema {CURRENT}, which watches {PROVIDER_NAMES[incident.provider]} "
            "and what else is configured; no provider is at fault or was called: monitor credential and application's key "
            "are not concerned."
        )
    parts = [f"{PROVIDER_NAMES[incident.provider]} account {incident.account} ({incident.mode})"]
    parts += _endpoint(store, incident, account)
    parts.append(_credential(store, incident))
    parts += _feed_errors(store, incident.account)
    ids = [request_id for attempt in attempts for request_id in attempt.request_ids]
    if ids:
        shown = ", ".join(ids[:6])
        parts.append(f"request ids {shown}{f' and {len(ids) - 6} more' if len(ids) > 6 else ''}")
    else:
        parts.append("no request id of a fix: payops wrote nothing to the provider")
    parts.append(application_sentence(store, incident.account))
    return "; ".join(parts) + "."


def request(step: Step, incident: Incident) -> str:
    """The rule's question, and at Level 4 its options with what each leads to."""
    asked = step.request or (
        ASKS[incident.challenge] if step.level == 2 else f"{LEVEL_NAMES[step.level]}: what do we change?"
    )
    options = "; ".join(
        f"({option.id}) {option.text}: {option.consequence}, done by {option.executor}"
        for option in step.options
    )
    return f"{asked} Options: {options}." if options else asked


def _attempt(attempt: FixAttempt, made: int) -> str:
    ended = {None: attempt.phase, "not_verified": "ended"}.get(attempt.outcome, attempt.outcome or "")
    proof = {True: "verified", False: "not verified", None: "not verified yet"}[attempt.verified]
    if attempt.effect == "read":
        proof = "it only read"
    ids = f" ({', '.join(attempt.request_ids[:3])})" if attempt.request_ids else ""
    what = attempt.detail or "; ".join(plan_of(attempt.plan).steps)
    return (
        f"Attempt {attempt.n} of {made}, {attempt.remedy} by {attempt.by} at {_at(attempt.started_at)}: {ended}, "
        f"{proof}{ids}: {what.rstrip('.')}."
    )


def _endpoint(store: Store, incident: Incident, account: AccountSettings | None) -> list[str]:
    name = incident.labels.get("endpoint")
    if name is None:
        return []
    configured = next((each for each in account.endpoints if each.name == name), None) if account else None
    if configured is None:
        return [f"endpoint {name}, which the configuration no longer has"]
    known = next(
        (each for each in store.facts.endpoints(incident.account) if each.url == configured.url), None
    )
    if known is None:
        return [f"endpoint {name} ({configured.url}), which the provider's last list does not have"]
    version = f", API version {known.api_version}" if known.api_version else ""
    return [f"endpoint {name} ({configured.url}, {known.endpoint_id}, {known.status}{version})"]


def _credential(store: Store, incident: Incident) -> str:
    proof = store.facts.proof(incident.account)
    if proof is None:
        return "monitor credential unknown: no read has proved it yet"
    if proof.ok:
        mode = f"{proof.mode} mode" if proof.mode else "no mode"
        return f"monitor credential {proof.hint} proved {mode} of {proof.identity or 'its account'} at {_at(proof.at)}"
    ids = f", {proof.request_id}" if proof.request_id else ""
    return (
        f"monitor credential {proof.hint} was refused at {_at(proof.at)} ({proof.code or proof.error}{ids})"
    )


def _feed_errors(store: Store, account: str) -> list[str]:
    told = []
    for state in store.facts.feeds():
        if state.account == account and state.error_bucket:
            ids = f", {state.error_request_id}" if state.error_request_id else ""
            code = state.error_code or state.error_bucket
            told.append(
                f"reading {state.feed} fails with {code}{ids}: {safe_line(state.error_message or '', limit=120)}"
            )
    return told[:2]


def _value(value: Value | None) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.3g}" if isinstance(value, float) else safe_line(value, limit=80)


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _age(value: timedelta) -> str:
    minutes = int(value.total_seconds()) // 60
    if minutes < 1:
        return "opened just now"
    if minutes < 60:
        return f"open for {minutes} min"
    return f"open for {minutes // 60} h {minutes % 60} min"
