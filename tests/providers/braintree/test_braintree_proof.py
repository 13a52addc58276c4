"""Whatever the network, Braintree, the clocks and kill -9 do: what is stored is what happened, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polling
import pytest
from hypothesis import given
from polling import Case, Tally, rows
from proof import tell, tried

from payops.providers.braintree import search
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
  braintree: {mode: live, payments_per_minute: 1.5, success_rate: 0.8}
faults:
  - {kind: authorization_expiring, provider: braintree, at: 10s, count: 2}
  - {kind: refund_failed, provider: braintree, at: 30s, count: 2}
  - {kind: refund_stuck, provider: braintree, at: 20m, count: 2}
  - {kind: dispute_opened, provider: braintree, at: 25m, count: 2}
  - {kind: subscription_past_due, provider: braintree, at: 30m, count: 2}
  - {kind: subscription_missing_payment_method, provider: braintree, at: 50m, count: 1}
  - {kind: gateway_rejections, provider: braintree, at: 1h, until: 80m}
  - {kind: duplicate_charge, provider: braintree, at: 70m, count: 2}
"""
KINDS = ("attempts", "refunds", "disputes", "subscriptions")
FAILED = ("processor_declined", "gateway_rejected", "failed", "settlement_declined", "settlement_failed")
DISPUTE = {"open": "needs_response"}


def truth(account: Account) -> Mapping[str, Mapping[str, Any]]:
    """The world's own books, in the store's words."""
    book = account.book.log.rows
    credits = [row for row in book if row.refund is not None]
    back: dict[str, int] = {}
    for row in credits:
        if row.status not in FAILED:
            sale = account.sale_of(row.charge).id
            back[sale] = back.get(sale, 0) + row.amount
    return {
        "attempts": {
            row.id: (
                "failed" if row.status in FAILED[:3] else "succeeded",
                row.amount,
                back.get(row.id, 0),
                row.response.code if row.response is not None else None,
                None
                if row.response is not None
                else int(row.status not in ("authorized", "authorization_expired")),
            )
            for row in book
            if row.refund is None
        },
        "refunds": {row.id: (row.status, row.amount, account.sale_of(row.charge).id) for row in credits},
        "disputes": {
            each.id: (DISPUTE.get(each.status, each.status), each.amount, account.sale_of(each.charge).id)
            for each in account.disputes.rows
        },
        "subscriptions": {
            each.id: (each.status, each.outstanding, int(each.method) if each.status == "past_due" else None)
            for each in account.subscriptions.rows
        },
    }


def known(store: Store, account: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        "attempts": rows(
            store,
            "SELECT attempt_id, status, amount_minor, amount_refunded_minor, decline_code, captured"
            " FROM attempts WHERE account = ?",
            account,
        ),
        "refunds": rows(
            store,
            "SELECT refund_id, status, amount_minor, attempt_id FROM refunds WHERE account = ?",
            account,
        ),
        "disputes": rows(
            store,
            "SELECT dispute_id, status, amount_minor, attempt_id FROM disputes WHERE account = ?",
            account,
        ),
        "subscriptions": rows(
            store,
            "SELECT subscription_id, status, outstanding_minor, has_payment_method"
            " FROM subscriptions WHERE account = ?",
            account,
        ),
    }


FEEDS = ("transactions", "changes", "subscriptions", "disputes")
CASE = Case(SCENARIO, "braintree-live", FEEDS, truth, known)
TOTAL = Tally()


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    """More pages for the same facts: more places to be killed at."""
    patch = pytest.MonkeyPatch()
    patch.setattr(search, "PAGE", 20)
    yield
    patch.undo()
    tell(f"braintree pollers: {TOTAL}, seeds derandomized")


@pytest.mark.proof
@tried(full=1_000, usual=10)
@given(moves=polling.sequences(CASE))
def test_the_stored_facts_are_the_world_s(moves):
    differences, went_through = polling.run(CASE, moves)
    polling.add(TOTAL, went_through)
    assert not differences, "\n".join(differences[:10])


def test_the_books_are_not_empty_and_a_lost_fact_is_noticed():
    """The proof can fail: without reading, everything is lost."""
    differences, _ = polling.run(Case(SCENARIO, "braintree-live", (), truth, known), [("pass", 7200)])
    assert {difference.split()[0] for difference in differences} == set(KINDS)
    assert all("is lost" in difference for difference in differences)
