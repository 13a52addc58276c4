from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.errors import StoreError
from payops.store import Store

GUARDS = (
    "audit_appends",
    "audit_immutable",
    "audit_kept",
    "audit_moves_head",
    "audit_head_follows",
    "audit_head_kept",
)


def write(store: Store, now: datetime, rows: int) -> None:
    for n in range(rows):
        with store.write() as db:
            store.audit.append(
                db, now + timedelta(seconds=n), "ana", "note", f"inc-{n}", "ok", "cli", {"n": n}
            )


def tamper(path: Path, *statements: str) -> None:
    """As somebody would who knows the file and not the chain: the triggers are removed first."""
    conn = sqlite3.connect(path, isolation_level=None)
    for name in GUARDS:
        conn.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        conn.execute(statement)
    conn.close()


def test_rows_come_back_and_the_chain_holds(store: Store, now: datetime):
    write(store, now, 5)
    report = store.audit.verify()
    assert (report.rows, report.ok, report.first_bad_seq, report.why) == (5, True, None, "")
    newest = store.audit.rows(limit=2)
    assert [row.seq for row in newest] == [4, 5]
    assert (newest[-1].who, newest[-1].object, newest[-1].detail) == ("ana", "inc-4", {"n": 4})
    assert newest[-1].hash == report.head
    assert [row.seq for row in store.audit.rows(since=now + timedelta(seconds=3))] == [4, 5]


def test_empty_chain_is_sound(store: Store):
    report = store.audit.verify()
    assert (report.rows, report.ok) == (0, True)


@pytest.mark.parametrize(
    ("statements", "bad", "why"),
    [
        (["UPDATE audit SET who = 'eve' WHERE seq = 3"], 3, "row 3 was changed"),
        (["UPDATE audit SET at = at + 1 WHERE seq = 1"], 1, "row 1 was changed"),
        (["UPDATE audit SET detail = '{\"n\":9}' WHERE seq = 6"], 6, "row 6 was changed"),
        (["UPDATE audit SET hash = 'x' WHERE seq = 2"], 2, "row 2 was changed"),
        (["DELETE FROM audit WHERE seq = 1"], 1, "row 1 is missing"),
        (["DELETE FROM audit WHERE seq = 4"], 4, "row 4 is missing"),
        (["DELETE FROM audit WHERE seq = 6"], 6, "the last 1 rows were removed"),
        (["DELETE FROM audit WHERE seq > 2"], 3, "the last 4 rows were removed"),
        (["DELETE FROM audit"], 1, "the last 6 rows were removed"),
        (["DELETE FROM audit_head"], 7, "the record of the last row is missing"),
        (
            [
                "UPDATE audit SET seq = 99 WHERE seq = 3",
                "UPDATE audit SET seq = 3 WHERE seq = 4",
                "UPDATE audit SET seq = 4 WHERE seq = 99",
            ],
            3,
            "row 3 does not follow row 2",
        ),
        (
            ["DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = seq - 1 WHERE seq > 3"],
            3,
            "row 3 does not follow row 2",
        ),
        (["INSERT INTO audit SELECT 7, at, who, what, object, result, origin, detail, hash, 'x' FROM audit WHERE seq = 6"], 7, "row 7 was changed"),
    ],
)  # fmt: skip
def test_any_edit_removal_or_new_order_is_found_at_its_first_row(
    store: Store, path: Path, now: datetime, statements: list[str], bad: int, why: str
):
    write(store, now, 6)
    tamper(path, *statements)
    report = store.audit.verify()
    assert not report.ok
    assert (report.first_bad_seq, report.why) == (bad, why)


COLUMNS = ("at", "who", "what", "object", "result", "origin", "detail", "prev_hash", "hash")


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.sampled_from(COLUMNS))
def test_a_change_of_any_column_of_any_row_is_found(seq: int, column: str):
    now = datetime.fromisoformat("2026-01-15T09:00:00+00:00")
    with Store.in_memory(now) as store:
        write(store, now, 4)
        with store.write() as db:
            db.execute("DROP TRIGGER audit_immutable")
            value = "at + 1" if column == "at" else f"{column} || 'x'"
            db.execute(f"UPDATE audit SET {column} = {value} WHERE seq = ?", (seq,))
        report = store.audit.verify()
        assert (report.ok, report.first_bad_seq) == (False, seq)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'eve'",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 1",
        "INSERT INTO audit SELECT 9, at, who, what, object, result, origin, detail, prev_hash, hash FROM audit WHERE seq = 2",
        "UPDATE audit_head SET count = 0",
        "UPDATE audit_head SET head = 'x'",
        "DELETE FROM audit_head",
    ],
)
def test_triggers_refuse_to_change_the_audit(store: Store, path: Path, now: datetime, statement: str):
    write(store, now, 2)
    conn = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError):
        conn.execute(statement)
    conn.close()
    assert store.audit.verify().ok


def test_write_whose_audit_fails_fails_as_a_whole(store: Store, now: datetime):
    with pytest.raises(StoreError, match="the audit could not be written"), store.write() as db:
        store.switches.meta_set("a", "1")
        db.execute("DROP TABLE audit")
        store.audit.append(db, now, "ana", "x", "y", "ok", "cli", {})
    assert store.switches.meta_get("a") is None
    assert store.audit.verify().ok


def test_audit_outside_a_transaction_is_a_mistake(store: Store, path: Path, now: datetime):
    conn = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(RuntimeError, match="transaction"):
        store.audit.append(conn, now, "ana", "x", "y", "ok", "cli", {})
    conn.close()


def test_detail_is_masked_before_it_is_sealed(store: Store, now: datetime):
    with store.write() as db:
        store.audit.append(
            db,
            now,
            "ana",
            "note",
            "inc-1",
            "ok",
            "cli",
            {"text": "4242 4242 4242 4242", "api_key": "abc", "at": now},
        )
    detail = store.audit.rows()[0].detail
    assert detail == {"text": "[card …4242]", "api_key": "[secret]", "at": "2026-01-15 09:00:00+00:00"}
    assert store.audit.verify().ok
