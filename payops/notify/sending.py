"""Sending what is due: on record before the try, to every target of the person at once, and again when none took it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta

from payops.config import Settings
from payops.domain.errors import PayopsError
from payops.domain.messages import Message
from payops.store import Store

from .transport import TIMEOUT_S, Notifier

log = logging.getLogger(__name__)
MOST_TRIES = 2
"""After these the next person is asked: within 2 minutes of the first try, whatever the targets do."""
AGAIN = timedelta(seconds=30)
PATIENCE_S = TIMEOUT_S + 5


def deliver(
    store: Store,
    settings: Settings,
    secrets: Callable[[str], str],
    notifier: Notifier,
    due: Sequence[Message],
    now: datetime,
) -> int:
    """Try each of these once; how many were delivered. Waits for no target longer than `PATIENCE_S`."""
    for message in due:
        store.outbox.trying(message, now + AGAIN)
    tries = [(message, _begin(settings, secrets, notifier, message)) for message in due]
    wait([future for _, futures in tries for future in futures], PATIENCE_S)
    delivered = 0
    for message, futures in tries:
        errors = [future.result() if future.done() else "no answer" for future in futures]
        if "" in errors:
            store.outbox.sent(message, now)
            delivered += 1
            continue
        why = "; ".join(errors) or "the configuration has no such person any more"
        log.warning("message %d to %s was not delivered: %s", message.id, message.contact, why)
        if message.tries + 1 >= MOST_TRIES or not errors:
            store.outbox.failed(message, why, now)
        else:
            store.outbox.put_off(message, why)
    return delivered


def _begin(
    settings: Settings, secrets: Callable[[str], str], notifier: Notifier, message: Message
) -> list[Future[str]]:
    """One thread for each target: one that hangs holds up no other, and nobody waits for it at the end."""
    contact = next((each for each in settings.contacts if each.name == message.contact), None)
    futures: list[Future[str]] = []
    for reference in contact.targets if contact else ():
        future: Future[str] = Future()
        futures.append(future)
        job = (future, secrets, notifier, reference, message)
        threading.Thread(target=_one, args=job, name="notify", daemon=True).start()
    return futures


def _one(
    future: Future[str], secrets: Callable[[str], str], notifier: Notifier, reference: str, message: Message
) -> None:
    try:
        error = notifier(secrets(reference), message.title, message.body)
    except PayopsError as problem:
        error = str(problem)
    except Exception as problem:
        log.exception("a target failed")
        error = type(problem).__name__
    future.set_result(error)
