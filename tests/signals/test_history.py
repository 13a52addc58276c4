"""What was seen is read back as it was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.signals.history import KEPT, record, recorded
from payops.signals.schema import SignalRow, SignalSet
from payops.store import Store

START = datetime(2026, 1, 15, 9, tzinfo=UTC)
VALUES = st.dictionaries(
    st.sampled_from(["n_5m", "rate_5m", "evidence"]),
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    min_size=1,
)
ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), VALUES, st.booleans()), max_size=3, unique_by=lambda r: r[0]
)


@pytest.fixture
def store():
    with Store.in_memory(START) as opened:
        yield opened


def signals(rows, at: datetime) -> SignalSet:
    return {
        "success": tuple(
            SignalRow(
                {"account": account, "provider": "stripe", "mode": "live"}, values, at if known else None
            )
            for account, values, known in rows
        )
    }


def seen(found: SignalSet) -> list[tuple]:
    """Rows in a form in which 1, 1.0 and True are three things."""
    rows = [
        (row.labels["account"], row.as_of, sorted((name, repr(value)) for name, value in row.values.items()))
        for row in found["success"]
    ]
    return sorted(rows, key=lambda row: row[0])


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(minutes=st.lists(ROWS, min_size=1, max_size=12), skip=st.integers(0, 11))
def test_each_minute_is_read_back_as_it_was_with_its_types(minutes, skip):
    with Store.in_memory(START) as store:
        made = []
        for minute, rows in enumerate(minutes):
            at = START + timedelta(minutes=minute)
            made.append((at, signals(rows, at)))
            record(store, made[-1][1], at)
        start = START + timedelta(minutes=skip)
        back = [(at, seen(found)) for at, found in recorded(store, start, made[-1][0])]
        assert back == [(at, seen(given)) for at, given in made if at >= start]


def test_what_begins_and_ends_within_a_minute_is_not_missed(store):
    for second, rejected in ((0, False), (10, True), (20, True), (30, False), (40, False)):
        at = START + timedelta(seconds=second)
        record(store, signals([("a", {"n_5m": 3 + second, "rejected": rejected}, True)], at), at)
    found = recorded(store, START, START + timedelta(minutes=1))
    assert [row.values["rejected"] for _, each in found for row in each["success"]] == [False, True, False]


def test_one_sample_a_minute_is_kept_and_ninety_days_of_them(store):
    for second in range(0, 180, 10):
        at = START + timedelta(seconds=second)
        record(store, signals([("a", {"n_5m": 1 + second}, True)], at), at)
    assert [at for at, _ in recorded(store, START, START + timedelta(hours=1))] == [
        START + timedelta(minutes=minute) for minute in range(3)
    ]
    later = START + KEPT + timedelta(minutes=1)
    record(store, signals([("a", {"n_5m": 1}, True)], later), later)
    span = store.samples.span()
    assert span is not None
    assert span[0] > START


def test_other_process_that_recorded_in_between_breaks_no_chain(store, tmp_path):
    path = tmp_path / "payops.db"
    with Store.open(path, now=START) as one, Store.open(path, now=START) as other:
        for minute in range(6):
            at = START + timedelta(minutes=minute)
            record(one if minute < 3 else other, signals([("a", {"n_5m": minute}, True)], at), at)
        found = [row.values["n_5m"] for _, each in recorded(one, START, at) for row in each["success"]]
    assert found == list(range(6))
