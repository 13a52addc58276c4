"""The Stripe SDK below its objects: its headers, keys and versions, our deadlines, and raw bytes out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
import urllib3
from stripe import _util

from payops.clock import monotonic_s
from payops.text import mask

from . import errors

MAX_BODY = 32 * 1024 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer."""

    status: int
    body: bytes
    request_id: str | None


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
        timeout_s: tuple[float, float],
        requests_per_s: float | None,
    ) -> None:
        _quieten()
        base = (api_base or stripe.DEFAULT_API_BASE).rstrip("/")
        self._account = account
        self._host = urlsplit(base).netloc
        self._http = _Http(timeout_s, use_environment=urlsplit(base).scheme == "https")
        self._requestor = stripe.StripeClient(
            "unset",  # every call states its own key
            base_addresses={"api": base},
            stripe_version=api_version,
            http_client=self._http,
            max_network_retries=0,
        )._requestor
        self._pace = _Pace(requests_per_s)

    def get(self, key: str, path: str, params: Mapping[str, Any] | None = None) -> Answer:
        return self._call("get", key, path, params, {"api_key": key})

    def post(self, key: str, path: str, params: Mapping[str, Any] | None, idempotency_key: str) -> Answer:
        return self._call("post", key, path, params, {"api_key": key, "idempotency_key": idempotency_key})

    def close(self) -> None:
        self._pace.stop()
        self._http.close_all()

    def _call(
        self,
        method: str,
        key: str,
        path: str,
        params: Mapping[str, Any] | None,
        options: stripe.RequestOptions,
    ) -> Answer:
        if not self._pace.wait(method, path):
            raise errors.unreachable("payops is closing", account=self._account, host=self._host)
        try:
            body, status, headers = self._requestor.request_raw(
                method,
                path,
                params,
                options,
                base_address="api",
                api_mode=_util.get_api_mode(path),
            )
        except _NoAnswer as error:
            raise errors.unreachable(str(error), account=self._account, host=self._host) from error
        assert isinstance(body, bytes)
        if not 200 <= status < 300:
            raise errors.refused(
                status, body, headers, account=self._account, hint=mask(key), secret=key
            ) from None
        return Answer(status, body, headers.get("Request-Id"))


class _NoAnswer(Exception):
    """Why nothing came back, in a few words."""


class _Http(stripe.RequestsClient):
    """The SDK's own client with a deadline for the whole answer, a bound on its size and no redirects."""

    def __init__(self, timeout_s: tuple[float, float], *, use_environment: bool) -> None:
        super().__init__(timeout=timeout_s)
        self._limits = timeout_s
        self._use_environment = use_environment
        self._own = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []

    def request(  # type: ignore[override]  # the SDK says str where its own clients return bytes
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        connect_s, read_s = self._limits
        deadline = monotonic_s() + connect_s + read_s
        try:
            with self._session_of_thread().request(
                method,
                url,
                headers=headers,
                data=post_data,
                timeout=self._limits,
                verify=stripe.ca_bundle_path,
                stream=True,
                allow_redirects=False,
                auth=_keep_authorization,
            ) as response:
                return _read(response, deadline), response.status_code, response.headers
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _NoAnswer(_reason(error, connect_s, read_s)) from error

    def close_all(self) -> None:
        with self._lock:
            for session in self._sessions:
                session.close()

    def _session_of_thread(self) -> requests.Session:
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = requests.Session()
            # A proxy of the environment must not see what is meant for loopback.
            session.trust_env = self._use_environment
            self._own.session = session
            with self._lock:
                self._sessions.append(session)
        return session


class _Pace:
    """A token bucket for each kind of resource: bursts of one second's worth, in real time."""

    def __init__(self, per_s: float | None) -> None:
        self._per_s = per_s
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def wait(self, method: str, path: str) -> bool:
        """Return when a call may go out; False when we are closing."""
        if self._per_s is None:
            return not self._stopped.is_set()
        kind = (method, "/".join(path.split("/")[:4]) if path.startswith("/v2/") else path.split("/")[2])
        with self._lock:
            now = monotonic_s()
            tokens, at = self._buckets.get(kind, (self._per_s, now))
            tokens = min(self._per_s, tokens + (now - at) * self._per_s) - 1.0
            self._buckets[kind] = (tokens, now)
        return not self._stopped.wait(max(0.0, -tokens / self._per_s))

    def stop(self) -> None:
        self._stopped.set()


def _read(response: requests.Response, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(_CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise _NoAnswer(f"the answer is larger than {MAX_BODY >> 20} MiB")
        if monotonic_s() > deadline:
            raise requests.ReadTimeout("the answer trickles")
    return b"".join(parts)


def _reason(error: Exception, connect_s: float, read_s: float) -> str:
    text = f"{type(error).__name__} {error}"
    if isinstance(error, requests.exceptions.SSLError) or "SSLError" in text:
        return "its TLS certificate was not accepted (is the network intercepting it?)"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {connect_s:g} s"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return f"no complete answer within {read_s:g} s"
    if "NameResolution" in text or "getaddrinfo" in text:
        return "its name cannot be resolved"
    if "refused" in text:
        return "connection refused"
    if "IncompleteRead" in text or "Connection aborted" in text or "Connection broken" in text:
        return "the connection broke off"
    return f"the connection failed ({type(error).__name__})"


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from replacing our key by an entry of ~/.netrc."""
    return request


def _quieten() -> None:
    """Switch off what the SDK does beside its work: telemetry (it writes to ~/.config) and logs of bodies."""
    stripe.enable_telemetry = False
    stripe.log = None
    _util.STRIPE_LOG = None
    logging.getLogger("stripe").setLevel(logging.WARNING)
