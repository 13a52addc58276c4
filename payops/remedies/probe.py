"""Does a public URL answer? Asked before events are sent to it again."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from payops.text import safe_line

TIMEOUT_S = 3.0


class UrlProbe(Protocol):
    """Looks at a URL from outside, as the provider would."""

    def answers(self, url: str) -> tuple[bool, str]:
        """Whether something answers with a status below 500, and what was seen, as a phrase. At most 3 s."""


class HttpProbe:
    """GET over a fresh connection; redirects are not followed, proxies are not used."""

    def __init__(self, routes: Mapping[str, str]) -> None:
        self._routes = dict(routes)

    def answers(self, url: str) -> tuple[bool, str]:
        try:
            return self._seen(urlsplit(self._reached_at(url)))
        except ValueError as error:  # the provider's word for a URL: no host name, no port, not ASCII
            return False, f"it cannot be asked: {safe_line(error, limit=120)}"

    def _seen(self, parts: SplitResult) -> tuple[bool, str]:
        host = parts.hostname
        if not host or parts.scheme not in ("http", "https"):
            return False, "it is not an http(s) URL"
        if parts.scheme == "http" and not _is_loopback(host):
            return False, "it is not served over TLS"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(host, parts.port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", parts.path or "/", headers={"User-Agent": "payops-url-check"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return False, _reason(error)
        finally:
            connection.close()
        return status < 500, f"HTTP {status}"

    def _reached_at(self, url: str) -> str:
        for public, real in self._routes.items():
            if url == public or url.startswith(public.rstrip("/") + "/"):
                return real.rstrip("/") + url[len(public.rstrip("/")) :]
        return url


def http_probe(routes: Mapping[str, str] | None = None) -> UrlProbe:
    """The probe of real life. `routes`: public base URL → the base URL where it is really reached."""
    return HttpProbe(routes or {})


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:120]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
