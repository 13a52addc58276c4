"""A provider's API on a loopback port, and the edge: what the outside world gets where payops is published."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack
from threading import Lock, Thread
from time import sleep
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from payops.clock import Now
from payops.domain.errors import UsageError
from payops.domain.payments import Provider

from .account import APPS
from .kinds import kind
from .outside import Outside
from .wire import Api, Request, Response
from .world import World

HOST = "127.0.0.1"
_EDGE = "/_edge/"
STATED_LATENCY = "X-Simulated-Latency-Ms"
"""In stepped time, how long an answer would have taken: nobody waits for it."""
_MOST_BYTES = 1 << 20


class ProviderServer:
    """Holds its port from the beginning, answers from `start()` to `stop()`, in threads of its own.

    `GET /_edge/PATH` answers as `https://PROVIDER.sim/PATH` would; `GET /apps/NAME` is the application behind an
    endpoint that is not payops's.

    `now` None = stepped time: requests see the world as it was last advanced; else each request first brings
    the world to `now()`. `receiver` is the base URL payops's receiver really has; None = nothing is there.
    A used port is a `UsageError`.
    """

    def __init__(
        self,
        world: World,
        provider: Provider,
        *,
        port: int = 0,
        now: Now | None = None,
        receiver: str | None = None,
    ) -> None:
        self.world = world
        self.provider: Provider = provider
        self.now = now
        self.public_base = world.public_bases[provider]
        self.api: Api = kind(provider).open_api(world)
        self.outside = Outside((self.public_base,), receiver)
        try:
            self._http = _Http((HOST, port), _Handler, self)
        except OSError as error:
            raise UsageError(
                f"port {port} on {HOST} cannot be used ({error.strerror or error}): "
                "stop what listens there, or choose another with --port (0 = any free one)"
            ) from error
        self.port: int = self._http.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread: Thread | None = None

    def start(self) -> ProviderServer:
        """Answer requests; those that came since the port was opened have waited."""
        self._thread = Thread(
            target=self._http.serve_forever,
            kwargs={"poll_interval": 0.05},
            name=f"{self.provider}-sim",
            daemon=True,
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection; no new request is answered afterwards."""
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()
        self._http.close_connections()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], server: ProviderServer
    ) -> None:
        self.provider_server = server
        self._open: set[socket.socket] = set()
        self._guard = Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End idle kept-alive connections: their threads wait in a read."""
        with self._guard:
            sockets = list(self._open)
        for connection in sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else must be seen."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Http

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_PUT(self) -> None:
        self._respond()

    def do_PATCH(self) -> None:
        self._respond()

    def do_DELETE(self) -> None:
        self._respond()

    def _respond(self) -> None:
        server = self.server.provider_server
        target = urlsplit(self.path)
        body = self._body()
        if body is None:
            self._send(server.api.unreadable())
            return
        if server.now is not None:
            server.world.advance(server.now())
        path = unquote(target.path)
        if path.startswith(_EDGE):
            self._edge(path.removeprefix(_EDGE), target.query, body)
            return
        if path.startswith(f"/{APPS}"):
            self._edge(path.lstrip("/"), target.query, body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        with server.world.lock:
            faults = [account.faults for account in server.world.of(server.provider)]
            trouble = next((each.trouble for each in faults if each.trouble), None)
            latency_ms = max((each.latency_ms for each in faults), default=0)
        if trouble == "drop":
            self._break_off()
            return
        if latency_ms and server.now is not None:
            sleep(latency_ms / 1000)
        try:
            request = Request(self.command, path, target.query, body.decode("utf-8"), headers)
        except UnicodeDecodeError:
            self._send(server.api.unreadable())
            return
        response = server.api.trouble(trouble) if trouble else server.api.respond(request)
        if latency_ms and server.now is None:
            response = replace(response, headers={**response.headers, STATED_LATENCY: str(latency_ms)})
        self._send(response)

    def _break_off(self) -> None:
        """Close without a word, in the way that the other side hears as a reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        self.connection.close()

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MOST_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _edge(self, path: str, query: str, body: bytes) -> None:
        server = self.server.provider_server
        if self.command == "POST":
            self._offer(path, body)
            return
        if self.command != "GET" or not server.world.edge_open(server.provider, path):
            self._send_bytes(503, b"no healthy upstream\n", {"Content-Type": "text/plain"})
            return
        played = server.world.plays(server.provider, path)
        if played is not None:
            self._send_bytes(played, b"application\n", {"Content-Type": "text/plain"})
            return
        try:
            target = f"{server.public_base}/{quote(path)}" + (f"?{query}" if query else "")
            status, body = server.outside.get(target)
        except (OSError, HTTPException) as error:
            self._send_bytes(502, f"upstream: {error}\n".encode(), {"Content-Type": "text/plain"})
            return
        self._send_bytes(status, body, {"Content-Type": "text/plain"})

    def _offer(self, path: str, body: bytes) -> None:
        """A request of payops to the application behind a relay."""
        server = self.server.provider_server
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = server.world.offer(server.provider, path, body, headers)
        status, latency_ms = (404, 0) if answer is None else answer
        if latency_ms and server.now is not None:
            sleep(latency_ms / 1000)
        stated = {STATED_LATENCY: str(latency_ms)} if latency_ms and server.now is None else {}
        self._send_bytes(status, b"", {"Content-Type": "text/plain", **stated})

    def _send(self, response: Response) -> None:
        self._send_bytes(response.status, response.body, response.headers)

    def _send_bytes(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The provider's own clock: the world's, and ahead of it while a fault says so."""
        server = self.server.provider_server
        with server.world.lock:
            skew_s = max((account.faults.skew_s for account in server.world.of(server.provider)), default=0)
            return super().date_time_string(server.world.now_ms / 1000 + skew_s)

    def version_string(self) -> str:
        return "nginx"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a screen may share the terminal."""
