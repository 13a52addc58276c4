"""Blocking calls in daemon threads of their own: quitting never waits for one that hangs."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable

from textual.message import Message
from textual.message_pump import MessagePump

from payops.domain.errors import PayopsError

from .messages import Failed


class Work:
    """At most one call per key at a time; its answer, or `Failed`, is posted to the pump that asked.

    Not asyncio's executor: the interpreter joins its threads at exit, and its few slots are soon used up by calls that hang.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[str] = set()

    def start(self, key: str, call: Callable[[], Message], to: MessagePump) -> bool:
        """Run `call` and post what it returns; False when `key` is still running."""
        with self._lock:
            if key in self._running:
                return False
            self._running.add(key)
        # Textual finds the running app in a context variable, which a new thread does not inherit.
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._run, key, call, to), name=f"tui {key}", daemon=True
        ).start()
        return True

    def _run(self, key: str, call: Callable[[], Message], to: MessagePump) -> None:
        try:
            message = call()
        except PayopsError as error:
            message = Failed(key, str(error))
        except Exception as error:
            message = Failed(key, f"internal error, {type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._running.discard(key)
        post(to, message)


def post(to: MessagePump, message: Message) -> None:
    """Post from any thread; nobody is there to read it once the loop is closed, and that is fine."""
    with contextlib.suppress(RuntimeError):
        to.post_message(message)
