"""How much room the disk of a store has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes a process of ours may still write, of how many the disk has."""

    free_bytes: int
    total_bytes: int


def of_disk(path: Path | None) -> Space | None:
    """The room beside `path`; None for a store in memory, or where the disk does not tell."""
    if path is None:
        return None
    try:
        told = os.statvfs(path.parent)
    except OSError:
        return None
    return Space(told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize)
