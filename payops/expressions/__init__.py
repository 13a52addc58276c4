"""Terms of a rule: CEL expressions, typed when a file is loaded, tri-state and bounded when they run.

`Terms(fields).compile(text)` refuses, with the position and a suggestion, whatever could not be judged later;
`Term.evaluate(values)` is True, False or None. None is unknown: a missing, stale or impossible value. Unknown
never fires, never resolves and never permits an action. Durations are written `30s`, `5m`, `1h30m`, `2d`.
"""

from __future__ import annotations

from .durations import format_duration, parse_duration
from .errors import ExpressionError
from .terms import MAX_TERMS, Term, Terms, conjunction

__all__ = [
    "MAX_TERMS",
    "ExpressionError",
    "Term",
    "Terms",
    "conjunction",
    "format_duration",
    "parse_duration",
]
