"""Whose inbox tells what an endpoint received, and what of it is done: ours, the application's behind a relay, or its own.

An application's own endpoint beside ours tells nothing: there is no inbox of it here, and nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from payops.config import AccountSettings, EndpointSettings
from payops.domain.events import WebhookEvent
from payops.store import Store
from payops.store.events import TypeCount

GRACE = timedelta(seconds=120)
"""A provider needs a moment to deliver; an event younger than this is not missing."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What is received and not processed, and what was given up. None = the inbox does not tell."""

    unprocessed: int | None
    dead: int | None
    oldest_at: datetime | None


class Inbox(Protocol):
    """What one endpoint received, and what became of it."""

    words: str
    """How it is called in a sentence: `our inbox`."""
    seen_within: timedelta
    """How long an event that was sent again may take to be seen in it."""

    def judged_from(self) -> datetime | None:
        """The creation from which on an event that is not in it is missing; None = nothing can be told."""

    def known_until(self, now: datetime) -> datetime | None:
        """Up to which creation an event should be in it by now."""

    def bounded(self, until: datetime) -> datetime | None:
        """`until`, or as far as it was read by then; None = it was not."""

    def has(self, event_id: str) -> bool: ...

    def count_missing(
        self, types: Sequence[str], since: datetime, until: datetime, limit: int = 10_000
    ) -> tuple[int, datetime | None]:
        """How many listed events are not in it, at most `limit`, and when the oldest was created."""

    def missing(
        self, types: Sequence[str], since: datetime, until: datetime, limit: int
    ) -> list[WebhookEvent]:
        """These events, oldest first."""

    def missing_by_type(self, types: Sequence[str], since: datetime, until: datetime) -> list[TypeCount]: ...

    def undone(self, now: datetime) -> Undone: ...

    def waiting_by_type(self) -> list[TypeCount] | None:
        """What is not processed, by type; None = not told."""

    def dead_by_type(self) -> list[TypeCount] | None: ...

    def growth(self, since: datetime) -> dict[str, int] | None:
        """Type → by how many more are not processed than were at `since`; None = not told."""

    def received_since(self, since: datetime) -> int: ...

    def arrivals(self, limit: int) -> list[datetime]:
        """When the last few came, newest first."""

    def last_received_at(self) -> datetime | None: ...


def inbox_of(store: Store, account: AccountSettings, endpoint: EndpointSettings) -> Inbox | None:
    """The inbox that tells of an endpoint; None where there is none here."""
    if endpoint.topology == "import":
        return Imported(store, account.name, endpoint.name)
    if not account.receives(endpoint):
        return None
    if endpoint.topology == "relay":
        return Relayed(store, account, endpoint.name)
    return Own(store, account)


class Own:
    """payops's own inbox: received and processed are both ours."""

    words = "our inbox"
    seen_within = timedelta(seconds=30)

    def __init__(self, store: Store, account: AccountSettings) -> None:
        self._store = store
        self._account = account.name
        self._live = account.mode == "live"

    def judged_from(self) -> datetime | None:
        return self._store.inbox.first_verified_at(self._account)

    def known_until(self, now: datetime) -> datetime | None:
        return now - GRACE

    def bounded(self, until: datetime) -> datetime | None:
        return until

    def has(self, event_id: str) -> bool:
        return self._store.inbox.has(self._account, event_id)

    def count_missing(
        self, types: Sequence[str], since: datetime, until: datetime, limit: int = 10_000
    ) -> tuple[int, datetime | None]:
        return self._store.facts.count_missing(self._account, types, since, until, limit=limit)

    def missing(
        self, types: Sequence[str], since: datetime, until: datetime, limit: int
    ) -> list[WebhookEvent]:
        return self._store.facts.missing_events(self._account, types, since, until, limit=limit)

    def missing_by_type(self, types: Sequence[str], since: datetime, until: datetime) -> list[TypeCount]:
        return self._store.facts.missing_by_type(self._account, types, since, until)

    def undone(self, now: datetime) -> Undone:
        counts = self._store.inbox.counts(self._account, now)
        return Undone(counts.unprocessed, counts.dead, counts.oldest_unprocessed_at)

    def waiting_by_type(self) -> list[TypeCount] | None:
        return self._store.facts.waiting_by_type(self._account)

    def dead_by_type(self) -> list[TypeCount] | None:
        return self._store.facts.waiting_by_type(self._account, dead=True)

    def growth(self, since: datetime) -> dict[str, int] | None:
        return self._store.facts.backlog_growth(self._account, since)

    def received_since(self, since: datetime) -> int:
        return self._store.inbox.received_since(self._account, since)

    def arrivals(self, limit: int) -> list[datetime]:
        return self._store.facts.arrivals(self._account, limit)

    def last_received_at(self) -> datetime | None:
        return self._store.inbox.last_verified_at(self._account, live=self._live)


class Relayed(Own):
    """Received by us, and processed once the application has answered 2xx."""

    def __init__(self, store: Store, account: AccountSettings, endpoint: str) -> None:
        super().__init__(store, account)
        self._endpoint = endpoint

    def undone(self, now: datetime) -> Undone:
        counts = self._store.forwards.counts(self._account, self._endpoint)
        return Undone(counts.waiting, counts.dead, counts.oldest_waiting_at)

    def waiting_by_type(self) -> list[TypeCount] | None:
        return self._store.forwards.by_type(self._account, self._endpoint, "waiting")

    def dead_by_type(self) -> list[TypeCount] | None:
        return self._store.forwards.by_type(self._account, self._endpoint, "dead")

    def growth(self, since: datetime) -> dict[str, int] | None:
        return self._store.forwards.growth(self._account, self._endpoint, since)


class Imported:
    """The application's own inbox, as far as it was read; what it gives up it does not tell."""

    words = "the application's inbox"
    seen_within = timedelta(seconds=120)

    def __init__(self, store: Store, account: str, endpoint: str) -> None:
        self._applications = store.applications
        self._of = (account, endpoint)

    def judged_from(self) -> datetime | None:
        state = self._applications.state(*self._of)
        return None if state is None else state.judged_from

    def known_until(self, now: datetime) -> datetime | None:
        state = self._applications.state(*self._of)
        return None if state is None or state.read_at is None else min(now, state.read_at) - GRACE

    def bounded(self, until: datetime) -> datetime | None:
        known = self.known_until(until)
        return None if known is None else min(until, known)

    def has(self, event_id: str) -> bool:
        return self._applications.has(*self._of, event_id)

    def count_missing(
        self, types: Sequence[str], since: datetime, until: datetime, limit: int = 10_000
    ) -> tuple[int, datetime | None]:
        count, oldest = self._applications.count_missing(*self._of, types, since, until)
        return min(count, limit), oldest

    def missing(
        self, types: Sequence[str], since: datetime, until: datetime, limit: int
    ) -> list[WebhookEvent]:
        return self._applications.missing(*self._of, types, since, until, limit=limit)

    def missing_by_type(self, types: Sequence[str], since: datetime, until: datetime) -> list[TypeCount]:
        return self._applications.missing_by_type(*self._of, types, since, until)

    def undone(self, now: datetime) -> Undone:
        counts = self._applications.counts(*self._of)
        return Undone(counts.unprocessed, None, counts.oldest_unprocessed_at)

    def waiting_by_type(self) -> list[TypeCount] | None:
        if not self._tells():
            return None
        return self._applications.waiting_by_type(*self._of)

    def dead_by_type(self) -> list[TypeCount] | None:
        return None

    def growth(self, since: datetime) -> dict[str, int] | None:
        return self._applications.growth(*self._of, since) if self._tells() else None

    def received_since(self, since: datetime) -> int:
        return self._applications.received_since(*self._of, since)

    def arrivals(self, limit: int) -> list[datetime]:
        return self._applications.arrivals(*self._of, limit)

    def last_received_at(self) -> datetime | None:
        return self._applications.counts(*self._of).last_received_at

    def _tells(self) -> bool:
        state = self._applications.state(*self._of)
        return state is not None and bool(state.tells_processed)
