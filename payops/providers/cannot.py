"""What an adapter answers for the calls its provider does not have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from payops.domain.abilities import CANNOT, Ability
from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.events import ApiCall, CredentialProof, Endpoint
from payops.domain.money import Money
from payops.domain.payments import Attempt, Invoice, PaymentMethod, Provider, Refund, Subscription

from .port import APPLICATION, ActionAnswer

if TYPE_CHECKING:
    from payops.config import AccountSettings


def application_proof(
    account: AccountSettings, prove: Callable[[int, datetime], CredentialProof], now: datetime
) -> CredentialProof | None:
    """What one read proves of the application's own credential; None without one, and while nobody answers."""
    if account.application_credential is None:
        return None
    try:
        return prove(APPLICATION, now)
    except (ProviderError, UsageError):
        return None  # no answer proves nothing: what was known stays


class Cannot:
    """Every action of the port, refused with its reason; an adapter writes those its provider has."""

    provider: Provider

    def _no(self, ability: Ability) -> NotPossible:
        return NotPossible(CANNOT[self.provider].get(ability, f"{self.provider} cannot {ability}"))

    def calls(self) -> tuple[ApiCall, ...]:
        return ()

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        raise self._no("list_endpoints")

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        raise self._no("enable_endpoint")

    def change_endpoint(
        self,
        endpoint_id: str,
        idempotency_key: str,
        now: datetime,
        *,
        url: str | None = None,
        event_types: tuple[str, ...] | None = None,
    ) -> ActionAnswer:
        raise self._no("change_endpoint")

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        raise self._no("resend_event")

    def fetch_event(self, event_id: str, now: datetime) -> bytes:
        raise self._no("list_events")

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        raise self._no("list_payments")

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        raise self._no("refund")

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        raise self._no("refund")

    def capture(
        self, attempt_id: str, amount: Money | None, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        raise self._no("capture")

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        raise self._no("list_subscriptions")

    def collect(
        self, subscription_id: str, amount: Money, reference: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        raise self._no("collect")

    def use_payment_method(
        self, subscription_id: str, method_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        raise self._no("use_payment_method")

    def methods_of(self, subscription_id: str, now: datetime) -> tuple[PaymentMethod, ...]:
        raise self._no("use_payment_method")

    def invoice(self, invoice_id: str, now: datetime) -> Invoice:
        raise self._no("list_invoices")

    def finalize_invoice(self, invoice_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        raise self._no("finalize_invoice")
