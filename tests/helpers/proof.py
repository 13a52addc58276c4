"""How often a law is tried: a few times in `make test`, as often as an issue names in `make proof`."""

from __future__ import annotations

import os
import sys

from hypothesis import HealthCheck, Phase, settings

FULL = os.environ.get("PAYOPS_PROOF") == "full"


def tried(full: int, usual: int) -> settings:
    """Hypothesis settings for a law that owns its whole world: the same cases every time, no clock to fail on."""
    return settings(
        max_examples=full if FULL else usual,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink) if FULL else (Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


def tell(text: str) -> None:
    """Say what a proof went through where `make proof` shows it: a worker's own output is not."""
    print(f"\n{text}", file=sys.__stderr__, flush=True)
