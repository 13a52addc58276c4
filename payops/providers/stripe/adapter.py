"""Stripe behind the port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from payops.config import AccountSettings
from payops.domain.errors import ProviderError, UsageError
from payops.domain.events import ApiCall, CredentialProof, Endpoint, FeedPage
from payops.domain.money import Money
from payops.domain.payments import Attempt, Invoice, PaymentMethod, Provider, Refund, Subscription
from payops.providers.cannot import Cannot
from payops.providers.port import APPLICATION, ActionAnswer, FeedSpec, Patience

from . import feeds, lookback, proof
from .actions import Actions
from .session import Reader, Session

_Poll = Callable[[Reader, str | None, datetime], FeedPage]


class StripeProvider(Cannot):
    """One account at Stripe. Any thread may call it; every call blocks until answered or out of time."""

    provider: Provider = "stripe"
    retention_s = 30 * 24 * 3600

    def __init__(
        self,
        account: AccountSettings,
        secrets: Callable[[str], str],
        patience: Patience,
    ) -> None:
        self.account = account.name
        self.mode: str = account.mode
        self._application = account.application_credential is not None
        credential = replace(feeds.CREDENTIAL, requests=feeds.CREDENTIAL.requests + self._application)
        self.feeds: tuple[FeedSpec, ...] = (
            feeds.EVENTS,
            feeds.ENDPOINTS,
            feeds.UNDELIVERED,
            credential,
            feeds.ACCOUNT,
            lookback.RECONCILE,
        )
        self._polls: dict[str, _Poll] = {
            feeds.EVENTS.name: feeds.events,
            feeds.ENDPOINTS.name: feeds.endpoints,
            feeds.UNDELIVERED.name: feeds.undelivered,
            feeds.CREDENTIAL.name: self._credential,
            feeds.ACCOUNT.name: feeds.account,
            lookback.RECONCILE.name: lookback.reconcile,
        }
        self._session = Session(account, secrets, patience=patience)
        self._slot = 0
        self._session.key(0)

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        if feed not in self._polls:
            raise UsageError(f"Stripe has no feed {feed!r}; it has {', '.join(self._polls)}")
        return self._polls[feed](Reader(self._session, self._slot), cursor, now)

    def _credential(self, reader: Reader, cursor: str | None, now: datetime) -> FeedPage:
        found = proof.prove(reader, now, identity=self._session.identities.get(reader.slot))
        if found.ok:
            proof.probe(reader, now)
            found = replace(found, missing=self._session.missing(reader.slot))
        requests = reader.requests
        application = None
        if self._application:
            other = Reader(self._session, APPLICATION)
            try:
                application = proof.prove(other, now)
            except (ProviderError, UsageError):
                application = None  # no answer proves nothing: what was known stays
            requests += other.requests
        return FeedPage(
            feed=feeds.CREDENTIAL.name,
            read=1,
            requests=requests,
            data_as_of=now,
            request_id=found.request_id,
            proof=found,
            application_proof=application,
        )

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        return proof.prove(Reader(self._session, slot), now)

    def calls(self) -> tuple[ApiCall, ...]:
        return self._session.calls()

    def use_slot(self, slot: int) -> None:
        if slot == APPLICATION:
            raise UsageError(
                f"account {self.account!r}: the application's key is no stored credential of ours"
            )
        self._session.key(slot)
        self._slot = slot

    def _actions(self) -> Actions:
        return Actions(self._session, self._slot)

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        return self._actions().endpoint(endpoint_id)

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        return self._actions().enable_endpoint(endpoint_id, idempotency_key)

    def change_endpoint(
        self,
        endpoint_id: str,
        idempotency_key: str,
        now: datetime,
        *,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
    ) -> ActionAnswer:
        return self._actions().change_endpoint(endpoint_id, idempotency_key, url, event_types)

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._actions().resend_event(event_id, endpoint_id, idempotency_key)

    def fetch_event(self, event_id: str, now: datetime) -> bytes:
        return self._actions().fetch_event(event_id)

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        return self._actions().attempt(attempt_id, now)

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        return self._actions().refunds_of(attempt_id, now)

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._actions().refund(attempt_id, amount, reference, idempotency_key, now)

    def capture(
        self, attempt_id: str, amount: Money | None, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._actions().capture(attempt_id, amount, idempotency_key, now)

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        return self._actions().subscription(subscription_id, now)

    def collect(
        self, subscription_id: str, amount: Money, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        # `pay` keeps no reference of ours: what became of it is read from the invoice.
        return self._actions().collect(subscription_id, amount, idempotency_key)

    def use_payment_method(
        self, subscription_id: str, method_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._actions().use_payment_method(subscription_id, method_id, idempotency_key)

    def methods_of(self, subscription_id: str, now: datetime) -> tuple[PaymentMethod, ...]:
        return self._actions().methods_of(subscription_id)

    def invoice(self, invoice_id: str, now: datetime) -> Invoice:
        return self._actions().invoice(invoice_id, now)

    def finalize_invoice(self, invoice_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        return self._actions().finalize_invoice(invoice_id, idempotency_key)

    def close(self) -> None:
        self._session.close()
