"""Forwarding in a process: what the receiver hands over, who fetches, and the threads that make the tries."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

from payops.clock import Now
from payops.config import Settings
from payops.domain.errors import NotPossible
from payops.domain.forwarding import Forwarding
from payops.providers.port import Provider
from payops.receiver.forwarding import BATCH, Fetch, Forwarder, Relay, targets
from payops.store import Store

from .outside import Outside

log = logging.getLogger(__name__)
TOGETHER = 4
"""Tries under way at once: an application is asked no more than that, however much waits for it."""
_LOOK_S = 1.0


def fetch_from(providers: Mapping[str, Provider]) -> Fetch:
    """Events from the open adapters, with the credential in use."""

    def fetch(account: str, event_id: str, now: datetime) -> bytes:
        if account not in providers:
            raise NotPossible(f"{account} is not in the configuration any more")
        return providers[account].fetch_event(event_id, now)

    return fetch


def open_forwarder(
    store: Store, settings: Settings, outside: Outside, fetch: Fetch | None, relay: Relay
) -> Forwarder:
    """A forwarder over an open store; opens no connection yet."""
    return Forwarder(
        store, targets(settings, outside.secrets, outside.routes), relay, fetch, outside.patience
    )


def open_relay(settings: Settings, outside: Outside, holder: str, wake: Callable[[], None]) -> Relay:
    return Relay(targets(settings, outside.secrets, outside.routes), holder, wake)


class LiveForwarding:
    """Forwarding in real time, in threads of its own: an application that hangs holds up no other, and no engine.

    `acts`: whether this process may try what others have received, and fetch it: the holder of the engine lease.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        outside: Outside,
        fetch: Fetch | None,
        holder: str,
        now: Now,
        acts: Callable[[], bool] = lambda: False,
    ) -> None:
        self.relay = open_relay(settings, outside, holder, self._wake)
        self._forwarder = open_forwarder(store, settings, outside, fetch, self.relay)
        self._lanes = [_Lane(self._forwarder, each, now, acts) for each in self._forwarder.applications]

    def start(self) -> None:
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        """Begin no more tries; one under way was counted before it began, and is made again."""
        for lane in self._lanes:
            lane.stop()
        self._forwarder.close()

    def _wake(self) -> None:
        for lane in self._lanes:
            lane.awake.set()


class _Lane:
    """The tries of one application, at most `TOGETHER` at once."""

    def __init__(
        self, forwarder: Forwarder, application: tuple[str, str], now: Now, acts: Callable[[], bool]
    ) -> None:
        self._forwarder = forwarder
        self._application = application
        self._now = now
        self._acts = acts
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._under_way: set[str] = set()
        self._next: queue.SimpleQueue[Forwarding | None] = queue.SimpleQueue()
        self.awake = threading.Event()

    def start(self) -> None:
        # Daemons: a try under way must not hold up quitting.
        for work in (self._look, *[self._work] * TOGETHER):
            threading.Thread(target=work, name=f"forward-{'-'.join(self._application)}", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        self.awake.set()
        for _ in range(TOGETHER):
            self._next.put(None)

    def _look(self) -> None:
        while not self._stopping.is_set():
            self.awake.wait(_LOOK_S)
            self.awake.clear()
            try:
                self._hand_out()
            except Exception as error:  # a store that cannot be read: it is tried again
                log.warning("forwarding: %s", error)

    def _hand_out(self) -> None:
        with self._lock:
            busy = frozenset(self._under_way)
        if len(busy) >= BATCH:
            return
        for row in self._forwarder.due(self._now(), others=self._acts(), only=self._application, but=busy):
            with self._lock:
                self._under_way.add(row.event_id)
            self._next.put(row)

    def _work(self) -> None:
        while (row := self._next.get()) is not None and not self._stopping.is_set():
            try:
                self._forwarder.forward(row, self._now())
            except Exception as error:
                log.warning("%s %s: not forwarded: %s", row.account, row.event_id, error)
            finally:
                with self._lock:
                    self._under_way.discard(row.event_id)
                    drained = not self._under_way
                if drained:
                    self.awake.set()
