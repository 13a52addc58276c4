"""Approved orders nothing was tried of: counted by what is known of captures, compared with what is usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from payops.config import AccountSettings
from payops.domain.events import Facts, FeedPage, WebhookEvent
from payops.domain.payments import Attempt
from payops.signals import orders
from payops.store import Store

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def account(provider: str) -> AccountSettings:
    secrets = {
        "paypal": {"client_id": "env:A", "client_secret": "env:B"},
        "stripe": {"api_key": "env:A"},
    }
    return AccountSettings.model_validate(
        {"name": f"{provider}-live", "provider": provider, "mode": "live", **secrets[provider]}
    )


def told(store: Store, ago_min: int, n: int, captured: bool) -> None:
    at, name = NOW - ago_min * MINUTE, "paypal-live"
    event = WebhookEvent(name, f"WH-{ago_min}-{n}", "CHECKOUT.ORDER.APPROVED", at, True, f"O-{ago_min}-{n}")
    tried = Attempt(name, f"C-{ago_min}-{n}", at, "succeeded", at, payment_id=f"O-{ago_min}-{n}")
    facts = Facts(events=(event,), attempts=(tried,) if captured else ())
    store.facts.apply_page(name, FeedPage("events", 1, 1, data_as_of=NOW, facts=facts), NOW)


def test_what_was_approved_and_never_tried_is_counted_against_the_hours_before() -> None:
    with Store.in_memory(NOW) as store:
        for n in range(20):
            told(store, 200, n, captured=n > 0)
            told(store, 40, n, captured=n >= 8)
            told(store, 3, n, captured=False)
        values = orders.row(store, account("paypal"), NOW).values
    assert (values["approved_1h"], values["uncaptured_1h"], values["share_1h"]) == (20, 8, 0.4)
    assert (values["n_usual"], values["usual"]) == (20, 0.05)
    assert values["usual_upper"] == pytest.approx(0.236, abs=0.01)


def test_a_provider_that_tells_no_approvals_says_nothing() -> None:
    with Store.in_memory(NOW) as store:
        row = orders.row(store, account("stripe"), NOW)
    assert row.as_of is None and set(row.values.values()) == {None}


def test_the_approvals_are_found_by_their_own_index() -> None:
    with Store.in_memory(NOW) as store, store.read() as db:
        plan = db.execute(
            "EXPLAIN QUERY PLAN SELECT COUNT(*) FROM provider_events AS told WHERE account = 'a'"
            " AND type = 'CHECKOUT.ORDER.APPROVED' AND created_at >= 1 AND created_at < 2"
        ).fetchall()
    assert any("provider_events_approved" in row["detail"] for row in plan)
