"""Who listens for webhooks: one process of a store, whichever has the port; another takes it over."""

from __future__ import annotations

import socket

from payops.clock import Now
from payops.config import ReceiverSettings
from payops.domain.errors import UsageError
from payops.receiver import Receiver, RunningReceiver, serve
from payops.store import Lease, Store

RECEIVER = "receiver"
TTL_S = 15


class Sign:
    """The lease that tells the other processes of a store that somebody listens for it. It forbids nothing."""

    def __init__(self, store: Store, name: str, now: Now) -> None:
        self._store = store
        self._name = name
        self._now = now
        self._lease: Lease | None = None

    def hold(self) -> None:
        """Put it up, or keep it up for another `TTL_S`."""
        leases, now = self._store.leases, self._now()
        if self._lease is None or not leases.renew(self._lease, now, TTL_S):
            self._lease = leases.acquire(RECEIVER, self._name, now, TTL_S)

    def drop(self) -> None:
        if self._lease is not None:
            self._store.leases.release(self._lease)
            self._lease = None


class Listening:
    """This process's receiver: listens when it can, tries again while another process of the store does."""

    def __init__(
        self, store: Store, receiver: Receiver, settings: ReceiverSettings, name: str, now: Now
    ) -> None:
        self._store = store
        self._receiver = receiver
        self._settings = settings
        self._now = now
        self._sign = Sign(store, name, now)
        self._running: RunningReceiver | None = None
        self._why_not = ""

    def start(self, sock: socket.socket | None) -> None:
        """Listen on `sock`, or on the configured port. `UsageError` when a stranger has it."""
        try:
            self._running = serve(
                self._receiver, host=self._settings.host, port=self._settings.port, sock=sock
            )
        except UsageError as error:
            if not somebody_listens(self._store, self._now):
                raise
            self._why_not = str(error)
        self.keep()

    def keep(self) -> None:
        """Say that we listen; where we do not, try once more."""
        if self._running is None:
            try:
                self._running = serve(self._receiver, host=self._settings.host, port=self._settings.port)
            except UsageError as error:
                self._why_not = str(error)
                return
        self._sign.hold()

    @property
    def where(self) -> str:
        """The URL, or why there is none."""
        if self._running is not None:
            return self._running.url
        other = self._store.leases.holder(RECEIVER, self._now())
        return f"not here: {other.holder} listens" if other else f"not listening: {self._why_not}"

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._sign.drop()


def somebody_listens(store: Store, now: Now) -> bool:
    """Whether a process of this store listens for webhooks."""
    return store.leases.holder(RECEIVER, now()) is not None
