"""The daily look: once a day, by the holder of the lease alone, across restarts, and what it finds is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from payops.engine import daily
from payops.signals.platform import broken_since
from payops.store import Store

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)


def look(store: Store, now: datetime, *, holds: bool = True) -> None:
    daily.DailyCheck(store, lambda: now, lambda: holds)()


def test_it_looks_once_a_day_whoever_asks():
    with Store.in_memory(NOW) as store:
        look(store, NOW, holds=False)
        assert daily.due_at(store) is None
        look(store, NOW)
        assert daily.due_at(store) == NOW + timedelta(days=1)
        look(store, NOW + timedelta(hours=23))
        assert daily.due_at(store) == NOW + timedelta(days=1)
        look(store, NOW + timedelta(hours=24))
        assert daily.due_at(store) == NOW + timedelta(days=2)
        assert broken_since(store) is None


def test_a_row_changed_in_the_middle_of_the_audit_is_found_and_kept():
    with Store.in_memory(NOW) as store:
        for n in range(3):
            store.switches.stop("ana", f"{n}", NOW)
        with store.write() as db:
            db.execute("DROP TRIGGER audit_immutable")
            db.execute("UPDATE audit SET who = 'eve' WHERE seq = 2")
        look(store, NOW)
        assert broken_since(store) == "2026-01-15T09:00:00Z"
