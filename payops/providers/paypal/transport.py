"""The PayPal SDK's generic client, hardened: our deadlines, one token at a time, one re-authentication, raw bytes out.

As it comes, paypalrestsdk 1.13.3 has no timeout, follows redirects, opens a connection for each call, fetches a
token per thread, repeats a lasting 401 until the stack ends, returns a 400 as if it were an answer, leaks the
caller's headers into the token request and logs credentials and bodies. It still says how PayPal is spoken to:
the Basic and Bearer headers, the user agent, the joining of paths.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from paypalrestsdk.api import Api as SdkApi
from paypalrestsdk.util import join_url

from payops.domain.errors import ProviderError
from payops.domain.payments import Mode
from payops.providers.web import NoAnswer, Pace, Web, WebAnswer

from . import errors, wire

TOKEN_PATH = "/v1/oauth2/token"  # noqa: S105
_EARLY = 0.9
_SHORTEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer that is not an error in disguise."""

    status: int
    body: bytes
    request_id: str | None
    at: datetime | None = None
    """PayPal's clock when it answered, where it told."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """What the token endpoint granted. `scopes` None = not told."""

    header: str
    at: datetime
    until: datetime
    scopes: tuple[str, ...] | None
    app_id: str | None
    request_id: str | None

    def fresh(self, now: datetime) -> bool:
        """Whether it is to be used still; a clock that went back makes it old."""
        return self.at <= now < self.until


class Api(SdkApi):
    """Calls with one credential. Any thread may call; all calls raise `ProviderError`."""

    def __init__(
        self, account: str, mode: Mode, base: str, client: tuple[str, str], hint: str, web: Web, pace: Pace
    ) -> None:
        logging.getLogger("paypalrestsdk").setLevel(logging.WARNING)
        super().__init__(  # type: ignore[no-untyped-call]
            mode="live" if mode == "live" else "sandbox",
            client_id=client[0],
            client_secret=client[1],
            endpoint=base,
        )
        self._account = account
        self._base = base
        self._hint = hint
        self._host = urlsplit(base).netloc
        self._web = web
        self._pace = pace
        self._lock = threading.RLock()
        self._token: Token | None = None

    def call(
        self,
        method: str,
        path: str,
        now: datetime,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call. A 401 on a token we had is tried once more with a new one; on a new one it is final."""
        held = self._token
        token = self.token(now=now)
        try:
            return self._with(token, method, path, data, headers)
        except ProviderError as error:
            if error.bucket != "auth" or token is not held:
                raise
        return self._with(self.token(now=now, rejected=token), method, path, data, headers)

    def token(self, *, now: datetime, rejected: Token | None = None, renew: bool = False) -> Token:
        """The token of this credential: the one we hold until 90 % of its time is over, else a new one.

        `rejected` was refused: it is not given again. `renew`: ask PayPal in any case.
        """
        with self._lock:
            held = self._token
            if held is not None and held is not rejected and not renew and held.fresh(now):
                return held
            self._token = None
            self._token = self._fetch(now)
            return self._token

    def http_call(self, url: str, method: str, **kwargs: Any) -> WebAnswer:
        """Any answer, whatever its status."""
        path = urlsplit(url).path
        resource = errors.resource_of(path)
        if not self._pace.wait(f"{method} {resource}"):
            raise errors.unreachable("payops is closing", account=self._account, host=self._host)
        try:
            return self._web.send(resource, method, url, headers=kwargs["headers"], data=kwargs.get("data"))
        except NoAnswer as error:
            raise errors.unreachable(str(error), account=self._account, host=self._host) from error

    def request(self, *_: Any, **__: Any) -> Answer:
        """The way of the SDK's `get` and `post`, which know no time: closed."""
        raise NotImplementedError("use `call`")

    def _with(
        self, token: Token, method: str, path: str, data: bytes | None, headers: Mapping[str, str] | None
    ) -> Answer:
        sent = {
            "Authorization": token.header,
            "Accept": "application/json",
            "User-Agent": self.user_agent,
            **({"Content-Type": "application/json"} if data is not None else {}),
            **(headers or {}),
        }
        answer = self.http_call(_joined(self._base, path), method, data=data, headers=sent)
        return self._accepted(answer, path, (token.header.partition(" ")[2],))

    def _fetch(self, now: datetime) -> Token:
        basic: str = self.basic_auth()  # type: ignore[no-untyped-call]
        answer = self.http_call(
            _joined(self._base, TOKEN_PATH),
            "POST",
            data=b"grant_type=client_credentials",
            headers={
                "Authorization": f"Basic {basic}",
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
                "User-Agent": self.user_agent,
            },
        )
        accepted = self._accepted(answer, TOKEN_PATH, ())
        try:
            found = wire.one(accepted.body, wire.Token)
        except wire.Unreadable as error:
            raise self._unreadable(accepted, str(error)) from None
        kind, value = found.token_type or "Bearer", found.access_token
        if not value or not f"{kind}{value}".isascii() or not f"{kind}{value}".isprintable():
            raise self._unreadable(accepted, "it holds no access token")
        lasts_s = min(max(found.expires_in or 0.0, _SHORTEST_S), 86_400.0)
        return Token(
            header=f"{kind} {value}",
            at=now,
            until=now + timedelta(seconds=_EARLY * lasts_s),
            scopes=None if found.scope is None else tuple(found.scope.split()),
            app_id=found.app_id,
            request_id=accepted.request_id,
        )

    def _accepted(self, answer: WebAnswer, path: str, tokens: tuple[str, ...]) -> Answer:
        if not 200 <= answer.status < 300 or _is_error(answer.body):
            raise errors.refused(
                answer.status,
                answer.body,
                answer.headers,
                account=self._account,
                hint=self._hint,
                secrets=(self.client_secret, self.client_id, *tokens),
                path=path,
            )
        return Answer(answer.status, answer.body, answer.headers.get(errors.DEBUG_ID), answer.at)

    def _unreadable(self, answer: Answer, why: str) -> ProviderError:
        # The body may hold a token: say what it looks like, never what it is.
        return errors.unreadable(
            answer.status, answer.body, why, account=self._account, request_id=answer.request_id
        )


def _joined(base: str, path: str) -> str:
    joined: str = join_url(base, path)  # type: ignore[no-untyped-call]
    return joined


def encoded(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _is_error(body: bytes) -> bool:
    """Whether a 2xx body is PayPal's error all the same; only a short one is looked into."""
    return len(body) < 4096 and (b'"debug_id"' in body or b'"error"' in body) and errors.is_stated(body)
