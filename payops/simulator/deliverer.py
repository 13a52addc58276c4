"""Webhooks on their way: each due event as a signed POST, its answer entered into the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http.client import HTTPException
from threading import Event as Flag

from payops.clock import Now

from .deliveries import Send
from .kinds import kind
from .outside import Outside
from .world import World

_IDLE_S = 0.2


class Deliverer:
    """Sends for one world to the receiver at `receiver` (a base URL; None = nothing is there).

    In stepped time call `deliver_due(now)`; in real time give `run` a thread of its own.
    """

    def __init__(self, world: World, receiver: str | None) -> None:
        self._world = world
        self._outside = Outside(tuple(world.public_bases.values()), receiver)

    def deliver_due(self, now: datetime) -> int:
        """Send what is due by `now`, one at a time in (due, event id) order; returns how many were tried."""
        sends = self._world.due_deliveries(now)
        for send in sends:
            self._deliver(send, now)
        return len(sends)

    def _deliver(self, send: Send, now: datetime) -> None:
        with self._world.lock:
            account = self._world.account_of(send)
            url = send.endpoint.url
            body, headers = kind(account.provider).delivery(account, send, now)
        try:
            status = self._outside.post(url, body, dict(headers))
        except (OSError, HTTPException):
            self._world.delivery_failed(send, now)
            return
        if 200 <= status < 300:
            self._world.delivered(send, now)
        else:
            self._world.delivery_failed(send, now)

    def run(self, now: Now, stop: Flag, after: Callable[[], None] = lambda: None) -> None:
        """Deliver as real time passes, until `stop`, and call `after` each time; a delivery under way is finished."""
        while not stop.wait(_IDLE_S):
            for send in self._world.due_deliveries(now()):
                if stop.is_set():
                    break
                self._deliver(send, now())
            after()
        self._outside.close()
