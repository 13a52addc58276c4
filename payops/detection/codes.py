"""Which decline codes make up a rise of failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class CodeExcess:
    """How often a code came since the onset and how often it would have; `nats` is the Poisson likelihood ratio."""

    code: str
    observed: int
    expected: float
    nats: float

    @property
    def excess(self) -> float:
        return self.observed - self.expected


def ranked_codes(
    observed: Mapping[str, int], usual: Mapping[str, int], expected_failures: float
) -> list[CodeExcess]:
    """The codes that came more often than their usual share of the expected failures, the clearest first.

    `observed` counts failures by code since the onset, `usual` those of normal times; a code never seen before
    counts as half a time.
    """
    total = sum(usual.values()) + 0.5 * len(observed)
    found = []
    for code, count in observed.items():
        expected = expected_failures * (usual.get(code, 0) + 0.5) / total
        if count > expected > 0.0:
            nats = count * log(count / expected) - (count - expected)
            found.append(CodeExcess(code, count, expected, nats))
    return sorted(found, key=lambda one: (-one.nats, one.code))
