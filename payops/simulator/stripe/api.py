"""Stripe's API as a function: a request in, a status and a JSON value out. No sockets here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from payops.domain.payments import Mode
from payops.simulator.keys import Key
from payops.simulator.wire import Request, Response
from payops.simulator.world import World

from . import errors, permissions
from .account import StripeAccount, of_stripe
from .call import Call
from .calls import HANDLERS, route
from .errors import ApiError
from .params import Params, check, decode, decode_json
from .vocabulary import API_VERSION, DRIFTED_VERSION, Shape

_BAD_REQUEST = {"error": {"type": "invalid_request_error", "message": "Bad request."}}
_RATE_LIMITED = {
    "error": {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Request rate limit exceeded. Learn more about rate limits at https://stripe.com/docs/rate-limits.",
    }
}
_OUTAGE = {
    "error": {
        "type": "api_error",
        "message": "An unexpected error occurred. We have been notified of the problem.",
    }
}
_KEY_LIFE_MS = 24 * 3600 * 1000
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z]{1,20})?")
_Slot = tuple[str, Mode, str]
"""Account, mode, idempotency key."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The first answer given to an idempotency key."""

    request: str
    status: int
    body: Shape
    at_ms: int


class StripeApi:
    """Serves the accounts of one world. `respond` may be called from many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[_Slot, _Kept] = {}
        self._running: dict[_Slot, str] = {}
        self._changing: dict[tuple[str, str], str] = {}
        """Objects that a write is about, by account and id, and the request that has them."""
        self._instant_ms = -1
        self._asked: dict[bytes, int] = {}

    def respond(self, request: Request) -> Response:
        """The API's answer at the world's present instant; every error is an answer too."""
        request_id = self._request_id(request)
        version = request.headers.get("stripe-version", self._default_version())
        known = _VERSION.fullmatch(version) is not None
        headers = {"Request-Id": request_id, "Stripe-Version": version if known else API_VERSION}
        try:
            if not known:
                raise ApiError(400, "Invalid Stripe API version in the Stripe-Version header.")
            status, body, more = self._answer(request, request_id)
            return _response(status, body, {**headers, **more})
        except ApiError as error:
            log_url = f"https://dashboard.stripe.sim/logs/{request_id}"
            return _response(
                error.status, {"error": {**error.body["error"], "request_log_url": log_url}}, headers
            )

    def _default_version(self) -> str:
        """The account's own version, which a request without one is answered in."""
        with self._world.lock:
            drifted = any(account.drifted for account in self._world.of("stripe"))
        return DRIFTED_VERSION if drifted else API_VERSION

    def _request_id(self, request: Request) -> str:
        """The same for the same request at the same instant of a run, whoever else is asking meanwhile."""
        parts = (
            request.method,
            request.path,
            request.query,
            request.body,
            request.headers.get("authorization", ""),
            request.headers.get("idempotency-key", ""),
        )
        digest = blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=16).digest()
        with self._world.lock:
            now_ms = self._world.now_ms
            if now_ms != self._instant_ms:
                self._instant_ms = now_ms
                self._asked.clear()
            nth = self._asked[digest] = self._asked.get(digest, 0) + 1
        ids = self._world.of("stripe")[0].ids
        return ids.short("req", f"{now_ms}/{digest.hex()}/{nth}")

    def _answer(self, request: Request, request_id: str) -> tuple[int, Shape, dict[str, str]]:
        with self._world.lock:
            account, key = self._access(request.headers)
            called, object_id = route(request.method, request.path)
            lacking = permissions.lacking(key.denied, called)
            if lacking is not None:
                raise errors.not_permitted(key.token, account.id, lacking)
        params = _params(request, called)
        if request.method == "POST":
            return self._write(request, request_id, account, key.mode, params)
        with self._world.lock:
            call = Call(account, key.mode, object_id, params, self._world.now_ms)
            return 200, HANDLERS[called](call), {}

    def _access(self, headers: Mapping[str, str]) -> tuple[StripeAccount, Key]:
        """Whose key it is and what it opens."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise errors.no_key()
        for account in self._world.of("stripe"):
            key = account.keyring.get(token)
            if key is None:
                continue
            if key.expired:
                raise errors.expired_key(token)
            if key.revoked:
                raise errors.invalid_key(token)
            wanted = headers.get("stripe-account", account.id)
            if wanted != account.id:
                raise errors.no_such_account(token, wanted)
            return of_stripe(account), key
        raise errors.invalid_key(token)

    def _write(
        self, request: Request, request_id: str, account: StripeAccount, mode: Mode, params: Params
    ) -> tuple[int, Shape, dict[str, str]]:
        """Once per idempotency key: the same request gets the first answer again."""
        _, object_id = route(request.method, request.path)
        place = (account.name, object_id or params.get("charge", "") or params.get("payment_intent", ""))
        key = request.headers.get("idempotency-key")
        if key is None:
            with self._alone(place, request_id):
                return *self._execute(request, account, mode, params, None), {}
        if not 1 <= len(key) <= 255:
            raise errors.invalid("Idempotency-Key", "Idempotency keys are 1 to 255 characters long.")
        slot = (account.name, mode, key)
        if self._running.setdefault(slot, request_id) != request_id:
            raise errors.key_in_use(key)
        try:
            with self._world.lock:
                kept = self._kept.get(slot)
                if kept is not None and self._world.now_ms - kept.at_ms < _KEY_LIFE_MS:
                    if kept.request != _identity(request):
                        raise errors.key_reused(key)
                    return kept.status, kept.body, {"Idempotent-Replayed": "true", "Idempotency-Key": key}
            with self._alone(place, request_id):
                return *self._execute(request, account, mode, params, key), {"Idempotency-Key": key}
        finally:
            del self._running[slot]

    @contextmanager
    def _alone(self, place: tuple[str, str], request_id: str) -> Iterator[None]:
        """One write at a time about one object: whoever comes meanwhile is turned away."""
        if self._changing.setdefault(place, request_id) != request_id:
            raise errors.locked()
        try:
            yield
        finally:
            del self._changing[place]

    def _execute(
        self, request: Request, account: StripeAccount, mode: Mode, params: Params, key: str | None
    ) -> tuple[int, Shape]:
        """Record the write, then do it. A refusal of a request that never ran is not kept for its key."""
        world = self._world
        called, object_id = route(request.method, request.path)
        with world.lock:
            at_ms = world.input(
                world.now_ms,
                {
                    "input": "api",
                    "account": account.name,
                    "mode": mode,
                    "method": request.method,
                    "path": request.path,
                    "body": request.body,
                    "key": key,
                },
            )
            try:
                status, body = 200, HANDLERS[called](Call(account, mode, object_id, params, at_ms, key))
            except ApiError as error:
                if not error.executed:
                    raise
                status, body = error.status, error.body
            if key is not None:
                self._kept[account.name, mode, key] = _Kept(_identity(request), status, body, at_ms)
            return status, body

    def unreadable(self) -> Response:
        return _response(400, _BAD_REQUEST, {})

    def trouble(self, kind: str) -> Response:
        if kind == "rate_limited":
            return _response(429, _RATE_LIMITED, {"Stripe-Rate-Limited-Reason": "global-rate"})
        return _response(500, _OUTAGE, {})

    def replay(self, record: Mapping[str, Any]) -> None:
        """Do a recorded write again; its answer was given long ago."""
        request = Request(record["method"], record["path"], body=record["body"])
        called, _ = route(request.method, request.path)
        params = _params(request, called)
        account = of_stripe(self._world.accounts[record["account"]])
        with suppress(ApiError):  # refused then, refused now
            self._execute(request, account, record["mode"], params, record["key"])


def _response(status: int, body: Shape, headers: Mapping[str, str]) -> Response:
    return Response(status, msgspec.json.encode(body), {"Content-Type": "application/json", **headers})


def _params(request: Request, called: tuple[str, str]) -> Params:
    if request.method != "POST":
        return check(decode(request.query), called)
    return check(
        decode_json(request.body) if request.path.startswith("/v2/") else decode(request.body), called
    )


def _identity(request: Request) -> str:
    return f"{request.method} {request.path}\n{request.body}"
