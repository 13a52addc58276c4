"""Import: the application's own inbox is read as it grows, never written, and every mistake in it has a place."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from payops import config
from payops.clock import iso
from payops.config import Settings
from payops.domain.errors import UsageError
from payops.domain.events import Facts, WebhookEvent
from payops.domain.imports import ImportedEvent, ImportedPage
from payops.receiver.importing import EVERY, Wrong, _entry, _event, import_inboxes, read_lines, read_sql
from payops.store import Store

from .conftest import ACCOUNT, NOW

SHOP = (ACCOUNT, "shop")


def settings(tmp_path: Path, source: str) -> Settings:
    return config.parse(
        {
            "schema": config.SCHEMA,
            "accounts": [
                {
                    "name": ACCOUNT,
                    "provider": "stripe",
                    "mode": "live",
                    "api_key": "env:K",
                    "endpoints": [
                        {
                            "name": "shop",
                            "url": "https://shop.example/",
                            "topology": "import",
                            "source": source,
                        }
                    ],
                }
            ],
        },
        base=tmp_path,
        source="test",
    )


def line(n: int, at: datetime = NOW, **more: object) -> str:
    return json.dumps({"event_id": f"evt_{n}", "received_at": iso(at), **more}) + "\n"


def grown(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.jsonl"


@pytest.fixture
def jsonl(tmp_path: Path, path: Path) -> Settings:
    return settings(tmp_path, path.name)


def test_a_file_is_read_as_it_grows_and_only_whole_lines(store: Store, jsonl: Settings, path: Path) -> None:
    grown(path, line(1), line(2, type="charge.succeeded"), '{"event_id": "evt_3",')
    import_inboxes(store, jsonl, NOW)
    assert store.applications.received(*SHOP) == 2
    grown(path, f' "received_at": {int(NOW.timestamp())}}}\n', line(4))
    import_inboxes(store, jsonl, NOW + EVERY / 2)
    assert store.applications.received(*SHOP) == 2  # not due yet
    import_inboxes(store, jsonl, NOW + EVERY)
    state = store.applications.state(*SHOP)
    assert state is not None and (state.wrong, state.problem, state.read_at) == (0, None, NOW + EVERY)
    assert store.applications.received(*SHOP) == 4


def test_a_later_line_says_what_became_of_an_event(store: Store, jsonl: Settings, path: Path) -> None:
    grown(path, line(1, processed_at=None), line(2, processed_at=iso(NOW)))
    import_inboxes(store, jsonl, NOW)
    counts = store.applications.counts(*SHOP)
    assert (counts.unprocessed, counts.oldest_unprocessed_at) == (1, NOW)
    grown(path, line(1, processed_at=iso(NOW + EVERY)), line(2, processed_at=None))
    import_inboxes(store, jsonl, NOW + EVERY)
    assert store.applications.counts(*SHOP).unprocessed == 0


def test_without_processed_at_what_is_processed_is_unknown_and_never_0(
    store: Store, jsonl: Settings, path: Path
) -> None:
    grown(path, line(1))
    import_inboxes(store, jsonl, NOW)
    counts = store.applications.counts(*SHOP)
    assert (counts.unprocessed, counts.oldest_unprocessed_at) == (None, None)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("no json", "not JSON"),
        ('["evt_1"]', "not a JSON object"),
        ('{"event_id": "evt_1"}', "received_at is missing"),
        (
            '{"event_id": "evt_1", "recieved_at": 1}',
            "unknown field 'recieved_at' (did you mean 'received_at'?)",
        ),
        ('{"event_id": "", "received_at": 1768467600}', "event_id must be"),
        ('{"event_id": "4111111111111111", "received_at": 1768467600}', "looks like card data"),
        ('{"event_id": "evt_1", "received_at": "yesterday"}', "received_at must be ISO 8601"),
        ('{"event_id": "evt_1", "received_at": true}', "received_at must be ISO 8601"),
        ('{"event_id": "evt_1", "received_at": 17}', "not a time of this inbox"),
        ('{"event_id": "evt_1", "received_at": 1768467600, "type": "a b"}', "type must be a word"),
        ('{"event_id": "evt_1", "received_at": 1768467600, "processed_at": "x"}', "processed_at must be"),
        ("[" * 5000, "not JSON"),
        ('{"event_id": "evt_1", "received_at": 1e999}', "received_at must be"),
        ("x" * 70_000, "longer than 64 KiB"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_by_its_place_and_left_out(
    store: Store, jsonl: Settings, path: Path, wrong: str, words: str
) -> None:
    grown(path, line(1), wrong + "\n", line(3))
    import_inboxes(store, jsonl, NOW)
    state = store.applications.state(*SHOP)
    assert state is not None and state.problem is not None
    assert f"{path}:2: " in state.problem and words in state.problem
    assert (state.wrong, store.applications.received(*SHOP)) == (1, 2)
    assert state.judged_from == NOW  # what stood there cannot be told from what never came


def test_a_file_that_was_replaced_is_read_from_its_start(store: Store, jsonl: Settings, path: Path) -> None:
    grown(path, line(1), "wrong\n", line(2))
    import_inboxes(store, jsonl, NOW)
    path.write_text(line(3) + line(4) + line(5) + line(6))
    import_inboxes(store, jsonl, NOW + EVERY)
    state = store.applications.state(*SHOP)
    assert store.applications.received(*SHOP) == 6
    assert state is not None and (state.wrong, state.problem) == (0, None)


def test_a_source_that_cannot_be_read_is_said_and_what_was_known_grows_old(
    store: Store, jsonl: Settings, path: Path
) -> None:
    import_inboxes(store, jsonl, NOW)
    state = store.applications.state(*SHOP)
    assert state is not None and state.read_at is None and "No such file" in (state.problem or "")
    grown(path, line(1))
    import_inboxes(store, jsonl, NOW + EVERY)
    path.unlink()
    import_inboxes(store, jsonl, NOW + 2 * EVERY)
    state = store.applications.state(*SHOP)
    assert state is not None and state.read_at == NOW + EVERY and "No such file" in (state.problem or "")
    assert store.applications.received(*SHOP) == 1


def test_another_source_is_another_inbox(store: Store, jsonl: Settings, path: Path, tmp_path: Path) -> None:
    grown(path, line(1))
    import_inboxes(store, jsonl, NOW)
    other = tmp_path / "other.jsonl"
    grown(other, line(2), line(3))
    import_inboxes(store, settings(tmp_path, other.name), NOW + timedelta(seconds=1))
    assert store.applications.received(*SHOP) == 2


def test_the_missing_are_those_listed_for_it_that_its_inbox_does_not_have(
    store: Store, jsonl: Settings, path: Path
) -> None:
    listed = [
        WebhookEvent(
            ACCOUNT, f"evt_{n}", "charge.succeeded", NOW + timedelta(seconds=n), True, f"ch_{n}", 500, "eur"
        )
        for n in range(6)
    ]
    store.facts.apply_facts(ACCOUNT, Facts(events=tuple(listed)), NOW)
    grown(path, line(0), line(1), line(3))
    import_inboxes(store, jsonl, NOW)
    span = (*SHOP, ["charge.succeeded"], NOW, NOW + timedelta(seconds=4))
    assert [event.event_id for event in store.applications.missing(*span)] == ["evt_2", "evt_4"]
    assert store.applications.count_missing(*span) == (2, NOW + timedelta(seconds=2))
    assert [(each.type, each.count) for each in store.applications.missing_by_type(*span)] == [
        ("charge.succeeded", 2)
    ]


@examples(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["list", "receive", "read", "break"]), st.integers(0, 11)), max_size=25
    )
)
def test_the_missing_are_the_listed_less_the_received_whenever_it_is_read(
    steps: list[tuple[str, int]],
) -> None:
    """Comparing once and for all what was listed gives what comparing everything each time would."""
    listed: set[str] = set()
    written: set[str] = set()
    read: set[str] = set()
    store = Store.in_memory(NOW)
    try:
        for what, n in steps:
            name = f"evt_{n}"
            if what == "list":
                listed.add(name)
                event = WebhookEvent(ACCOUNT, name, "charge.succeeded", NOW, True, f"ch_{n}")
                store.facts.apply_facts(ACCOUNT, Facts(events=(event,)), NOW)
            elif what == "receive":
                written.add(name)
            elif what == "read":
                read |= written
                events = tuple(ImportedEvent(each, None, NOW, NOW) for each in sorted(written))
                store.applications.apply(*SHOP, "s", ImportedPage(events, "", False, True), NOW)
            else:
                store.applications.failed(*SHOP, "s", "gone", NOW)
            found = store.applications.missing(*SHOP, ["charge.succeeded"], NOW, NOW)
            assert {each.event_id for each in found} == listed - read
            assert store.applications.count_missing(*SHOP, ["charge.succeeded"], NOW, NOW)[0] == len(found)
    finally:
        store.close()


def test_what_was_read_long_ago_and_waits_for_nothing_is_let_go(store: Store) -> None:
    long_ago = NOW - timedelta(days=41)
    events = (
        ImportedEvent("evt_1", None, long_ago, long_ago),
        ImportedEvent("evt_2", None, long_ago, None),
        ImportedEvent("evt_3", None, NOW, NOW),
    )
    store.applications.apply(*SHOP, "s", ImportedPage(events, "", False, True), NOW)
    store.applications.tidy(NOW)
    assert [store.applications.has(*SHOP, f"evt_{n}") for n in (1, 2, 3)] == [False, True, True]


# A view of a SQLite file


@pytest.fixture
def shop_db(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE hooks (id TEXT PRIMARY KEY, kind TEXT, at TEXT, done TEXT)")
        db.execute(
            "CREATE VIEW inbox AS SELECT id AS event_id, kind AS type, at AS received_at, done AS processed_at"
            " FROM hooks"
        )
    db.close()
    return path


def put(path: Path, *rows: tuple[object, ...]) -> None:
    with sqlite3.connect(path) as db:
        db.executemany("INSERT OR REPLACE INTO hooks VALUES (?, ?, ?, ?)", rows)
    db.close()


def test_a_view_is_read_as_it_grows_and_what_waited_is_asked_about_again(
    store: Store, tmp_path: Path, shop_db: Path
) -> None:
    of_shop = settings(tmp_path, "sqlite:shop.db?view=inbox")
    put(shop_db, ("evt_1", "charge.succeeded", iso(NOW), None), ("evt_2", "x", iso(NOW), iso(NOW)))
    import_inboxes(store, of_shop, NOW)
    assert store.applications.counts(*SHOP).unprocessed == 1
    later = NOW + timedelta(hours=2)
    put(shop_db, ("evt_1", "charge.succeeded", iso(NOW), iso(later)), ("evt_9", "x", iso(later), iso(later)))
    import_inboxes(store, of_shop, later)
    counts = store.applications.counts(*SHOP)
    assert (store.applications.received(*SHOP), counts.unprocessed, counts.last_received_at) == (3, 0, later)
    # A row committed late, with a time before the newest one's.
    put(shop_db, ("evt_8", "x", iso(later - timedelta(minutes=5)), None))
    import_inboxes(store, of_shop, later + EVERY)
    assert store.applications.received(*SHOP) == 4


def test_reading_a_view_writes_nothing_and_holds_no_lock(store: Store, tmp_path: Path, shop_db: Path) -> None:
    put(shop_db, ("evt_1", "x", iso(NOW), None))
    before = shop_db.read_bytes()
    import_inboxes(store, settings(tmp_path, "sqlite:shop.db?view=inbox"), NOW)
    assert shop_db.read_bytes() == before
    put(shop_db, ("evt_2", "x", iso(NOW), None))


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("SELECT id AS event_id FROM hooks", "received_at is missing"),
        ("SELECT id AS event_id, at AS received_at, kind FROM hooks", "unknown field 'kind'"),
        ("SELECT id AS event_id, at AS received_at FROM nowhere", "no such table"),
    ],
)
def test_a_view_of_other_columns_is_refused_by_name(
    store: Store, tmp_path: Path, shop_db: Path, view: str, words: str
) -> None:
    with sqlite3.connect(shop_db) as db:
        db.execute("DROP VIEW inbox")
        db.execute(f"CREATE VIEW inbox AS {view}")
    db.close()
    import_inboxes(store, settings(tmp_path, "sqlite:shop.db?view=inbox"), NOW)
    state = store.applications.state(*SHOP)
    assert state is not None and state.problem is not None
    assert words in state.problem and "shop.db: view inbox" in state.problem


def test_a_wrong_row_is_named_by_its_event(store: Store, tmp_path: Path, shop_db: Path) -> None:
    put(shop_db, ("evt_1", "x", iso(NOW), None), ("evt_2", "x", "soon", None))
    of_shop = settings(tmp_path, "sqlite:shop.db?view=inbox")
    for step in range(2):
        import_inboxes(store, of_shop, NOW + step * EVERY)
    state = store.applications.state(*SHOP)
    assert state is not None and (state.wrong, "'evt_2': received_at must be" in (state.problem or "")) == (
        1,
        True,
    )
    put(shop_db, ("evt_2", "x", iso(NOW), None))
    import_inboxes(store, of_shop, NOW + 2 * EVERY)
    state = store.applications.state(*SHOP)
    assert state is not None and (state.wrong, state.problem) == (0, None)


def test_a_large_view_is_read_in_parts(tmp_path: Path, shop_db: Path) -> None:
    put(shop_db, *[(f"evt_{n}", "x", iso(NOW + timedelta(seconds=n)), None) for n in range(10_050)])
    later = NOW + timedelta(hours=4)
    first = read_sql(shop_db, "inbox", "", [], later)
    second = read_sql(shop_db, "inbox", first.cursor, [], later)
    assert (first.more, second.more) == (True, False)
    assert len({event.event_id for page in (first, second) for event in page.events}) == 10_050


def test_a_view_of_one_instant_too_large_for_a_part_is_refused(tmp_path: Path, shop_db: Path) -> None:
    put(shop_db, *[(f"evt_{n}", "x", iso(NOW), None) for n in range(10_001)])
    first = read_sql(shop_db, "inbox", "", [], NOW)
    with pytest.raises(UsageError, match="cannot be read in parts"):
        read_sql(shop_db, "inbox", first.cursor, [], NOW)


@given(st.binary(max_size=300))
def test_no_line_does_more_than_be_refused(data: bytes) -> None:
    try:
        event = _event(_entry(data), NOW)
    except Wrong:
        return
    assert event.event_id


@examples(max_examples=25)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_however_the_file_is_cut_each_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("cut") / "inbox.jsonl"
    data = "".join(line(n) for n in range(12)).encode()
    path.write_bytes(b"")
    cursor, seen = "", []
    for end in [*sorted(min(cut * 2, len(data)) for cut in cuts), len(data)]:
        path.write_bytes(data[:end])
        page = read_lines(path, cursor, NOW)
        cursor = page.cursor
        seen += [event.event_id for event in page.events]
    assert seen == [f"evt_{n}" for n in range(12)]
