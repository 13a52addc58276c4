"""HTTP for the receiver: a webhook is judged where its last byte arrives and answered when it is on disk.

What states its length and is judged without waiting needs no task and no ASGI cycle, which would cost more than all the
rest. Any other request goes the usual way, by uvicorn's protocol, which this one extends.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from payops.domain.events import Delivery, Refusal
from payops.providers.port import WebhookVerifier

from .answers import ANSWERS, HANGS_UP, refused
from .app import BODY_TIMEOUT_S, MAX_BODY, WRITE_TIMEOUT_S, joined

if TYPE_CHECKING:
    from .app import Receiver

log = logging.getLogger(__name__)
_UNUSUAL = ("transfer-encoding", "upgrade", "expect")


class _Webhook:
    """A request under way."""

    __slots__ = ("account", "body", "complete", "headers", "keep_alive", "named", "timer", "verifier")

    def __init__(
        self,
        account: str,
        verifier: WebhookVerifier,
        headers: list[tuple[bytes, bytes]],
        named: dict[str, str],
        keep_alive: bool,
    ) -> None:
        self.account = account
        self.verifier = verifier
        self.headers = headers
        self.named = named
        self.keep_alive = keep_alive
        self.body: list[bytes] = []
        self.complete = False
        self.timer: asyncio.TimerHandle | None = None


class WebhookProtocol(HttpToolsProtocol):
    """One connection. The application it serves is the `Receiver`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receiver: Receiver = self.config.app  # type: ignore[assignment]
        self._webhook: _Webhook | None = None
        self._ahead = False
        """The sender did not wait for an answer: it gets the one under way, and comes back with the rest."""
        self._leaving = False

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        webhook = self._webhook
        if webhook is not None and not webhook.complete and webhook.timer is None:
            webhook.timer = self.loop.call_later(BODY_TIMEOUT_S, self._answer, 408)

    def on_headers_complete(self) -> None:
        if self._webhook is not None:
            self._ahead = True
            return
        self._webhook = self._begun()
        if self._webhook is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._webhook is None:
            super().on_body(body)
        elif not self._ahead:
            self._webhook.body.append(body)

    def on_message_complete(self) -> None:
        if self._webhook is None:
            super().on_message_complete()
        elif not self._ahead:
            self._complete(self._webhook)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self._webhook is None:
            super().shutdown()
        else:
            self._leaving = True

    def _begun(self) -> _Webhook | None:
        """The webhook whose headers are read; None for a request that takes the usual way."""
        found = self._receiver.at_once(self.url)
        busy = self.cycle is not None and not self.cycle.response_complete
        if found is None or busy or self.parser.get_method() != b"POST":
            return None
        named = joined(self.headers)
        length = named.get("content-length", "")
        if not length.isdigit() or len(length) > 7 or int(length) > MAX_BODY:
            return None
        if self.parser.get_http_version() != "1.1" or any(name in named for name in _UNUSUAL):
            return None
        return _Webhook(*found, self.headers, named, self.parser.should_keep_alive())

    def _complete(self, webhook: _Webhook) -> None:
        webhook.complete = True
        if webhook.timer is not None:
            webhook.timer.cancel()
        webhook.timer = self.loop.call_later(WRITE_TIMEOUT_S, self._answer, 503)
        body = b"".join(webhook.body)
        try:
            judged = self._receiver.judge(webhook.account, webhook.verifier, body, webhook.named)
            self._receiver.submit(judged, self.loop, partial(self._written, webhook, judged, body))
        except Exception:
            log.exception("a webhook could not be judged")
            self._answer(503)

    def _written(
        self, webhook: _Webhook, judged: Delivery | Refusal, body: bytes, error: Exception | None
    ) -> None:
        if error is None and isinstance(judged, Delivery):
            self._receiver.stored(judged, body, webhook.headers)
        if webhook is not self._webhook:
            return  # its sender has gone, or could not be kept waiting any longer
        if isinstance(judged, Refusal):
            self._answer(refused(judged.kind))
        else:
            self._answer(200 if error is None else 503)

    def _answer(self, status: int) -> None:
        keep_alive = self._end()
        if self.transport.is_closing():
            return
        close = not keep_alive or self._ahead or self._leaving or status in HANGS_UP
        content = [_HEADS[status]]
        for name, value in self.server_state.default_headers:
            content += (name, b": ", value, b"\r\n")
        content.append(b"connection: close\r\n\r\n" if close else b"\r\n")
        content.append(_BODIES[status])
        self.transport.write(b"".join(content))
        self.server_state.total_requests += 1
        if close:
            self.transport.close()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _end(self) -> bool:
        """No request is under way any more; whether the one that was leaves the connection open."""
        webhook, self._webhook = self._webhook, None
        if webhook is None:
            return False
        if webhook.timer is not None:
            webhook.timer.cancel()
        return webhook.keep_alive and webhook.complete


_BODIES = {status: msgspec.json.encode(said) for status, said in ANSWERS.items()}
_HEADS = {
    status: (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    ).encode()
    for status, body in _BODIES.items()
}
