from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payops.signals.evidence import drop_evidence
from payops.signals.interval import wilson


def test_wilson_matches_published_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
    for n, k, low, high in (
        (263, 81, 0.2553, 0.3662),
        (148, 15, 0.0624, 0.1605),
        (20, 0, 0.0, 0.1611),
        (29, 1, 0.0061, 0.1718),
    ):
        assert wilson(n, k) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_wilson_holds_the_share_and_mirrors(pair: tuple[int, int]) -> None:
    n, k = pair
    low, high = wilson(n, k)
    assert 0.0 <= low <= k / n + 1e-12
    assert k / n <= high + 1e-12 <= 1.0 + 1e-11
    mirror = wilson(n, n - k)
    assert (1 - mirror[1], 1 - mirror[0]) == pytest.approx((low, high), abs=1e-12)


def test_wilson_refuses_nonsense() -> None:
    for n, k in ((0, 0), (5, 6), (5, -1)):
        with pytest.raises(ValueError):
            wilson(n, k)


def test_evidence_has_mean_n_in_control() -> None:
    # E[R_n] = n exactly while the failure share is the baseline: the law behind the false-alarm guarantee.
    rng = random.Random(11)
    n, runs, p0, far = 5, 40_000, 0.3, 1e9
    mean = (
        sum(drop_evidence([rng.random() >= p0 for _ in range(n)], p0, far) for _ in range(runs)) * far / runs
    )
    assert mean == pytest.approx(n, rel=0.08)


def test_a_total_outage_is_noticed_within_seven_payments() -> None:
    threshold = 43_200 * 2.0
    needed = next(k for k in range(1, 50) if drop_evidence([False] * k, 0.05, threshold) >= 1.0)
    assert needed <= 7


def test_a_drop_to_40_per_cent_is_noticed_within_30_payments_mostly() -> None:
    rng = random.Random(3)
    threshold = 43_200 * 4.0
    noticed = 0
    for _ in range(200):
        outcomes = [rng.random() < 0.95 for _ in range(200)] + [rng.random() < 0.40 for _ in range(30)]
        noticed += drop_evidence(outcomes, 0.05, threshold) >= 1.0
    assert noticed >= 190


def test_a_healthy_day_raises_nothing() -> None:
    rng = random.Random(5)
    threshold = 43_200 * 4.0
    assert all(
        drop_evidence([rng.random() < 0.95 for _ in range(2000)], 0.06, threshold) < 1.0 for _ in range(50)
    )


def test_evidence_never_overflows() -> None:
    assert drop_evidence([False] * 100_000, 0.01, 1.0) <= 1e5


def test_an_alarm_holds_while_the_drop_lasts_and_ends_with_it() -> None:
    rng = random.Random(8)
    threshold = 43_200 * 4.0
    history = [rng.random() < 0.95 for _ in range(300)]
    drop = [rng.random() < 0.40 for _ in range(60)]
    healed = [rng.random() < 0.95 for _ in range(60)]
    for length in range(40, 61):
        assert drop_evidence(history + drop[:length], 0.05, threshold) >= 1.0
    assert drop_evidence(history + drop + healed[:3], 0.05, threshold) >= 1.0
    assert drop_evidence(history + drop + healed, 0.05, threshold) < 1.0


def test_a_second_drop_after_a_recovery_alarms_again() -> None:
    threshold = 43_200 * 4.0
    once = [True] * 100 + [False] * 10 + [True] * 60
    assert drop_evidence(once, 0.05, threshold) < 1.0
    assert drop_evidence([*once, *[False] * 10], 0.05, threshold) >= 1.0
