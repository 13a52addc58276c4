"""Windows in the wall time of the people who planned them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payops.domain.maintenance import Once, Recurring, Window, instant

VIENNA = ZoneInfo("Europe/Vienna")


def window(when: Once | Recurring) -> Window:
    return Window("w", "why", when)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_end_is_no_longer_covered_and_the_beginning_is():
    once = window(Once(utc("2026-01-15T22:00"), utc("2026-01-15T23:00")))
    assert once.open_until(utc("2026-01-15T21:59")) is None
    assert once.open_until(utc("2026-01-15T22:00")) == utc("2026-01-15T23:00")
    assert once.open_until(utc("2026-01-15T23:00")) is None


def test_night_window_goes_on_past_midnight_of_the_day_it_began():
    night = window(Recurring(VIENNA, time(23), time(2), days=("sat",)))
    assert night.open_until(utc("2026-01-17T22:30")) == utc("2026-01-18T01:00")  # Saturday 23:30 in Vienna
    assert night.open_until(utc("2026-01-18T00:59")) == utc("2026-01-18T01:00")
    assert night.open_until(utc("2026-01-18T22:30")) is None  # Sunday


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        # 29 March 2026: 02:00 becomes 03:00 in Vienna. The clock is two hours ahead of UTC afterwards.
        (time(1), time(4), "2026-03-29T00:00", "2026-03-29T02:00"),
        (time(2, 30), time(4), "2026-03-29T01:30", "2026-03-29T02:00"),
        (time(2, 15), time(2, 45), "2026-03-29T01:15", "2026-03-29T01:45"),
        # 25 October 2026: 03:00 becomes 02:00; what lies between comes twice and is covered twice.
        (time(2, 30), time(2, 45), "2026-10-25T00:30", "2026-10-25T01:45"),
        (time(1), time(4), "2026-10-24T23:00", "2026-10-25T03:00"),
    ],
)
def test_window_over_a_change_of_the_clocks_is_never_shorter_than_written(start, end, begins, ends):
    daily = window(Recurring(VIENNA, start, end))
    begin = utc(begins)
    assert daily.open_until(begin) == utc(ends)
    assert daily.open_until(begin - timedelta(seconds=1)) is None


def test_last_day_of_the_month_is_found_in_every_month():
    last = window(Recurring(VIENNA, time(1), time(2), days_of_month=(-1,)))
    assert last.open_until(utc("2026-02-28T00:30")) is not None
    assert last.open_until(utc("2028-02-29T00:30")) is not None
    assert last.open_until(utc("2026-01-30T00:30")) is None
    assert last.next_opening(utc("2026-01-15T00:00")) == (utc("2026-01-31T00:00"), utc("2026-01-31T01:00"))


def test_window_that_comes_no_more_says_so():
    assert (
        window(Once(utc("2026-01-01T00:00"), utc("2026-01-02T00:00"))).next_opening(utc("2026-02-01T00:00"))
        is None
    )


@given(
    at=st.integers(1_704_067_200, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    start=st.times(),
    minutes=st.integers(1, 23 * 60),
    zone=st.sampled_from(
        ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
    ),
)
def test_what_is_open_ends_later_and_within_a_day_and_the_jump(at, start, minutes, zone):
    end = (datetime.combine(date(2026, 1, 1), start) + timedelta(minutes=minutes)).time()
    daily = window(Recurring(ZoneInfo(zone), start, end))
    until = daily.open_until(at)
    if until is not None:
        assert at < until <= at + timedelta(hours=25)
    following = daily.next_opening(at)
    assert following is not None
    assert daily.open_until(following[0]) is not None


def test_instant_of_a_time_that_comes_twice_is_the_first_or_the_last():
    local = datetime.fromisoformat("2026-10-25T02:30")
    assert instant(local, VIENNA, last=False) == utc("2026-10-25T00:30")
    assert instant(local, VIENNA, last=True) == utc("2026-10-25T01:30")
