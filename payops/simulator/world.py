"""The world: accounts under one agenda, moved by the time it is told and by what is done to it from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from threading import RLock
from typing import Any, Protocol
from urllib.parse import urlsplit

from payops.clock import from_epoch
from payops.domain.payments import PROVIDERS, Provider

from .account import APPS, Account, public_url
from .agenda import Agenda
from .applications import Application
from .deliveries import Send
from .kinds import kind
from .objects import Endpoint
from .scenario import Scenario

PUBLIC_BASES: Mapping[Provider, str] = {provider: f"https://{provider}.sim" for provider in PROVIDERS}
"""Where payops is reached from each provider in the simulated world, which maps it to the real receiver."""


class Recorder(Protocol):
    def append(self, record: dict[str, Any]) -> None:
        """Keep one input from outside, durably against a killed process, before it takes effect."""


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class World:
    """Everything that exists at the simulated provider.

    A function of the scenario, the seed, `start` (the run's start; history reaches back by the warm-up) and the
    inputs from outside with their instants: never of how often or in which steps it is advanced. Hold `lock`
    while reading it from another thread; the methods take it themselves.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int | None = None,
        start: datetime | None = None,
        *,
        public_bases: Mapping[Provider, str] = PUBLIC_BASES,
    ) -> None:
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.start = scenario.start if start is None else start
        self.start_ms = to_ms(self.start)
        self.began_ms = self.start_ms - round(scenario.warmup.total_seconds() * 1000)
        self.public_bases = public_bases
        self.lock = RLock()
        self.recorder: Recorder | None = None
        self._agenda = Agenda(self.began_ms)
        self.accounts: dict[str, Account] = {}
        for provider in scenario.providers:
            name = scenario.account(provider)
            account = kind(provider).open_account(
                name,
                scenario.providers[provider],
                seed=self.seed,
                agenda=self._agenda,
                began_ms=self.began_ms,
                start_ms=self.start_ms,
                public_base=public_bases[provider],
            )
            self.accounts[name] = account
            account.begin(self.began_ms, [fault for fault in scenario.faults if fault.provider == provider])

    @property
    def now_ms(self) -> int:
        return self._agenda.now_ms

    @property
    def now(self) -> datetime:
        return from_epoch(self._agenda.now_ms / 1000)

    def advance(self, to: datetime) -> None:
        """Let everything happen that is due by `to`, inclusive; an earlier instant than now changes nothing."""
        self.advance_ms(to_ms(to))

    def advance_ms(self, to: int) -> None:
        with self.lock:
            self._agenda.run(to)

    def due_deliveries(self, now: datetime) -> list[Send]:
        """What is to be sent to payops's own endpoints by `now`, by (due, event id)."""
        with self.lock:
            self.advance(now)
            sends = [send for account in self.accounts.values() for send in account.deliveries.ready()]
            return sorted(sends, key=lambda send: (send.due_ms, send.event.id))

    def next_due(self) -> datetime | None:
        """When the next delivery is due (its first try, or a repeated one); None = nothing is owed."""
        with self.lock:
            instants = [account.deliveries.next_due_ms() for account in self.accounts.values()]
            earliest = min((at for at in instants if at is not None), default=None)
            return None if earliest is None else from_epoch(earliest / 1000)

    def delivered(self, send: Send, at: datetime) -> None:
        """The receiver answered 2xx."""
        self._outcome(send, to_ms(at), ok=True)

    def delivery_failed(self, send: Send, at: datetime) -> None:
        """The receiver answered anything else, or not at all."""
        self._outcome(send, to_ms(at), ok=False)

    def _outcome(self, send: Send, at_ms: int, *, ok: bool) -> None:
        with self.lock:
            at_ms = self.input(
                at_ms,
                {
                    "input": "delivery",
                    "account": self.account_of(send).name,
                    "event": send.event.id,
                    "endpoint": send.endpoint.id,
                    "due": send.due_ms,
                    "ok": ok,
                },
            )
            self.settle(self.account_of(send), send, at_ms, ok=ok)

    def settle(self, account: Account, send: Send, at_ms: int, *, ok: bool) -> None:
        """Enter a delivery's outcome into the ledger."""
        if ok:
            account.deliveries.succeeded(send)
        else:
            account.deliveries.failed(send, at_ms)

    def input(self, at_ms: int, record: dict[str, Any]) -> int:
        """Bring time to an input from outside and record it; returns its instant, never before now.

        Everything due by then comes first, so that a replay meets the same world.
        """
        at_ms = max(at_ms, self.now_ms)
        self.advance_ms(at_ms)
        if self.recorder is not None:
            self.recorder.append({"at": at_ms, **record})
        return at_ms

    def account_of(self, send: Send) -> Account:
        return next(a for a in self.accounts.values() if a.endpoints.get(send.endpoint.id) is send.endpoint)

    def of(self, provider: Provider) -> list[Account]:
        """The accounts at one provider."""
        return [account for account in self.accounts.values() if account.provider == provider]

    def edge_open(self, provider: Provider, path: str) -> bool:
        """Whether `path` under the provider's public base can be reached from outside now."""
        with self.lock:
            return not any(account.faults.closed(each) for account, each in self._behind(provider, path))

    def plays(self, provider: Provider, path: str) -> int | None:
        """What an application at `path` under the provider's public base answers to who looks; None: there is none."""
        with self.lock:
            relayed = self._relayed(provider, path)
            if relayed is not None:
                application = relayed[1]
                return application.options.status if application.down(self.now_ms) else 200
            return 200 if any(not endpoint.own for _, endpoint in self._behind(provider, path)) else None

    def offer(
        self, provider: Provider, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, int] | None:
        """Bring a request to the application at a path: its status, and the milliseconds it takes. None: nobody there.

        An application behind a relay verifies what it is sent, and refuses with 400 what it cannot.
        """
        with self.lock:
            found = self._relayed(provider, path)
            if found is None:
                return None
            account, application = found
            if application.down(self.now_ms):
                return application.options.status, application.options.latency_ms
            event_id = kind(provider).verified(account, body, headers, self.now)
            if event_id is None:
                application.unsigned += 1
                return 400, application.options.latency_ms
            record = {
                "input": "application",
                "account": account.name,
                "name": application.name,
                "event": event_id,
            }
            application.take(event_id, self.input(self.now_ms, record))
            return 200, application.options.latency_ms

    def _relayed(self, provider: Provider, path: str) -> tuple[Account, Application] | None:
        """The application behind a relay that is served at a path."""
        return next(
            (
                (account, account.applications[endpoint.name])
                for account in self.of(provider)
                for endpoint in account.options.endpoints
                if endpoint.topology == "relay" and path.strip("/") == f"{APPS}{endpoint.name}"
            ),
            None,
        )

    def applications_at(self, provider: Provider, base: str) -> None:
        """Publish the applications at another address than payops's receiver, as where nothing routes names."""
        with self.lock:
            for account in self.of(provider):
                for endpoint in account.endpoints.rows:
                    if not endpoint.own:
                        endpoint.url = endpoint.home = public_url(base, account.name, endpoint.name)

    def _behind(self, provider: Provider, path: str) -> list[tuple[Account, Endpoint]]:
        """The endpoints served at a path, whatever the host, and whatever the provider believes of them."""
        wanted = "/" + path.strip("/")
        return [
            (account, endpoint)
            for account in self.of(provider)
            for endpoint in account.endpoints.rows
            if urlsplit(endpoint.home).path == wanted
        ]
