"""The five fields are specific: names, codes, numbers with their time; and money per currency."""

from __future__ import annotations

from datetime import timedelta

from payops.domain.events import WebhookEvent
from payops.domain.gaps import paid, worth
from payops.domain.money import Money
from payops.domain.policy import parse_policy, route
from payops.escalation import draft
from payops.signals.impact import impact
from payops.streams import Watch


def drafted(desk):
    return draft(desk.store, desk.settings, desk.incident, desk.signals(), desk.now)


def test_problem_names_the_terms_their_values_and_since_when(desk):
    desk.open()
    desk.now += timedelta(minutes=75)
    text = drafted(desk).problem
    assert "webhook-endpoint-disabled at stripe (stripe-live)" in text
    assert "Opened at 2026-01-15 09:00:00 UTC, sev2, open for 1 h 15 min" in text
    assert "the provider reports it as disabled and sends nothing to it" in text


def test_attempts_are_told_with_outcome_proof_and_request_ids(desk):
    desk.open()
    desk.attempt()
    text = drafted(desk).attempted
    assert "Attempt 1 of 1, enable-endpoint by payops at 2026-01-15 09:00:00 UTC" in text
    assert "ended, not verified (req_abc): enabled we_1 (req_abc), resent 12 of 12 events." in text


def test_nothing_attempted_says_why(desk):
    desk.open()
    desk.exhaust("observing: enable-endpoint is not armed on stripe-live")
    assert drafted(desk).attempted == (
        "Nothing was applied: observing: enable-endpoint is not armed on stripe-live."
    )


def test_gateway_names_endpoint_credential_error_code_and_request_id(desk):
    desk.open("credentials-rejected")
    desk.proof(ok=False, error="auth", code="api_key_expired", request_id="req_401", mode=None, identity=None)
    text = drafted(desk).gateway
    assert text.startswith("Stripe account stripe-live (live)")
    assert "rk_live_…4f2a was refused at 2026-01-15 09:00:00 UTC (api_key_expired, req_401)" in text
    assert "the application's key was not verified" in text


def test_missing_events_are_counted_once_per_purchase_with_their_money(desk):
    desk.open()
    desk.missing(7)
    hurt = impact(desk.store, desk.incident, desk.now)
    assert (hurt.payments, hurt.money) == (7, (Money(7000, "EUR"),))
    assert "7 payments worth 70.00 EUR since 2026-01-15 08:20:00 UTC" in drafted(desk).impact


def test_opened_a_moment_ago_is_said_so_and_one_is_not_many(desk):
    desk.open()
    desk.missing(1)
    text = drafted(desk)
    assert "sev2, opened just now" in text.problem
    assert text.impact.startswith("1 payment worth 10.00 EUR since")


def test_harm_that_was_undone_stays_the_harm(desk):
    desk.open()
    desk.missing(2)
    desk.attempt(verified=True)
    listed = '{"listed": {"events": 14, "payments": 7, "money": {"EUR": 7000}, "oldest": 1768464000}}'
    desk.store.incidents.update_attempt("inc-1", 1, desk.now, progress=listed)
    hurt = impact(desk.store, desk.incident, desk.now)
    assert (hurt.payments, hurt.money) == (7, (Money(7000, "EUR"),))
    assert "14 events were not received in time" in hurt.method
    assert "4 still missing" in hurt.method


def test_nothing_missing_is_no_payment_worth_no_amount_known(desk):
    desk.open()
    desk.missing(0)
    assert drafted(desk).impact.startswith("No payment is known to be hurt since")


def test_what_another_application_received_is_unknown_never_zero(desk):
    desk.open(labels={"account": "stripe-live", "endpoint": "own", "receiver": "application"})
    desk.missing(7)
    hurt = impact(desk.store, desk.incident, desk.now)
    assert (hurt.payments, hurt.money) == (None, ())
    assert drafted(desk).impact.startswith("Unknown how many payments are hurt")


def test_impact_that_is_not_known_says_what_was_tried(desk):
    desk.open()
    assert drafted(desk).impact == (
        "Unknown how many payments are hurt since 2026-01-15 09:00:00 UTC: nothing was received here yet, so what "
        "is missing cannot be told."
    )


def test_failures_beyond_the_expected_are_counted_from_the_onset(desk):
    desk.payments(range(150, 1500, 5), 10, 1)
    desk.payments(range(20, 149), 10, 1)
    desk.payments(range(20), 10, 6)
    Watch(desk.store, desk.settings).advance(desk.now)
    desk.open("success-rate-drop")
    hurt = impact(desk.store, desk.incident, desk.now)
    assert abs((desk.now - hurt.since).total_seconds() / 60 - 20) <= 2
    assert 100 <= hurt.payments <= 130
    assert hurt.money == (Money(hurt.money[0].amount_minor, "EUR"),)
    assert abs(hurt.money[0].amount_minor - hurt.payments * 1000) <= 1000
    assert hurt.customers >= hurt.payments
    assert "expected at this hour of the week" in hurt.method
    assert "not collected" in hurt.method


def test_drop_without_history_says_so_and_claims_no_number(desk):
    desk.payments(range(20), 4, 3)
    Watch(desk.store, desk.settings).advance(desk.now)
    desk.open("success-rate-drop")
    hurt = impact(desk.store, desk.incident, desk.now)
    assert (hurt.payments, hurt.money) == (None, ())
    assert "too little history" in hurt.method


def test_blind_monitor_credential_is_no_payment_number(desk):
    desk.open("credentials-rejected")
    hurt = impact(desk.store, desk.incident, desk.now)
    assert hurt.payments is None
    assert "the application's key was not verified" in hurt.method


def test_worth_never_adds_currencies_nor_two_events_of_one_purchase(desk):
    def event(name: str, kind: str, object_id: str, amount: int, currency: str) -> WebhookEvent:
        return WebhookEvent("a", name, kind, desk.now, True, object_id, amount, currency)

    events = [
        event("e1", "charge.succeeded", "ch_1", 500, "eur"),
        event("e2", "charge.succeeded", "ch_1", 500, "eur"),
        event("e3", "payment_intent.succeeded", "pi_1", 500, "eur"),
        event("e4", "charge.succeeded", "ch_2", 900, "jpy"),
        event("e5", "charge.failed", "ch_3", 900, "eur"),
    ]
    assert worth(events) == (Money(900, "JPY"), Money(500, "EUR"))
    assert len(paid(events)) == 2
    assert worth(events[2:3]) == (Money(500, "EUR"),)
    assert worth([]) == ()


def test_policy_never_widens_what_level_1_may_do():
    wild = (
        '{"level1": {"budget": {"attempts": 9, "timeout": "2h"}, "remedies": [{"id": "x", "effect": "harmless"}]},'
        ' "escalate": {"level2": {"when": ["true"], "role": "nobody"}}}'
    )
    policy = parse_policy(wild)
    assert policy.attempts == 2
    assert policy.timeout == timedelta(minutes=5)
    assert policy.remedies[0].effect == "money"
    assert policy.steps[0].role == "integration-coordinator"


def test_routing_is_the_protocols():
    assert route("transaction_fail", 2) == "backend-coordinator"
    assert route("refund_fail", 2) == "backend-coordinator"
    assert route("webhook_miss", 2) == "integration-coordinator"
    assert route("pci", 3) == "security-coordinator"
    assert route("api_auth", 3) == "tech-lead-orchestrator"
    assert route("api_auth", 4) == "user"
