"""Nothing is written to a provider that cannot be written down, or while the audit is not what payops wrote."""

from __future__ import annotations

import pytest

from payops.domain.errors import StoreError
from payops.signals.platform import broken_since, forget_broken, note_audit


def test_without_an_audit_that_can_be_written_no_call_is_made(world):
    world.open()
    with world.store.write() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError, match="the audit could not be written, so nothing was"):
        world.step()
    assert not world.stripe.calls and not world.attempts
    with world.store.write() as db:
        db.execute("DROP TRIGGER full")
    world.run(world.ended)
    assert world.attempts[0].verified


def test_while_the_audit_was_changed_no_call_is_made_until_a_person_has_looked(world):
    world.open()
    with world.store.write() as db:
        for name in [
            row[0]
            for row in db.execute(
                "SELECT name FROM sqlite_schema WHERE tbl_name = 'audit' AND sql LIKE '%BEFORE DELETE%'"
            )
        ]:
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DELETE FROM audit WHERE seq = (SELECT MAX(seq) FROM audit)")
    note_audit(world.store, world.now)
    seen_at = broken_since(world.store)
    with world.store.write() as db:
        world.store.audit.append(db, world.now, "ana", "note", "inc-1", "done", "test", {})
    assert world.store.audit.ends_well()
    for _ in range(3):
        world.step()
        note_audit(world.store, world.now)
    assert not world.stripe.calls
    assert broken_since(world.store) == seen_at, "what payops wrote since does not hide it"
    assert world.signals()["platform"][0].values["audit_ok"] is False
    assert "the audit is not what payops wrote" in world.timeline
    forget_broken(world.store)
    assert world.signals()["platform"][0].values["audit_ok"] is True
