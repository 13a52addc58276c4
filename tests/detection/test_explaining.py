"""Onset, place, codes, money, silence: each against what is known by construction or by hand."""

from __future__ import annotations

import random
from math import exp, lgamma, log, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof import tried

from payops.detection import (
    AtRisk,
    Seen,
    Traffic,
    likelihood_ratio,
    onset,
    ranked_codes,
    scan,
    silence_limit,
    slices_of,
    upper_bound,
)
from payops.detection.shares import beta_share


def payments(rng: random.Random, count: int, where: dict[str, str], to: float) -> list[Seen]:
    found = []
    for _ in range(count):
        values = {"brand": rng.choice("vma"), "country": rng.choice("ndfg"), "currency": rng.choice("eu")}
        share = to if where.items() <= values.items() else 0.05
        slices = slices_of(values)
        found.append(Seen(slices, rng.random() < share, (0.05,) * len(slices)))
    return found


def test_the_onset_of_a_clear_drop_is_found_within_a_few_payments() -> None:
    rng = random.Random(1)
    errors = []
    for _ in range(60):
        failed = [rng.random() < 0.05 for _ in range(400)] + [rng.random() < 0.6 for _ in range(25)]
        found = onset(failed, [0.05] * len(failed))
        assert found is not None
        assert failed[found]
        errors.append(abs(found - 400))
    assert sum(error <= 5 for error in errors) >= 50


def test_without_failures_there_is_no_onset() -> None:
    assert onset([False] * 50, [0.05] * 50) is None
    assert onset([], []) is None


@tried(500, 50)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.01, 0.05, 0.3])), min_size=1, max_size=40))
def test_the_onset_is_the_start_with_the_largest_likelihood_ratio(payments) -> None:
    failed, p0 = [bad for bad, _ in payments], [share for _, share in payments]
    ratios = [
        likelihood_ratio(len(failed) - start, sum(failed[start:]), sum(p0[start:]))
        for start in range(len(failed))
    ]
    found = onset(failed, p0)
    assert (found is None) == (max(ratios) <= 1e-12)
    if found is not None:
        assert ratios[found] == pytest.approx(max(ratios))


def test_the_guilty_pair_is_named_and_after_it_the_second_cause() -> None:
    rng = random.Random(2)
    seen = payments(rng, 400, {"brand": "v", "country": "n"}, 0.7)
    found = scan(seen + payments(rng, 120, {"currency": "u", "brand": "a"}, 0.9))
    assert found is not None
    assert {found.best.slice, found.second.slice if found.second else None} == {
        (("brand", "v"), ("country", "n")),
        (("brand", "a"), ("currency", "u")),
    }


def test_a_fall_of_everything_is_the_total_s() -> None:
    found = scan(payments(random.Random(3), 200, {}, 0.4))
    assert found is not None
    assert found.best.slice == ()


def test_columns_that_always_go_together_are_both_named() -> None:
    rng = random.Random(4)
    seen = []
    for _ in range(200):
        brand = rng.choice("vm")
        slices = slices_of({"brand": brand, "network": f"net-{brand}"})
        seen.append(Seen(slices, rng.random() < (0.6 if brand == "v" else 0.05), (0.05,) * len(slices)))
    found = scan(seen)
    assert found is not None
    assert found.runner_up is not None
    assert {found.best.slice, found.runner_up.slice} == {(("brand", "v"),), (("network", "net-v"),)}


def test_an_empty_value_is_unknown_and_makes_no_slice() -> None:
    assert slices_of({"brand": "", "country": "n"}) == ((), (("country", "n"),))


def test_codes_are_ranked_by_their_excess_not_by_their_number() -> None:
    found = ranked_codes(
        {"insufficient_funds": 12, "do_not_honor": 9, "new_code": 3},
        {"insufficient_funds": 90, "do_not_honor": 10},
        10.0,
    )
    assert found[0].code == "do_not_honor"
    assert all(code.excess > 0 for code in found)
    assert "insufficient_funds" in {code.code for code in found}


def test_money_at_risk_is_unbiased_and_its_error_is_honest() -> None:
    rng = random.Random(5)
    within = 0
    for _ in range(300):
        one, truth = AtRisk(), 0.0
        for _ in range(80):
            amount = rng.randint(100, 20_000)
            truth += amount * (0.4 - 0.05)
            one.add(amount, rng.random() < 0.4, 0.05)
        # The stated error is that of the baseline alone; the drop's own failures scatter 2.25 times as much.
        within += abs(one.lost_minor - truth) <= 2 * 2.25 * one.se_minor
    assert within >= 275
    one.paid_later(1_000)
    assert one.paid_later_minor == 1_000


def test_silence_is_an_alarm_later_the_more_volume_strays() -> None:
    assert silence_limit(86_400, 0.0) == pytest.approx(log(86_400))
    assert silence_limit(86_400, 0.3) == pytest.approx(19.8, abs=0.2)
    assert silence_limit(86_400, 0.5) == pytest.approx(65, abs=2)
    limits = [silence_limit(86_400, cv / 100) for cv in range(0, 60, 5)]
    assert limits == sorted(limits)


def test_half_the_traffic_is_noticed_within_the_bound_and_the_usual_is_not() -> None:
    rng = random.Random(6)
    usual, half, heard = Traffic(), Traffic(), 0.0
    for _ in range(3_000):
        usual.passed(rng.expovariate(1.0))
        assert usual.evidence < 86_400
        usual.arrived()
    while half.evidence < 86_400:
        gap = rng.expovariate(0.5)
        heard += gap
        half.passed(gap)
        if half.evidence < 86_400:
            half.arrived()
    assert heard < 2 * log(86_400) / 0.153
    kept = Traffic(*half.dump())
    assert (kept.evidence, kept.expected) == (half.evidence, half.expected)


@pytest.mark.parametrize(
    ("n", "failed", "bound"),
    # Without failures 1 - 0.1^(1/n); the others solve the binomial tail below.
    [(50, 0, 1 - 0.1 ** (1 / 50)), (1, 0, 0.9), (10, 10, 1.0), (0, 0, 1.0)],
)
def test_the_upper_bound_in_closed_form(n, failed, bound) -> None:
    assert upper_bound(n, failed) == pytest.approx(bound, rel=1e-9)


@tried(300, 40)
@given(st.integers(1, 300), st.data())
def test_the_upper_bound_leaves_ten_per_cent_to_so_few_failures(n, data) -> None:
    failed = data.draw(st.integers(0, n - 1))
    bound = upper_bound(n, failed)
    chance = sum(
        exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(bound) + (n - k) * log1p(-bound))
        for k in range(failed + 1)
    )
    assert chance == pytest.approx(0.1, rel=1e-6)


@tried(200, 40)
@given(st.floats(0.001, 0.999), st.integers(1, 40), st.integers(1, 40))
def test_the_incomplete_beta_function_is_the_binomial_tail(x, a, b) -> None:
    n = a + b - 1
    terms, term = [], exp(n * log(1 - x))
    for k in range(n + 1):
        terms.append(term)
        term *= (n - k) / (k + 1) * x / (1 - x)
    assert beta_share(x, float(a), float(b)) == pytest.approx(sum(terms[a:]), rel=1e-8, abs=1e-14)


def test_the_bound_of_a_large_history_is_close_to_its_share() -> None:
    assert 0.05 < upper_bound(2_000_000, 100_000) < 0.0503
