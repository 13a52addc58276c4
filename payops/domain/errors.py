"""Errors with a name for each kind. What a person reads is `str(error)`: what, where, what to do next."""

from __future__ import annotations

from typing import Literal

Bucket = Literal[
    "auth", "permission", "rate_limit", "network", "invalid_request", "conflict", "card", "outage"
]
BUCKETS: tuple[Bucket, ...] = (
    "auth",
    "permission",
    "rate_limit",
    "network",
    "invalid_request",
    "conflict",
    "card",
    "outage",
)
DEFINITE_REJECTIONS: frozenset[Bucket] = frozenset(
    {"auth", "permission", "rate_limit", "invalid_request", "card"}
)
"""Buckets after which the provider certainly did not apply the call; the others need a read-back."""


class PayopsError(Exception):
    """Anything a user can put right: shown as one line, exit code 2."""


class UsageError(PayopsError):
    """A wrong command, configuration, scenario, store or id."""


class StoreError(PayopsError):
    """The store cannot be read or written."""


class LostRace(PayopsError):
    """Somebody else changed the incident first; the message says who and what."""


class NotPossible(PayopsError):
    """The request is understood and refused in this state; the message says why and what would help. Exit code 1."""


class ProviderError(PayopsError):
    """A provider did not do what was asked.

    `bucket` is one of eight; `code` is the provider's own; `request_id` finds the call in its logs;
    `retry_after_s` only where the provider said so.
    """

    def __init__(
        self,
        bucket: Bucket,
        message: str,
        *,
        provider: str,
        account: str,
        code: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.bucket = bucket
        self.message = message
        self.provider = provider
        self.account = account
        self.code = code
        self.http_status = http_status
        self.request_id = request_id
        self.retry_after_s = retry_after_s
