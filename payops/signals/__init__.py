"""Numbers from stored facts at a given instant: what rules judge and the board shows.

`read(store, settings, now)` returns every signal of `schema.SOURCES`; a value that is not known is None.
"""

from __future__ import annotations

from .read import read
from .schema import SOURCES, SignalRow, SignalSet

__all__ = ["SOURCES", "SignalRow", "SignalSet", "read"]
