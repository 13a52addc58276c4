"""Braintree behind the port."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from payops.config import AccountSettings
from payops.domain.errors import UsageError
from payops.domain.events import ApiCall, CredentialProof, FeedPage
from payops.domain.money import Money
from payops.domain.payments import Attempt, PaymentMethod, Provider, Refund, Subscription
from payops.providers.cannot import Cannot, application_proof
from payops.providers.port import ActionAnswer, FeedSpec, Patience

from . import actions, feeds, lists
from .proof import prove
from .session import Reader, Session

CREDENTIAL = FeedSpec("credential", 60, 2, "whether Braintree accepts the key, and for which environment", 0)


class BraintreeProvider(Cannot):
    """One account at Braintree. Any thread may call it; every call blocks until answered or out of time."""

    provider: Provider = "braintree"
    feeds: tuple[FeedSpec, ...] = (
        feeds.TRANSACTIONS,
        feeds.CHANGES,
        lists.SUBSCRIPTIONS,
        lists.DISPUTES,
        CREDENTIAL,
        lists.ACCOUNT,
    )
    retention_s = 0

    def __init__(self, account: AccountSettings, secrets: Callable[[str], str], patience: Patience) -> None:
        self._settings = account
        self.account = account.name
        self.mode: str = account.mode
        self._session = Session(account, secrets, patience=patience)
        self._lists = feeds.Lists()
        self._slot = 0
        self._session.keys(0)

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        polls: dict[str, Callable[[Reader], FeedPage]] = {
            feeds.TRANSACTIONS.name: lambda reader: feeds.transactions(reader, cursor, now, self._lists),
            feeds.CHANGES.name: lambda reader: feeds.changes(reader, cursor, now, self._lists),
            lists.SUBSCRIPTIONS.name: lambda reader: lists.subscriptions(reader, cursor, now),
            lists.DISPUTES.name: lambda reader: lists.disputes(reader, cursor, now),
            CREDENTIAL.name: lambda reader: self._credential(reader, now),
            lists.ACCOUNT.name: lambda reader: lists.account(reader, cursor, now),
        }
        if feed not in polls:
            raise UsageError(f"Braintree has no feed {feed!r}; it has {', '.join(polls)}")
        return polls[feed](Reader(self._session, self._slot))

    def _credential(self, reader: Reader, now: datetime) -> FeedPage:
        proof = self.prove(reader.slot, now)
        return FeedPage(
            feed=CREDENTIAL.name,
            read=1,
            requests=CREDENTIAL.requests,
            data_as_of=now,
            request_id=proof.request_id,
            proof=proof,
            application_proof=application_proof(self._settings, self.prove, now),
        )

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        return prove(self._session, slot, now)

    def calls(self) -> tuple[ApiCall, ...]:
        return self._session.calls()

    def use_slot(self, slot: int) -> None:
        if slot < 0:
            raise UsageError(f"account {self.account!r} has no stored credential {slot}")
        self._session.keys(slot)
        self._slot = slot

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        return actions.attempt(self._session, self._slot, attempt_id)

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        return actions.refunds_of(self._session, self._slot, attempt_id)

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return actions.refund(self._session, self._slot, attempt_id, amount, reference, idempotency_key)

    def capture(
        self, attempt_id: str, amount: Money | None, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return actions.capture(self._session, self._slot, attempt_id, amount, idempotency_key)

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        return actions.subscription(self._session, self._slot, subscription_id, now)

    def collect(
        self, subscription_id: str, amount: Money, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        """Braintree keeps no reference with a subscription's charge: its transactions are the read-back."""
        return actions.collect(self._session, self._slot, subscription_id, amount, idempotency_key)

    def use_payment_method(
        self, subscription_id: str, method_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        return actions.use_payment_method(self._session, self._slot, subscription_id, method_id)

    def methods_of(self, subscription_id: str, now: datetime) -> tuple[PaymentMethod, ...]:
        return actions.methods_of(self._session, self._slot, subscription_id)

    def close(self) -> None:
        self._session.close()
