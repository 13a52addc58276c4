"""How the reasons that keep Level 1 from acting begin or end: one place for who writes them and who reads them."""

from __future__ import annotations

from typing import Literal

Obstructed = Literal["", "observing", "stopped", "operator"]

OBSERVING = "observing: "
STOPPED = "stopped by "
STOP_ASKED = "stop asked for by "
WAITS = "waits: "
BUSY = " right now"


def obstructed(reason: str) -> Obstructed:
    """What kind of obstacle a Level 1 reason names; empty for one that ends without anybody's doing."""
    if reason.startswith(OBSERVING):
        return "observing"
    if reason.startswith((STOPPED, STOP_ASKED)):
        return "stopped"
    # A target that cannot answer yet, or another incident's attempt that holds the lock.
    return "" if reason.startswith(WAITS) or reason.endswith(BUSY) else "operator"
