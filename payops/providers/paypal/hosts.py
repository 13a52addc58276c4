"""PayPal's hosts, and what they say about the mode."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from payops.domain.payments import Mode

API_BASE: Mapping[Mode, str] = {
    "live": "https://api-m.paypal.com",
    "test": "https://api-m.sandbox.paypal.com",
}
_MODES: Mapping[str, Mode] = {
    "api.paypal.com": "live",
    "api-m.paypal.com": "live",
    "api.sandbox.paypal.com": "test",
    "api-m.sandbox.paypal.com": "test",
}
SANDBOX_APP_ID = "APP-80W284485P519543T"
"""The one `app_id` all sandbox tokens show. Third-party source only: evidence, and named as such."""


def mode_of_host(host: str) -> Mode | None:
    """The mode a host of PayPal's API serves; None for any other host."""
    return _MODES.get(host)


@lru_cache(maxsize=64)
def _mode_of_origin(origin: str) -> Mode | None:
    return mode_of_host(urlsplit(origin).netloc)


def mode_of_link(href: str) -> Mode | None:
    """The mode told by an object's link; None where its host is none of PayPal's."""
    end = href.find("/", 8)
    return _mode_of_origin(href if end < 0 else href[:end])
