"""Detection over an export: what payops would have told, from a file and nothing else.

`rows` reads it, `attempts` picks the first attempts, `tracks` are its streams, `replay` feeds them, `alarms` makes
incidents of their alarms, `findings` explains these, `documents` has the JSON.
"""

from __future__ import annotations

from .documents import document
from .verdict import Verdict, backtest

__all__ = ["Verdict", "backtest", "document"]
