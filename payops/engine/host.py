"""The engine in real time: one thread of its own, ticks by APScheduler, acting only under the engine lease.

Any number of processes may open one store. The holder of the lease polls and acts; the others build the
same board from the store and take over when the lease runs out.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import Now, iso, utc_now
from payops.config import Settings
from payops.domain.errors import PayopsError
from payops.notify import Post
from payops.providers.pool import ProviderPool
from payops.providers.port import Provider, WebhookVerifier
from payops.receiver import Receiver
from payops.signals import SignalSet, read
from payops.store import Lease, Store

from .board import Board
from .boards import LEASE, build
from .commands import Hands, Request, carry_out
from .daily import LOOKS_S, DailyCheck
from .engine import Engine
from .forwarding import LiveForwarding, fetch_from
from .listening import Listening
from .outside import Outside
from .people import note_operators
from .polls import LivePolls
from .reloading import follow
from .wiring import build_engine, load_rules, open_providers, open_verifiers, webhook_slots

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

log = logging.getLogger(__name__)
LEASE_TTL_S = 15
TICK_S = 2.0
LONGEST_READ_S = 3600.0


def process_name() -> str:
    """How this process calls itself in the lease: who can be found with it."""
    return f"{socket.gethostname()}:{os.getpid()}"


class EngineHost:
    """Runs ticks until `stop()`; a tick that fails is logged, said on the board and tried again."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        outside: Outside,
        *,
        operator: str | None = None,
        now: Now = utc_now,
        receiver_socket: socket.socket | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self._outside = outside
        self._operator = operator
        self._now = now
        self._socket = receiver_socket
        self.name = process_name()
        self._listeners: list[Callable[[Board], None]] = []
        self._board: Board | None = None
        self._thread: threading.Thread | None = None
        self._scheduler: BackgroundScheduler | None = None
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._lease: Lease | None = None
        self._engine: Engine | None = None
        self._receiver: Receiver | None = None
        self._listening: Listening | None = None
        self._forwarding: LiveForwarding | None = None
        self._verifiers: dict[str, WebhookVerifier] = {}
        self._providers: Mapping[str, Provider] = {}
        self._pool: ProviderPool | None = None
        self._post: Post | None = None
        self._slots: dict[str, int] = {}
        self._ticked_at: datetime | None = None
        """When this process last began a tick under the lease."""
        self._starting = True
        """Nobody ticked before this process: the rule files it read at its start are the ones in use."""
        self._calling: dict[str, int] = {}
        """The credential of each account this process was last seen to call with."""

    def start(self) -> None:
        """Open adapters and the receiver and begin to tick; raises what a user must put right."""
        rules = load_rules(self.settings)
        self._providers = open_providers(self.settings, self._outside, self.store)
        self._pool = ProviderPool(self._providers)
        pool = self._pool
        # A backfill is one job of many calls; each call has the adapter's own hard timeout.
        polls = LivePolls(
            self.store,
            self._providers,
            self._now,
            lambda account, job: pool.submit(account, job, timeout_s=LONGEST_READ_S),
        )
        self._verifiers = open_verifiers(self.settings, self._outside, self.store)
        if self.settings.relays:
            self._forwarding = LiveForwarding(
                self.store,
                self.settings,
                self._outside,
                fetch_from(self._providers),
                self.name,
                self._now,
                lambda: self._lease is not None,
            )
            self._forwarding.start()
        relay = self._forwarding.relay if self._forwarding else None
        self._receiver = Receiver(self.store, self._verifiers, self._now, relay)
        if self._verifiers:
            self._listening = Listening(
                self.store, self._receiver, self.settings.receiver, self.name, self._now
            )
            self._listening.start(self._socket)
        self._engine = build_engine(
            self.store, self.settings, self._outside, self._providers, polls, self._receiver, rules
        )
        self._slots = webhook_slots(self.settings, self.store)
        post = Post(
            self.store, self.settings, self._outside.secrets, self._now, lambda: self._lease is not None
        )
        if post.needed:
            self._post = post
            post.start()
        self._thread = threading.Thread(target=self._run, name="payops-engine", daemon=True)
        self._thread.start()
        from apscheduler.schedulers.background import BackgroundScheduler

        self._scheduler = BackgroundScheduler(timezone="UTC")
        self._scheduler.add_job(
            self._due.set, "interval", seconds=TICK_S, id="tick", max_instances=1, coalesce=True
        )
        check = DailyCheck(self.store, self._now, lambda: self._lease is not None)
        self._scheduler.add_job(
            check, "interval", seconds=LOOKS_S, id="daily check", max_instances=1, coalesce=True
        )
        self._scheduler.start()
        self._record("engine started")
        note_operators(self.store, self.settings, self._now())
        self._due.set()

    def stop(self) -> None:
        """End within a second: nothing waits for a provider that does not answer."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._due.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
        if self._engine is not None:
            self._engine.polls.close()
        if self._forwarding is not None:
            self._forwarding.stop()
        if self._post is not None:
            self._post.stop()
        if self._thread is not None:
            self._thread.join(timeout=0.5)
        try:
            self._record("engine stopped")
            if self._listening is not None:
                self._listening.stop()
            if self._lease is not None:
                self.store.leases.release(self._lease)
        except PayopsError as error:
            log.warning("a lease was not released: %s", error)
        if self._pool is not None:
            self._pool.close()

    def _record(self, what: str) -> None:
        with self.store.write() as db:
            who = self._operator or "payops"
            self.store.audit.append(db, self._now(), who, what, self.name, "ok", "engine", {})

    @property
    def receiver_url(self) -> str:
        if self._listening is None:
            return (
                "not listening: no account has what webhooks are verified with (webhook_secrets, webhook_id)"
            )
        return self._listening.where

    def board(self) -> Board | None:
        return self._board

    def subscribe(self, listener: Callable[[Board], None]) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: Callable[[Board], None]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def wake(self) -> None:
        """Tick as soon as possible: somebody asked for something."""
        self._due.set()

    def signals(self) -> SignalSet:
        return read(self.store, self.settings, self._now())

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the engine has not been started")
        return self._engine

    def _run(self) -> None:
        # A daemon thread of its own: a remedy's call that hangs must hold up neither quitting nor the schedule.
        while True:
            self._due.wait()
            self._due.clear()
            if self._stopping.is_set():
                return
            self._tick()

    def _tick(self) -> None:
        now = self._now()
        try:
            self._publish(self._build(self._work(now), now, ""))
        except Exception as error:
            known = isinstance(error, PayopsError)
            log.error("tick: %s", error, exc_info=None if known else error)
            self._show_trouble(str(error) if known else f"the last tick failed: {error}; see the log", now)

    def _work(self, now: datetime) -> SignalSet:
        """One tick under the lease, or one look without it."""
        if self._listening is not None:
            self._listening.keep()
        self._hold_lease(now)
        if self._lease is None:
            self._starting, self._ticked_at = False, None
            self._follow_slots()
            return read(self.store, self.settings, now)
        with self.store.fenced(self._lease):
            gap = 0.0 if self._ticked_at is None else (now - self._ticked_at).total_seconds()
            self.engine.late_s = max(0, int(gap - TICK_S))
            self._ticked_at = now
            try:
                self._follow_rules(now)
                self._follow_slots()
                signals = self.engine.tick(now).signals
            except Exception:
                # What people ask for, `stop` above all, must not wait for a tick that fails.
                self._commands(read(self.store, self.settings, now), now)
                raise
            self.store.switches.meta_set("last_tick_at", iso(now))
            self._commands(signals, now)
        self._follow_slots()
        return signals

    def _follow_rules(self, now: datetime) -> None:
        """Under the lease: judge by the rule set in use. A process that starts where nobody ticks brings its own."""
        if self._starting:
            mine = self.engine.rules
            if self.store.rules.in_use() != mine.hash:
                self.store.rules.use(
                    mine.hash,
                    mine.policies(),
                    "payops",
                    "the files as they were when the engine started",
                    now,
                )
            self._starting = False
            return
        try:
            self.engine.rules = follow(self.store, self.engine.rules)
        except PayopsError as error:
            log.error("the rules stay as they are: %s", error)

    def _show_trouble(self, trouble: str, now: datetime) -> None:
        """The screen must say it even when the store cannot be read: then on the last known picture."""
        try:
            board = self._build(read(self.store, self.settings, now), now, trouble)
        except Exception:
            if self._board is None:
                return
            board = replace(self._board, headline=trouble, tone="bad")
        self._publish(board)

    def _hold_lease(self, now: datetime) -> None:
        if self._lease is not None:
            if self.store.leases.renew(self._lease, now, LEASE_TTL_S):
                return
            log.warning("the engine lease was lost; looking on")
            self._lease = None
        self._lease = self.store.leases.acquire(LEASE, self.name, now, LEASE_TTL_S)

    def _commands(self, signals: SignalSet, now: datetime) -> None:
        if self._lease is None:
            return
        hands = Hands(self.store, self.settings, self.engine.runner, self._outside)
        for command in self.store.commands.take(now, self._lease.token):
            request = Request(
                command.action, command.incident_id, command.fields, command.operator or "", now, signals
            )
            result = carry_out(hands, request)
            self.store.commands.finish(command.id, result.ok, result.message, now)

    def _follow_slots(self) -> None:
        """After a credential was switched, or a webhook secret promoted, it is the one in use here.

        Without the lease, too: another process may have done it, and this one may be the one that receives, or the
        next to act.
        """
        for account in self.settings.accounts:
            slot = self.store.facts.active_slot(account.name)
            if slot < account.slots and slot != self._calling.get(account.name):
                self._providers[account.name].use_slot(slot)
                self._calling[account.name] = slot
        slots = webhook_slots(self.settings, self.store)
        if slots != self._slots:
            self._verifiers.update(open_verifiers(self.settings, self._outside, self.store))
            self._slots = slots

    def _build(self, signals: SignalSet, now: datetime, trouble: str) -> Board:
        return build(
            self.store,
            self.settings,
            signals,
            now,
            operator=self._operator,
            holder=self.name,
            receiver=self.receiver_url,
            trouble=trouble,
        )

    def _publish(self, board: Board) -> None:
        self._board = board
        for listener in list(self._listeners):
            try:
                listener(board)
            except Exception:
                log.exception("a listener of the board failed")
