"""Who is owed which event: what is due, what is tried again and when, what was given up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from payops.clock import from_epoch
from payops.domain.payments import Mode

from .agenda import Agenda
from .objects import Endpoint, Event

_MINUTE_MS = 60_000
_FIRST_TRY_MS = 1_000
# Stripe says "up to three days with exponential back-off" (live) and "three times over a few hours" (test), and
# publishes no schedule: these are the waits after each failed try.
_WAITS_MS: dict[Mode, tuple[int, ...]] = {
    "live": tuple(minutes * _MINUTE_MS for minutes in (5, 30, 120, 300, 600, 600, 720, 720, 720)),
    "test": tuple(minutes * _MINUTE_MS for minutes in (30, 120)),
}


@dataclass(slots=True, eq=False)
class Send:
    """One try to bring one event to one endpoint. A `manual` one was asked for, and is tried once."""

    event: Event
    endpoint: Endpoint
    due_ms: int
    tries: int = 0
    manual: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.event.id, self.endpoint.id, self.due_ms)

    @property
    def due_at(self) -> datetime:
        return from_epoch(self.due_ms / 1000)


class Deliveries:
    """The ledger of one account. An event made while an endpoint is off is never owed to it.

    When a try is due, the endpoint as it is then decides: switched off, the event's tries stop for good;
    behind a closed edge, the try fails; an application's endpoint takes it; payops's own waits in the outbox.
    """

    def __init__(self, agenda: Agenda, mode: Mode, closed: Callable[[Endpoint], bool]) -> None:
        self._agenda = agenda
        self._waits = _WAITS_MS[mode]
        self._closed = closed
        self._outbox: dict[tuple[str, str, int], Send] = {}
        self.undelivered: dict[str, Event] = {}
        """Events not answered by every endpoint that should have them, oldest first."""

    def owe(self, event: Event, endpoints: list[Endpoint]) -> None:
        """An event was made: plan its first try at every endpoint that is on and wants it."""
        event.waiting = tuple(e for e in endpoints if e.enabled and e.wants(event.type))
        if not event.waiting:
            return
        self.undelivered[event.id] = event
        for endpoint in event.waiting:
            due_ms = event.at_ms + _FIRST_TRY_MS
            self._agenda.plan(due_ms, self._due, Send(event, endpoint, due_ms))

    def resend(self, event: Event, endpoint: Endpoint, at_ms: int) -> None:
        """Somebody asked for one more try, now. The automatic ones go on."""
        self._agenda.plan(at_ms, self._due, Send(event, endpoint, at_ms, manual=True))

    def _due(self, at_ms: int, send: Send) -> None:
        if not send.endpoint.enabled:
            return
        if self._closed(send.endpoint):
            self.failed(send, at_ms)
        elif send.endpoint.own:
            self._outbox[send.key] = send
        else:
            self.succeeded(send)

    def ready(self) -> list[Send]:
        """What waits to be sent, by (due, event id)."""
        return sorted(self._outbox.values(), key=lambda send: (send.due_ms, send.event.id, send.endpoint.id))

    def find(self, key: tuple[str, str, int]) -> Send | None:
        return self._outbox.get(key)

    def succeeded(self, send: Send) -> None:
        """The endpoint answered 2xx."""
        self._outbox.pop(send.key, None)
        send.endpoint.received.add(send.event.id)
        event = send.event
        event.waiting = tuple(e for e in event.waiting if e is not send.endpoint)
        if not event.waiting:
            self.undelivered.pop(event.id, None)

    def failed(self, send: Send, at_ms: int) -> None:
        """Anything but 2xx: try again after the next wait, give up after the last."""
        self._outbox.pop(send.key, None)
        if send.manual or send.tries >= len(self._waits):
            return
        due_ms = at_ms + self._waits[send.tries]
        self._agenda.plan(due_ms, self._due, Send(send.event, send.endpoint, due_ms, send.tries + 1))

    def next_due_ms(self) -> int | None:
        """When the next try is due, whatever becomes of it; None = nothing is owed."""
        waiting = [send.due_ms for send in self._outbox.values()]
        return min((*waiting, *self._agenda.planned(self._due)), default=None)
