"""The webhook endpoint: verify the raw bytes, store durably, answer 2xx; process afterwards.

`Receiver` is the ASGI application and the processing of its inbox, `serve` runs it in a thread of its own.
"""

from __future__ import annotations

from .app import MAX_BODY, Receiver
from .serving import RunningReceiver, listen, serve

__all__ = ["MAX_BODY", "Receiver", "RunningReceiver", "listen", "serve"]
