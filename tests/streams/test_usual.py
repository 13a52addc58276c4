"""What is usual besides shares: volume and its silence, amounts, how long an answer takes."""

from __future__ import annotations

import json
import random
from math import exp

import pytest
from arriving import ACCOUNT
from hypothesis import given
from hypothesis import strategies as st

from payops.streams.book import Book
from payops.streams.sketch import Sketch, mixed
from payops.streams.volume import HOUR_S, Volume

DAY_S = 24 * HOUR_S


def weeks(seed: int, days: float, per_hour: float, swing: float = 0.0) -> Volume:
    """Arrivals of a Poisson process whose rate swings over the day, from Monday 0:00 on."""
    draw, volume, at = random.Random(seed), Volume(), 4 * DAY_S
    end = at + int(days * DAY_S)
    while at < end:
        season = 1 + swing * (1 if 8 <= at // HOUR_S % 24 < 20 else -1)
        at += max(1, round(draw.expovariate(per_hour * season / HOUR_S)))
        volume.arrived(at)
    return volume


def test_a_daily_swing_is_learned_and_makes_the_night_no_silence() -> None:
    volume = weeks(1, 15, 60, swing=0.8)
    noon, night = (19 * DAY_S + hour * HOUR_S for hour in (12, 3))
    assert volume.per_hour(noon // HOUR_S) == pytest.approx(108, rel=0.15)
    assert volume.per_hour(night // HOUR_S) == pytest.approx(12, rel=0.5)
    quarter = HOUR_S // 4
    assert volume.expected(noon, noon + quarter) > volume.limit
    assert volume.expected(night, night + quarter) < volume.limit
    assert volume.spread < 0.3


@pytest.mark.parametrize("per_hour", [12, 60, 240])
def test_after_one_whole_day_the_next_night_is_neither_silent_nor_halved(per_hour: int) -> None:
    for seed in range(6):
        draw, volume, at = random.Random(seed), Volume(), 4 * DAY_S + 10 * HOUR_S
        learned = at + DAY_S
        while at < learned + 2 * DAY_S:
            before = at
            season = 1 + 0.7 * (1 if 8 <= at // HOUR_S % 24 < 20 else -1)
            at += max(1, round(draw.expovariate(per_hour * season / HOUR_S)))
            expected = volume.expected(before, at)
            if at > learned and expected is not None:
                assert expected < volume.limit, (seed, at)
                assert (volume.fewer(at) or 0.0) < 1.0, (seed, at)
            volume.arrived(at)


def test_little_history_is_careful_and_none_says_nothing() -> None:
    assert Volume().expected(0, HOUR_S) is None
    assert Volume().fewer(HOUR_S) is None
    young, old = weeks(2, 0.2, 240), weeks(2, 8, 240)
    assert young.spread == 0.3
    assert young.limit > old.limit > 12


def test_healthy_traffic_is_neither_silent_nor_halved() -> None:
    draw, volume, at, worst = random.Random(3), Volume(), 4 * DAY_S, 0.0
    while at < 11 * DAY_S:
        before = at
        at += max(1, round(draw.expovariate(120 / HOUR_S)))
        expected = volume.expected(before, at)
        if expected is not None:
            assert expected < volume.limit
            worst = max(worst, volume.fewer(at) or 0.0)
        volume.arrived(at)
    assert worst < 1.0


def test_half_the_traffic_is_noticed_and_fades_when_it_is_back() -> None:
    volume, draw = weeks(4, 9, 120), random.Random(5)
    at = volume.last_at or 0
    needed = 0
    while (volume.fewer(at) or 0.0) < 1.0:
        at += max(1, round(draw.expovariate(60 / HOUR_S)))
        volume.arrived(at)
        needed += 1
    assert needed < 120
    while (volume.fewer(at) or 0.0) >= 0.01:
        at += max(1, round(draw.expovariate(120 / HOUR_S)))
        volume.arrived(at)
        needed += 1
    assert needed < 400


def test_a_silence_that_ends_leaves_neither_evidence_nor_a_lower_norm() -> None:
    volume = weeks(6, 9, 120)
    at = volume.last_at or 0
    usual = volume.per_30_days
    volume.arrived(at + 5 * HOUR_S)
    assert volume.fewer(at + 5 * HOUR_S) < 0.01
    for minute in range(120):
        volume.arrived(at + 5 * HOUR_S + 30 * minute)
    assert volume.per_30_days == pytest.approx(usual, rel=0.02)


def test_a_volume_goes_on_where_it_was_kept() -> None:
    whole, parts = Volume(), Volume()
    draw, at = random.Random(7), 4 * DAY_S
    for _ in range(3000):
        at += max(1, round(draw.expovariate(60 / HOUR_S)))
        whole.arrived(at)
        parts.arrived(at)
        if draw.random() < 0.02:
            parts = Volume(json.loads(json.dumps(parts.dump())))
    assert parts.dump() == whole.dump()
    assert parts.expected(at, at + HOUR_S) == whole.expected(at, at + HOUR_S)


@given(st.lists(st.floats(1, 1e7), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_sketch_is_right_to_ten_per_cent(values: list[float], share: float) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    found = sketch.quantile(share)
    exact = sorted(values)[max(0, -(-len(values) * share // 1).__int__() - 1)]
    assert exact * 0.999 <= found <= exact * 1.1 * 1.001
    assert Sketch(sketch.dump()).dump() == sketch.dump()


def test_an_hour_of_few_values_leans_on_the_others() -> None:
    own, others = Sketch(), Sketch()
    for value in range(1, 1001):
        others.add(value)
    own.add(10_000)
    assert mixed(own, others, 200.0, 0.95) < 1100
    assert mixed(Sketch(), Sketch(), 200.0, 0.95) is None


def answers(book: Book, draw: random.Random, at: int, n: int, median: float) -> list[str]:
    turns = []
    for step in range(n):
        happened = book.call(at + 20 * step, round(median * exp(draw.gauss(0, 0.5))), 1)
        if happened is not None:
            turns.append(happened.turn.value)
    return turns


def test_slower_answers_are_noticed_within_a_few_and_the_usual_ones_never() -> None:
    book, draw = Book(ACCOUNT, "stripe"), random.Random(9)
    assert "alarm" not in answers(book, draw, 4 * DAY_S, 4000, 200)
    turns = answers(book, draw, 6 * DAY_S, 12, 3000)
    assert "alarm" in turns


def test_a_slowness_does_not_teach_itself_before_anybody_looks() -> None:
    """From the first minutes on: nineteen answers are history enough."""
    book, draw = Book(ACCOUNT, "stripe"), random.Random(10)
    answers(book, draw, 4 * DAY_S, 25, 100)
    assert "alarm" in answers(book, draw, 4 * DAY_S + 600, 12, 6000)


def test_a_silence_on_the_first_day_leaves_no_evidence_of_a_halved_traffic() -> None:
    volume = weeks(7, 3 / 24, 240)
    at = volume.last_at or 0
    for _ in range(30):
        at += 60  # a quarter of what is usual
        volume.arrived(at)
    assert (volume.fewer(at) or 0.0) >= 1.0
    at += 20 * 60
    volume.arrived(at)
    assert (volume.fewer(at) or 0.0) < 1.0
