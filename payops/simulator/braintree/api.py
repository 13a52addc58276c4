"""Braintree's API as a function: a request in, a status and XML out. No sockets here."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

from payops.simulator.keys import Key
from payops.simulator.wire import Request, Response
from payops.simulator.world import World

from . import errors, params, xml
from .account import BraintreeAccount
from .calls import HANDLERS, READS, SEARCHES, Answer, Call, route, shown
from .errors import ApiError, Invalid
from .transactions import Transaction

_XML = {"Content-Type": "application/xml; charset=utf-8"}
_MAINTENANCE = b"<html><head><title>503</title></head><body><h1>Down for maintenance</h1></body></html>\n"
_PATH = re.compile(r"/merchants/([A-Za-z0-9_-]{1,64})/(.+)")
_VERSIONS = ("3", "4", "5", "6")
_KEY_LIFE_MS = 30 * 24 * 3600 * 1000
_LONGEST_KEY = 255
_LONGEST_PAGE = re.compile(r"[1-9][0-9]{0,5}")
_Slot = tuple[str, str]
"""Account, API request key."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the first request with a key made; `transaction` None = it was refused."""

    request: str
    at_ms: int
    transaction: Transaction | None


class BraintreeApi:
    """Serves the merchants of one world. `respond` may be called from many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[_Slot, _Kept] = {}
        self._running: dict[_Slot, object] = {}

    def respond(self, request: Request) -> Response:
        """The API's answer at the world's present instant; every error is an answer too."""
        try:
            answer = self._answer(request)
            return Response(answer.status, xml.document(answer.name, answer.value), _XML)
        except ApiError as error:
            return Response(error.status, error.body, _XML)

    def _answer(self, request: Request) -> Answer:
        found = _PATH.fullmatch(request.path)
        if found is None:
            raise ApiError(errors.NOT_FOUND)
        with self._world.lock:
            account, key = self._access(request.headers, found[1])
        if request.headers.get("x-apiversion", "6") not in _VERSIONS:
            raise ApiError(errors.UPGRADE_REQUIRED)
        called, _ = route(request.method, found[2])
        if called[1].split("/")[0] in key.denied:
            raise ApiError(errors.FORBIDDEN)
        if request.method != "GET" and called not in READS:
            return self._write(request, account, key, found[2])
        with self._world.lock:
            return HANDLERS[called](self._call(request, account, key, found[2], self._world.now_ms))

    def _access(self, headers: Mapping[str, str], merchant: str) -> tuple[BraintreeAccount, Key]:
        """Whose keys they are. Those of the other environment are unknown here, whatever merchant they name."""
        scheme, _, text = headers.get("authorization", "").partition(" ")
        try:
            token = b64decode(text, validate=True).decode("ascii")
        except (NotBase64, UnicodeDecodeError):
            token = ""
        for account in self._world.of("braintree"):
            key = account.keyring.get(token)
            if key is not None and scheme.lower() == "basic" and account.id == merchant:
                if key.dead or key.name == "other":
                    break
                return cast(BraintreeAccount, account), key
        raise ApiError(errors.UNAUTHENTICATED)

    def _call(self, request: Request, account: BraintreeAccount, key: Key, path: str, at_ms: int) -> Call:
        called, object_id = route(request.method, path)
        given = _parsed(request, called)
        return Call(account, key, object_id, given, at_ms, _page(request))

    def _write(self, request: Request, account: BraintreeAccount, key: Key, path: str) -> Answer:
        """Once per API request key: the same request gets what became of the first."""
        called, _ = route(request.method, path)
        name = _request_key(_parsed(request, called))
        if name is None:
            return self._execute(request, account, key, path, None)
        if len(name) > _LONGEST_KEY:
            raise errors.refuse("915230", "api_request_key")
        if not account.request_keys:
            raise errors.refuse("915231", "api_request_key")
        slot, mine = (account.name, name), object()
        if self._running.setdefault(slot, mine) is not mine:
            raise errors.refuse("915233", "api_request_key")
        try:
            with self._world.lock:
                kept = self._kept.get(slot)
                if kept is None or self._world.now_ms - kept.at_ms >= _KEY_LIFE_MS:
                    return self._execute(request, account, key, path, name)
                if kept.request != _identity(request):
                    raise errors.refuse("915232", "api_request_key")
                if kept.transaction is None:
                    raise errors.refuse("915234", "api_request_key")
                call = self._call(request, account, key, path, self._world.now_ms)
                return shown(call, kept.transaction, 201 if request.method == "POST" else 200)
        finally:
            del self._running[slot]

    def _execute(
        self, request: Request, account: BraintreeAccount, key: Key, path: str, name: str | None
    ) -> Answer:
        """Record the write, then do it, and keep what it made for its key."""
        world = self._world
        called, _ = route(request.method, path)
        with world.lock:
            at_ms = world.input(
                world.now_ms,
                {
                    "input": "api",
                    "account": account.name,
                    "key": key.name,
                    "method": request.method,
                    "path": request.path,
                    "body": request.body,
                },
            )
            before = len(account.book.log)
            made: Transaction | None = None
            try:
                answer = HANDLERS[called](self._call(request, account, key, path, at_ms))
                made = answer.transaction
                return answer
            except Invalid as error:
                if len(account.book.log) > before:  # declined, and there all the same
                    made = account.book.log.rows[-1]
                error.params = params.echoed(_body(request))
                raise
            finally:
                if name is not None:
                    self._kept[account.name, name] = _Kept(_identity(request), at_ms, made)

    def unreadable(self) -> Response:
        return Response(400, b"", _XML)

    def trouble(self, kind: str) -> Response:
        if kind == "rate_limited":
            return Response(429, b"", _XML)
        return Response(503, _MAINTENANCE, {"Content-Type": "text/html"})

    def replay(self, record: Mapping[str, Any]) -> None:
        """Do a recorded write again; its answer was given long ago."""
        request = Request(record["method"], record["path"], body=record["body"])
        found = _PATH.fullmatch(record["path"])
        assert found is not None
        account = cast(BraintreeAccount, self._world.accounts[record["account"]])
        key = account.keyring.named(record["key"])
        with suppress(ApiError):  # refused then, refused now
            called, _ = route(request.method, found[2])
            name = _request_key(_parsed(request, called))
            self._execute(request, account, key, found[2], name)


def _body(request: Request) -> xml.Params:
    if not request.body.strip():
        return {}
    try:
        return xml.parse(request.body)
    except ValueError as error:
        raise ApiError(400) from error


def _parsed(request: Request, called: tuple[str, str]) -> xml.Params:
    """The parameters of the body, checked by the table of the call; a search checks its own criteria."""
    raw = _body(request)
    if called in SEARCHES:
        unknown = [name for name in raw if name != "search"]
        if unknown:
            raise errors.unknown_parameters(unknown)
        return raw
    try:
        return params.check(raw, params.PERMITTED.get(called, {}))
    except Invalid as error:
        error.params = params.echoed(raw)
        raise


def _page(request: Request) -> int:
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    page = query.pop("page", "1")
    if query or not _LONGEST_PAGE.fullmatch(page):
        raise ApiError(400)
    return int(page)


def _request_key(given: xml.Params) -> str | None:
    name = given.get("transaction", {}).get("api_request_key")
    return name if isinstance(name, str) else None


def _identity(request: Request) -> str:
    return f"{request.method} {request.path}\n{request.body}"
