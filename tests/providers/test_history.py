"""Reading an event list: nothing is lost and reading ends, whatever the list, the clock and the kills do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.providers.stripe import history
from payops.providers.stripe.history import Cursor, Listed, Read

T0 = 1_768_467_600


class EventList:
    """Stripe's list: newest first, filtered by time, continued after an id; events may appear late."""

    def __init__(self) -> None:
        self._events: list[tuple[int, str, int]] = []  # (created, id, visible from)

    def add(self, created: int, visible: int | None = None) -> str:
        event_id = f"evt_{len(self._events)}"
        self._events.append((created, event_id, created if visible is None else visible))
        return event_id

    def page(self, read: Read, at: int, size: int) -> tuple[list[Listed], bool]:
        listed = sorted(
            ((created, event_id) for created, event_id, visible in self._events if visible <= at),
            reverse=True,
        )
        if read.after is not None:
            ids = [event_id for _, event_id in listed]
            listed = listed[ids.index(read.after) + 1 :]
        hits = [
            Listed(event_id, created)
            for created, event_id in listed
            if created >= read.gte and (read.lte is None or created <= read.lte)
        ]
        return hits[:size], len(hits) > size


def step(
    text: str | None, events: EventList, now: int, true_now: int, size: int
) -> tuple[str, list[str], bool]:
    """One poll: what is stored as cursor, the ids read, whether there is more."""
    cursor = history.load(text, now)
    read = history.next_read(cursor, now)
    page, more = events.page(read, true_now, size)
    if read.gap:
        cursor = history.after_gap(cursor, page, more)
    else:
        cursor = history.after_head(cursor, read, page, more, now)
    return history.dump(cursor), [each.id for each in page], bool(cursor.gaps)


def drain(text: str | None, events: EventList, now: int, true_now: int, size: int) -> tuple[str, set[str]]:
    seen: set[str] = set()
    for _ in range(2000):
        text, ids, more = step(text, events, now, true_now, size)
        seen |= set(ids)
        if not more:
            return text, seen
    raise AssertionError("reading does not end")


traffic = st.lists(
    st.tuples(st.integers(0, 1800), st.integers(0, history.LAG_S)), min_size=1, max_size=60
)  # (seconds after the start, how late it appears)
polls = st.lists(
    st.tuples(
        st.integers(1, 200),  # seconds until this poll
        st.integers(-5000, 5000),  # how wrong our clock is
        st.integers(1, 4),  # pages read before the next pause
        st.booleans(),  # killed before the last page was stored
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(
    traffic=traffic, old=st.lists(st.integers(1, 86_000), max_size=30), polls=polls, size=st.integers(1, 7)
)
def test_no_event_is_lost_whatever_clock_lateness_and_kills_do(traffic, old, polls, size):
    events = EventList()
    expected = {events.add(T0 - 90_000 + 4_000 + age) for age in old if age < 85_000}
    expected |= {events.add(T0 + after, T0 + after + late) for after, late in traffic}
    text: str | None = None
    seen: set[str] = set()
    # The first poll has a right clock: it decides how far back history reaches.
    true_now = T0
    text, ids, _ = step(text, events, T0, true_now, size)
    seen |= set(ids)
    for wait, skew, pages, killed in polls:
        true_now += wait
        for n in range(pages):
            stored, ids, more = step(text, events, true_now + skew, true_now, size)
            if killed and n == pages - 1:
                break
            text = stored
            seen |= set(ids)
            if not more:
                break
    end = max(true_now, T0 + 2000) + history.LAG_S
    text, ids = drain(text, events, end, end, size)
    assert expected <= seen | ids


def test_everything_up_to_the_stated_instant_has_been_seen():
    events = EventList()
    for n in range(500):
        events.add(T0 + n * 7, T0 + n * 7 + n % history.LAG_S)
    text, seen = drain(None, events, T0, T0, 10)
    for now in range(T0 + 30, T0 + 3600, 30):
        for _ in range(3):
            text, ids, more = step(text, events, now, now, 5)
            seen |= set(ids)
            proven = history.load(text, now).proven
            assert proven is not None and proven <= now - history.LAG_S
            due = {event_id for created, event_id, _ in events._events if created <= proven}
            assert due <= seen
            if not more:
                break


def test_history_comes_newest_first_and_says_how_far_it_is():
    events = EventList()
    ids = [events.add(T0 - 86_000 + n * 80) for n in range(1000)]
    text: str | None = None
    order: list[str] = []
    shares: list[float] = []
    more = True
    while more:
        text, read, more = step(text, events, T0, T0, 100)
        order += read
        share = history.progress(history.load(text, T0))
        shares.append(1.0 if share is None else share)
    assert order == ids[::-1]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0


def test_new_events_come_before_a_long_history():
    events = EventList()
    for n in range(1000):
        events.add(T0 - 80_000 + n * 70)
    text, _, more = step(None, events, T0, T0, 10)
    text, _, more = step(text, events, T0 + 5, T0 + 5, 10)
    assert more
    new = events.add(T0 + 20)
    text, ids, more = step(text, events, T0 + 40, T0 + 40, 10)
    assert new in ids and more


def test_freshness_waits_for_a_catch_up_but_not_for_the_first_history():
    events = EventList()
    for n in range(200):
        events.add(T0 - 2000 + n * 10)
    text, _, more = step(None, events, T0, T0, 10)
    assert more and history.load(text, T0).proven == T0 - history.LAG_S
    text, _ = drain(text, events, T0, T0, 10)
    for n in range(100):
        events.add(T0 + n * 10)
    text, _, more = step(text, events, T0 + 1000, T0 + 1000, 10)
    assert more and history.load(text, T0).proven == T0 - history.LAG_S
    text, _ = drain(text, events, T0 + 1000, T0 + 1000, 10)
    assert history.load(text, T0).proven == T0 + 1000 - history.LAG_S


def test_a_silent_account_is_read_from_its_first_day_on():
    events = EventList()
    text, _ = drain(None, events, T0, T0, 10)
    text, _ = drain(text, events, T0 + 3 * 86_400, T0 + 3 * 86_400, 10)
    late = events.add(T0 + 100)
    assert late in drain(text, events, T0 + 3 * 86_400 + 60, T0 + 3 * 86_400 + 60, 10)[1]


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_a_list_that_goes_round_in_circles_is_noticed(length):
    head = [Listed(f"evt_h{n}", T0 - n) for n in range(3)]
    circle = [[Listed(f"evt_{k}", T0 - 10)] for k in range(length)]
    now = T0 + 5
    cursor = history.begin(now)
    cursor = history.after_head(cursor, history.next_read(cursor, now), head, True, now)
    with pytest.raises(history.Repeats):
        for n in range(6 * length + 6):
            cursor = history.after_gap(cursor, circle[n % length], True)


def test_the_same_page_again_is_noticed_at_once():
    head = [Listed(f"evt_h{n}", T0 - n) for n in range(3)]
    cursor = history.begin(T0)
    cursor = history.after_head(cursor, history.next_read(cursor, T0), head, True, T0)
    with pytest.raises(history.Repeats):
        history.after_gap(cursor, head, True)


def test_more_without_events_is_noticed():
    cursor = history.begin(T0)
    with pytest.raises(history.Repeats):
        history.after_head(cursor, history.next_read(cursor, T0), [], True, T0)


def test_a_server_that_ignores_the_time_filter_does_not_send_us_back_for_ever():
    head = [Listed("evt_h", T0)]
    cursor = history.begin(T0)
    cursor = history.after_head(cursor, history.next_read(cursor, T0), head, True, T0)
    cursor = history.after_gap(cursor, [Listed("evt_old", T0 - 40 * 86_400)], True)
    assert cursor.gaps == ()


def test_many_unread_catch_ups_stay_bounded_and_whole():
    events = EventList()
    text, _ = drain(None, events, T0, T0, 3)
    expected = set()
    now = T0
    seen: set[str] = set()
    for _ in range(60):  # heads only: each leaves a gap behind
        for _ in range(10):
            now += 10
            expected.add(events.add(now))
        text, ids, _ = step(text, events, now, now, 3)
        seen |= set(ids)
    assert len(history.load(text, now).gaps) <= history.MAX_GAPS
    assert expected <= seen | drain(text, events, now, now, 3)[1]


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '{"mark": "x"}', '{"gaps": 3}', "\x00"])
def test_an_unreadable_cursor_begins_anew(text):
    assert history.load(text, T0) == history.begin(T0)


def test_a_cursor_survives_storage():
    cursor = Cursor(5, False, 6, 7, (history.Gap(1, 2, 3, "evt_1", "evt_0", 1, 2, True),))
    assert history.load(history.dump(cursor), T0) == cursor


def test_times_that_go_back_at_the_provider_too_are_read():
    events = EventList()
    events.add(T0)
    text, _ = drain(None, events, T0, T0, 10)
    back = events.add(T0 - 3600, T0)
    assert back in drain(text, events, T0 - 3590, T0 + 10, 10)[1]
