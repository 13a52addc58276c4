"""Every fault that concerns credentials, modes, permissions, outages and rates opens its rule at every provider.

`make test` runs each fault at one provider other than Stripe, whose are the shipped scenarios; `make proof` at all.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import handoffs
import pytest

from payops.demo.headless import run
from payops.simulator import scenario as scenarios

EVERYWHERE = ("stripe", "braintree", "paypal")


@dataclass(frozen=True)
class Case:
    """A fault kind, the rule it opens (empty: none), where, and how it ends. `also` may open beside it."""

    kind: str
    rule: str
    where: tuple[str, ...] = EVERYWHERE
    options: str = ""
    parameters: str = ""
    until: str = ""
    within: str = "10m"
    ends: str = ""
    duration: str = "40m"
    also: tuple[str, ...] = ()
    warmup: str = "3h"
    """Braintree tells of a sale when it settles, four hours later."""


FALLBACK = ", fallback_credential: true"
FIXED = "state: resolved, level: 1, ended_as: fixed_by_payops"
HEALED = "state: resolved, level: 2, ended_as: self_healed"
"""Level 1 names the objects, a person is told, and it closes when somebody outside put things right."""
CASES = (
    Case("key_revoked", "credentials-rejected", options=FALLBACK, duration="20m", ends=FIXED),
    Case("key_expired", "credentials-rejected", options=FALLBACK, duration="20m", ends=FIXED),
    Case("key_wrong_mode", "wrong-mode-credential", options=FALLBACK, duration="20m", ends=FIXED),
    Case("permission_missing", "permission-missing", ("stripe", "paypal"), duration="20m", ends="level: 2"),
    Case("webhook_wrong_mode_secret", "wrong-mode-webhook-secret", options=FALLBACK, warmup="6h", ends=FIXED),
    Case("test_object_in_live", "mode-mixed-objects", duration="20m", ends=FIXED),
    Case("webhook_url_wrong", "webhook-endpoint-misconfigured", ("stripe", "paypal"), ends=FIXED),
    Case("webhook_url_wrong", "webhook-endpoint-misconfigured", ("braintree",), warmup="6h", ends="level: 2"),
    Case(
        "webhook_event_type_unsubscribed",
        "webhook-event-types-missing",
        ("stripe", "paypal"),
        duration="20m",
        ends=FIXED,
    ),
    Case("webhook_secret_rotated", "webhook-signature-failing", options=FALLBACK, warmup="6h", ends=FIXED),
    Case("webhook_endpoint_disabled", "webhook-endpoint-disabled", ("stripe",), ends=FIXED),
    Case("webhook_retry_disabled", "webhook-events-missing", ("stripe", "paypal"), until="10m", ends=FIXED),
    Case("receiver_down", "webhook-events-missing", within="12m", warmup="6h", ends=FIXED),
    Case("events_lost", "webhook-events-missing", until="10m", within="12m", warmup="6h", ends=FIXED),
    Case("account_restricted", "account-restricted", duration="20m", ends="level: 3"),
    Case("api_version_drift", "api-version-drift", ("stripe",), duration="20m", ends="level: 3"),
    Case("events_duplicated", "", duration="20m"),
    Case("events_out_of_order", "", duration="20m"),
    Case("store_full", "store-full", until="25m", ends="state: resolved, level: 2, ended_as: self_healed"),
    Case("provider_outage", "provider-outage", until="25m", ends="state: resolved, ended_as: self_healed"),
    Case("provider_slow", "provider-slow", until="25m", ends="state: resolved, ended_as: self_healed"),
    Case("rate_limited", "provider-rate-limited", until="25m"),
    Case("network_drop", "provider-unreachable", until="25m"),
    Case("clock_skew", "clock-skew", until="25m"),
    Case(
        "decline_surge",
        "success-rate-drop",
        ("stripe", "braintree"),
        parameters=", success_rate: 0.3",
        within="15m",
        also=("decline-code-surge",),
    ),
    Case("pan_in_metadata", "card-data-found", duration="20m", ends="state: open, level: 3"),
    Case("cvv_in_webhook", "card-data-found", duration="20m", ends="state: open, level: 3"),
    Case(
        "traffic_silence",
        "traffic-silence",
        until="25m",
        within="15m",
        ends="state: resolved, ended_as: self_healed",
    ),
    Case("card_testing", "card-testing", ("stripe", "braintree"), ends="level: 3"),
    Case("gateway_rejections", "gateway-rejections", ("stripe", "braintree"), also=("success-rate-drop",)),
)

OBJECTS = (
    Case("refund_failed", "refund-failed", until="15m", ends=HEALED),
    Case("refund_stuck", "refund-stuck", until="15m", ends=HEALED),
    Case("refund_over_limit", "refund-over-limit", until="15m", ends=HEALED),
    Case("dispute_opened", "dispute-deadline", until="15m", ends=HEALED),
    Case("payout_failed", "payout-failed", ("stripe",), until="30m", ends=HEALED, duration="100m"),
    Case("duplicate_charge", "duplicate-payment", until="15m", ends=HEALED),
    Case("authorization_expiring", "authorization-expiring", until="15m", ends=HEALED),
    Case("subscription_past_due", "subscription-past-due", until="20m", within="15m", ends=HEALED),
    Case(
        "subscription_missing_payment_method",
        "subscription-no-payment-method",
        ("stripe", "braintree"),
        until="20m",
        ends=HEALED,
    ),
    Case("subscription_invoice_stuck", "subscription-invoice-stuck", ("stripe",), until="15m", ends=HEALED),
)
"""Trouble of single objects: `make test` runs those of `BESIDE` in one world, `make proof` each in one of its own."""
BESIDE = (
    ("subscription_past_due", "paypal"),
    ("subscription_missing_payment_method", "braintree"),
    ("refund_stuck", "braintree"),
    ("refund_failed", "stripe"),
    ("dispute_opened", "stripe"),
    ("subscription_invoice_stuck", "stripe"),
    ("duplicate_charge", "braintree"),
    ("refund_over_limit", "paypal"),
    ("authorization_expiring", "paypal"),
)


def scenario_of(case: Case, provider: str) -> scenarios.Scenario:
    until = f", until: {case.until}" if case.until else ""
    ends = f", {case.ends}" if case.ends else ""
    opens = f"\n  - {{rule: {case.rule}, provider: {provider}, after: 0, within: {case.within}{ends}}}"
    opens = opens if case.rule else ""
    also = "".join(f"\n  - {{rule: {rule}, provider: {provider}, optional: true}}" for rule in case.also)
    text = f"""
schema: payops.scenario/v1
name: {case.kind} at {provider}
warmup: {case.warmup}
duration: {case.duration}
providers:
  {provider}: {{mode: live, payments_per_minute: 4{case.options}}}
faults:
  - {{kind: {case.kind}, provider: {provider}, at: 5m{until}{case.parameters}}}
expect:{opens}{also}
  - {{none_other: true}}
"""
    return scenarios.parse(text, "catalogue.yaml")


def judged(case: Case, provider: str, seed: int = 11) -> dict[str, Any]:
    return run(scenario_of(case, provider), seed, None, judged=True).document


def unmet(document: dict[str, Any]) -> list[str]:
    opened = [
        f"{each['rule']}: {each['state']}, level {each['level']}, {each['ended_as']}"
        for each in document["incidents"]
    ]
    unmet = [f"{check['why']} (opened: {opened})" for check in document["checks"] if not check["ok"]]
    return unmet + handoffs.faults(document)


ALL = [(case, provider) for case in (*CASES, *OBJECTS) for provider in case.where]
ROTATED = [
    (case, (case.where[1:] or case.where)[number % max(1, len(case.where) - 1)])
    for number, case in enumerate(CASES)
]
"""At Stripe most have a shipped scenario, and those are always run."""


@pytest.mark.proof
@pytest.mark.parametrize(
    ("case", "provider"),
    ALL if os.environ.get("PAYOPS_PROOF") == "full" else ROTATED,
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_the_fault_opens_its_rule_and_ends_as_it_should(case: Case, provider: str) -> None:
    assert unmet(judged(case, provider)) == []


def test_what_goes_wrong_with_single_objects_opens_each_its_own_rule_and_closes_when_put_right() -> None:
    cases = {case.kind: case for case in OBJECTS}
    faults = "\n".join(
        f"  - {{kind: {kind}, provider: {provider}, at: {5 + n}m, until: {15 + n}m}}"
        for n, (kind, provider) in enumerate(BESIDE)
    )
    expected = "\n".join(
        f"  - {{rule: {cases[kind].rule}, provider: {provider}, after: {n}, within: {cases[kind].within}, {HEALED}}}"
        for n, (kind, provider) in enumerate(BESIDE)
    )
    scenario = scenarios.parse(
        f"""
schema: payops.scenario/v1
name: single objects
warmup: 30m
duration: 33m
providers:
  stripe: {{payments_per_minute: 4}}
  braintree: {{payments_per_minute: 4}}
  paypal: {{payments_per_minute: 4}}
faults:
{faults}
expect:
{expected}
  - {{none_other: true}}
""",
        "catalogue.yaml",
    )
    assert unmet(run(scenario, 11, None, judged=True).document) == []
