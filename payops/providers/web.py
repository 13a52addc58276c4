"""One way out for all three SDKs: a deadline for the whole answer, a bound on its size, no redirects, a tally.

The SDKs keep authentication, versions and signing; each is given a small client that sends through `Web`.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
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


class NoAnswer(Exception):
    """Why nothing came back, in a few words."""


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
    """Sends for one account. Thread-safe: every thread has connections of its own.

    `use_environment`: a proxy and certificates named by the environment count; never for loopback. `judge` names
    the bucket of an answer in the tally, for a provider whose body tells more than its status.
    """

    def __init__(self, patience: Patience, *, use_environment: bool, judge: Judge = by_status) -> None:
        self._patience = patience
        self._use_environment = use_environment
        self._judge = judge
        self._own = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self._calls: deque[tuple[ApiCall, float]] = deque(maxlen=_MOST_CALLS)

    def send(
        self,
        resource: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        data: Any = None,
        verify: bool | str = True,
    ) -> WebAnswer:
        """The answer, of any status; `NoAnswer` when none came whole and in time. `resource` names the call in the tally."""
        limits = (self._patience.connect_s, self._patience.read_s)
        began = monotonic_s()
        try:
            with self._session_of_thread().request(
                method,
                url,
                headers=headers,
                data=data,
                timeout=limits,
                verify=verify,
                stream=True,
                allow_redirects=False,
                auth=_keep_authorization,
            ) as response:
                body = _read(response, began + sum(limits))
                taken_ms = self._taken_ms(response.headers, began)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            reason = _reason(error, *limits)
            self._count(ApiCall(resource, self._taken_ms({}, began), "network"))
            raise NoAnswer(reason) from error
        status = response.status_code
        if self._patience.stated and taken_ms > 1000 * ANSWER_S:
            self._count(ApiCall(resource, round(1000 * ANSWER_S), "network"))
            raise NoAnswer(f"no complete answer within {ANSWER_S:g} s")
        answer = WebAnswer(status, response.headers, body, taken_ms)
        bucket = self._judge(status, answer.headers, body)
        self._count(ApiCall(resource, taken_ms, bucket, status, answer.at))
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
            for session in self._sessions:
                session.close()

    def _count(self, call: ApiCall) -> None:
        self._calls.append((call, monotonic_s()))

    def _taken_ms(self, headers: Mapping[str, str], began: float) -> int:
        # Latency is data in stepped time: the simulator says what it would have taken, and nobody waits.
        if self._patience.stated:
            stated = headers.get(STATED_LATENCY, "0")
            return int(stated) if _MS.fullmatch(stated) else 0
        return round(1000 * (monotonic_s() - began))

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


def _read(response: requests.Response, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(_CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_BODY:
            raise requests.RequestException(f"the answer is larger than {MAX_BODY >> 20} MiB")
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
    if "larger than" in text:
        return str(error)
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
