"""The arithmetic of reading the event list: nothing lost, whatever the order, the kills and the clock."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.providers.paypal import windows
from payops.providers.paypal.windows import Repeats, Window

NOW = 1_768_467_600
PAGE = 4


def page_of(events: list[tuple[int, str]], window: Window, at: int, *, newest_first: bool):
    """One page of what the server shows at `at`, the next page's query, and where it stands."""
    hits = sorted(event for event in events if window.start <= event[0] <= min(window.end, at))
    if newest_first:
        hits.reverse()
    first = int(window.page or 0)
    return hits[first : first + PAGE], str(first + PAGE) if first + PAGE < len(hits) else None


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(NOW - 86_000, NOW + 3_600), max_size=60),
    steps=st.lists(st.tuples(st.integers(5, 900), st.booleans(), st.integers(-4_000, 4_000)), max_size=12),
    newest_first=st.booleans(),
)
def test_every_event_is_seen_through_kills_and_a_clock_that_jumps(times, steps, newest_first) -> None:
    events = [(at, f"WH-{n}") for n, at in enumerate(times)]
    seen: set[str] = set()
    text, at = None, NOW
    for wait, killed, jump in [(0, False, 0), *steps, (900, False, 0), (0, False, 0)]:
        at += wait
        clock = at + jump
        for _ in range(200):
            cursor = windows.load(text, clock)
            read = windows.next_read(cursor, clock)
            found, following = page_of(events, read.window, at, newest_first=newest_first)
            newest = max((each[0] for each in found), default=None)
            mark = found[-1][1] if found else None
            moved = windows.after(cursor, read, following, mark, newest, clock)
            if killed:
                killed = False  # the page was answered, and never stored
                continue
            seen.update(each[1] for each in found)
            text = windows.dump(moved)
            if not moved.windows:
                break
        else:
            raise AssertionError("reading does not end")
        if moved.proven is not None and jump == 0:
            assert {name for when, name in events if NOW - 86_000 <= when <= min(moved.proven, at)} <= seen
    assert {name for when, name in events if when <= at} <= seen


def test_a_first_run_reads_the_newest_first_and_says_how_far_it_is() -> None:
    cursor = windows.begin(NOW)
    shares = [windows.progress(cursor)]
    ends = []
    while cursor.windows or cursor.head_at is None:
        read = windows.next_read(cursor, NOW)
        ends.append(read.window.end)
        cursor = windows.after(cursor, read, None, None, None, NOW)
        shares.append(windows.progress(cursor))
    assert ends == sorted(ends, reverse=True)
    assert shares[0] == 0
    assert shares[:-1] == sorted(shares[:-1])
    assert shares[-1] is None
    assert cursor.proven == NOW - windows.LAG_S


def test_new_events_do_not_wait_for_old_ones() -> None:
    cursor = windows.begin(NOW)
    cursor = windows.after(cursor, windows.next_read(cursor, NOW), None, None, None, NOW)
    assert not windows.next_read(cursor, NOW + 1).head
    assert windows.next_read(cursor, NOW + windows.HEAD_EVERY_S).head


def test_what_a_long_sleep_left_is_not_called_proven_until_it_is_read() -> None:
    cursor = windows.Cursor(mark=NOW - 40_000, head_at=NOW - 40_000, proven=NOW - 40_060)
    read = windows.next_read(cursor, NOW)
    cursor = windows.after(cursor, read, "page=2", "WH-9", NOW - 5, NOW)
    assert cursor.proven == NOW - 40_060
    cursor = windows.after(cursor, windows.next_read(cursor, NOW), None, "WH-1", NOW - 39_000, NOW)
    assert cursor.proven == NOW - windows.LAG_S


def test_the_head_never_reaches_behind_what_the_provider_keeps() -> None:
    cursor = windows.Cursor(mark=NOW - 90 * 86_400)
    assert windows.next_read(cursor, NOW).window.start == NOW - windows.RETENTION_S


@pytest.mark.parametrize("period", [1, 2, 3, 5, 7])
def test_pages_that_go_round_in_circles_end(period) -> None:
    cursor = windows.Cursor(mark=NOW)
    read = windows.next_read(cursor, NOW)
    with pytest.raises(Repeats):
        for n in range(100):
            cursor = windows.after(cursor, read, f"token={n}", f"WH-{n % period}", NOW, NOW)
            read = windows.next_read(cursor, NOW)
    assert n < 8 * period


def test_an_empty_page_that_names_another_ends() -> None:
    cursor = windows.Cursor(mark=NOW)
    with pytest.raises(Repeats):
        windows.after(cursor, windows.next_read(cursor, NOW), "token=1", None, None, NOW)


def test_a_window_is_halved_until_it_is_too_short() -> None:
    cursor = windows.Cursor(mark=NOW, windows=(Window(NOW - 8, NOW, page="gone"),))
    while True:
        halves = windows.halved(cursor)
        if halves is None:
            break
        first, second = halves.windows[:2]
        assert (second.start, first.start, first.page) == (
            NOW - 8 if second.start == NOW - 8 else second.start,
            second.end,
            None,
        )
        assert first.end == cursor.windows[0].end
        cursor = halves
    assert cursor.windows[0].end - cursor.windows[0].start <= 1


def test_windows_left_are_bounded_and_still_cover_all() -> None:
    cursor = windows.Cursor(
        mark=NOW, windows=tuple(Window(NOW - 100 * n - 50, NOW - 100 * n) for n in range(64))
    )
    read = windows.next_read(cursor, NOW)
    moved = windows.after(cursor, read, "page=2", "WH-1", NOW, NOW)
    assert len(moved.windows) == 64
    assert moved.windows[-1].start == NOW - 100 * 63 - 50
    assert moved.windows[-1].end == NOW - 100 * 62


@pytest.mark.parametrize("text", ["", "{", "[]", '{"mark": "x"}'])
def test_a_cursor_that_cannot_be_read_begins_anew(text) -> None:
    assert windows.load(text, NOW) == windows.begin(NOW)
