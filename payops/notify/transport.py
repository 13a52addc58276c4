"""The port to the world outside: one message to one target, and the Apprise behind it."""

from __future__ import annotations

import logging
from typing import Protocol

from payops.text import safe_line

TIMEOUT_S = 10.0


class Notifier(Protocol):
    """Sends one message; blocks at most a little longer than `TIMEOUT_S`."""

    def __call__(self, url: str, title: str, body: str) -> str:
        """Empty when the target took it, else why not; never the URL, which may hold a secret."""


def by_apprise(url: str, title: str, body: str) -> str:
    """Over Apprise, as plain text."""
    import apprise  # heavy, and needed only by who is told something

    # Its log may name a target's address, and an address may hold a secret.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    scheme = safe_line(url.partition("://")[0], limit=20) if "://" in url else "none"
    try:
        target = apprise.Apprise()
        if not target.add(url):
            return f"no target that Apprise knows (scheme {scheme})"
        took = target.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT, timeout=TIMEOUT_S)
    except Exception as error:
        return f"{scheme}: {type(error).__name__}"
    return "" if took else f"{scheme}: refused, or not reached"
