"""What the receiver says. A sender that is not believed learns nothing but that."""

from __future__ import annotations

from collections.abc import Mapping

ANSWERS: Mapping[int, Mapping[str, object]] = {
    200: {"received": True},
    400: {"error": "not accepted"},
    404: {"error": "no such webhook"},
    405: {"error": "POST webhooks here"},
    408: {"error": "the body took too long"},
    413: {"error": "at most 1 MiB"},
    503: {"error": "not stored, send again"},
}
HANGS_UP = frozenset({404, 405, 408, 413})
"""After these the connection is closed."""
UNDECIDED = "certificate"
"""The kind of refusal that says nothing about the sender: it is asked to come back."""


def refused(kind: str) -> int:
    """The status for a webhook that was not accepted."""
    return 503 if kind == UNDECIDED else 400
