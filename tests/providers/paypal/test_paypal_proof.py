"""Whatever the network, PayPal, the clocks and kill -9 do: what is stored is what PayPal shows, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polling
import pytest
from hypothesis import given
from polling import Case, Tally, rows
from proof import tell, tried

from payops.providers.paypal import windows
from payops.simulator.account import Account
from payops.store import Store

SCENARIO = """
schema: payops.scenario/v1
name: proof
seed: 11
start: 2026-01-15T09:00:00Z
warmup: 40m
duration: 12h
providers:
  paypal: {mode: live, payments_per_minute: 1.5, success_rate: 0.8}
faults:
  - {kind: authorization_expiring, provider: paypal, at: 10s, count: 2}
  - {kind: refund_failed, provider: paypal, at: 30s, count: 2}
  - {kind: refund_stuck, provider: paypal, at: 20m, count: 2}
  - {kind: dispute_opened, provider: paypal, at: 25m, count: 2}
  - {kind: subscription_past_due, provider: paypal, at: 30m, count: 2}
  - {kind: duplicate_charge, provider: paypal, at: 70m, count: 2}
"""
REFUND = {"succeeded": "COMPLETED", "pending": "PENDING", "failed": "FAILED"}
DISPUTE = {"open": "needs_response"}
KINDS = ("events", "attempts", "refunds", "disputes", "subscriptions")


def truth(account: Account) -> Mapping[str, Mapping[str, Any]]:
    """The world's own books, of what PayPal shows of them by now, in the store's words."""
    shown_ms = account.agenda.now_ms - account.list_lag_ms
    return {
        "events": {each.id: (each.type,) for each in account.events.rows if each.at_ms <= shown_ms},
        "attempts": {
            charge.id: ("succeeded" if charge.decline is None else "failed", charge.payment.amount)
            for charge in account.charges.rows
            if account.leaves_trace(charge) and charge.at_ms <= shown_ms
        },
        "refunds": {
            each.id: (REFUND[each.status], each.amount)
            for each in account.refunds.rows
            if each.at_ms <= shown_ms
        },
        "disputes": {
            each.id: (DISPUTE.get(each.status, each.status), each.amount) for each in account.disputes.rows
        },
        "subscriptions": {each.id: (each.status, each.outstanding) for each in account.subscriptions.rows},
    }


def known(store: Store, account: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        "events": rows(store, "SELECT event_id, type FROM provider_events WHERE account = ?", account),
        "attempts": rows(
            store, "SELECT attempt_id, status, amount_minor FROM attempts WHERE account = ?", account
        ),
        "refunds": rows(
            store, "SELECT refund_id, status, amount_minor FROM refunds WHERE account = ?", account
        ),
        "disputes": rows(
            store, "SELECT dispute_id, status, amount_minor FROM disputes WHERE account = ?", account
        ),
        "subscriptions": rows(
            store,
            "SELECT subscription_id, status, outstanding_minor FROM subscriptions WHERE account = ?",
            account,
        ),
    }


FEEDS = ("events", "subscriptions", "disputes", "reporting")
CASE = Case(SCENARIO, "paypal-live", FEEDS, truth, known)
TOTAL = Tally()


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    """More pages for the same facts: more places to be killed at."""
    patch = pytest.MonkeyPatch()
    patch.setattr(windows, "PAGE", 20)
    yield
    patch.undo()
    tell(f"paypal pollers: {TOTAL}, seeds derandomized")


@pytest.mark.proof
@tried(full=1_000, usual=10)
@given(moves=polling.sequences(CASE))
def test_the_stored_facts_are_the_world_s(moves):
    differences, went_through = polling.run(CASE, moves)
    polling.add(TOTAL, went_through)
    assert not differences, "\n".join(differences[:10])


def test_the_books_are_not_empty_and_a_lost_fact_is_noticed():
    """The proof can fail: without reading, everything is lost."""
    differences, _ = polling.run(Case(SCENARIO, "paypal-live", (), truth, known), [("pass", 7200)])
    assert {difference.split()[0] for difference in differences} == set(KINDS)
    assert all("is lost" in difference for difference in differences)


def test_a_clock_ahead_at_the_first_poll_skips_nothing():
    """Reading begins where our clock says; an hour ahead of PayPal's, what comes next must still be read."""
    began_ahead = [("pass", 29), ("clock", 3600), *[("poll", ("events", []))] * 5]
    differences, _ = polling.run(CASE, began_ahead)
    assert differences == []


def test_a_state_read_by_a_clock_ahead_does_not_outlive_the_truth():
    """What is stamped an hour ahead of PayPal's time would win over every state of that hour."""
    read = [("poll", ("events", [])), ("poll", ("subscriptions", []))]
    differences, _ = polling.run(CASE, [("pass", 1795), ("clock", 3600), *read * 3])
    assert differences == []
