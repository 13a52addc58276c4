"""The port: what payops needs of a provider. Adapters implement it; nothing else imports an SDK.

Every method blocks, has a hard timeout, and raises `ProviderError` with one of eight buckets. Adapters are
called from a small thread pool of their own, never from an event loop. `now` is passed in: an adapter reads
no clock. What a provider has no call for raises `NotPossible`; `payops.domain.abilities` says so beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from payops.domain import payments
from payops.domain.events import ApiCall, CredentialProof, Endpoint, Facts, FeedPage, WebhookEvent
from payops.domain.money import Money
from payops.domain.payments import Attempt, Invoice, PaymentMethod, Refund, Subscription

from . import reading

APPLICATION = -1
"""The slot of the application's own credential: probed read-only, never used for anything else."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an answer and how fast to ask.

    `requests_per_s` paces calls to one kind of resource in real time, None = not at all (stepped time). `stated`:
    stepped time, in which the simulator says how long an answer would have taken and nobody waits for it.
    """

    connect_s: float = 3.0
    read_s: float = 10.0
    requests_per_s: float | None = 25.0
    stated: bool = False


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
    """The provider's answer to a write. `object_id` is what it made or changed, where it says."""

    request_ids: tuple[str, ...]
    detail: str = ""
    object_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A webhook that proved its origin. `body` is its content as JSON text without spaces, before redaction."""

    event: WebhookEvent
    body: str

    @property
    def payload(self) -> Mapping[str, object]:
        """The content as `WebhookVerifier.facts` reads it."""
        return reading.parse(self.body.encode())


@dataclass(frozen=True, slots=True)
class NotVerified:
    """A webhook that did not; `reason` is for our log and screen, never for the sender.

    `mode`: it is proven to be signed for the other mode; `claim`: it only says so, which anybody can.
    """

    reason: str
    kind: Literal["signature", "timestamp", "header", "body", "mode", "claim"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """A webhook that cannot be judged now, through no fault of its sender, who is asked to come back."""

    reason: str


class Provider(Protocol):
    """One account at one provider, with the credential now in use."""

    account: str
    provider: payments.Provider
    mode: str
    feeds: tuple[FeedSpec, ...]
    retention_s: int
    """How far back the provider's event list reaches; 0 = there is none."""

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        """One page of a feed, newest first on the first run; `FeedPage.more` asks to be called again."""

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        """What cheap reads prove about the stored credential `slot`, or `APPLICATION`: whose it is, its mode, what it
        may not do. A rejection is a proof, not an error. Never tries another environment's host."""

    def use_slot(self, slot: int) -> None:
        """From now on call with the stored credential `slot`."""

    def calls(self) -> tuple[ApiCall, ...]:
        """The requests made since this was last asked, failed ones too."""

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        """Read one endpoint back."""

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        """Ask the provider to send to the endpoint again."""

    def change_endpoint(
        self,
        endpoint_id: str,
        idempotency_key: str,
        now: datetime,
        *,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
    ) -> ActionAnswer:
        """Set an endpoint's URL or the whole list of its event types; what is None stays."""

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Ask the provider to deliver one event to one endpoint once more."""

    def fetch_event(self, event_id: str, now: datetime) -> bytes:
        """One event as the provider shows it now, as JSON: the same event as was sent, not the same bytes."""

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        """Read one attempt back by id: its status, what was captured, what went back."""

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        """All refunds of an attempt, whoever made them, each with the reference payops gave it (None: not ours)."""

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Give money back, all that is left when `amount` is None; `reference` is kept with the refund."""

    def capture(
        self, attempt_id: str, amount: Money | None, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Take the money of an authorization, all of it when `amount` is None."""

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        """Read one subscription back by id."""

    def collect(
        self, subscription_id: str, amount: Money, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Ask once for what a subscription owes (Stripe: its open invoice), with the method the customer set for it."""

    def use_payment_method(
        self, subscription_id: str, method_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Let a subscription be paid with a method its customer already has."""

    def methods_of(self, subscription_id: str, now: datetime) -> tuple[PaymentMethod, ...]:
        """What the customer of a subscription has stored to pay with."""

    def invoice(self, invoice_id: str, now: datetime) -> Invoice:
        """Read one invoice back by id."""

    def finalize_invoice(self, invoice_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        """Turn a draft invoice into one that can be paid."""

    def close(self) -> None:
        """Drop connections; a call under way ends at its timeout."""


class WebhookVerifier(Protocol):
    """Knows an account's webhook secrets. It may read a certificate once, and ask where it cannot (PayPal)."""

    account: str
    waits: bool
    """`verify` may block on the network: call it off the event loop."""

    def verify(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> Verified | NotVerified | Undecided:
        """Judge the raw bytes. Header names are lower case."""

    def challenge(self, text: str) -> str | None:
        """The answer to a provider's check of our address (`GET …?bt_challenge=TEXT`); None = there is no such check."""

    def facts(self, payload: Mapping[str, object]) -> Facts:
        """The facts a verified (or stored, redacted) event body states."""
