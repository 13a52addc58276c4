"""Wilson score intervals: honest at small n, never outside 0..1."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
Z_ONE_SIDED_95 = 1.6448536269514722


def wilson(n: int, k: int, z: float = Z_95) -> tuple[float, float]:
    """The interval of a share of k in n (n > 0), two-sided 95 % by default."""
    if n <= 0 or not 0 <= k <= n:
        raise ValueError(f"a share needs 0 <= k <= n and n > 0, got k={k}, n={n}")
    share = k / n
    z2 = z * z
    centre = share + z2 / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    scale = 1 + z2 / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
