from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payops.config import Settings, parse
from payops.domain.errors import ProviderError
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import CredentialProof, Delivery, Endpoint, Facts, FeedPage, WebhookEvent
from payops.domain.incidents import Incident
from payops.providers.port import ActionAnswer, FeedSpec
from payops.remedies import Runner
from payops.rulebook import load, shipped_dir
from payops.signals import read
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ACCOUNT = "stripe-live"
URL = f"https://stripe.sim/webhooks/{ACCOUNT}"
LAG = timedelta(seconds=60)


class Killed(BaseException):
    """The process dies here."""


def error(bucket: str, **more: object) -> ProviderError:
    return ProviderError(
        bucket,
        str(more.pop("message", f"the provider said {bucket}")),
        provider="stripe",
        account=ACCOUNT,
        request_id=f"req_{bucket}",
        **more,
    )


class FakeStripe:
    """A provider behind the port: one endpoint, an event list, and answers that can be scripted per call."""

    account, provider, mode = ACCOUNT, "stripe", "live"
    feeds = (FeedSpec("events", 30, 1, "", 60), FeedSpec("endpoints", 60, 1, "", 0))
    retention_s = 30 * 86_400

    def __init__(self) -> None:
        self.status = "disabled"
        self.disabled_reason: str | None = None
        self.url = URL
        self.types = EVENT_TYPES["stripe"]
        self.others: list[Endpoint] = []
        self.calls: list[tuple[str, str, str]] = []
        self.script: dict[str, list[str]] = defaultdict(list)
        self.executed: set[str] = set()
        self.answers: dict[str, list[str]] = defaultdict(list)
        self.sent: list[str] = []
        self.on_its_way: list[str] = []
        self.proofs: dict[int, CredentialProof] = {}
        self.slot = 0
        self.reads_fail = False
        self.before_call: Callable[[str], None] = lambda _: None

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        raise NotImplementedError

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        if self.reads_fail:
            raise error("network")
        proof = self.proofs[slot]
        return CredentialProof(**{**{name: getattr(proof, name) for name in proof.__slots__}, "at": now})

    def use_slot(self, slot: int) -> None:
        self.slot = slot

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        if self.reads_fail:
            raise error("network")
        return self.as_listed()

    def as_listed(self) -> Endpoint:
        reason = self.disabled_reason if self.status == "disabled" else None
        return Endpoint(ACCOUNT, "we_1", self.url, self.status, self.types, True, "2026-10-28", reason)

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        def effect() -> None:
            self.status = "enabled"

        return self._write("enable", endpoint_id, idempotency_key, effect)

    def change_endpoint(
        self,
        endpoint_id: str,
        idempotency_key: str,
        now: datetime,
        *,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
    ) -> ActionAnswer:
        def effect() -> None:
            self.url, self.types = url or self.url, event_types or self.types

        return self._write("change", endpoint_id, idempotency_key, effect)

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        def effect() -> None:
            self.sent.append(event_id)
            self.on_its_way.append(event_id)

        return self._write("resend", event_id, idempotency_key, effect)

    def _write(self, what: str, target: str, key: str, effect: Callable[[], None]) -> ActionAnswer:
        self.before_call(target)
        self.calls.append((what, target, key))
        answer = self.script[what].pop(0) if self.script[what] else "ok"
        self.answers[key].append(answer)
        if answer in ("ok", "timeout_applied", "killed_after") and key not in self.executed:
            self.executed.add(key)
            effect()
        if answer == "killed_before" or answer == "killed_after":
            raise Killed
        if answer.startswith("timeout"):
            raise error("network", message="no answer within 10 s")
        if answer == "rate_limited":
            raise error("rate_limit", retry_after_s=30.0)
        if answer == "rejected":
            raise error("invalid_request", code="resource_missing")
        if answer != "ok":
            raise error(answer)
        return ActionAnswer((f"req_{what}_{len(self.calls)}",))

    def close(self) -> None:
        return


class FakeProbe:
    def __init__(self) -> None:
        self.up = True

    def answers(self, url: str) -> tuple[bool, str]:
        return (True, "HTTP 200") if self.up else (False, "connection refused")


def settings(**changes: object) -> Settings:
    document = {
        "schema": "payops.config/v1",
        "mode": "armed",
        "operators": [{"name": "ana", "roles": ["operator"]}],
        "accounts": [
            {
                "name": ACCOUNT,
                "provider": "stripe",
                "mode": "live",
                "api_key": "env:KEY",
                "fallback_credentials": [{"api_key": "env:KEY_2"}],
                "endpoints": [{"name": "own", "url": URL, "idempotent": True}],
            }
        ],
        "arm": [{"account": ACCOUNT, "remedies": ["enable-endpoint", "resend-missing", "switch-credential"]}],
    }
    return parse({**document, **changes}, base=Path(), source="test")


RULES = load([shipped_dir()]).rules


class World:
    """A store, a provider, a runner, and time that passes when told."""

    def __init__(self, store: Store, **changes: object) -> None:
        self.store = store
        self.now = NOW
        self.stripe = FakeStripe()
        self.probe = FakeProbe()
        self.settings = settings(**changes)
        self.secrets = {"env:KEY": "rk_live_first00000001", "env:KEY_2": "rk_live_second0000002"}
        self.events: list[WebhookEvent] = []
        self.delivers = True
        self.clock: Callable[[], datetime] | None = None
        self.restart()

    def restart(self) -> None:
        """A new process over the same store."""
        self.runner = Runner(
            self.store,
            {ACCOUNT: self.stripe},
            self.settings,
            self.probe,
            self.secrets.__getitem__,
            self.clock,
        )

    def event(self, name: str, at: datetime, type_: str = "charge.succeeded") -> WebhookEvent:
        made = WebhookEvent(ACCOUNT, name, type_, at, True, f"ch_{name}", 1000, "eur")
        self.events.append(made)
        return made

    def history(self) -> None:
        """One event that reached us: from here on a gap can be judged."""
        seen = self.event("evt_before", self.now - timedelta(hours=2))
        self.store.inbox.import_seen(ACCOUNT, [seen], self.now - timedelta(hours=2))

    def miss(self, count: int, ends: datetime | None = None) -> list[str]:
        """`count` events generated in the minutes before and never delivered."""
        end = ends or self.now - timedelta(seconds=130)
        return [self.event(f"evt_{i:04}", end - timedelta(seconds=count - i)).event_id for i in range(count)]

    def receive(self, event_id: str) -> None:
        event = next(each for each in self.events if each.event_id == event_id)
        self.store.inbox.receive([Delivery(ACCOUNT, event, self.now, "{}", "0" * 64, "ok")])

    def poll(self) -> None:
        upto = self.now - LAG
        facts = Facts(events=tuple(event for event in self.events if event.created_at <= upto))
        self.store.facts.apply_page(ACCOUNT, FeedPage("events", 1, 1, data_as_of=upto, facts=facts), self.now)
        listed = (self.stripe.as_listed(), *self.stripe.others)
        self.store.facts.apply_page(ACCOUNT, FeedPage("endpoints", 1, 1, endpoints=listed), self.now)

    def tick(self, may_act: bool = True) -> None:
        self.poll()
        self.runner.tick(read(self.store, self.settings, self.now), self.now, may_act=may_act)

    def step(self, seconds: int = 10) -> None:
        self.now += timedelta(seconds=seconds)
        if self.delivers:
            for event_id in self.stripe.on_its_way:
                self.receive(event_id)
            self.stripe.on_its_way.clear()
        self.tick()

    def run(self, until: Callable[[], bool], limit_s: int = 1200) -> None:
        end = self.now + timedelta(seconds=limit_s)
        while not until():
            assert self.now < end, f"did not happen: {self.incident}; {self.attempts}"
            self.step()

    def open_with(self, change: Callable[[dict], object]) -> Incident:
        """Open with the rule's frozen policy changed."""
        policy = json.loads(RULES["webhook-endpoint-disabled"].policy_json())
        change(policy)
        return self.open(policy=json.dumps(policy))

    def open(
        self, rule: str = "webhook-endpoint-disabled", policy: str | None = None, **labels: str
    ) -> Incident:
        known = RULES[rule]
        draft = Incident(
            id="",
            version=0,
            rule=rule,
            challenge=known.challenge,
            provider="stripe",
            account=ACCOUNT,
            mode="live",
            title=f"{rule} at {ACCOUNT}",
            severity="sev2",
            state="open",
            level=1,
            dedup_key=rule,
            labels={"account": ACCOUNT, "provider": "stripe", "mode": "live", "endpoint": "own", **labels},
            opened_at=self.now,
            updated_at=self.now,
            policy=policy or known.policy_json(),
            rule_hash=known.hash,
        )
        opened = self.store.incidents.open(draft, "test", self.now)
        assert opened is not None
        return opened

    @property
    def incident(self) -> Incident:
        return self.store.incidents.get("inc-1")

    @property
    def attempts(self):
        return self.store.incidents.attempts("inc-1")

    @property
    def timeline(self) -> str:
        return "\n".join(entry.text for entry in self.store.incidents.timeline("inc-1"))

    def ended(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].phase == "done"

    def over(self) -> bool:
        return self.incident.l1_exhausted_at is not None

    def signals(self):
        return read(self.store, self.settings, self.now)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory(NOW, seed="remedies") as opened:
        yield opened


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """A factory for worlds over fresh stores: Hypothesis needs one for each example."""
    stores: list[Store] = []

    def make(**changes: object) -> World:
        opened = Store.in_memory(NOW, seed="remedies")
        stores.append(opened)
        return World(opened, **changes)

    yield make
    for each in stores:
        each.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """An endpoint found disabled, with twelve events that were never sent."""
    made = make_world()
    made.history()
    made.miss(12)
    made.poll()
    return made


@pytest.fixture
def failure() -> Callable[..., ProviderError]:
    return error


@pytest.fixture
def killed() -> type[BaseException]:
    return Killed
