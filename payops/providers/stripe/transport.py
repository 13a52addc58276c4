"""The Stripe SDK below its objects: its headers, keys and versions, our deadlines, and raw bytes out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import stripe
from stripe import _util

from payops.domain.events import ApiCall
from payops.providers.port import Patience
from payops.providers.web import NoAnswer, Pace, Web, WebAnswer
from payops.text import mask

from . import errors
from .wire import resource


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer."""

    status: int
    body: bytes
    request_id: str | None
    at: datetime | None = None
    """Stripe's clock when it answered, to the second."""


class Transport:
    """Calls of one account. Thread-safe: every thread has connections of its own.

    All calls raise `ProviderError`: `network` when there is no answer in time, otherwise by what Stripe said.
    """

    def __init__(
        self,
        account: str,
        *,
        api_base: str | None,
        api_version: str | None,
        patience: Patience,
    ) -> None:
        _quieten()
        base = (api_base or stripe.DEFAULT_API_BASE).rstrip("/")
        self._account = account
        self._host = urlsplit(base).netloc
        self._web = Web(
            patience, use_environment=urlsplit(base).scheme == "https", judge=errors.bucket_of_answer
        )
        self._requestor = stripe.StripeClient(
            "unset",  # every call states its own key
            base_addresses={"api": base},
            stripe_version=api_version,
            http_client=_Http(self._web, (patience.connect_s, patience.read_s)),
            max_network_retries=0,
        )._requestor
        self._pace = Pace(patience.requests_per_s)

    def get(self, key: str, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        return self._call("get", key, path, params, {"api_key": key})

    def post(self, key: str, path: str, params: Mapping[str, Any] | None, idempotency_key: str) -> Answer:
        return self._call("post", key, path, params, {"api_key": key, "idempotency_key": idempotency_key})

    def calls(self) -> tuple[ApiCall, ...]:
        """The calls made since this was last asked."""
        return self._web.drain()

    def close(self) -> None:
        self._pace.stop()
        self._web.close()

    def _call(
        self,
        method: str,
        key: str,
        path: str,
        params: Mapping[str, Any] | None,
        options: stripe.RequestOptions,
    ) -> Answer:
        if not self._pace.wait(f"{method} {resource(path)}"):
            raise errors.unreachable("payops is closing", account=self._account, host=self._host)
        try:
            found, status, headers = self._requestor.request_raw(
                method,
                path,
                params,
                options,
                base_address="api",
                api_mode=_util.get_api_mode(path),
            )
        except NoAnswer as error:
            raise errors.unreachable(str(error), account=self._account, host=self._host) from error
        assert isinstance(found, WebAnswer)
        if not 200 <= status < 300:
            raise errors.refused(
                status, found.body, headers, account=self._account, hint=mask(key), secret=key
            ) from None
        return Answer(status, found.body, headers.get("Request-Id"), found.at)


class _Http(stripe.RequestsClient):
    """The SDK's own client, sending through ours."""

    def __init__(self, web: Web, timeout_s: tuple[float, float]) -> None:
        super().__init__(timeout=timeout_s)
        self._web = web

    def request(  # type: ignore[override]
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[WebAnswer, int, Mapping[str, str]]:
        """The whole answer in the body's place: the SDK hands it through, and would write a body to its log."""
        answer = self._web.send(
            resource(urlsplit(url).path),
            method,
            url,
            headers=headers or {},
            data=post_data,
            verify=stripe.ca_bundle_path,
        )
        return answer, answer.status, answer.headers


def _quieten() -> None:
    """Switch off what the SDK does beside its work: telemetry (it writes to ~/.config) and logs of bodies."""
    stripe.enable_telemetry = False
    stripe.log = None
    _util.STRIPE_LOG = None
    logging.getLogger("stripe").setLevel(logging.WARNING)
