from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from payops.domain.errors import StoreError
from payops.domain.events import Facts
from payops.domain.payments import Attempt
from payops.store import Store
from payops.store import migrations as history
from payops.store.check import backup, check


def test_new_store_is_readable_by_its_owner_alone(path: Path, now: datetime):
    old = os.umask(0)
    try:
        with Store.open(path, now=now) as store:
            store.switches.meta_set("a", "b")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert set(modes.values()) == {0o600}
    assert "payops.db-wal" in modes


def test_identity_is_random_or_from_the_seed_and_fixed_when_created(tmp_path: Path, now: datetime):
    def identity(name: str, seed: str | None) -> str:
        with Store.open(tmp_path / name, now=now, seed=seed) as store:
            return store.identity

    assert identity("a", "seven") == identity("b", "seven")
    assert identity("c", None) != identity("d", None)
    assert identity("a", "eight") == identity("b", "seven")


def test_every_connection_runs_with_the_settings_the_store_relies_on(store: Store):
    with store.read() as db:
        pragmas = (
            "journal_mode",
            "foreign_keys",
            "synchronous",
            "busy_timeout",
            "cache_size",
            "user_version",
        )
        found = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 1,
        "busy_timeout": 5000,
        "cache_size": -65536,
        "user_version": history.CURRENT,
    }


def test_durable_write_is_synchronous_full_and_only_while_it_lasts(store: Store):
    def synchronous(db: sqlite3.Connection) -> int:
        return db.execute("PRAGMA synchronous").fetchone()[0]

    with store.write_durably() as db:
        assert synchronous(db) == 2
    with store.write() as db:
        assert synchronous(db) == 1


def test_every_table_is_strict(store: Store):
    with store.read() as db:
        loose = [
            row["name"]
            for row in db.execute(
                # A full-text index and its parts cannot be strict.
                "SELECT name FROM pragma_table_list"
                " WHERE strict = 0 AND schema = 'main' AND type NOT IN ('virtual', 'shadow')"
            )
        ]
    assert {name for name in loose if not name.startswith(("sqlite_", "_sqlite_"))} == set()


def test_migrations_are_recorded_at_the_time_given(store: Store, now: datetime):
    with store.read() as db:
        rows = [
            tuple(row) for row in db.execute("SELECT migration_set, name, applied_at FROM _sqlite_migrations")
        ]
    assert rows == [("payops", name, now.isoformat()) for name, _ in history.HISTORY]


def one_line(error: pytest.ExceptionInfo[StoreError], path: Path) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(f"{path}: ")
    return text


def test_missing_directory_is_named_with_the_command_that_makes_it(tmp_path: Path, now: datetime):
    path = tmp_path / "nowhere" / "payops.db"
    with pytest.raises(StoreError) as error:
        Store.open(path, now=now)
    assert f"mkdir -p {path.parent}" in one_line(error, path)
    assert not path.parent.exists()


def test_directory_that_is_a_file_is_said_to_be_one(tmp_path: Path, now: datetime):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "payops.db"
    with pytest.raises(StoreError) as error:
        Store.open(path, now=now)
    assert "is not a directory" in one_line(error, path)


def test_place_where_nothing_can_be_created_is_refused(now: datetime):
    path = Path("/proc/payops.db")
    with pytest.raises(StoreError) as error:
        Store.open(path, now=now)
    one_line(error, path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_directory_of_a_store_is_refused(path: Path, now: datetime):
    Store.open(path, now=now).close()
    path.parent.chmod(0o500)
    try:
        with pytest.raises(StoreError) as error:
            Store.open(path, now=now)
        assert "cannot be written" in one_line(error, path)
    finally:
        path.parent.chmod(0o700)


def test_missing_store_is_not_created_by_open_existing(path: Path):
    with pytest.raises(StoreError) as error:
        Store.open_existing(path)
    assert "no store there" in one_line(error, path)
    assert not path.exists()


def test_directory_given_as_store_is_refused(tmp_path: Path, now: datetime):
    with pytest.raises(StoreError) as error:
        Store.open(tmp_path, now=now)
    assert "is not a file" in one_line(error, tmp_path)


def test_file_that_is_not_sqlite_is_refused_and_left_as_it_was(path: Path, now: datetime):
    path.write_text("at,status\n1,succeeded\n")
    path.chmod(0o600)
    with pytest.raises(StoreError) as error:
        Store.open(path, now=now)
    assert "not a SQLite file" in one_line(error, path)
    assert path.read_text() == "at,status\n1,succeeded\n"


def test_sqlite_file_of_another_program_is_refused_and_left_as_it_was(path: Path, now: datetime):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (a)")
    path.chmod(0o600)
    before = path.read_bytes()
    for opening in (lambda: Store.open(path, now=now), lambda: Store.open_existing(path)):
        with pytest.raises(StoreError) as error:
            opening()
        assert "another program" in one_line(error, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_store_that_others_can_read_or_write_is_refused_with_the_command_that_mends_it(
    path: Path, now: datetime, mode: int
):
    Store.open(path, now=now).close()
    path.chmod(mode)
    with pytest.raises(StoreError) as error:
        Store.open_existing(path)
    assert f"chmod 600 {path}" in one_line(error, path)


def test_newer_store_is_refused_and_not_touched(path: Path, now: datetime):
    Store.open(path, now=now).close()
    with sqlite3.connect(path) as conn:
        conn.execute(f"PRAGMA user_version = {history.CURRENT + 1}")
    conn.close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as error:
        Store.open(path, now=now)
    assert one_line(error, path) == (
        f"{path}: was written by a newer payops (schema {history.CURRENT + 1}, this one knows {history.CURRENT}):"
        " upgrade payops; the store was not touched"
    )
    assert path.read_bytes() == before


def test_damaged_store_is_one_line_that_names_the_check(path: Path, now: datetime):
    Store.open(path, now=now).close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError) as error:
        Store.open(path, now=now).incidents.listing()
    assert "payops store check" in one_line(error, path)


def test_full_disk_is_one_line_and_keeps_what_was_stored(store: Store, path: Path, now: datetime):
    store.switches.meta_set("a", "before")
    with store.read() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError) as error:
        store.switches.meta_set("b", "x" * 1_000_000)
    assert "free some space" in one_line(error, path)
    assert store.switches.meta_get("a") == "before"
    assert store.switches.meta_get("b") is None


def test_migration_that_fails_leaves_nothing_behind(
    path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    broken = (*history.HISTORY[0][1][:3], "CREATE TABLE")
    monkeypatch.setattr(history, "HISTORY", (("0001_first", broken),))
    with pytest.raises(StoreError):
        Store.open(path, now=now)
    monkeypatch.undo()
    with Store.open(path, now=now) as store:
        assert store.quick_check() == ()


def test_store_of_the_first_schema_is_brought_up_to_date_without_loss(
    path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(history, "HISTORY", history.HISTORY[:1])
    monkeypatch.setattr(history, "CURRENT", 1)
    path.touch(0o600)
    with sqlite3.connect(path, isolation_level=None) as old:
        history.migrate(old, now)
        at = int(now.timestamp())
        old.executescript(f"""
            INSERT INTO attempts (account, attempt_id, at, status, changed_at, payment_id, first)
                VALUES ('a', 'ch_1', {at}, 'failed', {at}, 'pi_1', 1);
            INSERT INTO rollup VALUES ('a', {at - at % 60}, 1, 0);
            INSERT INTO refunds VALUES ('a', 're_1', 'pi_1', {at}, 'succeeded', 100, 'eur', NULL);
            INSERT INTO feeds (account, feed, cursor, ok_at, tried_at) VALUES ('a', 'events', 'c9', {at}, {at});
            INSERT INTO reads VALUES ('a', {at // 86400}, 41), ('a', {at // 86400 - 3}, 7);
            INSERT INTO credential_proofs (account, slot, hint, at, ok, mode, message)
                VALUES ('a', 0, 'rk_live_…', {at}, 1, 'live', '');
        """)
    old.close()
    monkeypatch.undo()
    with pytest.raises(StoreError, match="brings the store up to date"):
        Store.open_existing(path)
    with Store.open(path, now=now) as store:
        assert store.quick_check() == ()
        assert store.facts.window("a", now, now + timedelta(minutes=1)).n == 1
        assert [one.refund_id for one in store.facts.refunds("a", now)] == ["re_1"]
        feed = store.facts.feed("a", "events")
        assert feed is not None
        assert (feed.cursor, feed.ok_at, feed.wait_s) == ("c9", now, None)
        assert store.facts.reads_since("a", now - timedelta(days=30)) == 48
        proof = store.facts.proof("a")
        assert proof is not None
        assert (proof.mode, proof.permissions, proof.missing, proof.evidence) == ("live", None, (), "")
        later = Attempt("a", "ch_1", now, "succeeded", now + timedelta(minutes=1), "pi_1", captured=True)
        assert store.facts.apply_facts("a", Facts(attempts=(later,)), now).changed_attempts == 1


def test_opening_a_current_store_imports_no_sqlite_utils(path: Path, now: datetime):
    Store.open(path, now=now).close()
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from payops.store import Store\n"
        f"store = Store.open(Path({str(path)!r}), now=datetime(2026, 1, 1, tzinfo=UTC))\n"
        "store.incidents.open_ones(); store.close()\n"
        "heavy = {'sqlite_utils', 'pydantic', 'textual', 'stripe'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


def test_write_that_raises_stores_nothing_of_itself(store: Store):
    with pytest.raises(ZeroDivisionError), store.write():
        store.switches.meta_set("a", "1")
        raise ZeroDivisionError
    assert store.switches.meta_get("a") is None


def test_inner_write_that_raises_is_undone_alone(store: Store):
    with store.write():
        store.switches.meta_set("outer", "kept")
        with pytest.raises(ZeroDivisionError), store.write():
            store.switches.meta_set("inner", "lost")
            raise ZeroDivisionError
    assert store.switches.meta_get("outer") == "kept"
    assert store.switches.meta_get("inner") is None


def test_read_is_of_one_instant(store: Store):
    def write_elsewhere() -> None:
        store.switches.meta_set("a", "new")

    store.switches.meta_set("a", "old")
    with store.read():
        first = store.switches.meta_get("a")
        writer = threading.Thread(target=write_elsewhere)
        writer.start()
        writer.join()
        assert store.switches.meta_get("a") == first == "old"
    assert store.switches.meta_get("a") == "new"


def test_write_inside_read_is_a_mistake_and_said_at_once(store: Store):
    with store.read(), pytest.raises(RuntimeError, match="finish reading"):
        store.switches.meta_set("a", "1")


@pytest.mark.parametrize("kind", ["store", "memory"])
def test_many_threads_lose_no_write(kind: str, request: pytest.FixtureRequest):
    opened: Store = request.getfixturevalue(kind)
    with opened.write() as db:
        db.execute("INSERT INTO meta (key, value) VALUES ('n', '0')")

    def add() -> None:
        for _ in range(25):
            with opened.write():
                opened.switches.meta_set("n", str(int(opened.switches.meta_get("n") or 0) + 1))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened.switches.meta_get("n") == "200"


def test_closed_store_says_so(store: Store, path: Path):
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.incidents.open_ones()


def test_store_in_memory_has_the_same_schema_as_one_on_disk(store: Store, memory: Store):
    def schema(opened: Store) -> list[tuple]:
        with opened.read() as db:
            return [
                tuple(row) for row in db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")
            ]

    assert schema(store) == schema(memory)
    assert memory.quick_check() == ()


def test_stores_in_memory_are_strangers_to_each_other(now: datetime):
    with Store.in_memory(now) as one, Store.in_memory(now) as other:
        one.switches.meta_set("a", "1")
        assert other.switches.meta_get("a") is None


def test_backup_is_private_whole_and_opens_as_a_store(store: Store, tmp_path: Path, now: datetime):
    store.switches.stop("ana", "drill", now)
    copy = backup(store, tmp_path / "copy.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Store.open_existing(copy) as restored:
        assert restored.identity == store.identity
        assert restored.switches.stopped() == store.switches.stopped()
        assert check(restored).ok
        with restored.read() as db:
            assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_backup_never_overwrites(store: Store, tmp_path: Path):
    target = tmp_path / "copy.db"
    target.write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        backup(store, target)
    assert target.read_text() == "mine"


def test_check_tells_of_a_reference_that_points_nowhere(store: Store, path: Path):
    conn = sqlite3.connect(path)
    conn.execute("INSERT INTO timeline (incident_id, at, kind, who, text) VALUES ('inc-9', 0, 'a', 'b', 'c')")
    conn.commit()
    conn.close()
    report = check(store)
    assert not report.ok
    assert "timeline" in report.problems[0]


def test_short_life_in_memory_leaves_nothing_behind_and_is_a_whole_store(now: datetime):
    with Store.scratch(now) as first:
        first.switches.meta_set("a", "1")
        first.switches.stop("ana", "why", now)
        with pytest.raises(RuntimeError), first.write() as db:
            db.execute("INSERT INTO meta (key, value) VALUES ('b', '2')")
            raise RuntimeError
        assert first.switches.meta_get("b") is None
        assert first.switches.stopped() is not None
    with pytest.raises(StoreError, match="is closed"):
        first.switches.stopped()
    with Store.scratch(now) as second, Store.scratch(now) as beside:
        assert second.switches.meta_get("a") is None
        assert second.switches.stopped() is None
        beside.switches.meta_set("a", "3")
        assert second.switches.meta_get("a") is None
