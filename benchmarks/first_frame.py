"""CPU to the first frame of `payops run` on a store with a last known picture, against the smallest such app."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from . import world
from .harness import Figure, paired, python
from .terminal import cpu_to_text

MARKER = b"stripe-live"


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        config = world.configured(Path(folder), payments=2_000)
        os.environ["PAYOPS_CONFIG"] = str(config)
        payops = str(Path(sys.executable).with_name("payops"))
        return [
            paired(
                "first frame: CPU until an account is painted",
                lambda: cpu_to_text([payops, "run", "--operator", "me"], MARKER),
                lambda: cpu_to_text(python("-m", "benchmarks.floor_screen"), b"floor-is-painted"),
                "later goal <= 1.5 x",
            )
        ]
