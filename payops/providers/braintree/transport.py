"""The Braintree SDK below its objects: its signing, headers, versions and certificates, our deadlines, raw bytes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from payops.domain.errors import Bucket, ProviderError
from payops.domain.payments import Mode
from payops.providers.port import Patience
from payops.providers.web import NoAnswer, Pace, Web

from . import errors, sdk, wire
from .keys import Keys

_FINE = (200, 201, 204)


@dataclass(frozen=True, slots=True)
class Answer:
    """A document that came back as asked."""

    root: Element
    status: int
    request_id: str | None
    at: datetime | None = None
    """The provider's own time, where it says."""


class Transport:
    """Calls with one credential. Thread-safe: every thread has connections of its own, and no state is shared.

    All calls raise `ProviderError`: `network` when there is no answer in time, otherwise by what Braintree said.
    """

    def __init__(
        self,
        account: str,
        keys: Keys,
        *,
        mode: Mode,
        api_base: str | None,
        patience: Patience,
        web: Web,
        pace: Pace,
    ) -> None:
        self._account = account
        self._keys = keys
        environment = _environment(mode, api_base)
        self._host = environment.server
        self._strategy: _Strategy | None = None

        def strategy(config: Any, chosen: Any) -> _Strategy:
            self._strategy = _Strategy(config, chosen, self._send)
            return self._strategy

        self._web = web
        self._pace = pace
        self._config = sdk.Configuration(
            environment=environment,
            merchant_id=keys.merchant_id,
            public_key=keys.public_key,
            private_key=keys.private_key,
            timeout=(patience.connect_s, patience.read_s),
            http_strategy=strategy,
        )
        self._gateway = sdk.BraintreeGateway(config=self._config)

    def get(self, path: str) -> Answer:
        """`path` below the merchant's, as `/transactions/abc`."""
        return self._read(lambda: self._config.http().get(self._config.base_merchant_path() + path))

    def post(self, path: str, params: Mapping[str, Any]) -> Answer:
        """Post what the SDK writes as XML, and decode the answer ourselves."""
        return self._read(
            lambda: self._config.http().post(self._config.base_merchant_path() + path, dict(params))
        )

    def write(self, act: Callable[[Any], Any]) -> Answer:
        """Let a gateway of the SDK make and send a request, and decode the answer ourselves.

        The SDK's own result objects raise on answers that lack what they do not need, when the money has moved.
        """
        try:
            return self._read(lambda: act(self._gateway))
        except sdk.BraintreeError as error:
            # What it judges before it calls, as an id no path may hold: statuses are judged in `_send`.
            raise self._error("invalid_request", f"the SDK refuses it: {type(error).__name__}") from None

    def _read(self, call: Callable[[], Any]) -> Answer:
        own = self._own
        own.answer = None
        call()
        answer = own.answer
        assert isinstance(answer, _Received), "the SDK calls its strategy once"
        if answer.root.tag == "api-error-response" or answer.status not in _FINE:
            raise self._refused(answer)
        return Answer(answer.root, answer.status, answer.request_id, _date(answer.headers.get("Date")))

    @property
    def _own(self) -> threading.local:
        assert self._strategy is not None
        return self._strategy.own

    def _send(
        self, verb: str, url: str, headers: Mapping[str, str], body: Any, verify: bool | str
    ) -> _Received:
        resource = _resource(urlsplit(url).path)
        if not self._pace.wait(f"{verb} {resource}"):
            raise errors.unreachable("payops is closing", account=self._account, host=self._host)
        try:
            answer = self._web.send(resource, verb, url, headers=headers, data=body or None, verify=verify)
        except NoAnswer as error:
            raise errors.unreachable(str(error), account=self._account, host=self._host) from error
        if answer.status not in (*_FINE, 422):
            raise errors.refused(
                answer.status,
                answer.body,
                answer.headers,
                account=self._account,
                hint=self._keys.hint,
                secret=self._keys.private_key,
            )
        try:
            root = wire.parse(answer.body)
        except wire.Unreadable as error:
            raise errors.unreadable(
                answer.status, answer.body, str(error), account=self._account, headers=answer.headers
            ) from None
        return _Received(answer.status, answer.body, answer.headers, root)

    def _refused(self, answer: _Received) -> ProviderError:
        return errors.refused(
            answer.status,
            answer.body,
            answer.headers,
            account=self._account,
            hint=self._keys.hint,
            secret=self._keys.private_key,
        )

    def _error(self, bucket: Bucket, message: str) -> ProviderError:
        return ProviderError(bucket, message, provider=errors.PROVIDER, account=self._account)


@dataclass(frozen=True, slots=True)
class _Received:
    status: int
    body: bytes
    headers: Mapping[str, str]
    root: Element

    @property
    def request_id(self) -> str | None:
        return errors.request_id(self.headers)


class _Strategy(sdk.Http):  # type: ignore[misc]  # an untyped class
    """The SDK's own client, sending through ours. It keeps the answer, whose headers the SDK would drop."""

    def __init__(self, config: Any, environment: Any, send: Callable[..., _Received]) -> None:
        super().__init__(config, environment)
        self._send = send
        self.own = _Own()

    def http_do(self, verb: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, str]:
        answer = self._send(verb, path, headers, body, self.environment.ssl_certificate or True)
        self.own.answer = answer
        # For the SDK it is empty: it would parse it into a DOM, which costs five times as much as what we do.
        return 200, ""


class _Own(threading.local):
    """What a thread's call in hand got."""

    answer: _Received | None = None


class _Environment(sdk.Environment):  # type: ignore[misc]  # an untyped class
    """An address of ours: the SDK's own class speaks TLS on port 443 alone."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        port = str(parts.port or (443 if parts.scheme == "https" else 80))
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        secure = parts.scheme == "https"
        super().__init__("configured", host, port, base, secure, None, host, port)

    @property
    def protocol(self) -> str:
        return "https://" if self.is_ssl else "http://"


def _environment(mode: Mode, api_base: str | None) -> Any:
    if api_base is not None:
        return _Environment(api_base)
    return sdk.Environment.Production if mode == "live" else sdk.Environment.Sandbox


def _resource(path: str) -> str:
    """`/merchants/x/transactions/advanced_search` → `transactions`: what calls are paced and counted by."""
    parts = path.split("/")
    return parts[3] if len(parts) > 3 and parts[1] == "merchants" else path


def _date(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo is not None else None
