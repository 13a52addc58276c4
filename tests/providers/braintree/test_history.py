"""The arithmetic of reading a search: nothing lost, an end to every reading, a cursor of bounded size."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from payops.providers.braintree import history, members
from payops.providers.braintree.history import Cursor, Gap

NOW = 1_768_467_600
PAGE = 5


class World:
    """Things with a time, listed to the minute, newest first; at most `cap` of them."""

    def __init__(self, cap: int = 10_000) -> None:
        self.things: list[tuple[int, str]] = []
        self.cap = cap
        self.hidden: set[str] = set()

    def add(self, at: int) -> None:
        self.things.append((at, f"t{len(self.things)}"))

    def list(self, read: history.Read) -> list[str]:
        first = read.start // 60 * 60
        last = 2**62 if read.end is None else read.end // 60 * 60 + 60
        found = sorted((each for each in self.things if first <= each[0] < last), reverse=True)
        return [name for _, name in found][: self.cap]

    def step(self, cursor: Cursor, now: int) -> tuple[Cursor, set[str]]:
        read = history.next_read(cursor, now)
        listed = self.list(read)
        if len(listed) >= self.cap:
            halved = history.halved(cursor, read, now)
            if halved is not None:
                return halved, set()
        asked = history.wanted(cursor, read, listed, PAGE)
        times = {name: at for at, name in self.things}
        found = {name: times[name] for name in asked if name in times and name not in self.hidden}
        if read.end is None:
            return history.after_head(cursor, read, listed, asked, found, now), set(found)
        return history.after_gap(cursor, listed, asked, found, now), set(found)

    def drain(self, cursor: Cursor, now: int) -> tuple[Cursor, set[str]]:
        seen: set[str] = set()
        for _ in range(2000):
            cursor, found = self.step(cursor, now)
            seen |= found
            if not cursor.gaps:
                return cursor, seen
        raise AssertionError("reading does not end")


STEPS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 239), max_size=12),  # ages of what turns up late, in seconds
        st.sampled_from([0, 1, 15, 30, 60, 300, 4000]),  # time until the next read
        st.booleans(),  # killed between answer and store
        st.sampled_from([0, 0, 0, -7200, 86_400]),  # our clock's error
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_turns_up_within_the_overlap_is_read(steps):
    world, now, seen = World(), NOW, set()
    cursor = history.begin(now)
    for ages, wait, killed, error in steps:
        for age in ages:
            world.add(now - age)
        after, found = world.step(cursor, now + error)
        if not killed:
            cursor, seen = history.load(history.dump(after), now), seen | found
        now += wait
    cursor, found = world.drain(cursor, now + 60)
    assert seen | found == {name for _, name in world.things}
    assert len(cursor.gaps) <= history.MAX_GAPS and len(history.dump(cursor)) < 5000


@given(st.lists(st.integers(0, history.HISTORY_S - 1), max_size=150), st.integers(8, 60))
@settings(max_examples=40, deadline=None)
def test_a_listing_cut_at_its_limit_is_read_whole_in_parts(ages, cap):
    world = World(cap)
    for minute, age in enumerate(ages):
        world.add(NOW - age if minute % 2 else NOW - minute * 61)
    crowded = max((sum(at // 60 == a // 60 for a, _ in world.things) for at, _ in world.things), default=0)
    cursor, seen = world.drain(history.begin(NOW), NOW)
    if crowded * 4 < cap:  # more in one minute than Braintree lists cannot be told apart by time
        assert seen == {name for _, name in world.things}
    assert cursor.gaps == ()


def test_a_crowd_within_one_minute_ends_too():
    world = World(20)
    for _ in range(200):
        world.add(NOW - 30)
    world.drain(history.begin(NOW), NOW)


def test_a_missing_id_is_asked_for_until_patience_ends_and_holds_back_the_proof():
    world, asked = World(), 0
    world.add(NOW - 10)
    world.hidden = {"t0"}
    cursor = history.begin(NOW)
    for n in range(30):
        read = history.next_read(cursor, NOW + 40 * n)
        asked += history.wanted(cursor, read, world.list(read), PAGE) == ["t0"]
        cursor, _ = world.step(cursor, NOW + 40 * n)
        assert (cursor.proven is None) is bool(cursor.missing)
    assert asked == history.PATIENCE and not cursor.missing


def test_an_id_shown_at_last_is_read():
    world = World()
    world.add(NOW - 10)
    world.hidden = {"t0"}
    cursor, _ = world.step(history.begin(NOW), NOW)
    world.hidden = set()
    cursor, found = world.step(cursor, NOW + 40)
    assert found == {"t0"} and cursor.missing == {} and cursor.proven is not None


def test_progress_never_leaves_its_range():
    cursor = Cursor(NOW, gaps=(Gap(0, 60, left=3, total=9, backfill=True), Gap(0, 60)))
    assert history.progress(cursor) == 1 - 3 / 9
    assert history.progress(Cursor(NOW)) is None


def test_too_many_gaps_become_one_that_holds_all():
    gaps = tuple(Gap(n * 100, n * 100 + 90) for n in range(history.MAX_GAPS + 5, 0, -1))
    bounded = history._bounded(gaps)
    assert len(bounded) == history.MAX_GAPS
    assert (bounded[-1].start, bounded[-1].end) == (100, 690)


IDS = st.lists(st.sampled_from([f"x{n}" for n in range(30)]), unique=True)


@given(IDS, IDS, st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_members_that_come_or_go_are_each_asked_for_once(known, listed, page):
    ids, asked_of = tuple(known), []
    for _ in range(70):
        asked = members.changed(ids, listed)[:page]
        ids = members.after(ids, listed, asked)
        asked_of += asked
        if not members.changed(ids, listed):
            break
    assert sorted(asked_of) == sorted(set(known) ^ set(listed)) and set(ids) == set(listed)
