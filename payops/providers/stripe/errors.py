"""Stripe's refusals as `ProviderError`: the status first, then the code in the body, and a sentence.

The SDK leaves `code` empty on several of its error classes and builds objects we do not need, so the body is
read here. Only Stripe's own JSON counts as Stripe's word: a proxy's page that happens to be a 401 says nothing
about our key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from payops.domain.errors import Bucket, ProviderError
from payops.text import safe_line

from . import wire

PROVIDER = "stripe"
_LIMIT = 300
_BUCKETS: dict[int, Bucket] = {
    400: "invalid_request",
    401: "auth",
    402: "card",
    403: "permission",
    404: "invalid_request",
    409: "conflict",
    429: "rate_limit",
}
_PERMISSION = re.compile(r"\brak_\w{1,80}")


def refused(
    status: int, body: bytes, headers: Mapping[str, str], *, account: str, hint: str, secret: str
) -> ProviderError:
    """The error for an answer that is not 2xx. `hint` is the masked key; the key itself is cut out of texts."""
    stated = _stated(body)
    request_id = headers.get("Request-Id")
    if stated is None:
        bucket: Bucket = "rate_limit" if status == 429 else "outage"
        return ProviderError(
            bucket,
            f"Stripe answered {status} with {_looks_like(body)} instead of its JSON",
            provider=PROVIDER,
            account=account,
            http_status=status,
            request_id=request_id,
            retry_after_s=_seconds(headers.get("Retry-After")),
        )
    code = _text(stated.get("code")) or None
    bucket = _bucket(status, code)
    said = safe_line(_text(stated.get("message")).replace(secret, hint), limit=_LIMIT)
    shown = code or _text(stated.get("type")) or str(status)
    return ProviderError(
        bucket,
        _sentence(bucket, status, shown, said, hint, headers),
        provider=PROVIDER,
        account=account,
        code=code,
        http_status=status,
        request_id=request_id,
        retry_after_s=_seconds(headers.get("Retry-After")),
    )


def unreadable(status: int, body: bytes, why: str, *, account: str, request_id: str | None) -> ProviderError:
    """The error for a 2xx answer that is not the JSON it should be."""
    return ProviderError(
        "outage",
        f"Stripe answered {status} with {_looks_like(body)} that cannot be read: {safe_line(why, limit=120)}",
        provider=PROVIDER,
        account=account,
        http_status=status,
        request_id=request_id,
    )


def unreachable(why: str, *, account: str, host: str) -> ProviderError:
    """The error for a call that got no answer."""
    return ProviderError(
        "network", f"no answer from Stripe at {host}: {why}", provider=PROVIDER, account=account
    )


def _bucket(status: int, code: str | None) -> Bucket:
    if status == 400 and code == "rate_limit":
        return "rate_limit"
    known = _BUCKETS.get(status)
    if known is not None:
        return known
    return "invalid_request" if 400 <= status < 500 and status != 408 else "outage"


def _sentence(
    bucket: Bucket, status: int, shown: str, said: str, hint: str, headers: Mapping[str, str]
) -> str:
    tail = f": {said}" if said else ""
    shown = safe_line(shown, limit=80)
    if bucket == "auth":
        return f"Stripe rejected key {hint} with `{shown}`{tail}"
    if bucket == "permission":
        missing = _PERMISSION.search(said)
        needs = f"; grant it {missing.group(0)}" if missing else ""
        return f"Stripe does not allow this to key {hint}{needs}{tail}"
    if bucket == "rate_limit":
        limit = safe_line(headers.get("Stripe-Rate-Limited-Reason", shown), limit=80)
        return f"Stripe says there are too many requests (`{limit}`){tail}"
    return f"Stripe answered {status} `{shown}`{tail}"


def _stated(body: bytes) -> Mapping[str, object] | None:
    try:
        error = wire.parse(body).get("error")
    except wire.Unreadable:
        return None
    return error if isinstance(error, dict) else None


def _looks_like(body: bytes) -> str:
    start = body[:200].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")):
        return "an HTML page"
    if start.startswith((b"{", b"[")):
        return "broken JSON" if _stated(body) is None and not _is_json(body) else "unexpected JSON"
    return "text"


def _is_json(body: bytes) -> bool:
    try:
        wire.parse(body)
    except wire.Unreadable:
        return False
    return True


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: str | None) -> float | None:
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return float(value[:9])
