"""Whether there is a terminal to draw on, and whether it is still there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from payops.domain.errors import UsageError

MIN_WIDTH = 70
MIN_HEIGHT = 18


def require_terminal(environ: Mapping[str, str] | None = None) -> None:
    """Raise `UsageError` where no screen can be drawn: no terminal, or one that cannot move its cursor."""
    environ = os.environ if environ is None else environ
    instead = "use `payops status --json`, or `payops engine` to run without a screen"
    if not alive():
        raise UsageError(f"the screen needs a terminal, and stdin or stderr is none: {instead}")
    if environ.get("TERM", "") in ("", "dumb", "unknown"):
        raise UsageError(
            f"the screen needs a terminal that can move its cursor, and TERM is {environ.get('TERM', '')!r}: {instead}"
        )


def alive() -> bool:
    """Both ends of the terminal are still there: keys come from stdin, and Textual draws on stderr."""
    try:
        return os.isatty(sys.__stdin__.fileno()) and os.isatty(sys.__stderr__.fileno())  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return False
