from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payops.config import parse
from payops.domain.incidents import FixAttempt, Incident, Why
from payops.domain.money import Money
from payops.domain.plans import Plan, plan_json
from payops.escalation import accept, escalate, resolve
from payops.rulebook import load, shipped_dir
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
RULE = load([shipped_dir()]).rules["webhook-endpoint-disabled"]
SETTINGS = parse({"schema": "payops.config/v1"}, base=Path(), source="test")


def tell(store: Store, title: str = "Webhook endpoint own is disabled", detail: str = "") -> datetime:
    """One incident from opening to end: a failed attempt, a handoff accepted, resolved by a person."""
    now = NOW
    draft = Incident(
        id="",
        version=0,
        rule=RULE.id,
        challenge="webhook_miss",
        provider="stripe",
        account="stripe-live",
        mode="live",
        title=title,
        severity="sev2",
        state="open",
        level=1,
        dedup_key="one",
        labels={"account": "stripe-live", "endpoint": "own"},
        opened_at=now,
        updated_at=now,
        why=(Why("disabled", True), Why("missing", None), Why("rate_5m", 0.4)),
        policy=RULE.policy_json(),
        rule_hash=RULE.hash,
    )
    store.incidents.open(draft, "disabled", now)
    plan = Plan(
        "enable-endpoint",
        "webhooks.enable_endpoint",
        "external",
        ("enable we_1 (https://stripe.sim/webhooks/stripe-live)", "resend 12 events"),
        13,
        (Money(12_000, "EUR"), Money(900, "JPY")),
        "none: an event that was sent cannot be unsent",
    )
    store.incidents.start_attempt(
        FixAttempt(
            "inc-1",
            1,
            plan.remedy,
            plan.action,
            plan.effect,
            "payops",
            "key",
            plan_json(plan),
            "applying",
            now,
        ),
        now,
    )
    now += timedelta(minutes=2)
    store.incidents.update_attempt(
        "inc-1",
        1,
        now,
        phase="done",
        ended_at=now,
        outcome="rejected",
        verified=False,
        request_ids=("req_1", "req_2"),
        detail=detail or "no such endpoint (resource_missing, req_1)",
    )
    escalate(store, SETTINGS, "inc-1", {}, "ana", {}, now)
    now += timedelta(minutes=5)
    accept(store, "inc-1", "ben", now)
    now += timedelta(minutes=30)
    resolve(
        store, "inc-1", "our configuration", "enabled it by hand", "the deploy had removed it", "ben", now
    )
    return now


@pytest.fixture
def make_store() -> Iterator[Callable[[], Store]]:
    stores: list[Store] = []

    def make() -> Store:
        stores.append(Store.in_memory(NOW, seed="reports"))
        return stores[-1]

    yield make
    for each in stores:
        each.close()


@pytest.fixture
def store(make_store: Callable[[], Store]) -> Store:
    return make_store()


@pytest.fixture
def story() -> Callable[..., datetime]:
    return tell


@pytest.fixture
def story_start() -> datetime:
    return NOW


@pytest.fixture
def no_accounts():
    return SETTINGS
