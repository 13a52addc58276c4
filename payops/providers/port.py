"""The port: what payops needs of a provider. Adapters implement it; nothing else imports an SDK.

Every method blocks, has a hard timeout, and raises `ProviderError` with one of eight buckets. Adapters are
called from a small thread pool of their own, never from an event loop. `now` is passed in: an adapter reads
no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from payops.domain.events import CredentialProof, Endpoint, Facts, FeedPage, WebhookEvent


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """One feed: how often it is worth asking, what it can see and how late it is."""

    name: str
    interval_s: int
    requests: int
    """Reads one poll costs."""
    sees: str
    """What failures it can see, as a sentence."""
    delay_s: int
    """How late the provider's answer may be."""


@dataclass(frozen=True, slots=True)
class ActionAnswer:
    """The provider's answer to a write."""

    request_ids: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """A webhook that proved its origin."""

    event: WebhookEvent
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NotVerified:
    """A webhook that did not; `reason` is for our log and screen, never for the sender."""

    reason: str
    kind: Literal["signature", "timestamp", "header", "body", "mode"]


class Provider(Protocol):
    """One account at one provider, with the credential now in use."""

    account: str
    provider: str
    mode: str
    feeds: tuple[FeedSpec, ...]
    retention_s: int
    """How far back the provider's event list reaches."""

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        """One page of a feed, newest first on the first run; `FeedPage.more` asks to be called again."""

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        """What one cheap read proves about the stored credential `slot`; a rejection is a proof, not an error."""

    def use_slot(self, slot: int) -> None:
        """From now on call with the stored credential `slot`."""

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        """Read one endpoint back."""

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        """Ask the provider to send to the endpoint again."""

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Ask the provider to deliver one event to one endpoint once more."""

    def close(self) -> None:
        """Drop connections; a call under way ends at its timeout."""


class WebhookVerifier(Protocol):
    """Knows an account's webhook secrets; no network."""

    account: str

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Verified | NotVerified:
        """Judge the raw bytes. Header names are lower case."""

    def facts(self, payload: Mapping[str, object]) -> Facts:
        """The facts a verified (or stored, redacted) event body states."""
