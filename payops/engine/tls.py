"""The certificate our own public address shows: whether others will trust it, and for how long."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from payops.clock import from_epoch
from payops.text import safe_line

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """`problem` empty: trusted. `days_left` None: the address is not served over TLS from here."""

    problem: str = ""
    days_left: int | None = None


def certificate_reader(routes: Mapping[str, str]) -> Callable[[str, datetime], Certificate]:
    """Reads certificates of public URLs; what is routed elsewhere (the simulated world) has none."""

    def read(url: str, now: datetime) -> Certificate:
        if any(url == public or url.startswith(f"{public}/") for public in routes):
            return Certificate()
        return read_certificate(url, now)

    return read


def read_certificate(url: str, now: datetime) -> Certificate:
    """Connect once, at most 3 s, and look at what is shown; plain http has no certificate to show."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return Certificate()
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), timeout=TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            shown = secure.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return Certificate(problem=safe_line(error.verify_message, limit=120))
    except (OSError, ValueError) as error:
        return Certificate(problem=safe_line(error, limit=120))
    ends = shown.get("notAfter") if shown else None
    if not isinstance(ends, str):
        return Certificate()
    left = from_epoch(ssl.cert_time_to_seconds(ends)) - now
    return Certificate(days_left=left.days)
