"""Who is owed which event: what is due, what is tried again and when, what was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from payops.clock import from_epoch

from .agenda import Agenda
from .applications import Arrival
from .objects import Endpoint, Event

if TYPE_CHECKING:
    from .faults import Faults

_FIRST_TRY_MS = 1_000


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


@dataclass(frozen=True, slots=True)
class Try:
    """One delivery that was tried."""

    endpoint: Endpoint
    at_ms: int
    ok: bool


class Deliveries:
    """The ledger of one account. An event made while an endpoint is off is never owed to it.

    When a try is due, the endpoint as it is then decides: switched off, the event's tries stop for good;
    behind a closed edge, the try fails; an application's endpoint takes it where that is; payops's own waits in the
    outbox, to be sent to its URL whatever is there.
    """

    def __init__(self, agenda: Agenda, waits_ms: tuple[int, ...], faults: Faults) -> None:
        self._agenda = agenda
        self._waits = waits_ms
        self._faults = faults
        self.tries: dict[str, list[Try]] = {}
        """What became of each event's tries, by event id, oldest first."""
        self._outbox: dict[tuple[str, str, int], Send] = {}
        self.taken_ms: dict[str, int] = {}
        """When an endpoint last took an event of its own mode, by endpoint id."""
        self.undelivered: dict[str, Event] = {}
        """Events not answered by every endpoint that should have them, oldest first."""

    def owe(self, event: Event, endpoints: list[Endpoint]) -> None:
        """An event was made: plan its first try at every endpoint that is on and wants it."""
        wanted = [e for e in endpoints if e.enabled and e.wants(event.type)]
        event.waiting = tuple(e for e in wanted if not self._faults.loses(event, e))
        if not event.waiting:
            return
        self.undelivered[event.id] = event
        for endpoint in event.waiting:
            for late_ms in self._faults.first_try_ms(event, endpoint):
                due_ms = event.at_ms + _FIRST_TRY_MS + late_ms
                self._agenda.plan(due_ms, self._due, Send(event, endpoint, due_ms))

    def resend(self, event: Event, endpoint: Endpoint, at_ms: int) -> None:
        """Somebody asked for one more try, now. The automatic ones go on."""
        self._agenda.plan(at_ms, self._due, Send(event, endpoint, at_ms, manual=True))

    def _due(self, at_ms: int, send: Send) -> None:
        if not send.endpoint.enabled:
            return
        by_chance = not send.manual and self._faults.fails(send.event, send.endpoint)
        if by_chance or self._faults.closed(send.endpoint) or _nowhere(send.endpoint):
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
        self._note(send, send.due_ms, ok=True)
        event = send.event
        if not send.endpoint.own and event.id not in send.endpoint.received:
            send.endpoint.arrivals.append(Arrival(event.id, event.type, self._agenda.now_ms))
        send.endpoint.received.add(event.id)
        if not event.test:
            self.taken_ms[send.endpoint.id] = self._agenda.now_ms
        event.waiting = tuple(e for e in event.waiting if e is not send.endpoint)
        if not event.waiting:
            self.undelivered.pop(event.id, None)

    def failed(self, send: Send, at_ms: int) -> None:
        """Anything but 2xx: try again after the next wait, give up after the last."""
        self._outbox.pop(send.key, None)
        self._note(send, at_ms, ok=False)
        if send.manual or send.tries >= len(self._waits) or not self._faults.retries(send.endpoint):
            return
        due_ms = at_ms + self._waits[send.tries]
        self._agenda.plan(due_ms, self._due, Send(send.event, send.endpoint, due_ms, send.tries + 1))

    def _note(self, send: Send, at_ms: int, *, ok: bool) -> None:
        self.tries.setdefault(send.event.id, []).append(Try(send.endpoint, at_ms, ok))

    def next_due_ms(self) -> int | None:
        """When the next try is due, whatever becomes of it; None = nothing is owed."""
        waiting = [send.due_ms for send in self._outbox.values()]
        return min((*waiting, *self._agenda.planned(self._due)), default=None)


def _nowhere(endpoint: Endpoint) -> bool:
    """The application that is meant does not answer at the URL."""
    return not endpoint.own and endpoint.url != endpoint.home
