"""The world's own books: what really happened since the run's start, to hold payops's account against."""

from __future__ import annotations

from dataclasses import dataclass

from .account import Account
from .objects import Event, Payment
from .world import World


@dataclass(frozen=True, slots=True)
class Books:
    """Counts since the run's start, without the warm-up.

    `payments` are purchases, `charges` the attempts to take their money. `doubles` are payments whose money was
    taken more than once. `generated`, `delivered` and `undelivered` are distinct events of the types payops's own
    endpoint was subscribed to at the start; delivered = answered 2xx by it at least once.
    """

    payments: int
    charges: int
    succeeded: int
    failed: int
    refunds: int
    doubles: int
    generated: int
    delivered: int
    undelivered: int


def books(world: World, account: str | None = None) -> Books:
    """The books of one account, or of all together."""
    with world.lock:
        chosen = [world.accounts[account]] if account is not None else list(world.accounts.values())
        pages = [_page(entry) for entry in chosen]
    return Books(*(sum(column) for column in zip(*pages, strict=True)))


def generated_ids(world: World, account: str) -> frozenset[str]:
    """Ids of the events payops's own endpoint should have by now."""
    with world.lock:
        return frozenset(event.id for event in _subscribed(world.accounts[account]))


def generated(world: World, account: str) -> list[tuple[str, str, str | None]]:
    """(event id, type, object id) of the same."""
    with world.lock:
        return [(event.id, event.type, object_of(event)) for event in _subscribed(world.accounts[account])]


def object_of(event: Event) -> str | None:
    """The id of what an event is about."""
    found = getattr(event.subject, "id", None)
    return found if isinstance(found, str) else None


def delivered_ids(world: World, account: str) -> frozenset[str]:
    """Ids of those it answered with 2xx."""
    with world.lock:
        entry = world.accounts[account]
        return frozenset(event.id for event in _subscribed(entry) if event.id in entry.own_endpoint.received)


def served_ids(world: World, account: str, application: str) -> frozenset[str]:
    """Ids of the events the application behind a relay took, each verified."""
    with world.lock:
        return frozenset(world.accounts[account].applications[application].served)


def history(world: World, account: str) -> list[Event]:
    """The subscribed events of the warm-up, oldest first: they count as delivered before the run."""
    with world.lock:
        entry = world.accounts[account]
        types = frozenset(entry.subscribed_at_start)
        return [e for e in entry.events.rows if e.at_ms < entry.start_ms and e.type in types and not e.test]


def doubles(world: World, account: str) -> list[Payment]:
    """Payments whose money was taken more than once, whenever it was."""
    with world.lock:
        return [payment for payment in world.accounts[account].payments.rows if _taken(payment) > 1]


def _page(account: Account) -> tuple[int, ...]:
    start = account.start_ms
    payments = [payment for payment in account.payments.rows if payment.at_ms >= start]
    charges = [charge for charge in account.charges.rows if charge.at_ms >= start]
    succeeded = sum(charge.decline is None for charge in charges)
    events = _subscribed(account)
    delivered = sum(event.id in account.own_endpoint.received for event in events)
    return (
        len(payments),
        len(charges),
        succeeded,
        len(charges) - succeeded,
        sum(refund.at_ms >= start for refund in account.refunds.rows),
        sum(_taken(payment) > 1 for payment in payments),
        len(events),
        delivered,
        len(events) - delivered,
    )


def _subscribed(account: Account) -> list[Event]:
    types = frozenset(account.subscribed_at_start)
    return [e for e in account.events.rows if e.at_ms >= account.start_ms and e.type in types and not e.test]


def _taken(payment: Payment) -> int:
    return sum(charge.decline is None and charge.captured for charge in payment.charges)
