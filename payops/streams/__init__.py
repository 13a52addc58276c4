"""What is counted, and the detector of each stream: advanced once a tick over what ended since.

`Watch.advance(now)` is the room's one door: it reads attempts and requests from the store, feeds every stream they
belong to, and keeps states, notices and its place in one transaction, so that it does not matter who goes on.
"""

from .watch import Watch

__all__ = ["Watch"]
