"""The sender in real time: a thread of its own beside the engine, which it never holds up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from payops.clock import Now
from payops.config import Settings
from payops.domain.errors import PayopsError
from payops.store import Store

from .health import health
from .sending import deliver
from .transport import TIMEOUT_S, Notifier, by_apprise

log = logging.getLogger(__name__)
LOOK_S = 2.0
BEAT = timedelta(seconds=60)


class Post:
    """Sends what is due and beats the heart while `leads()`: while this process holds the engine lease."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        secrets: Callable[[str], str],
        now: Now,
        leads: Callable[[], bool],
        notifier: Notifier = by_apprise,
    ) -> None:
        self._store = store
        self._settings = settings
        self._secrets = secrets
        self._now = now
        self._leads = leads
        self._notifier = notifier
        self._stopping = threading.Event()
        self._beaten_at: datetime | None = None

    @property
    def needed(self) -> bool:
        """Whether anybody is to be told anything."""
        return bool(self._settings.contacts) or self._settings.heartbeat is not None

    def start(self) -> None:
        threading.Thread(target=self._run, name="payops-post", daemon=True).start()

    def stop(self) -> None:
        """Ends by itself; nobody waits for a target that does not answer."""
        self._stopping.set()

    def once(self) -> None:
        """One look: send what is due, and beat when it is time."""
        now = self._now()
        deliver(self._store, self._settings, self._secrets, self._notifier, self._store.outbox.due(now), now)
        self._beat(now)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                if self._leads():
                    self.once()
            except PayopsError as error:
                log.warning("post: %s", error)
            except Exception:
                log.exception("post")

    def _beat(self, now: datetime) -> None:
        heartbeat = self._settings.heartbeat
        if heartbeat is None or (self._beaten_at is not None and timedelta() <= now - self._beaten_at < BEAT):
            return
        faults = health(self._store, now)
        if faults:
            log.warning("no heartbeat: %s", "; ".join(faults))
            return
        self._beaten_at = now
        fault = _get(self._secrets(heartbeat.url))
        if fault:
            log.warning("the heartbeat was not taken: %s", fault)


def _get(url: str) -> str:
    """Ask an address; empty when it answered 2xx, else why not, without the address."""
    import urllib3

    try:
        answer = urllib3.request(
            "GET", url, timeout=TIMEOUT_S, retries=False, redirect=False, preload_content=False
        )
        answer.close()
    except Exception as error:
        return type(error).__name__
    return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
