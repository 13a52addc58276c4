"""A simulated provider over loopback, the real adapter, a store and the runner: where money really moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from payops.demo.headless import PATIENT
from payops.demo.settings import world_settings
from payops.domain.incidents import Incident
from payops.domain.remedy_actions import REMEDY_ACTIONS
from payops.engine.outside import Outside
from payops.engine.polls import StepPolls
from payops.engine.wiring import open_providers
from payops.remedies import Runner
from payops.signals import read
from payops.simulator.scenario import Scenario
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

STEP = timedelta(seconds=10)
RULES = {
    "duplicate_charge": ("duplicate-payment", "refund-duplicate", "payments.refund_duplicate"),
    "authorization_expiring": (
        "authorization-expiring",
        "capture-authorization",
        "payments.capture_authorization",
    ),
    "refund_failed": ("refund-failed", "reissue-refund", "refunds.reissue"),
    "subscription_past_due": ("subscription-past-due", "collect-once", "subscriptions.collect_once"),
    "subscription_missing_payment_method": (
        "subscription-no-payment-method",
        "attach-payment-method",
        "subscriptions.attach_payment_method",
    ),
    "subscription_invoice_stuck": (
        "subscription-invoice-stuck",
        "finalize-invoice",
        "subscriptions.finalize_invoice",
    ),
}
"""Fault → the rule it opens, the remedy and its action."""


def scenario(provider: str, faults: list[dict[str, Any]], warmup: str = "2h", **options: Any) -> Scenario:
    return Scenario.model_validate(
        {
            "schema": "payops.scenario/v1",
            "name": "money",
            "warmup": warmup,
            "duration": "24h",
            "providers": {provider: {"mode": "live", "payments_per_minute": 1, **options}},
            "faults": [{"provider": provider, "at": "1m", **fault} for fault in faults],
        }
    )


def play_scenario(provider: str) -> Scenario:
    """Doubles, authorizations about to end, subscriptions that owe; then nobody buys any more."""
    faults: list[dict[str, Any]] = [
        {"kind": "duplicate_charge", "count": 2},
        {"kind": "authorization_expiring", "count": 2},
        {"kind": "subscription_past_due", "count": 2},
        {"kind": "traffic_silence", "at": "2m"},
    ]
    return scenario(provider, faults, warmup="30m")


def policy_of(rule: str, remedy: str, action: str, **changes: Any) -> str:
    """A frozen rule with that one remedy, as the rulebook would write it."""
    known = REMEDY_ACTIONS[action]
    entry = {
        "id": remedy,
        "action": action,
        "effect": known.effect,
        "approval": {"by": "operator", "expires": "4m"},
        "limits": {"max_targets": 50, "max_amount_minor": 10_000_000},
        "verify": {"when": [], "within": "10m"},
        **changes,
    }
    return json.dumps(
        {
            "id": rule,
            "challenge": "refund_fail",
            "title": rule,
            "signal": {"source": known.source, "group_by": ["account"]},
            "level1": {"budget": {"attempts": 2, "timeout": "5m"}, "remedies": [entry]},
            "escalate": {},
        }
    )


class House:
    """`step()` moves time; incidents are opened by hand, so that only Level 1 is looked at."""

    def __init__(self, scene: Scenario, seed: int = 1, store: Store | None = None) -> None:
        (self.provider,) = scene.providers
        self.account = scene.account(self.provider)
        self.scene = scene
        self.world = World(scene, seed, scene.start)
        self.world.advance(scene.start)
        self.server = ProviderServer(self.world, self.provider, receiver="http://127.0.0.1:9").start()
        urls = {self.provider: self.server.url}
        self.settings, secrets = world_settings(scene, seed, urls, Path("payops.db"))
        self.store = store or Store.in_memory(scene.start, seed=f"money/{seed}")
        self.outside = Outside(partial(secrets.__getitem__), patience=PATIENT, now=None)
        self.now = scene.start
        self.wrap: Callable[[Any], Any] = lambda adapter: adapter
        """What stands between the runner and the adapter."""
        self.start_engine()

    def start_engine(self) -> None:
        """A new process over the same store and the same world."""
        providers = open_providers(self.settings, self.outside, self.store)
        self.adapter = providers[self.account]
        self.polls = StepPolls(self.store, providers)
        self.runner = Runner(
            self.store,
            {self.account: self.wrap(self.adapter)},
            self.settings,
            self,
            self.outside.secrets,
        )

    def answers(self, url: str) -> tuple[bool, str]:
        """The probe of a URL."""
        return True, "HTTP 200"

    def signals(self):
        return read(self.store, self.settings, self.now)

    def advance(self, by: timedelta = STEP) -> None:
        self.now += by
        self.world.advance(self.now)

    def poll(self) -> None:
        self.polls.run(self.now)

    def tick(self) -> None:
        self.runner.tick(self.signals(), self.now, may_act=True)

    def step(self, by: timedelta = STEP) -> None:
        self.advance(by)
        self.poll()
        self.tick()

    def open(self, fault: str, dedup: str = "", **changes: Any) -> Incident:
        rule, remedy, action = RULES[fault]
        draft = Incident(
            id="",
            version=0,
            rule=rule,
            challenge="refund_fail",
            provider=self.provider,
            account=self.account,
            mode="live",
            title=rule,
            severity="sev2",
            state="open",
            level=1,
            dedup_key=f"{rule}{dedup}",
            labels={"account": self.account, "provider": self.provider, "mode": "live"},
            opened_at=self.now,
            updated_at=self.now,
            policy=policy_of(rule, remedy, action, **changes),
            rule_hash="x",
        )
        opened = self.store.incidents.open(draft, "test", self.now)
        assert opened is not None
        return opened

    def approve(self, incident_id: str = "inc-1", who: str = "demo") -> str:
        return self.runner.approve(incident_id, who, self.signals(), self.now)

    def ended(self) -> bool:
        attempts = self.store.incidents.attempts("inc-1")
        return bool(attempts) and attempts[-1].phase == "done"

    def run(self, until: Callable[[], bool], steps: int = 120) -> None:
        for _ in range(steps):
            if until():
                return
            self.step()
        incident = self.store.incidents.get("inc-1")
        raise AssertionError(f"did not happen: {incident}; {self.store.incidents.attempts('inc-1')}")

    def close(self) -> None:
        self.adapter.close()
        self.server.stop()
        self.store.close()
