"""Shares of failures: how they are raised by odds, and how high the true one may be after so many payments."""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt

LOWEST, HIGHEST = 1e-6, 0.6
"""A baseline below is no estimate, and one above says nothing about a rise."""
SURE = 0.9
TINY = 1e-300


def judgeable(share: float) -> float:
    """The share within the limits of a baseline."""
    return min(max(share, LOWEST), HIGHEST)


def raised(share: float, odds: float) -> float:
    """The share whose odds are `odds` times those of `share`."""
    return odds * share / (1.0 + (odds - 1.0) * share)


def upper_bound(n: int, failed: int, sure: float = SURE) -> float:
    """Clopper and Pearson's one-sided bound: the share that `failed` or fewer of `n` has a chance of 1 - `sure` of.

    1.0 where nothing, or nothing but failures, was seen.
    """
    if not 0 <= failed <= n:
        raise ValueError(f"a share needs 0 <= failed <= n, got failed={failed}, n={n}")
    if failed == n:
        return 1.0
    low, high = failed / n, 1.0
    below, above = beta_share(low, failed + 1.0, n - failed) - sure, 1.0 - sure
    side = 0
    for _ in range(200):  # false position, halving the end that stays (Illinois): a bracket all the way
        middle = low - below * (high - low) / (above - below)
        value = beta_share(middle, failed + 1.0, n - failed) - sure
        if abs(value) < 1e-13 or high - low < 1e-14:
            break
        if value < 0:
            low, below = middle, value
            above = above / 2 if side < 0 else above
            side = -1
        else:
            high, above = middle, value
            below = below / 2 if side > 0 else below
            side = 1
    return middle


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b): how much of Beta(a, b) lies at or below x."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction by Lentz's method; converges within a few square roots of the larger parameter."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 200 + 20 * int(sqrt(max(a, b)))):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
