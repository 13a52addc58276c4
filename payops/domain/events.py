"""Provider events, the endpoints they are sent to, and what reached us."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .payments import Attempt, Dispute, Invoice, Mode, Payout, Refund, Subscription

Topology = Literal["observer", "relay", "import"]
EndpointStatus = Literal["enabled", "disabled"]
InboxState = Literal["received", "processed", "failed", "dead"]


WRONG_PATH = "path"
"""The kind of a refusal: it verified for the account, and came to an address of ours that is not the account's."""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event as the provider lists or sends it, without its body.

    `amount_minor` and `currency` are the object's, where it has one: what a missing event is worth.
    `pending_webhooks` counts the endpoints that have not confirmed it (Stripe; None where unknown).
    """

    account: str
    event_id: str
    type: str
    created_at: datetime
    livemode: bool | None
    object_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    pending_webhooks: int | None = None


def shown_id(event_type: str, object_id: str) -> str:
    """How an event is called that only its object shows: no provider gave it an id."""
    return f"{event_type}:{object_id}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One webhook endpoint as the provider reports it. `disabled_reason` is None where not told."""

    account: str
    endpoint_id: str
    url: str
    status: EndpointStatus
    event_types: tuple[str, ...]
    livemode: bool | None
    api_version: str | None = None
    disabled_reason: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CredentialProof:
    """What one cheap read proved about a credential.

    `mode` None = not proven. `error` is a bucket of `domain.errors`, None when the provider accepted the credential.
    `hint` is the masked credential (`sk_live_…4f2a`), never the secret. `identity` is the provider's account id.
    """

    account: str
    slot: int
    hint: str
    at: datetime
    ok: bool
    identity: str | None = None
    mode: Mode | None = None
    error: str | None = None
    code: str | None = None
    message: str = ""
    request_id: str | None = None
    permissions: tuple[str, ...] | None = None
    """What it may do, by the provider's names, where the provider tells; None = not told."""
    missing: tuple[str, ...] = ()
    """Permissions payops needs and the provider refused by name."""
    evidence: str = ""
    """How the mode was proven: `balance.livemode`, `token app_id`, `the other host accepted it`."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """Whether the provider lets the account take and receive money; None = not told.

    `due` are the provider's names of what it wants to know, `reason` why the account is restricted.
    """

    account: str
    at: datetime
    charges_enabled: bool | None = None
    payouts_enabled: bool | None = None
    due: tuple[str, ...] = ()
    reason: str | None = None
    api_version: str | None = None
    """The API version the account itself is set to (Stripe), to compare with the configured one."""

    @property
    def restricted(self) -> bool:
        return self.charges_enabled is False or self.payouts_enabled is False


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One request payops made: what it cost and how it went. `bucket` None = answered as asked.

    `provider_at` is the clock of the answer (its Date header), to the second.
    """

    resource: str
    taken_ms: int
    bucket: str | None = None
    http_status: int | None = None
    provider_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """What the merchant wrote beside an object. It is searched for card data at the store's door and never stored."""

    object_id: str
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What one read or one delivery taught us; the store applies all of it or nothing."""

    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    events: tuple[WebhookEvent, ...] = ()
    shown: tuple[WebhookEvent, ...] = ()
    """What objects show to have happened, where the provider lists no events; the ids are by `shown_id`."""
    wrong_mode: tuple[WebhookEvent, ...] = ()
    """Events of the other mode: quarantined, they never enter a rate."""
    subscriptions: tuple[Subscription, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    payouts: tuple[Payout, ...] = ()
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One answered poll of a feed.

    `cursor` is opaque to everyone but the adapter. `more` asks to be called again at once (backfill).
    `data_as_of`: everything up to here is known to have been seen. `endpoints` / `undelivered` / `proof` / `account_state`
    replace what was known when not None. `progress` is the share of a backfill done, 0..1.
    """

    feed: str
    read: int
    requests: int
    cursor: str | None = None
    more: bool = False
    data_as_of: datetime | None = None
    request_id: str | None = None
    facts: Facts = field(default_factory=Facts)
    endpoints: tuple[Endpoint, ...] | None = None
    undelivered: tuple[WebhookEvent, ...] | None = None
    proof: CredentialProof | None = None
    application_proof: CredentialProof | None = None
    """What one read proved about the application's own credential."""
    account_state: AccountState | None = None
    progress: float | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """What is forwarded to: the applications' endpoints, and the process that holds the raw bytes until then."""

    endpoints: tuple[str, ...]
    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request that passed verification, ready to be made durable.

    `body` is redacted JSON text; `sha256` is of the raw bytes as they came.
    """

    account: str
    event: WebhookEvent
    received_at: datetime
    body: str
    sha256: str
    verdict: str
    owed: Owed | None = None
    """To whom it is relayed; None = to nobody."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A webhook request that was turned away, to be counted; of its content nothing is kept."""

    account: str
    at: datetime
    kind: str
    reason: str
