"""Runs the receiver in a thread and an event loop of its own, so that nothing else can hold it up."""

from __future__ import annotations

import asyncio
import errno
import importlib
import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from payops.domain.errors import UsageError

from .app import Receiver

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)
_START_S = 10.0
_BACKLOG = 2048


class RunningReceiver:
    """A receiver that listens. `stop` ends it; what was answered 200 is on disk whenever that happens."""

    def __init__(
        self, receiver: Receiver, server: uvicorn.Server, thread: threading.Thread, sock: socket.socket
    ) -> None:
        self._receiver = receiver
        self._server = server
        self._thread = thread
        host, self.port = sock.getsockname()[:2]
        self.url = f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def stop(self, timeout_s: float = 1.0) -> None:
        """Take no more, let requests under way end, and return within `timeout_s`."""
        self._server.should_exit = True
        self._thread.join(timeout_s * 0.7)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(timeout_s * 0.2)
        self._receiver.close(timeout_s * 0.1)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `UsageError` says who to make way for. Port 0 takes a free one."""
    where = f"receiver: port {port} on {host}"
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise UsageError(
            f"receiver: host {host!r} is no address of this machine: {error.strerror}"
        ) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"{where} is in use: stop the program that has it, or set another port under [receiver]"
            ) from error
        if error.errno == errno.EACCES:
            raise UsageError(f"{where} needs privileges: set a port above 1023 under [receiver]") from error
        raise UsageError(f"{where} cannot be opened: {error.strerror}; check [receiver] host") from error
    return sock


def serve(
    receiver: Receiver, *, host: str = "127.0.0.1", port: int = 0, sock: socket.socket | None = None
) -> RunningReceiver:
    """Listen on `sock`, or on `host` and `port`, until `stop`. `UsageError` when the port is taken."""
    sock = sock or listen(host, port)
    import uvicorn

    from .protocol import WebhookProtocol

    config = uvicorn.Config(
        receiver,
        http=WebhookProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=1,
    )
    ready = threading.Event()
    server = uvicorn.Server(config)
    # A thread that is not the main one installs no signal handlers.
    thread = threading.Thread(target=_run, args=(server, sock, ready), name="receiver", daemon=True)
    running = RunningReceiver(receiver, server, thread, sock)
    thread.start()
    if not ready.wait(_START_S) or not thread.is_alive():
        raise UsageError(f"receiver: could not start on {running.url}: see the log")
    return running


def _run(server: uvicorn.Server, sock: socket.socket, ready: threading.Event) -> None:
    async def main() -> None:
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        ready.set()
        await serving

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main())
    except Exception:
        log.exception("the receiver ended")
    finally:
        ready.set()
        sock.close()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ImportError:  # not available on every platform
        return None
    return factory
