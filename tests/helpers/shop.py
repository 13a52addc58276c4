"""An application behind a relay: takes what is posted to it on a loopback port, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Taken:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Shop:
    """`answer` is asked with each request for the status, and may add headers."""

    answer: Callable[[Taken], int] = lambda taken: 200
    extra: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)

    def __enter__(self) -> Shop:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                taken = Taken(self.path, dict(self.headers.items()), self.rfile.read(length))
                shop.taken.append(taken)
                self.send_response(shop.answer(taken))
                for name, value in shop.extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def events(self) -> list[str]:
        """The ids of what was posted, in order."""
        return [taken.headers["Payops-Event"] for taken in self.taken]
