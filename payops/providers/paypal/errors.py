"""PayPal's refusals as `ProviderError`: the status first, then the issue or name in the body, and a sentence.

Only PayPal's own JSON counts as PayPal's word: a proxy's page that happens to be a 401 says nothing about our
credential. Tokens and secrets never enter a text: what PayPal wrote is cut clean of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from payops.domain.errors import Bucket, ProviderError
from payops.text import safe_line

from . import wire

PROVIDER = "paypal"
DEBUG_ID = "PayPal-Debug-Id"
_LIMIT = 300
_BUCKETS: Mapping[int, Bucket] = {
    401: "auth",
    403: "permission",
    408: "outage",
    409: "conflict",
    429: "rate_limit",
}
_CODES: Mapping[str, Bucket] = {
    "RATE_LIMIT_REACHED": "rate_limit",
    "PREVIOUS_REQUEST_IN_PROGRESS": "conflict",
    "PERMISSION_DENIED": "permission",
}
_REFUSALS = frozenset(
    {
        "CARD_EXPIRED",
        "COMPLIANCE_VIOLATION",
        "INSTRUMENT_DECLINED",
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "PAYER_ACCOUNT_RESTRICTED",
        "PAYER_ACTION_REQUIRED",
        "PAYER_CANNOT_PAY",
        "PAYMENT_DENIED",
        "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR",
        "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING",
        "SUBSCRIBER_ACCOUNT_LOCKED",
        "SUBSCRIBER_ACCOUNT_CLOSED",
        "SUBSCRIBER_ACCOUNT_RESTRICTED",
        "TRANSACTION_REFUSED",
    }
)
"""Issues of a 422 that mean: the payment was tried and refused."""

_PREFIX = "https://uri.paypal.com/services/"
SCOPES: Mapping[str, str] = {
    "webhooks": f"{_PREFIX}applications/webhooks",
    "webhooks-events": f"{_PREFIX}applications/webhooks",
    "transactions": f"{_PREFIX}reporting/search/read",
    "disputes": f"{_PREFIX}disputes/read-seller",
    "subscriptions": f"{_PREFIX}subscriptions",
    "captures": f"{_PREFIX}payments/payment/authcapture",
    "authorizations": f"{_PREFIX}payments/payment/authcapture",
    "refunds": f"{_PREFIX}payments/refund",
}
"""Kind of resource → the scope its calls need (the `security` of PayPal's API descriptions)."""


def resource_of(path: str) -> str:
    """`/v1/notifications/webhooks/WH-1?x` → `webhooks`: what calls are paced, counted and permitted by."""
    parts = path.partition("?")[0].split("/")
    return parts[3] if len(parts) > 3 else path


def refused(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    account: str,
    hint: str,
    secrets: Iterable[str],
    path: str,
) -> ProviderError:
    """The error for an answer that is not 2xx, or that is 2xx and says it is an error."""
    stated = _stated(body)
    retry_after_s = _seconds(headers.get("Retry-After"))
    if stated is None:
        return ProviderError(
            "rate_limit" if status == 429 else "outage",
            f"PayPal answered {status} with {looks_like(body)} instead of its JSON",
            provider=PROVIDER,
            account=account,
            http_status=status,
            request_id=_id(headers.get(DEBUG_ID)),
            retry_after_s=retry_after_s,
        )
    name, issue, said = _said(stated)
    code = issue or name
    for secret in secrets:
        said = said.replace(secret, hint)
    bucket = _bucket(status, name, issue)
    return ProviderError(
        bucket,
        _sentence(bucket, status, code or str(status), safe_line(said, limit=_LIMIT), hint, path),
        provider=PROVIDER,
        account=account,
        code=None if code is None else safe_line(code, limit=80),
        http_status=status,
        request_id=_id(headers.get(DEBUG_ID)) or _id(stated.get("debug_id")),
        retry_after_s=retry_after_s,
    )


def unreadable(status: int, body: bytes, why: str, *, account: str, request_id: str | None) -> ProviderError:
    """The error for a 2xx answer that is not the JSON it should be."""
    return ProviderError(
        "outage",
        f"PayPal answered {status} with {looks_like(body)} that cannot be read: {safe_line(why, limit=120)}",
        provider=PROVIDER,
        account=account,
        http_status=status,
        request_id=request_id,
    )


def unreachable(why: str, *, account: str, host: str) -> ProviderError:
    """The error for a call that got no answer."""
    return ProviderError(
        "network", f"no answer from PayPal at {host}: {why}", provider=PROVIDER, account=account
    )


def is_stated(body: bytes) -> bool:
    """Whether the body is an error in PayPal's own form."""
    return _stated(body) is not None


def looks_like(body: bytes) -> str:
    """What kind of thing a body is, in words."""
    start = body[:200].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")):
        return "an HTML page"
    if start.startswith((b"{", b"[")):
        return "unexpected JSON" if _is_json(body) else "broken JSON"
    return "text"


def _stated(body: bytes) -> dict[str, Any] | None:
    try:
        found = wire.parse(body)
    except wire.Unreadable:
        return None
    if isinstance(found.get("error"), str):
        return found
    return (
        found if isinstance(found.get("name"), str) and ("message" in found or "debug_id" in found) else None
    )


def _said(stated: Mapping[str, Any]) -> tuple[str | None, str | None, str]:
    """Name, first issue and words of an error, in the form of the API or of the token endpoint."""
    if isinstance(stated.get("error"), str):
        return stated["error"], None, _text(stated.get("error_description"))
    details = stated.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    issue = _text(first.get("issue")) or None
    return stated["name"], issue, _text(first.get("description")) or _text(stated.get("message"))


def _bucket(status: int, name: str | None, issue: str | None) -> Bucket:
    if issue in _REFUSALS and status in (400, 403, 422):
        return "card"
    for word in (issue, name):
        known = _CODES.get(word or "")
        if known is not None and status < 500:
            return known
    if status in _BUCKETS:
        return _BUCKETS[status]
    return "invalid_request" if 400 <= status < 500 else "outage"


def _sentence(bucket: Bucket, status: int, code: str, said: str, hint: str, path: str) -> str:
    tail = f": {said}" if said else ""
    code = safe_line(code, limit=80)
    if bucket == "auth":
        return f"PayPal rejected client {hint} with `{code}`{tail}"
    if bucket == "permission":
        resource = resource_of(path)
        if resource == "transactions":
            return (
                f"not permitted: reporting scope ({SCOPES[resource]} is not granted to client {hint}){tail}"
            )
        scope = SCOPES.get(resource)
        needs = f"; it needs the scope {scope}" if scope else ""
        return f"PayPal does not allow this to client {hint} (`{code}`){needs}{tail}"
    if bucket == "rate_limit":
        return f"PayPal says there are too many requests (`{code}`){tail}"
    if status < 300:
        return f"PayPal answered {status} with the error `{code}`{tail}"
    return f"PayPal answered {status} `{code}`{tail}"


def _is_json(body: bytes) -> bool:
    try:
        wire.parse(body)
    except wire.Unreadable:
        return False
    return True


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _id(value: object) -> str | None:
    return safe_line(value, limit=80) if isinstance(value, str) and value else None


def _seconds(value: str | None) -> float | None:
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return float(value[:9])
