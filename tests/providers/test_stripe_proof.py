"""Whatever the network, Stripe, the clocks and kill -9 do: what is stored is what happened, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polling
import pytest
from hypothesis import given
from polling import Case, Tally, rows
from proof import tell, tried

from payops.domain.event_types import EVENT_TYPES
from payops.providers.stripe import history
from payops.simulator.account import Account
from payops.simulator.objects import Invoice, Subscription
from payops.store import Store

SCENARIO = """
schema: payops.scenario/v1
name: proof
seed: 11
start: 2026-01-15T09:00:00Z
warmup: 40m
duration: 12h
providers:
  stripe: {mode: live, payments_per_minute: 1.5, success_rate: 0.8}
faults:
  - {kind: authorization_expiring, provider: stripe, at: 10s, count: 2}
  - {kind: refund_failed, provider: stripe, at: 30s, count: 2}
  - {kind: refund_stuck, provider: stripe, at: 20m, count: 2}
  - {kind: dispute_opened, provider: stripe, at: 25m, count: 2}
  - {kind: subscription_past_due, provider: stripe, at: 30m, count: 2}
  - {kind: subscription_missing_payment_method, provider: stripe, at: 50m, count: 1}
  - {kind: subscription_invoice_stuck, provider: stripe, at: 55m, count: 1}
  - {kind: payout_failed, provider: stripe, at: 1h}
  - {kind: duplicate_charge, provider: stripe, at: 70m, count: 2}
"""
KINDS = ("events", "attempts", "refunds", "disputes", "payouts", "subscriptions", "invoices")
DISPUTE = {"open": "needs_response"}


def truth(account: Account) -> Mapping[str, Mapping[str, Any]]:
    """The world's own books, in the store's words."""
    events = [each for each in account.events.rows if each.type in EVENT_TYPES["stripe"]]
    changed = {each.subject.id for each in events if isinstance(each.subject, Subscription | Invoice)}
    return {
        "events": {each.id: (each.type,) for each in events},
        "attempts": {
            charge.id: (
                "succeeded" if charge.decline is None else "failed",
                charge.payment.amount,
                charge.amount_refunded,
                None if charge.decline is None else charge.decline.code,
                None if charge.decline is not None else int(charge.captured),
            )
            for charge in account.charges.rows
        },
        "refunds": {
            refund.id: (refund.status, refund.amount, refund.charge.id) for refund in account.refunds.rows
        },
        "disputes": {
            each.id: (DISPUTE.get(each.status, each.status), each.amount, each.charge.id)
            for each in account.disputes.rows
        },
        "payouts": {each.id: (each.status, each.amount) for each in account.payouts.rows},
        "subscriptions": {
            each.id: (each.status,) for each in account.subscriptions.rows if each.id in changed
        },
        "invoices": {each.id: (each.status,) for each in account.invoices.rows if each.id in changed},
    }


def known(store: Store, account: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        "events": rows(store, "SELECT event_id, type FROM provider_events WHERE account = ?", account),
        "attempts": rows(
            store,
            "SELECT attempt_id, status, amount_minor, amount_refunded_minor, decline_code, captured"
            " FROM attempts WHERE account = ?",
            account,
        ),
        "refunds": rows(
            store, "SELECT refund_id, status, amount_minor, attempt_id FROM refunds WHERE account = ?", account
        ),
        "disputes": rows(
            store,
            "SELECT dispute_id, status, amount_minor, attempt_id FROM disputes WHERE account = ?",
            account,
        ),
        "payouts": rows(store, "SELECT payout_id, status, amount_minor FROM payouts WHERE account = ?", account),
        "subscriptions": rows(
            store, "SELECT subscription_id, status FROM subscriptions WHERE account = ?", account
        ),
        "invoices": rows(store, "SELECT invoice_id, status FROM invoices WHERE account = ?", account),
    }  # fmt: skip


CASE = Case(SCENARIO, "stripe-live", ("events", "reconcile"), truth, known)
TOTAL = Tally()


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    """More pages for the same facts: more places to be killed at."""
    patch = pytest.MonkeyPatch()
    patch.setattr(history, "PAGE", 25)
    yield
    patch.undo()
    tell(f"stripe pollers: {TOTAL}, seeds derandomized")


@pytest.mark.proof
@tried(full=1_000, usual=12)
@given(moves=polling.sequences(CASE))
def test_the_stored_facts_are_the_world_s(moves):
    differences, went_through = polling.run(CASE, moves)
    polling.add(TOTAL, went_through)
    assert not differences, "\n".join(differences[:10])


def test_the_books_are_not_empty_and_a_lost_fact_is_noticed():
    """The proof can fail: without reading, everything is lost."""
    differences, _ = polling.run(Case(SCENARIO, "stripe-live", (), truth, known), [("pass", 7200)])
    assert {difference.split()[0] for difference in differences} == set(KINDS)
    assert all("is lost" in difference for difference in differences)
