"""The detector keeps its promise about false alarms, and no way of counting changes its numbers."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof import FULL, tried

from payops.detection import NEVER, ODDS, Detector, Turn, once_in_years, raised, threshold

P0 = st.sampled_from([1e-5, 0.002, 0.05, 0.15, 0.6])
PAYMENTS = st.lists(st.tuples(st.booleans(), P0), max_size=60)
"""(failed, p0): the baseline may change at every payment."""


def naive(payments: list[tuple[bool, float]]) -> float:
    """R by its definition: at each payment, each sum."""
    sums = [0.0] * len(ODDS)
    for failed, p0 in payments:
        for index, odds in enumerate(ODDS):
            share = raised(p0, odds)
            sums[index] = (sums[index] + 1) * (share / p0 if failed else (1 - share) / (1 - p0))
    return sum(sums) / len(sums)


def batch(payments: list[tuple[bool, float]]) -> float:
    """R as the sum over every possible onset of the likelihood ratio of all payments since."""
    total = 0.0
    for odds in ODDS:
        product = 1.0
        for failed, p0 in reversed(payments):
            share = raised(p0, odds)
            product *= share / p0 if failed else (1 - share) / (1 - p0)
            total += product
    return total / len(ODDS)


def entered(payments: list[tuple[bool, float]]) -> Detector:
    detector = Detector()
    for failed, p0 in payments:
        detector.feed(failed, p0, NEVER)
    return detector


@tried(1000, 60)
@given(PAYMENTS)
def test_counting_successes_lazily_gives_what_each_step_and_the_whole_sum_give(payments) -> None:
    found = entered(payments).evidence
    assert found == pytest.approx(naive(payments), rel=1e-9)
    assert found == pytest.approx(batch(payments), rel=1e-9)


@tried(1000, 60)
@given(PAYMENTS, st.lists(st.integers(0, 60), max_size=5))
def test_a_restart_anywhere_changes_nothing(payments, stops) -> None:
    whole, broken = Detector(), Detector()
    for index, (failed, p0) in enumerate(payments):
        if index in stops:
            broken = Detector.load(broken.dump())
        assert whole.feed(failed, p0, 400.0) == broken.feed(failed, p0, 400.0)
    assert whole.dump() == broken.dump()
    assert (whole.evidence, whole.payments, whole.alarmed) == (
        broken.evidence,
        broken.payments,
        broken.alarmed,
    )


def test_in_control_the_mean_of_the_evidence_is_the_number_of_payments() -> None:
    # Exactly, over all 2^8 courses with their chances: E[R_n] = n is what the promise rests on.
    n, p0 = 8, 0.3
    mean = 0.0
    for course in range(2**n):
        failures = [bool(course >> bit & 1) for bit in range(n)]
        chance = p0 ** sum(failures) * (1 - p0) ** (n - sum(failures))
        mean += chance * entered([(failed, p0) for failed in failures]).evidence
    assert mean == pytest.approx(n, rel=1e-12)


@pytest.mark.proof
def test_false_alarms_come_no_sooner_than_the_threshold_says() -> None:
    rng, limit = random.Random(5), 2_000.0
    courses = 2_000 if FULL else 120
    spent = 0
    for _ in range(courses):
        detector = Detector()
        while detector.feed(rng.random() < 0.05, 0.05, limit) is not Turn.ALARM:
            pass
        spent += detector.payments
    assert spent / courses >= limit


def test_a_drop_is_watched_then_alarmed_then_over() -> None:
    rng = random.Random(3)
    detector = Detector()
    turns = []
    for failure_share, count in ((0.05, 400), (0.5, 60), (0.05, 400)):
        for _ in range(count):
            turn = detector.feed(rng.random() < failure_share, 0.05, 86_400.0)
            if turn:
                turns.append((turn, detector.payments))
    assert [turn for turn, _ in turns] == [Turn.WATCH, Turn.ALARM, Turn.RECOVERED]
    assert 400 < turns[1][1] <= 430
    assert 460 < turns[2][1] <= 560
    assert not detector.alarmed
    assert detector.evidence < 86_400


@pytest.mark.proof
def test_a_drop_that_lasts_is_seldom_taken_for_over() -> None:
    rng = random.Random(11)
    ended = 0
    drops = [(0.25, 0.05), (0.6, 0.05), (0.1, 0.05), (1.0, 0.05), (0.3, 0.15)] * (40 if FULL else 4)
    for share, p0 in drops:
        detector = Detector()
        turns = [detector.feed(rng.random() < share, p0, 86_400.0) for _ in range(3_000)]
        assert Turn.ALARM in turns
        ended += Turn.RECOVERED in turns
    assert ended <= len(drops) // 20


def test_a_long_outage_overflows_nothing_and_ends_as_soon() -> None:
    detector = Detector()
    last = 0.0
    for _ in range(5_000):
        detector.feed(True, 0.05, 86_400.0)
        assert detector.evidence >= last
        last = detector.evidence
    assert last <= 1e300
    kept = Detector.load(detector.dump())
    ends = [next(i for i in range(99) if one.feed(False, 0.05, 86_400.0)) for one in (detector, kept)]
    assert ends[0] == ends[1] <= 30
    assert detector.evidence == 0.0


def test_the_state_is_small() -> None:
    detector = entered([(index % 3 == 0, 0.0123456789012345) for index in range(1000)])
    assert len(detector.dump()) < 300


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[[1,2],0,0.05,1,1,0,0,false,null]", "null"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no state of a detector"):
        Detector.load(text)


def test_evidence_rises_with_each_failure_and_falls_with_each_success() -> None:
    detector = Detector()
    seen = []
    for failed in [True] * 5 + [False] * 20:
        detector.feed(failed, 0.05, NEVER)
        seen.append(detector.evidence)
    assert all(a < b for a, b in pairwise(seen[:5]))
    assert all(a > b for a, b in pairwise(seen[4:]))


def test_the_odds_of_chance_are_the_threshold_s_own_measure() -> None:
    assert once_in_years(threshold(2_880, 50), 2_880, 50) == pytest.approx(30 / 365.25)
    assert once_in_years(1e300, 1.0, 1) == 1e9
