"""Stripe's refusals as `ProviderError`: the status first, then the code in the body, and a sentence.

The SDK leaves `code` empty on several of its error classes and builds objects we do not need, so the body is
read here. Only Stripe's own JSON counts as Stripe's word: a proxy's page that happens to be a 401 says nothing
about our key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from payops.domain.errors import Bucket, ProviderError
from payops.domain.payments import Mode
from payops.text import safe_line

from . import wire

PROVIDER = "stripe"
_LIMIT = 300
_READ = 4000
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
_CAUSES = (
    (re.compile(r"\bexpired api key", re.I), "api_key_expired"),
    (re.compile(r"\brevoked\b", re.I), "api_key_revoked"),
    (re.compile(r"\bpublishable\b", re.I), "secret_key_required"),
    (re.compile(r"\binvalid api key", re.I), "api_key_invalid"),
    (re.compile(r"\bdid not provide an api key", re.I), "api_key_missing"),
)
"""Stripe's words for why it refuses a key, and the code for it where Stripe's answer has none."""
_ELSEWHERE = re.compile(r"a similar object exists in (live|test) mode")
WRONG_MODE = "wrong_mode"
"""Our code for: the key belongs to the other mode."""


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
    words = _text(stated.get("message"))
    code = _text(stated.get("code")) or None
    bucket = _bucket(status, code, headers)
    if bucket == "auth" and code is None:
        code = next((cause for said, cause in _CAUSES if said.search(words)), None)
    elif bucket == "card":
        code = _text(stated.get("decline_code")) or code
    elif elsewhere(words):
        code = WRONG_MODE
    shown = code or _text(stated.get("type")) or str(status)
    said = safe_line(words.replace(secret, hint)[:_READ], limit=_LIMIT)
    return ProviderError(
        bucket,
        _sentence(bucket, status, shown, said, permission_in(words), hint, headers),
        provider=PROVIDER,
        account=account,
        code=None if code is None else safe_line(code, limit=80),
        http_status=status,
        request_id=request_id,
        retry_after_s=_seconds(headers.get("Retry-After")),
    )


def bucket_of_answer(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """The bucket of any answer for the tally; a decline is an answer as asked."""
    if status < 300 or status == 402:
        return None
    stated = _stated(body)
    if stated is None:
        return "rate_limit" if status == 429 else "outage"
    return _bucket(status, _text(stated.get("code")) or None, headers)


def states_error(body: bytes) -> bool:
    """Whether an answer is Stripe's error object, whatever its status said."""
    return _stated(body) is not None


def permission_in(message: str) -> str | None:
    """The permission a refusal says is missing, by Stripe's name."""
    found = _PERMISSION.search(message)
    return found.group(0) if found else None


def elsewhere(message: str) -> Mode | None:
    """The mode in which Stripe says it knows the object that this key does not find."""
    found = _ELSEWHERE.search(message)
    return None if found is None else "live" if found.group(1) == "live" else "test"


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


def _bucket(status: int, code: str | None, headers: Mapping[str, str]) -> Bucket:
    if status == 400 and code == "rate_limit":
        return "rate_limit"
    if status == 429 and code == "lock_timeout" and "Stripe-Rate-Limited-Reason" not in headers:
        # Not our pace: somebody else is changing the same object.
        return "conflict"
    known = _BUCKETS.get(status)
    if known is not None:
        return known
    return "invalid_request" if 400 <= status < 500 and status != 408 else "outage"


def _sentence(
    bucket: Bucket,
    status: int,
    shown: str,
    said: str,
    permission: str | None,
    hint: str,
    headers: Mapping[str, str],
) -> str:
    tail = f": {said}" if said else ""
    shown = safe_line(shown, limit=80)
    if bucket == "auth":
        return f"Stripe rejected key {hint} with `{shown}`{tail}"
    if bucket == "permission":
        needs = f"; grant it {permission}" if permission else ""
        return f"Stripe does not allow this to key {hint}{needs}{tail}"
    if bucket == "rate_limit":
        limit = safe_line(headers.get("Stripe-Rate-Limited-Reason", shown), limit=80)
        return f"Stripe says there are too many requests (`{limit}`){tail}"
    if bucket == "card":
        return f"the issuer or Stripe declined with `{shown}`{tail}"
    if bucket == "conflict":
        return f"Stripe is busy with another change of the same object (`{shown}`){tail}"
    if shown == WRONG_MODE:
        return f"key {hint} is of the other mode than what it asks for{tail}"
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
