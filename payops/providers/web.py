"""One way out for all three SDKs: a deadline for the whole answer, a bound on its size, no redirects, a tally.

The SDKs keep authentication, versions and signing; each is given a small client that sends through `Web`.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3

from payops.clock import monotonic_s
from payops.domain.events import ApiCall

from .port import Patience

MAX_BODY = 32 * 1024 * 1024
ANSWER_S = 10.0
"""In stepped time an answer said to take longer than this did not come."""
STATED_LATENCY = "X-Simulated-Latency-Ms"
Judge = Callable[[int, Mapping[str, str], bytes], str | None]
"""Status, headers and body of an answer → its bucket of `domain.errors`; None = answered as asked."""
_CHUNK = 64 * 1024
_MS = re.compile(r"[0-9]{1,9}")
_MOST_CALLS = 10_000
_MOST_IDLE = 8
"""Connections kept open to one host while nothing is asked."""


class NoAnswer(Exception):
    """Why nothing came back, in a few words."""


class _NotTaken(ValueError):
    """What is not sent, or not read to its end; the text is ours."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back, whatever its status. Header names compare without case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    taken_ms: int

    @property
    def at(self) -> datetime | None:
        """The clock of the answer (its Date header), to the second; None where it states none."""
        return date(self.headers)


def by_status(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """The bucket a status alone tells; a decline (402, 422) is an answer as asked."""
    if status < 400 or status in (402, 422):
        return None
    if status >= 500 or status == 408:
        return "outage"
    return {401: "auth", 403: "permission", 409: "conflict", 429: "rate_limit"}.get(status, "invalid_request")


class Web:
    """Sends for one account, to one or a few hosts. Any thread may.

    `use_environment`: a proxy and certificates named by the environment count; never for loopback. `judge` names
    the bucket of an answer in the tally, for a provider whose body tells more than its status.
    """

    def __init__(self, patience: Patience, *, use_environment: bool, judge: Judge = by_status) -> None:
        self._patience = patience
        self._use_environment = use_environment
        self._judge = judge
        self._lock = threading.Lock()
        self._pools: dict[_Host, urllib3.HTTPConnectionPool] = {}
        self._calls: deque[tuple[ApiCall, float]] = deque(maxlen=_MOST_CALLS)

    def send(
        self,
        resource: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        data: bytes | str | Mapping[str, str] | None = None,
        verify: bool | str = True,
    ) -> WebAnswer:
        """The answer, of any status; `NoAnswer` when none came whole and in time.

        `resource` names the call in the tally. `verify` is a file of certificates to trust, or True = the usual ones.
        """
        connect_s, read_s = self._patience.connect_s, self._patience.read_s
        began = monotonic_s()
        try:
            status, told, body = self._ask(method, url, headers, data, verify, began + connect_s + read_s)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._count(ApiCall(resource, self._taken_ms({}, began), "network"))
            # A library's own words about a value it does not take quote it: a header with a secret among them.
            quotes = isinstance(error, ValueError) and not isinstance(error, _NotTaken)
            raise NoAnswer(_reason(error, connect_s, read_s)) from (None if quotes else error)
        taken_ms = self._taken_ms(told, began)
        if self._patience.stated and taken_ms > 1000 * ANSWER_S:
            self._count(ApiCall(resource, round(1000 * ANSWER_S), "network"))
            raise NoAnswer(f"no complete answer within {ANSWER_S:g} s")
        answer = WebAnswer(status, told, body, taken_ms)
        self._count(ApiCall(resource, taken_ms, self._judge(status, told, body), status, answer.at))
        return answer

    def drain(self) -> tuple[ApiCall, ...]:
        """The calls made since this was last asked.

        `provider_at` is brought forward by the time since the answer came, so that a call may be asked about late and
        still be compared with the clock of the one who asks. In stepped time nothing passes meanwhile.
        """
        calls = []
        now = monotonic_s()
        while self._calls:
            call, came = self._calls.popleft()
            if call.provider_at is not None and not self._patience.stated:
                since = timedelta(seconds=round(now - came))
                call = replace(call, provider_at=call.provider_at + since)
            calls.append(call)
        return tuple(calls)

    def close(self) -> None:
        """Drop idle connections; a call under way ends at its timeout."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes | str | Mapping[str, str] | None,
        verify: bool | str,
        deadline: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        host, target = _split(url, verify)
        content, sent = _content(data, headers)
        response = self._pool(host).urlopen(
            method.upper(),
            target,
            body=content,
            headers=sent,
            timeout=urllib3.Timeout(connect=self._patience.connect_s, read=self._patience.read_s),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            body = _read(response, deadline)
        except BaseException:
            response.close()  # what is left of the answer must not meet the next call
            raise
        response.release_conn()
        return response.status, response.headers, body

    def _pool(self, host: _Host) -> urllib3.HTTPConnectionPool:
        with self._lock:
            pool = self._pools.get(host)
            if pool is None:
                pool = self._pools[host] = _open_pool(host, use_environment=self._use_environment)
            return pool

    def _count(self, call: ApiCall) -> None:
        self._calls.append((call, monotonic_s()))

    def _taken_ms(self, headers: Mapping[str, str], began: float) -> int:
        # Latency is data in stepped time: the simulator says what it would have taken, and nobody waits.
        if self._patience.stated:
            stated = headers.get(STATED_LATENCY, "0")
            return int(stated) if _MS.fullmatch(stated) else 0
        return round(1000 * (monotonic_s() - began))


class Pace:
    """A token bucket for each kind of resource: bursts of one second's worth, in real time."""

    def __init__(self, per_s: float | None) -> None:
        self._per_s = per_s
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait(self, resource: str) -> bool:
        """Return when a call may go out; False when we are closing."""
        if self._per_s is None:
            return not self._stopped.is_set()
        with self._lock:
            now = monotonic_s()
            tokens, at = self._buckets.get(resource, (self._per_s, now))
            tokens = min(self._per_s, tokens + (now - at) * self._per_s) - 1.0
            self._buckets[resource] = (tokens, now)
        return not self._stopped.wait(max(0.0, -tokens / self._per_s))

    def stop(self) -> None:
        self._stopped.set()


def date(headers: Mapping[str, str]) -> datetime | None:
    """The Date header of an answer; None where there is none that can be read."""
    text = headers.get("Date")
    if not text:
        return None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo is not None else None


@dataclass(frozen=True, slots=True)
class _Host:
    """What one pool of connections is for. `verify`: as for `Web.send`."""

    scheme: str
    name: str
    port: int | None
    verify: bool | str


def _split(url: str, verify: bool | str) -> tuple[_Host, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _NotTaken("not the address of a provider")
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return _Host(parts.scheme, parts.hostname, parts.port, verify), target


def _open_pool(host: _Host, *, use_environment: bool) -> urllib3.HTTPConnectionPool:
    """Connections to one host; through the environment's proxy where there is one for it and it counts."""
    trust = host.verify
    if trust is True and use_environment:
        named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        trust = named or True
    options: dict[str, Any] = {"maxsize": _MOST_IDLE, "block": False}
    if host.scheme == "https":
        options["cert_reqs"] = "CERT_REQUIRED" if trust else "CERT_NONE"
        options["ca_certs"] = trust if isinstance(trust, str) else certifi.where()
    manager = urllib3.PoolManager(**options)
    if use_environment and not proxy_bypass(host.name):
        proxy = getproxies().get(host.scheme) or getproxies().get("all")
        if proxy:
            secret = urlsplit(proxy)
            pair = f"{unquote(secret.username)}:{unquote(secret.password or '')}" if secret.username else None
            allowed = urllib3.make_headers(proxy_basic_auth=pair) if pair else None
            manager = urllib3.ProxyManager(proxy, proxy_headers=allowed, **options)
    return manager.connection_from_host(host.name, host.port, host.scheme)


def _content(
    data: bytes | str | Mapping[str, str] | None, headers: Mapping[str, str]
) -> tuple[bytes | None, dict[str, str]]:
    sent = {"Accept-Encoding": "gzip, deflate", **headers}
    if data is None or isinstance(data, bytes):
        return data, sent
    if isinstance(data, str):
        return data.encode(), sent
    return urlencode(data).encode(), {"Content-Type": "application/x-www-form-urlencoded", **sent}


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise _NotTaken(f"the answer is larger than {MAX_BODY >> 20} MiB")
        if monotonic_s() > deadline:
            raise TimeoutError("the answer trickles")
    return b"".join(parts)


def _reason(error: Exception, connect_s: float, read_s: float) -> str:
    text = f"{type(error).__name__} {error}"
    if "SSLError" in text or "CERTIFICATE_VERIFY" in text:
        return "its TLS certificate was not accepted (is the network intercepting it?)"
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name cannot be resolved"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError) and "timed out" in text:
        return f"no connection within {connect_s:g} s"
    if "refused" in text:
        return "connection refused"
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return f"no complete answer within {read_s:g} s"
    if isinstance(error, urllib3.exceptions.ProxyError):
        return "the proxy that the environment names does not let it through"
    if isinstance(error, _NotTaken):
        return str(error)
    if isinstance(error, urllib3.exceptions.ProtocolError | ConnectionError):
        return "the connection broke off"
    return f"the connection failed ({type(error).__name__})"
