"""The Markov chain gives the run lengths that the literature prints."""

from __future__ import annotations

import random

import pytest

from payops.detection import chain

# One-sided charts with reference value 0.5: Brook and Evans 1972, Lucas and Crosier 1982, Siegmund's corrected values.
PUBLISHED = {
    (4.0, 0.0): 335.4, (4.0, 0.5): 26.6, (4.0, 1.0): 8.38, (4.0, 1.5): 4.75, (4.0, 2.0): 3.34, (4.0, 3.0): 2.19,
    (5.0, 0.0): 930.9, (5.0, 0.5): 38.0, (5.0, 1.0): 10.4, (5.0, 1.5): 5.75, (5.0, 2.0): 4.01, (5.0, 3.0): 2.57,
}  # fmt: skip


@pytest.mark.parametrize(("limit", "shift"), PUBLISHED)
def test_published_run_lengths_of_normal_charts_are_reproduced(limit: float, shift: float) -> None:
    found = chain.run_length(chain.normal_steps(0.5, limit, shift, 60), 60)
    assert found == pytest.approx(PUBLISHED[limit, shift], rel=0.004)


@pytest.mark.parametrize(
    ("per_minute", "design", "worst_mean"),
    [(0.2, 0.25, 27.7), (2, 0.25, 37.9), (20, 0.25, 48.2), (2, 0.6, 9.0), (20, 0.6, 11.0), (200, 1.0, 6.0)],
)
def test_the_worst_mean_delay_of_the_optimum_is_the_published_one(per_minute, design, worst_mean) -> None:
    height = chain.height_for(chain.failure_steps(0.05, design, 0.05), 43_200 * per_minute)
    found = chain.run_length(chain.failure_steps(0.05, design, design), height)
    assert found == pytest.approx(worst_mean, rel=0.01)


def test_k_failures_in_a_row_take_as_long_as_the_closed_form_says() -> None:
    # A chart for a total outage counts failures in a row: (p^-k - 1) / (1 - p).
    steps = {1: 0.2, -9: 0.8}
    assert chain.run_length(steps, 4) == pytest.approx((0.2**-4 - 1) / 0.8)


def test_the_chances_of_a_delay_add_up_to_its_mean() -> None:
    steps = chain.failure_steps(0.05, 0.25, 0.25)
    height = 120
    chances = chain.delays(steps, [1.0] + [0.0] * (height - 1))
    mean = sum(1.0 - chance for chance, _ in zip(chances, range(3000), strict=False)) + 1.0
    assert mean == pytest.approx(chain.run_length(steps, height), rel=1e-6)


def test_the_chain_agrees_with_a_chart_that_is_run() -> None:
    rng = random.Random(2)
    steps, height = {7: 0.05, -1: 0.95}, 21
    spent, runs = 0, 300
    for _ in range(runs):
        level = 0
        while level < height:
            level = max(0, level + (7 if rng.random() < 0.05 else -1))
            spent += 1
    assert spent / runs == pytest.approx(chain.run_length(steps, height), rel=0.15)
