"""A scenario in stepped time: no screen, no waiting, the same bytes every time.

Each step is a barrier: the world advances to `now`; due deliveries go out one at a time, each answer awaited;
the inbox is processed until empty; operators act; `tick(now)` reads every due feed in (account, feed) order.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from payops.clock import from_epoch, monotonic_s
from payops.config import Settings
from payops.domain.actions import BY_NAME
from payops.domain.errors import UsageError
from payops.domain.events import WebhookEvent
from payops.domain.incidents import Incident
from payops.engine.commands import Hands, Request, carry_out
from payops.engine.engine import Engine
from payops.engine.forwarding import fetch_from, open_forwarder, open_relay
from payops.engine.outside import Outside
from payops.engine.polls import StepPolls
from payops.engine.wiring import (
    build_engine,
    load_rules,
    open_providers,
    open_verifiers,
    webhook_slots,
)
from payops.providers.port import Patience
from payops.receiver import Receiver, listen, serve
from payops.rulebook import RuleSet
from payops.signals import read
from payops.simulator import ledger
from payops.simulator.deliverer import Deliverer
from payops.simulator.inboxes import Inboxes
from payops.simulator.scenario import Scenario, ScenarioAction
from payops.simulator.server import ProviderServer
from payops.simulator.world import World
from payops.store import Store

from .checks import Check, judge
from .disk import disk
from .document import headless_document
from .settings import edges, inboxes_beside, secret_of, world_settings

STEP = timedelta(seconds=10)
PATIENT = Patience(connect_s=30.0, read_s=120.0, requests_per_s=None, stated=True)
"""A loaded machine may be slow; in stepped time slowness must not change what happens."""


class ActionFailed(UsageError):
    """A scenario's operator asked for something that does not apply; the run ends with exit code 1."""


@dataclass
class _Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Finished:
    document: dict[str, Any]
    checks: tuple[Check, ...]


def run(
    scenario: Scenario,
    seed: int,
    store_path: Path | None,
    *,
    judged: bool,
    progress: Callable[[float], None] = lambda share: None,
) -> Finished:
    """Run the whole scenario; `progress` is told the share done, 0..1."""
    started = monotonic_s()
    with ExitStack() as stack:
        if store_path is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="payops-", dir=_fast_folder()))
            store_path = Path(folder) / "payops.db"
        elif store_path.exists():
            raise UsageError(
                f"{store_path}: exists already; a headless run starts with a new store: name another"
            )
        house = _House(scenario, seed, store_path, stack)
        house.live(progress)
        incidents = house.incidents()
        checks = (
            tuple(judge(scenario.expect, scenario.faults, scenario.start, incidents, house.snapshots))
            if judged
            else ()
        )
        document = headless_document(
            house.store,
            incidents,
            scenario=scenario.name,
            seed=seed,
            simulated_seconds=int(scenario.duration.total_seconds()),
            wall_seconds=monotonic_s() - started,
            payments=house.books.payments,
            webhooks=house.webhooks(),
            checks=checks if judged else None,
        )
    return Finished(document, checks)


def _fast_folder() -> str | None:
    """Memory, where there is some to write to: a store that is thrown away need not survive a power cut."""
    memory = Path("/dev/shm")  # noqa: S108 - only a throwaway store, in a folder of its own
    return str(memory) if os.access(memory, os.W_OK | os.X_OK) else None


class _House:
    """One world, one store, one engine, and the clock they share."""

    def __init__(self, scenario: Scenario, seed: int, store_path: Path, stack: ExitStack) -> None:
        self.scenario = scenario
        self.clock = _Clock(scenario.start)
        self.world = World(scenario, seed, scenario.start)
        self.world.advance(scenario.start)
        listener = listen("127.0.0.1", 0)
        receiver_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        urls: dict[str, str] = {}
        for provider in scenario.providers:
            server = ProviderServer(self.world, provider, receiver=receiver_url).start()
            stack.callback(server.stop)
            urls[provider] = server.url
        settings, secrets = world_settings(scenario, seed, urls, store_path)
        self.settings: Settings = settings
        self.rules: RuleSet = load_rules(settings)
        self.store = Store.open(store_path, now=scenario.start, seed=f"{scenario.name}/{seed}")
        stack.callback(self.store.close)
        self.store.space = disk(scenario, scenario.start, self.clock)
        outside = Outside(
            partial(secret_of, secrets),
            routes=edges(urls),
            patience=PATIENT,
            now=None,
        )
        self.outside = outside
        self.verifiers = open_verifiers(settings, outside, self.store)
        relay = open_relay(settings, outside, "headless", lambda: None)
        self.receiver = Receiver(self.store, self.verifiers, self.clock, relay)
        running = serve(self.receiver, sock=listener)
        stack.callback(running.stop)
        self.deliverer = Deliverer(self.world, receiver_url)
        self.inboxes = Inboxes(self.world, inboxes_beside(store_path))
        stack.callback(self.inboxes.close)
        providers = open_providers(settings, outside, self.store)
        self.forwarder = open_forwarder(self.store, settings, outside, fetch_from(providers), relay)
        stack.callback(self.forwarder.close)
        self.engine: Engine = build_engine(
            self.store,
            settings,
            outside,
            providers,
            StepPolls(self.store, providers),
            self.receiver,
            self.rules,
        )
        stack.callback(self.engine.close)
        self.slots = webhook_slots(settings, self.store)
        for account in self.world.accounts:
            self.store.inbox.import_seen(account, self._history(account), scenario.start)
        self.waiting = list(scenario.actions)
        self.books = ledger.books(self.world)
        self.generated: dict[str, frozenset[str]] = {}
        self.snapshots: dict[timedelta, dict[str, Incident]] = {}

    def _history(self, account: str) -> list[WebhookEvent]:
        live = self.settings.account(account).mode == "live"
        return [
            WebhookEvent(
                account,
                event.id,
                event.type,
                from_epoch(event.at_ms / 1000),
                live,
                object_id=ledger.object_of(event),
            )
            for event in ledger.history(self.world, account)
        ]

    def live(self, progress: Callable[[float], None]) -> None:
        start, end = self.scenario.start, self.scenario.start + self.scenario.duration
        moments = sorted({line.by for line in self.scenario.expect if line.by is not None})
        now = start
        while True:
            self.step(now)
            for moment in [each for each in moments if start + each <= now]:
                self.snapshots[moment] = {incident.id: incident for incident in self.incidents()}
                moments.remove(moment)
            if now >= end:
                break
            now = min(now + STEP, end)
            progress((now - start) / (end - start))
        self.drain(end)

    def step(self, now: datetime) -> None:
        self.clock.now = now
        self.world.advance(now)
        self.deliverer.deliver_due(now)
        self.inboxes.follow()
        self.receiver.process_pending(now)
        self.forwarder.forward_due(now)
        self.act(now)
        self.engine.tick(now)
        self.follow_slots()

    def drain(self, end: datetime) -> None:
        """What was generated by the end still gets its first delivery; what comes later is not counted."""
        self.books = ledger.books(self.world)
        self.generated = {
            account: ledger.generated_ids(self.world, account) for account in self.world.accounts
        }
        later = end + STEP
        self.clock.now = later
        self.deliverer.deliver_due(later)
        self.inboxes.follow()
        self.receiver.process_pending(later)
        self.forwarder.forward_due(later)

    def follow_slots(self) -> None:
        slots = webhook_slots(self.settings, self.store)
        if slots != self.slots:
            self.slots = slots
            self.verifiers.update(open_verifiers(self.settings, self.outside, self.store))

    def incidents(self) -> Sequence[Incident]:
        found = self.store.incidents.listing(limit=100_000)
        return sorted(found, key=lambda incident: (incident.opened_at, int(incident.id.rpartition("-")[2])))

    def act(self, now: datetime) -> None:
        for action in list(self.waiting):
            incident = self._target(action)
            if not self._due(action, incident, now):
                continue
            self.waiting.remove(action)
            if action.rule is not None and incident is None:
                raise ActionFailed(f"{action.do}: no incident of {action.rule} is open at this time")
            request = Request(
                action.do,
                incident.id if incident else None,
                self._fields(action, incident),
                action.by,
                now,
                read(self.store, self.settings, now),
            )
            result = carry_out(Hands(self.store, self.settings, self.engine.runner, self.outside), request)
            if not result.ok:
                raise ActionFailed(f"{action.do} by {action.by}: {result.message}")

    def _fields(self, action: ScenarioAction, incident: Incident | None) -> dict[str, str]:
        fields = dict(action.fields)
        if BY_NAME[action.do].scope == "account":
            # Without a provider there is only one: checked when the scenario was read.
            fields["account"] = next(
                self.scenario.account(name)
                for name in self.scenario.providers
                if action.provider in (None, name)
            )
        if action.do == "escalate" and incident is not None:
            from payops.engine.local import draft

            now = self.clock.now
            made = draft(self.store, self.settings, incident.id, read(self.store, self.settings, now), now)
            for name in ("problem", "attempted", "impact", "gateway", "request"):
                fields.setdefault(name, getattr(made, name))
        return fields

    def _target(self, action: ScenarioAction) -> Incident | None:
        if action.rule is None:
            return None
        return next(
            (
                incident
                for incident in self.incidents()
                if incident.rule == action.rule and action.provider in (None, incident.provider)
            ),
            None,
        )

    def _due(self, action: ScenarioAction, incident: Incident | None, now: datetime) -> bool:
        if action.at is not None:
            return now >= self.scenario.start + action.at
        assert action.after_opening is not None
        since = (
            None
            if incident is None
            else self._asked_at(incident)
            if action.do == "approve"
            else incident.opened_at
        )
        return since is not None and now >= since + action.after_opening

    def _asked_at(self, incident: Incident) -> datetime | None:
        """When the approval was requested; None while none was."""
        asked = self.store.incidents.approvals(incident.id)
        return asked[-1].requested_at if asked else None

    def _processed(self, account: str) -> frozenset[str]:
        """By us; by the application, where we relay to it."""
        done = self.store.inbox.processed_ids(account)
        for endpoint in self.settings.account(account).endpoints:
            if endpoint.topology == "relay":
                done &= self.store.forwards.delivered_ids(account, endpoint.name)
        return done

    def _rebuilt(self, account: str, generated: frozenset[str]) -> frozenset[str]:
        """Those that never came and were rebuilt of what their objects show."""
        told = self.store.inbox.reconciled(account)
        if not told:
            return frozenset()
        never = generated - self.store.inbox.received_ids(account)
        return frozenset(
            event_id
            for event_id, event_type, object_id in ledger.generated(self.world, account)
            if event_id in never and (event_type, object_id) in told
        )

    def webhooks(self) -> dict[str, int]:
        """Counted by the world's own books, and by what is in the inbox."""
        delivered = received = processed = reconciled = 0
        for account, generated in self.generated.items():
            rebuilt = self._rebuilt(account, generated)
            reconciled += len(rebuilt)
            delivered += len(generated & ledger.delivered_ids(self.world, account))
            received += len(generated & self.store.inbox.received_ids(account) | rebuilt)
            processed += len(generated & self._processed(account) | rebuilt)
        count = sum(len(ids) for ids in self.generated.values())
        return {
            "generated": count,
            "delivered": delivered,
            "undelivered": count - delivered,
            "received": received,
            "processed": processed,
            "reconciled": reconciled,
            "missing": count - received,
        }
