"""A stream learns what is normal, nothing of an alarm, and nothing too soon."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof import tried

from payops.detection import NEVER, Baseline, Fixed, Stream, Turn, upper_bound

HOUR = 3600.0


def run(
    stream: Stream, hours: range, per_hour: int, share: float, rng: random.Random, limit: float = NEVER
) -> list[Turn]:
    turns = []
    for hour in hours:
        for n in range(per_hour):
            turn = stream.feed(hour * HOUR + n * HOUR / per_hour, rng.random() < share, limit)
            if turn:
                turns.append(turn)
    return turns


def test_what_is_not_known_is_not_judged() -> None:
    stream = Stream()
    for n in range(60):
        assert stream.feed(float(n), True, 200.0) is None
    assert (stream.expected, stream.bound, stream.evidence) == (None, None, 0.0)


def test_a_short_history_is_judged_by_its_upper_bound_and_a_long_one_by_its_margin() -> None:
    stream = Stream()
    run(stream, range(6), 100, 0.05, random.Random(1))
    stream.advance(6 * HOUR)
    learned = stream.baseline.learned
    assert 400 <= learned < 2_000
    assert stream.bound == upper_bound(learned, stream.baseline.failed)
    run(stream, range(6, 72), 100, 0.05, random.Random(2))
    stream.advance(72 * HOUR)
    assert stream.expected is not None
    assert stream.bound is not None
    assert stream.expected == pytest.approx(0.05, abs=0.02)
    assert stream.expected < stream.bound < 0.1


def test_an_alarm_s_hours_are_never_learned_and_learning_waits_for_its_end() -> None:
    rng = random.Random(3)
    stream, healthy = Stream(), range(100)
    run(stream, healthy, 60, 0.05, rng)
    assert Turn.ALARM in run(stream, range(100, 101), 60, 0.8, rng, 43_200.0)
    stream.exclude(100 * HOUR)
    learned, failed = stream.baseline.learned, stream.baseline.failed
    run(stream, range(101, 140), 60, 0.8, rng, 43_200.0)
    assert (stream.baseline.learned, stream.baseline.failed) == (learned, failed)
    assert Turn.RECOVERED in run(stream, range(140, 142), 60, 0.05, rng, 43_200.0)
    run(stream, range(142, 200), 60, 0.05, rng, 43_200.0)
    assert stream.baseline.failed / stream.baseline.learned < 0.06


def test_a_held_stream_learns_nothing_until_it_is_let_go() -> None:
    rng = random.Random(4)
    stream = Stream()
    run(stream, range(40), 60, 0.05, rng)
    stream.held = True
    stream.exclude(39 * HOUR)
    learned = stream.baseline.learned
    run(stream, range(40, 60), 60, 0.3, rng)
    assert stream.baseline.learned == learned
    stream.held = False
    run(stream, range(60, 100), 60, 0.05, rng)
    assert stream.baseline.learned > learned
    assert stream.baseline.failed / stream.baseline.learned < 0.08


@tried(300, 25)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=120),
    st.lists(st.integers(0, 119), max_size=4),
)
def test_a_restart_anywhere_changes_nothing(payments, stops) -> None:
    payments.sort(key=lambda entry: entry[0])
    whole, broken = Stream(), Stream()
    for stream in (whole, broken):
        for hour in range(-200, 0):
            stream.learn(hour * HOUR, 12, 1)
    for index, (hour, failed) in enumerate(payments):
        if index in stops:
            broken = Stream.load(broken.dump())
        assert whole.feed(hour * HOUR, failed, 200.0) == broken.feed(hour * HOUR, failed, 200.0)
    assert whole.dump() == broken.dump()
    assert (whole.expected, whole.bound, whole.standing) == (broken.expected, broken.bound, broken.standing)


def test_a_payment_that_comes_late_is_judged_where_it_comes() -> None:
    # A clock set back, or a page that was read late: the hour does not go back, and no payment is lost.
    stream = Stream()
    for at in (10.5, 11.5, 10.9, 11.6):
        stream.feed(at * HOUR, False, NEVER)
    stream.advance(40 * HOUR)
    assert stream.baseline.learned == 4


def test_a_slice_is_drawn_to_its_parent_and_a_cell_to_its_hour_of_the_day() -> None:
    total, part = Stream(), None
    for hour in range(24 * 14):
        total.learn(hour * HOUR, 100, 20 if hour % 24 == 3 else 5)
    total.advance(24 * 14 * HOUR)
    part = Stream(total)
    part.learn(0.0, 60, 30)
    part.advance(24 * 14 * HOUR)
    assert total.baseline.expected(3) == pytest.approx(0.17, abs=0.03)
    assert total.baseline.expected(4) == pytest.approx(0.05, abs=0.01)
    shares = [total.baseline.norm.mean]
    for _ in range(
        3
    ):  # the slice, its hour of the day, its cell: 60 payments of its own against 200 of trust
        shares.append((30 + 200 * shares[-1]) / 260)
    assert part.expected == pytest.approx(shares[-1])


def test_the_margin_covers_a_wobble_that_the_cells_would_hide() -> None:
    rng = random.Random(5)
    calm, restless = Baseline(), Baseline()
    wobble = 0.0
    for hour in range(24 * 28):
        wobble = 0.85 * wobble + rng.gauss(0.0, 0.2)
        for baseline, share in ((calm, 0.05), (restless, min(0.5, 0.05 * 2.718**wobble))):
            failed = sum(rng.random() < share for _ in range(300))
            baseline.learn(hour, 300, failed)
    calm_norm, restless_norm = calm.settle(24 * 28, None), restless.settle(24 * 28, None)
    assert calm_norm is not None
    assert restless_norm is not None
    assert 1.0 <= calm_norm.margin < 1.3 < restless_norm.margin
    assert restless_norm.wobble**0.5 == pytest.approx(0.38, abs=0.15)


def test_only_the_last_four_weeks_count() -> None:
    baseline = Baseline()
    for hour in range(168 * 8):
        baseline.learn(hour, 10, 5 if hour < 168 * 4 else 0)
    assert (baseline.learned, baseline.failed) == (168 * 4 * 10, 0)


def test_a_stated_baseline_learns_nothing() -> None:
    stream = Stream(None, Fixed(0.05))
    stream.learn(0.0, 1000, 900)
    stream.advance(HOUR)
    assert (stream.expected, stream.bound) == (0.05, 0.05)
    assert Stream.load(stream.dump()).bound == 0.05


def test_the_state_of_a_stream_is_small() -> None:
    rng = random.Random(6)
    stream = Stream()
    for hour in range(24 * 28):
        n = rng.randint(0, 30)
        stream.learn(hour * HOUR, n, min(n, rng.randint(0, 3)))
    run(stream, range(24 * 28, 24 * 29), 20, 0.05, rng)
    assert len(stream.dump()) <= 2_048


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"detector": "x"}', b"\xff"])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no state of a stream"):
        Stream.load(data)
