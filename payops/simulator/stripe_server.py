"""Stripe's API on a loopback port, and the edge: what the outside world gets where payops is published."""

from __future__ import annotations

import socket
import sys
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec

from payops.clock import Now
from payops.domain.errors import UsageError

from .account import APPS
from .outside import Outside
from .stripe_api import Request, Response, StripeApi
from .world import World

HOST = "127.0.0.1"
_EDGE = "/_edge/"
_MOST_BYTES = 1 << 20
_BAD_REQUEST = {"error": {"type": "invalid_request_error", "message": "Bad request."}}


class StripeServer:
    """Holds its port from the beginning, answers from `start()` to `stop()`, in threads of its own. `GET /_edge/PATH` answers as `https://stripe.sim/PATH` would;
    `GET /apps/NAME` is the application behind an endpoint that is not payops's.

    `now` None = stepped time: requests see the world as it was last advanced; else each request first brings
    the world to `now()`. `receiver` is the base URL payops's receiver really has; None = nothing is there.
    A used port is a `UsageError`.
    """

    def __init__(
        self, world: World, *, port: int = 0, now: Now | None = None, receiver: str | None = None
    ) -> None:
        self.world = world
        self.now = now
        self.api = StripeApi(world)
        self.outside = Outside(world.public_base, receiver)
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

    def start(self) -> StripeServer:
        """Answer requests; those that came since the port was opened have waited."""
        self._thread = Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, name="stripe-sim", daemon=True
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
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], server: StripeServer
    ) -> None:
        self.stripe = server
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

    def do_DELETE(self) -> None:
        self._respond()

    def _respond(self) -> None:
        stripe = self.server.stripe
        target = urlsplit(self.path)
        body = self._body()
        if body is None:
            self._send(Response(400, _BAD_REQUEST, {}))
            return
        if stripe.now is not None:
            stripe.world.advance(stripe.now())
        path = unquote(target.path)
        if path.startswith(_EDGE):
            self._edge(path.removeprefix(_EDGE), target.query)
            return
        if path.startswith(f"/{APPS}"):
            self._edge(path.lstrip("/"), target.query)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(stripe.api.respond(Request(self.command, path, target.query, body, headers)))

    def _body(self) -> str | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MOST_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return None
        try:
            return self.rfile.read(int(length)).decode("utf-8")
        except UnicodeDecodeError:
            return None

    def _edge(self, path: str, query: str) -> None:
        stripe = self.server.stripe
        if self.command != "GET" or not stripe.world.edge_open(path):
            self._send_bytes(503, b"no healthy upstream\n", {"Content-Type": "text/plain"})
            return
        if stripe.world.plays(path):
            self._send_bytes(200, b"ok\n", {"Content-Type": "text/plain"})
            return
        try:
            target = f"{stripe.world.public_base}/{quote(path)}" + (f"?{query}" if query else "")
            status, body = stripe.outside.get(target)
        except (OSError, HTTPException) as error:
            self._send_bytes(502, f"upstream: {error}\n".encode(), {"Content-Type": "text/plain"})
            return
        self._send_bytes(status, body, {"Content-Type": "text/plain"})

    def _send(self, response: Response) -> None:
        headers = {"Content-Type": "application/json", **response.headers}
        self._send_bytes(response.status, msgspec.json.encode(response.body), headers)

    def _send_bytes(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "nginx"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a screen may share the terminal."""
