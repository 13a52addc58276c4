from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
