"""Telling people: who is told what, sending it until it arrived, and the heartbeat that tells of payops itself.

`collect` derives the messages from the store, `deliver` sends what is due, `health` says whether the heartbeat may
beat. Only `transport` knows Apprise, and only a thread of its own ever waits for a target.
"""

from __future__ import annotations

from .health import health
from .paging import collect
from .post import Post
from .sending import deliver

__all__ = ["Post", "collect", "deliver", "health"]
