"""The look of the day that no tick must wait for: the whole audit chain, and the soundness of the store's file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from payops.clock import Now, iso
from payops.domain.errors import PayopsError
from payops.signals.platform import note_broken
from payops.store import Store
from payops.store.check import check

log = logging.getLogger(__name__)
EVERY = timedelta(days=1)
LOOKS_S = 900
"""How often it is asked whether a day has passed: a restart neither repeats the look nor loses it."""
CHECKED = "daily check"
"""The name under which the store keeps when the last look was."""
WHAT = "check the whole audit chain and the store's file"


class DailyCheck:
    """Run by the scheduler in a thread of its own, in the process that holds the engine lease."""

    def __init__(self, store: Store, now: Now, holds_lease: Callable[[], bool]) -> None:
        self._store = store
        self._now = now
        self._holds_lease = holds_lease

    def __call__(self) -> None:
        """Look, if a day has passed; what is found broken becomes an incident by the rule `audit-failing`."""
        now = self._now()
        due = due_at(self._store)
        if not self._holds_lease() or (due is not None and now < due):
            return
        try:
            report = check(self._store)
            self._store.switches.meta_set(CHECKED, iso(now))
            if not report.ok:
                log.error("the daily check: %s", "; ".join((*report.problems, report.audit.why)))
                note_broken(self._store, now)
        except PayopsError as error:
            log.error("the daily check could not be made: %s", error)


def due_at(store: Store) -> datetime | None:
    """When the next look is due; None before the first."""
    last = store.switches.meta_get(CHECKED)
    return datetime.fromisoformat(last) + EVERY if last else None
