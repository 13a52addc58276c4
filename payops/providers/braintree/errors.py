"""Braintree's refusals as `ProviderError`: the status first, then the codes in the body, and a sentence.

A 422 is either a list of validation errors or a transaction that was declined. Refusals of the key come with no
body that says more, so an HTML page with such a status is a proxy's word, not Braintree's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from payops.domain.errors import Bucket, ProviderError
from payops.text import safe_line

from . import wire

PROVIDER = "braintree"
KEY_NOT_ALLOWED = "915231"
"""The merchant may not use `api_request_key`: Braintree turns it on for some only."""
_LIMIT = 300
_BUCKETS: dict[int, Bucket] = {
    401: "auth",
    403: "permission",
    408: "outage",
    429: "rate_limit",
}
_CODES: dict[str, Bucket] = {"915233": "conflict", "915235": "outage"}
"""Validation errors that are no fault of the request: the same key is in flight, or its first use failed inside."""
_DECLINED = frozenset({"processor_declined", "gateway_rejected", "failed", "settlement_declined"})
_MOST_CODES = 20


@dataclass(frozen=True, slots=True)
class Said:
    """What a refusal's body states. `declined` is the code of a declined transaction."""

    codes: tuple[str, ...]
    message: str
    declined: str | None


def refused(
    status: int, body: bytes, headers: Mapping[str, str], *, account: str, hint: str, secret: str
) -> ProviderError:
    """The error for an answer that is not what was asked. `secret` is cut out of texts."""
    said = _stated(body)
    if said is None and status != 429 and status < 500 and _is_page(body):
        bucket: Bucket = "outage"
        sentence = f"Braintree answered {status} with an HTML page instead of its XML"
        code = None
    else:
        bucket, code = _bucket(status, said), _code(said)
        text = safe_line(said.message.replace(secret, hint), limit=_LIMIT) if said else ""
        sentence = _sentence(bucket, status, code, text, hint)
    return ProviderError(
        bucket,
        sentence,
        provider=PROVIDER,
        account=account,
        code=code,
        http_status=status,
        request_id=request_id(headers),
        retry_after_s=_seconds(headers.get("Retry-After")),
    )


def unreadable(
    status: int, body: bytes, why: str, *, account: str, headers: Mapping[str, str]
) -> ProviderError:
    """The error for an answer that is not the XML it should be."""
    looks = "an HTML page" if _is_page(body) else "nothing" if not body.strip() else "XML"
    return ProviderError(
        "outage",
        f"Braintree answered {status} with {looks} that cannot be read: {safe_line(why, limit=120)}",
        provider=PROVIDER,
        account=account,
        http_status=status,
        request_id=request_id(headers),
    )


def unreachable(why: str, *, account: str, host: str) -> ProviderError:
    """The error for a call that got no answer."""
    return ProviderError(
        "network", f"no answer from Braintree at {host}: {why}", provider=PROVIDER, account=account
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    shown = headers.get("X-Request-Id")
    return safe_line(shown, limit=80) if shown else None


def _bucket(status: int, said: Said | None) -> Bucket:
    if said is not None and status in (200, 201, 422):
        unfinished = next((_CODES[code] for code in said.codes if code in _CODES), None)
        return unfinished or ("card" if said.declined else "invalid_request")
    known = _BUCKETS.get(status)
    if known is not None:
        return known
    return "invalid_request" if 400 <= status < 500 else "outage"


def _code(said: Said | None) -> str | None:
    if said is None:
        return None
    return said.declined or (said.codes[0] if said.codes else None)


def _sentence(bucket: Bucket, status: int, code: str | None, said: str, hint: str) -> str:
    tail = f": {said}" if said else ""
    shown = f" `{safe_line(code, limit=80)}`" if code else ""
    if status == 401:
        return f"Braintree rejected key {hint} (401): it was revoked, or it is of another merchant or environment"
    if status == 403:
        return f"Braintree does not allow this to key {hint} and does not say which permission is missing"
    if status == 404:
        return f"Braintree answered 404: there is no such object for this merchant{tail}"
    if status == 426:
        return "Braintree answered 426: it does not serve this version of the SDK any more"
    if bucket == "rate_limit":
        return f"Braintree says there are too many requests{tail}"
    if bucket == "card":
        return f"the payment was declined{shown}{tail}"
    return f"Braintree answered {status}{shown}{tail}"


def _stated(body: bytes) -> Said | None:
    if _is_page(body):
        return None
    try:
        root = wire.parse(body)
    except wire.Unreadable:
        return None
    return stated(root)


def stated(root: Element) -> Said | None:
    """What an `api-error-response` says; None when the document is something else."""
    if root.tag != "api-error-response":
        return None
    codes = tuple(
        code.text.strip() for code in root.iterfind("errors//error/code") if code.text and code.text.strip()
    )
    transaction = root.find("transaction")
    declined = None if transaction is None else _declined(wire.fields(transaction, _DECLINE))
    return Said(codes[:_MOST_CODES], root.findtext("message") or "", declined)


_DECLINE: wire.Fields = dict.fromkeys(("status", "processor-response-code", "gateway-rejection-reason"))


def _declined(transaction: Mapping[str, Any]) -> str | None:
    if transaction.get("status") not in _DECLINED:
        return None
    code = transaction.get("gateway_rejection_reason") or transaction.get("processor_response_code")
    return wire.word(code if isinstance(code, str) else None) or transaction["status"]


def _is_page(body: bytes) -> bool:
    start = body[:200].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<body"))


def _seconds(value: str | None) -> float | None:
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return float(value[:9])
