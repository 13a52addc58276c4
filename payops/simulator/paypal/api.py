"""PayPal's API as a function: a request in, a status and a body out. No sockets here.

`replay` and `_execute` keep to the journal: every write is recorded before it takes effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

import msgspec

from payops.domain.payments import Mode
from payops.simulator.wire import Request, Response
from payops.simulator.world import World

from . import billing, certificates, disputes, errors, notifications, params, payments, reporting, tokens
from .account import PayPalAccount
from .call import Answer, Call, Route
from .errors import ApiError
from .names import Shape

ROUTES: Mapping[str, Route] = {
    **notifications.ROUTES,
    **payments.ROUTES,
    **billing.ROUTES,
    **disputes.ROUTES,
    **reporting.ROUTES,
}
"""Every call behind a token, as `METHOD /path/{id}/step`."""
_TOKEN = "/v1/oauth2/token"  # noqa: S105 - an address
_JSON = "application/json"
_PEM = "application/x-pem-file"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LONGEST_KEY = 108


@dataclass(frozen=True, slots=True)
class _Kept:
    """The answer that was given to a request id, and until when it stands."""

    answer: Answer
    until_ms: int


class PayPalApi:
    """Serves the accounts of one world. `respond` may be called from many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[tuple[str, Mode, str, str], _Kept] = {}
        self._instant_ms = -1
        self._asked: dict[bytes, int] = {}

    @property
    def _accounts(self) -> list[PayPalAccount]:
        return [cast(PayPalAccount, account) for account in self._world.of("paypal")]

    def respond(self, request: Request) -> Response:
        """The API's answer at the world's present instant; every error is an answer too."""
        with self._world.lock:
            debug_id = self._debug_id(request)
            try:
                if request.path.startswith(certificates.PATH):
                    return self._certificate(request, debug_id)
                status, body = self._answer(request)
            except ApiError as error:
                return _refusal(error, debug_id)
            return _response(status, body, debug_id)

    def _debug_id(self, request: Request) -> str:
        """The same for the same request at the same instant of a run, whoever else is asking meanwhile."""
        parts = (
            request.method,
            request.path,
            request.query,
            request.body,
            request.headers.get("paypal-request-id", ""),
        )
        digest = blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
        now_ms = self._world.now_ms
        if now_ms != self._instant_ms:
            self._instant_ms = now_ms
            self._asked.clear()
        nth = self._asked[digest] = self._asked.get(digest, 0) + 1
        return f"f{blake2b(digest, key=f'{now_ms}/{nth}'.encode(), digest_size=6).hexdigest()}"

    def _certificate(self, request: Request, debug_id: str) -> Response:
        if request.method != "GET" or request.path != certificates.PATH + certificates.certificate_id():
            raise errors.missing(request.path)
        account = self._accounts[0]
        pem = certificates.certificate_pem(account.seed, account.start_ms)
        return Response(200, pem, {"Content-Type": _PEM, "PayPal-Debug-Id": debug_id})

    def _answer(self, request: Request) -> Answer:
        if request.path == _TOKEN:
            if request.method != "POST":
                raise errors.wrong_method()
            return 200, tokens.issue(self._accounts, request, self._world.now_ms)
        access = tokens.check(self._accounts, request.headers.get("authorization"), self._world.now_ms)
        called, object_id = _called(request.method, request.path)
        route = ROUTES[called]
        if not access.may(route.scope):
            raise errors.forbidden()
        _check_media(request)
        key = request.headers.get("paypal-request-id")
        if key is not None and not 1 <= len(key) <= _LONGEST_KEY:
            raise errors.malformed(
                params.family(called), "PayPal-Request-Id", key, "header", "INVALID_STRING_LENGTH"
            )
        call = Call(
            access.account,
            access.key.mode,
            request.path,
            object_id,
            params.read_query(called, request.query),
            params.read_body(called, request.body),
            request.body,
            self._world.now_ms,
            key,
            "return=representation" not in request.headers.get("prefer", ""),
        )
        return self._once(called, route, call) if route.writes else route.handler(call)

    def _once(self, called: str, route: Route, call: Call) -> Answer:
        """Once per request id and address: the first answer that was no refusal again, whatever the body."""
        slot = (call.account.name, call.mode, call.path, call.key or "")
        kept = self._kept.get(slot)
        if call.key is not None and kept is not None and call.at_ms < kept.until_ms:
            return kept.answer
        world = self._world
        at_ms = world.input(
            world.now_ms,
            {
                "input": "api",
                "account": call.account.name,
                "mode": call.mode,
                "method": called.partition(" ")[0],
                "path": call.path,
                "body": call.raw,
                "key": call.key,
                "brief": call.brief,
            },
        )
        return self._execute(route, call, slot, at_ms)

    def _execute(self, route: Route, call: Call, slot: tuple[str, Mode, str, str], at_ms: int) -> Answer:
        answer = route.handler(call)
        if call.key is not None and route.keeps is not None:
            until_ms = at_ms + int(route.keeps.total_seconds() * 1000)
            self._kept[slot] = _Kept(answer, until_ms)
        return answer

    def replay(self, record: Mapping[str, Any]) -> None:
        """Do a recorded write again; its answer was given long ago."""
        with self._world.lock:
            called, object_id = _called(record["method"], record["path"])
            account = self._world.accounts[record["account"]]
            call = Call(
                cast(PayPalAccount, account),
                record["mode"],
                record["path"],
                object_id,
                {},
                params.read_body(called, record["body"]),
                record["body"],
                self._world.now_ms,
                record["key"],
                record["brief"],
            )
            slot = (call.account.name, call.mode, call.path, call.key or "")
            with suppress(ApiError):  # refused then, refused now
                self._execute(ROUTES[called], call, slot, call.at_ms)

    def unreadable(self) -> Response:
        return _refusal(errors.named(400, "INVALID_REQUEST", "MALFORMED_REQUEST_JSON"), self._trouble_id())

    def trouble(self, kind: str) -> Response:
        if kind == "rate_limited":
            return _refusal(errors.named(429, "RATE_LIMIT_REACHED"), self._trouble_id())
        return _refusal(errors.named(503, "SERVICE_UNAVAILABLE"), self._trouble_id())

    def _trouble_id(self) -> str:
        with self._world.lock:
            return self._debug_id(Request("GET", "/trouble"))


def _called(method: str, path: str) -> tuple[str, str]:
    """The call an address names, as a key of `ROUTES`, and the id in it; `ApiError` when there is none."""
    parts = path.strip("/").split("/")
    object_id = ""
    patterns = [path.rstrip("/")]
    if len(parts) > 3:
        object_id = parts[3]
        patterns.append("/" + "/".join([*parts[:3], "{id}", *parts[4:]]))
    for pattern in patterns:
        if f"{method} {pattern}" in ROUTES:
            return f"{method} {pattern}", object_id
    if any(f"{other} {pattern}" in ROUTES for other in _METHODS for pattern in patterns):
        raise errors.wrong_method()
    raise errors.missing(path)


def _check_media(request: Request) -> None:
    """A body that is sent has to say that it is JSON."""
    said = request.headers.get("content-type", "").partition(";")[0].strip()
    if request.method in ("POST", "PATCH") and request.body and said != _JSON:
        raise errors.named(415, "UNSUPPORTED_MEDIA_TYPE")


def _refusal(error: ApiError, debug_id: str) -> Response:
    body = error.body if "error" in error.body else {**error.body, "debug_id": debug_id}
    return _response(error.status, body, debug_id)


def _response(status: int, body: Shape | None, debug_id: str) -> Response:
    headers = {"PayPal-Debug-Id": debug_id}
    if body is None:
        return Response(status, b"", headers)
    return Response(status, msgspec.json.encode(body), {"Content-Type": _JSON, **headers})
