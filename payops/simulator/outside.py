"""The simulated internet: where an address of the world really leads. Nothing ever leaves this machine."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from urllib.parse import urlsplit

_TIMEOUT_S = 10.0


class Outside:
    """What is sent to one of the `public_bases` and below arrives at `receiver`; loopback addresses are themselves;
    nothing else exists. For one thread; `post` keeps its connection open.
    """

    def __init__(self, public_bases: Sequence[str], receiver: str | None) -> None:
        self._public = tuple(base.rstrip("/") for base in public_bases)
        self._receiver = None if receiver is None else receiver.rstrip("/")
        self._kept: dict[tuple[str, int], HTTPConnection] = {}

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer; `OSError` or `HTTPException` when there is none."""
        place, target = self._real(url)
        kept = self._kept.pop(place, None)
        if kept is not None:
            try:
                return self._post(place, kept, target, body, headers)
            except TimeoutError:
                raise
            except (OSError, HTTPException):
                pass  # gone stale, as after a restart of the receiver; a webhook may arrive twice anyway
        return self._post(place, _connect(place), target, body, headers)

    def _post(
        self,
        place: tuple[str, int],
        connection: HTTPConnection,
        target: str,
        body: bytes,
        headers: dict[str, str],
    ) -> int:
        try:
            connection.request("POST", target, body=body, headers=headers)
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException):
            connection.close()
            raise
        self._kept[place] = connection
        return response.status

    def get(self, url: str) -> tuple[int, bytes]:
        """Status and body of the answer; errors as `post`."""
        place, target = self._real(url)
        connection = _connect(place)
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    def _real(self, url: str) -> tuple[tuple[str, int], str]:
        """Where a URL of the world leads: host and port, path and query."""
        for public in self._public:
            if url == public or url.startswith(f"{public}/"):
                url = (self._receiver or public) + url.removeprefix(public)
                break
        if not is_loopback(url):
            raise ConnectionRefusedError(f"{urlsplit(url).hostname} does not exist in the simulated world")
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return (parts.hostname or "", parts.port or 80), target


def _connect(place: tuple[str, int]) -> HTTPConnection:
    return HTTPConnection(*place, timeout=_TIMEOUT_S)


def is_loopback(url: str) -> bool:
    """Whether a URL is plain http on this machine itself."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return False
