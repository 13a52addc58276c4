from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payops.config import parse
from payops.domain.events import CredentialProof, Facts, FeedPage, WebhookEvent
from payops.domain.incidents import FixAttempt, Incident, Why
from payops.domain.money import Money
from payops.domain.payments import Attempt
from payops.domain.plans import Plan, plan_json
from payops.domain.policy import parse_policy
from payops.escalation import tick
from payops.rulebook import load, shipped_dir
from payops.signals import read
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ACCOUNT = "stripe-live"
RULES = load([shipped_dir()]).rules
SETTINGS = parse(
    {
        "schema": "payops.config/v1",
        "operators": [{"name": "ana", "roles": ["operator"]}],
        "accounts": [
            {
                "name": ACCOUNT,
                "provider": "stripe",
                "mode": "live",
                "api_key": "env:KEY",
                "endpoints": [{"name": "own", "url": f"https://stripe.sim/webhooks/{ACCOUNT}"}],
            }
        ],
    },
    base=Path(),
    source="test",
)


class Desk:
    """One incident, its clock, and the engine's escalation step."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.settings = SETTINGS
        self.now = NOW

    def open(self, rule: str = "webhook-endpoint-disabled", **changes: object) -> Incident:
        policy = RULES[rule]
        values: dict[str, object] = {
            "id": "",
            "version": 0,
            "rule": rule,
            "challenge": policy.challenge,
            "provider": "stripe",
            "account": ACCOUNT,
            "mode": "live",
            "title": f"{rule} at stripe ({ACCOUNT})",
            "severity": "sev2",
            "state": "open",
            "level": 1,
            "dedup_key": rule,
            "labels": {"account": ACCOUNT, "provider": "stripe", "mode": "live", "endpoint": "own"},
            "opened_at": self.now,
            "updated_at": self.now,
            "why": (Why("disabled", True),),
            "policy": policy.policy_json(),
            "rule_hash": policy.hash,
            **changes,
        }
        opened = self.store.incidents.open(Incident(**values), "test", self.now)
        assert opened is not None
        return opened

    def exhaust(self, reason: str = "2 of 2 attempts are used") -> None:
        self.store.incidents.change(
            self.incident,
            self.now,
            who="payops",
            entry="",
            kind="t",
            l1_exhausted_at=self.now,
            l1_reason=reason,
        )

    def attempt(self, *, verified: bool = False, by: str = "payops", done: bool = True, n: int = 1) -> None:
        plan = Plan(
            "enable-endpoint", "webhooks.enable_endpoint", "external", ("enable we_1",), 1, (Money(5, "EUR"),)
        )
        self.store.incidents.start_attempt(
            FixAttempt(
                incident_id="inc-1",
                n=n,
                remedy=plan.remedy,
                action=plan.action,
                effect=plan.effect,
                by=by,
                idempotency_key=f"key-{n}",
                plan=plan_json(plan),
                phase="applying",
                started_at=self.now,
            ),
            self.now,
        )
        if done:
            self.store.incidents.update_attempt(
                "inc-1",
                n,
                self.now,
                phase="done",
                ended_at=self.now,
                outcome="succeeded" if verified else "not_verified",
                verified=verified,
                request_ids=("req_abc",),
                detail="enabled we_1 (req_abc), resent 12 of 12 events",
            )

    def tick(self, **later: float) -> list[str]:
        self.now += timedelta(**later)
        return tick(self.store, self.settings, self.signals(), self.now)

    def signals(self):
        return read(self.store, self.settings, self.now)

    def payments(self, minutes_ago: range, per_minute: int, failed: int) -> None:
        made = []
        for minute in minutes_ago:
            for i in range(per_minute):
                at = self.now - timedelta(minutes=minute)
                made.append(
                    Attempt(
                        ACCOUNT,
                        f"ch_{minute}_{i}",
                        at,
                        "failed" if i < failed else "succeeded",
                        at,
                        payment_id=f"pi_{minute}_{i}",
                        customer=f"cus_{minute}_{i}",
                        amount_minor=1000,
                        currency="EUR",
                    )
                )
        self.store.facts.apply_page(
            ACCOUNT, FeedPage("charges", 1, 1, facts=Facts(attempts=tuple(made))), self.now
        )

    def missing(self, count: int) -> None:
        at = self.now - timedelta(minutes=40)
        events = []
        for i in range(count):
            for kind, name in (("charge.succeeded", "ch"), ("payment_intent.succeeded", "pi")):
                events.append(
                    WebhookEvent(ACCOUNT, f"evt_{name}_{i}", kind, at, True, f"{name}_{i}", 1000, "EUR")
                )
        first = WebhookEvent(ACCOUNT, "evt_0", "charge.succeeded", at - timedelta(hours=1), True)
        self.store.inbox.import_seen(ACCOUNT, [first], at)
        page = FeedPage(
            "events", 1, 1, data_as_of=self.now - timedelta(seconds=60), facts=Facts(events=tuple(events))
        )
        self.store.facts.apply_page(ACCOUNT, page, self.now)

    def proof(self, **changes: object) -> None:
        values = {"ok": True, "identity": "acct_1", "mode": "live", **changes}
        self.store.facts.save_proof(CredentialProof(ACCOUNT, 0, "rk_live_…4f2a", self.now, **values))

    @property
    def policy(self):
        return parse_policy(self.incident.policy)

    @property
    def incident(self) -> Incident:
        return self.store.incidents.get("inc-1")

    @property
    def handoffs(self):
        return self.store.incidents.handoffs("inc-1")

    @property
    def timeline(self) -> str:
        return "\n".join(entry.text for entry in self.store.incidents.timeline("inc-1"))


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory(NOW, seed="escalation") as opened:
        yield opened


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


@pytest.fixture
def rules():
    return RULES


@pytest.fixture
def make_desk() -> Iterator[Callable[[], Desk]]:
    stores: list[Store] = []

    def make() -> Desk:
        stores.append(Store.in_memory(NOW, seed="escalation"))
        return Desk(stores[-1])

    yield make
    for each in stores:
        each.close()
