"""PayPal behind the port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from payops.config import AccountSettings
from payops.domain.errors import UsageError
from payops.domain.events import ApiCall, CredentialProof, Endpoint, FeedPage
from payops.domain.money import Money
from payops.domain.payments import Attempt, Provider, Refund, Subscription
from payops.providers.cannot import Cannot, application_proof
from payops.providers.port import APPLICATION, ActionAnswer, FeedSpec, Patience

from . import feeds, listing, proving, reporting, second_opinion, undelivered, windows
from .actions import Actions
from .session import Reader, Session

_POLLS: Mapping[str, Callable[[Reader, str | None, datetime], FeedPage]] = {
    listing.SPEC.name: listing.poll,
    reporting.SPEC.name: reporting.poll,
    feeds.ENDPOINTS_SPEC.name: feeds.endpoints,
    undelivered.SPEC.name: undelivered.poll,
    feeds.SUBSCRIPTIONS_SPEC.name: feeds.subscriptions,
    feeds.DISPUTES_SPEC.name: feeds.disputes,
}


class PayPalProvider(Cannot):
    """One account at PayPal. Any thread may call it; every call blocks until answered or out of time."""

    provider: Provider = "paypal"
    feeds: tuple[FeedSpec, ...] = (
        listing.SPEC,
        reporting.SPEC,
        feeds.ENDPOINTS_SPEC,
        undelivered.SPEC,
        feeds.SUBSCRIPTIONS_SPEC,
        feeds.DISPUTES_SPEC,
        feeds.CREDENTIAL_SPEC,
    )
    retention_s = windows.RETENTION_S

    def __init__(self, account: AccountSettings, secrets: Callable[[str], str], patience: Patience) -> None:
        self._settings = account
        self.account = account.name
        self.mode: str = account.mode
        self._session = Session(account, secrets, patience=patience)
        self._slot = 0
        self._session.client(0)

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        if feed == feeds.CREDENTIAL_SPEC.name:
            return self._credential(now)
        if feed not in _POLLS:
            known = ", ".join(spec.name for spec in self.feeds)
            raise UsageError(f"PayPal has no feed {feed!r}; it has {known}")
        page = _POLLS[feed](self._reader(now), cursor, now)
        # With the token it was read with: a mode of its own costs no request.
        proving.require_mode(self._session, self._slot, now)
        return page

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        return proving.prove(self._session, slot, now)

    def use_slot(self, slot: int) -> None:
        if slot == APPLICATION:
            raise UsageError(
                f"account {self.account!r}: the application's credential is no stored credential of ours"
            )
        self._session.client(slot)
        self._slot = slot

    def calls(self) -> tuple[ApiCall, ...]:
        return self._session.calls()

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        return self._act(now).endpoint(endpoint_id)

    def change_endpoint(
        self,
        endpoint_id: str,
        idempotency_key: str,
        now: datetime,
        *,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
    ) -> ActionAnswer:
        return self._act(now).change_endpoint(endpoint_id, idempotency_key, url, event_types)

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._act(now).resend_event(event_id, endpoint_id, idempotency_key)

    def fetch_event(self, event_id: str, now: datetime) -> bytes:
        return self._act(now).fetch_event(event_id)

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        return self._act(now).attempt(attempt_id)

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        return self._act(now).refunds_of(attempt_id)

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._act(now).refund(attempt_id, amount, reference, idempotency_key)

    def capture(
        self, attempt_id: str, amount: Money | None, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._act(now).capture(attempt_id, amount, idempotency_key)

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        return self._act(now).subscription(subscription_id)

    def collect(
        self, subscription_id: str, amount: Money, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return self._act(now).collect(subscription_id, amount, reference, idempotency_key)

    def second_opinion(self, body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
        """Whether PayPal itself calls a webhook's signature right. Header names are lower case."""
        return second_opinion.ask(self._session, self._slot, body, headers, now)

    def close(self) -> None:
        self._session.close()

    def _credential(self, now: datetime) -> FeedPage:
        reader = self._reader(now)
        proof = self.prove(reader.slot, now)
        return FeedPage(
            feed=feeds.CREDENTIAL_SPEC.name,
            read=1,
            requests=1,
            data_as_of=now,
            request_id=proof.request_id,
            proof=proof,
            application_proof=application_proof(self._settings, self.prove, now),
        )

    def _reader(self, now: datetime) -> Reader:
        return Reader(self._session, self._slot, now)

    def _act(self, now: datetime) -> Actions:
        return Actions(self._reader(now))
