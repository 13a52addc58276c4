"""The ASGI application, and the four steps of a webhook: find its account, judge it, have it stored, hand it on.

No framework. Most webhooks do not even come this way: `protocol` takes the same steps without a task for each.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

import msgspec

from payops.clock import Now
from payops.domain.events import WRONG_PATH, Delivery, Refusal
from payops.domain.refusals import fix_of
from payops.providers.port import NotVerified, Undecided, Verified, WebhookVerifier
from payops.store import Store
from payops.text import safe_line

from .answers import ANSWERS, HANGS_UP, UNDECIDED, refused
from .forwarding import Relay
from .processing import process_inbox
from .writer import Done, Full, GroupWriter

log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024
_DRAIN = 16 * MAX_BODY
"""A body that is too large is read and dropped up to here, so that its sender hears the answer."""
BODY_TIMEOUT_S = 15.0
WRITE_TIMEOUT_S = 15.0
_PREFIX = "/webhooks/"
_MOST_SAID = 1_000
_CHALLENGE = "bt_challenge"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _TooLarge(Exception):
    pass


class _Gone(Exception):
    pass


class Receiver:
    """Webhooks of all accounts: `POST /webhooks/<account>`; probes: `GET` of the same and `/healthz`.

    A 200 means that the event is on disk. 400 says nothing about why: the reason is counted in the store.
    503 asks the sender to come back. `verifiers` may be changed while the server runs. `relay` takes over what is to
    be forwarded, once it is on disk.
    """

    def __init__(
        self,
        store: Store,
        verifiers: Mapping[str, WebhookVerifier],
        now: Now,
        relay: Relay | None = None,
    ) -> None:
        self._relay = relay
        self._store = store
        self._verifiers = verifiers
        self._now = now
        self._writer = GroupWriter(store)
        self._said: dict[tuple[str, str], datetime] = {}

    def process_pending(self, now: datetime) -> int:
        """Process what is due in the inbox until it is empty, oldest object first; how many were processed."""
        return process_inbox(self._store, self._verifiers, now, self._writer)

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, and end the writer."""
        self._writer.close(timeout_s)

    def at_once(self, url: bytes) -> tuple[str, WebhookVerifier] | None:
        """The account of a webhook's URL and its verifier, where that one judges without waiting."""
        account = url[len(_PREFIX) :].decode("latin-1") if url.startswith(_PREFIX.encode()) else ""
        verifier = self._verifiers.get(account)
        return None if verifier is None or verifier.waits else (account, verifier)

    def judge(
        self, account: str, verifier: WebhookVerifier, body: bytes, named: Mapping[str, str]
    ) -> Delivery | Refusal:
        """What a request is: a delivery to be stored, or a refusal to be counted."""
        now = self._now()
        verdict = verifier.verify(body, named, now)
        if isinstance(verdict, Undecided):
            return self._refused(Refusal(account, now, UNDECIDED, verdict.reason))
        if isinstance(verdict, NotVerified):
            return self._refused(Refusal(account, now, verdict.kind, verdict.reason))
        return Delivery(
            account=account,
            event=verdict.event,
            received_at=now,
            body=verdict.body,
            sha256=sha256(body).hexdigest(),
            verdict="signature",
            owed=None if self._relay is None else self._relay.owed(account, now),
        )

    def _refused(self, refusal: Refusal) -> Refusal:
        """Say in the log why, once a minute for each reason: the sender is told nothing."""
        key, minute = (refusal.account, refusal.reason), refusal.at.replace(second=0, microsecond=0)
        if self._said.get(key) != minute:
            if len(self._said) > _MOST_SAID:
                self._said.clear()
            self._said[key] = minute
            fix = fix_of(refusal.reason)
            log.warning(
                "%s: webhook refused: %s%s",
                refusal.account,
                safe_line(refusal.reason),
                f"; {fix}" if fix else "",
            )
        return refusal

    def submit(self, what: Delivery | Refusal, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """Have it written; `done` is called in `loop` with None, or with why it was not."""
        try:
            self._writer.submit(what, loop, done)
        except Full as full:
            done(full)

    def stored(self, delivery: Delivery, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Hand on what is on disk now."""
        if delivery.owed is not None and self._relay is not None:
            self._relay.keep(delivery, body, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the receiver speaks HTTP only, not {scope['type']}")
        try:
            status, body = await self._answer(scope, receive)
        except _Gone:
            return
        except Exception:
            log.exception("a request failed")
            status, body = 503, ANSWERS[503]
        await _send(send, status, body, scope["method"])

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, Mapping[str, object] | str]:
        path: str = scope["path"]
        method: str = scope["method"]
        if path == "/healthz" and method in ("GET", "HEAD"):
            return 200, {"status": "ok", "waiting": self._writer.waiting}
        account = path.removeprefix(_PREFIX) if path.startswith(_PREFIX) else ""
        verifier = self._verifiers.get(account)
        if verifier is None:
            if method == "POST" and path.startswith(_PREFIX):
                await self._strayed(account, list(scope["headers"]), receive)
            return 404, ANSWERS[404]
        if method in ("GET", "HEAD"):
            asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(_CHALLENGE)
            answer = verifier.challenge(asked[0]) if asked else None
            return 200, {"status": "ok"} if answer is None else answer
        status = (
            await self._webhook(account, verifier, list(scope["headers"]), receive)
            if method == "POST"
            else 405
        )
        return status, ANSWERS[status]

    async def _webhook(
        self,
        account: str,
        verifier: WebhookVerifier,
        headers: list[tuple[bytes, bytes]],
        receive: Receive,
    ) -> int:
        named = joined(headers)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read_body(receive, named.get("content-length"))
        except _TooLarge:
            await self._written(Refusal(account, self._now(), "body", "larger than 1 MiB"))
            return 413
        except TimeoutError:
            return 408
        if verifier.waits:
            judged = await asyncio.to_thread(self.judge, account, verifier, body, named)
        else:
            judged = self.judge(account, verifier, body, named)
        written = await self._written(judged)
        if isinstance(judged, Refusal):
            return refused(judged.kind)
        if not written:
            return 503
        self.stored(judged, body, headers)
        return 200

    async def _strayed(self, path: str, headers: list[tuple[bytes, bytes]], receive: Receive) -> None:
        """What verifies for an account and came to no account's address says where the provider sends to.

        Only what can be told at once is asked: nobody can make this read a certificate.
        """
        named = joined(headers)
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read_body(receive, named.get("content-length"))
        except (_TooLarge, TimeoutError):
            return
        now = self._now()
        for account, verifier in self._verifiers.items():
            if not verifier.waits and isinstance(verifier.verify(body, named, now), Verified):
                strayed = f"sent to {_PREFIX}{safe_line(path, limit=80)}"
                await self._written(Refusal(account, now, WRONG_PATH, strayed))

    async def _written(self, what: Delivery | Refusal) -> bool:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._writer.write(what)
        except (Full, TimeoutError):
            return False
        except Exception:  # the writer has logged it
            return False
        return True


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; what came twice is joined by a comma, as HTTP reads it."""
    named: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        named[name] = f"{named[name]},{value}" if name in named else value
    return named


async def _read_body(receive: Receive, length: str | None) -> bytes:
    """The whole body; `_TooLarge` once it is past the limit, after dropping a bounded rest."""
    if length is not None and length.isascii() and length.isdigit() and int(length[:18]) > _DRAIN:
        raise _TooLarge
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        else:
            parts.clear()
        if size > _DRAIN:
            raise _TooLarge
        if not message.get("more_body", False):
            break
    if size > MAX_BODY:
        raise _TooLarge
    return b"".join(parts)


async def _send(send: Send, status: int, body: Mapping[str, object] | str, method: str) -> None:
    content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    kind = b"text/plain" if isinstance(body, str) else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    if status == 405:
        headers.append((b"allow", b"GET, HEAD, POST"))
    if status in HANGS_UP:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else content})
