"""The simulated world, the real SDK over loopback, the real receiver, the real store: in stepped time."""

from __future__ import annotations

import json
import multiprocessing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from payops.demo.headless import run
from payops.signals.impact import impact
from payops.simulator import scenario as scenarios

SHORT = """
schema: payops.scenario/v1
name: short
seed: 5
start: 2026-01-15T09:00:00Z
warmup: 1h
duration: 20m
providers:
  stripe: {mode: live, payments_per_minute: 6, success_rate: 0.95}
faults:
  - {kind: webhook_endpoint_disabled, provider: stripe, at: 190s}
"""


def finished(text: str, store: Path | None = None) -> dict[str, Any]:
    return run(scenarios.parse(text, "short.yaml"), 5, store, judged=False).document


def same_bytes(document: dict[str, Any]) -> str:
    return json.dumps(
        {key: value for key, value in document.items() if key != "wall_seconds"}, sort_keys=True
    )


def _burn(seconds: float) -> None:
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(10_000))


def test_two_runs_give_the_same_bytes_also_under_load() -> None:
    calm = same_bytes(finished(SHORT))
    context = multiprocessing.get_context("spawn")
    load = [context.Process(target=_burn, args=(30.0,), daemon=True) for _ in range(3)]
    for process in load:
        process.start()
    try:
        assert same_bytes(finished(SHORT)) == calm
    finally:
        for process in load:
            process.kill()
            process.join()


def test_every_event_generated_while_the_endpoint_was_off_arrives_once(tmp_path: Path) -> None:
    from payops.store import Store

    path = tmp_path / "payops.db"
    document = finished(SHORT, path)
    webhooks = document["webhooks"]
    assert webhooks["generated"] > 200
    assert webhooks["missing"] == 0
    assert webhooks["received"] == webhooks["generated"] == webhooks["processed"]
    (incident,) = document["incidents"]
    assert (incident["rule"], incident["ended_as"], incident["level"]) == (
        "webhook-endpoint-disabled",
        "fixed_by_payops",
        1,
    )
    assert incident["attempts"][0]["verified"] is True
    assert incident["attempts"][0]["request_ids"]
    store = Store.open_existing(path)
    try:
        assert store.audit.verify().ok
    finally:
        store.close()


def test_nothing_simulated_carries_a_port_or_an_address() -> None:
    text = json.dumps(finished(SHORT))
    assert "127.0.0.1" not in text
    assert "localhost" not in text


SHORT_ENOUGH = [
    name
    for name in scenarios.names()
    if name != "default" and scenarios.load(name).duration < timedelta(days=1)
]
"""What lasts for days has a proof of its own."""


@pytest.mark.parametrize("name", SHORT_ENOUGH)
def test_a_shipped_scenario_meets_its_expectations(name: str) -> None:
    scenario = scenarios.load(name)
    result = run(scenario, scenario.seed, None, judged=True)
    assert scenario.expect, f"{name} expects nothing"
    assert [check.why for check in result.checks if not check.ok] == []


def test_observing_writes_nothing_to_the_provider_and_says_what_it_would_have_done() -> None:
    document = finished(SHORT.replace("success_rate: 0.95}", "success_rate: 0.95, armed: false}"))
    (incident,) = document["incidents"]
    assert incident["attempts"] == []
    assert incident["level"] == 2
    assert incident["ended_as"] is None
    assert document["webhooks"]["missing"] > 0
    assert "would have" in incident["handoffs"][0]["attempted"].lower()


SHOP = SHORT.replace(
    "success_rate: 0.95}",
    "success_rate: 0.95, endpoints: [{name: shop, topology: observer, idempotent: true}]}",
).replace("at: 190s}", "endpoint: shop, at: 5m}")


def test_the_applications_own_endpoint_is_enabled_and_nothing_is_claimed_of_what_it_received(
    tmp_path: Path,
) -> None:
    from payops.store import Store

    path = tmp_path / "payops.db"
    document = finished(SHOP, path)
    (incident,) = document["incidents"]
    assert (incident["rule"], incident["ended_as"], incident["level"]) == (
        "webhook-endpoint-disabled",
        "fixed_by_payops",
        1,
    )
    (attempt,) = incident["attempts"]
    assert (attempt["outcome"], attempt["verified"]) == ("succeeded", True)
    assert len(attempt["request_ids"]) == 1  # enabled, and nothing resent
    store = Store.open_existing(path)
    try:
        (kept,) = store.incidents.attempts(incident["id"])
        assert "https://stripe.sim/apps/shop" in kept.plan
        assert "what the application received is unknown here" in kept.plan
        hurt = impact(
            store, store.incidents.get(incident["id"]), store.incidents.get(incident["id"]).opened_at
        )
        assert (hurt.payments, hurt.money) == (None, ())
        assert "not payops's own" in hurt.method
    finally:
        store.close()
