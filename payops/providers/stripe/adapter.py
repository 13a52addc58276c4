"""Stripe behind the port."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from payops.config import AccountSettings
from payops.domain.errors import ProviderError, UsageError
from payops.domain.events import ApiCall, CredentialProof, Endpoint, FeedPage
from payops.domain.payments import Provider
from payops.providers.cannot import Cannot
from payops.providers.port import ActionAnswer, FeedSpec, Patience
from payops.text import mask, safe_line

from . import feeds, wire
from .session import Reader, Session

if TYPE_CHECKING:
    from .transport import Answer

_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_ACCOUNT_ID = re.compile(r"\bacct_\w{1,64}")


class StripeProvider(Cannot):
    """One account at Stripe. Any thread may call it; every call blocks until answered or out of time."""

    provider: Provider = "stripe"
    feeds: tuple[FeedSpec, ...] = (feeds.EVENTS, feeds.ENDPOINTS, feeds.UNDELIVERED, feeds.CREDENTIAL)
    retention_s = 30 * 24 * 3600

    def __init__(
        self,
        account: AccountSettings,
        secrets: Callable[[str], str],
        patience: Patience,
    ) -> None:
        self.account = account.name
        self.mode: str = account.mode
        self._session = Session(account, secrets, patience=patience)
        self._slot = 0
        self._session.key(0)

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        polls: dict[str, Callable[[Reader, str | None, datetime], FeedPage]] = {
            feeds.EVENTS.name: feeds.events,
            feeds.ENDPOINTS.name: feeds.endpoints,
            feeds.UNDELIVERED.name: feeds.undelivered,
            feeds.CREDENTIAL.name: self._credential,
        }
        if feed not in polls:
            raise UsageError(f"Stripe has no feed {feed!r}; it has {', '.join(polls)}")
        return polls[feed](Reader(self._session, self._slot), cursor, now)

    def _credential(self, reader: Reader, cursor: str | None, now: datetime) -> FeedPage:
        proof = self.prove(reader.slot, now)
        return FeedPage(
            feed=feeds.CREDENTIAL.name,
            read=1,
            requests=feeds.CREDENTIAL.requests,
            data_as_of=now,
            request_id=proof.request_id,
            proof=proof,
        )

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        session = self._session
        proof = CredentialProof(
            account=self.account, slot=slot, hint=mask(session.key(slot)), at=now, ok=True
        )
        try:
            answer, mode = session.balance(slot)
            proof = replace(proof, mode=mode, request_id=answer.request_id)
        except ProviderError as error:
            if error.bucket == "auth":
                return _rejected(proof, error)
            if error.bucket != "permission":
                raise
            # Refused the balance, not the key: accepted, but of a mode we cannot see.
            proof = replace(
                proof, code=error.code, message=error.message, identity=_account_in(error.message)
            )
        try:
            answer = session.get(slot, "/v1/account")
            identity = session.decode(answer, wire.Account).id
            return replace(proof, identity=identity, request_id=answer.request_id)
        except ProviderError as error:
            if error.bucket == "auth":
                return _rejected(proof, error)
            if error.bucket != "permission":
                raise
            # The refusal itself names the account the key belongs to.
            return replace(proof, identity=_account_in(error.message) or proof.identity)

    def calls(self) -> tuple[ApiCall, ...]:
        return self._session.calls()

    def use_slot(self, slot: int) -> None:
        self._session.key(slot)
        self._slot = slot

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        reader = Reader(self._session, self._slot)
        path = f"/v1/webhook_endpoints/{self._checked(endpoint_id)}"
        found = feeds.as_endpoint(reader.one(path, wire.WebhookEndpoint), self.account)
        if found is None:
            raise self._session.error("outage", f"Stripe's answer about {endpoint_id} is no webhook endpoint")
        if found.status == "disabled":
            found = replace(found, disabled_reason=feeds.disabled_reason(reader, endpoint_id))
        return found

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        path = f"/v1/webhook_endpoints/{self._checked(endpoint_id)}"
        answer = self._session.post(self._slot, path, {"disabled": False}, idempotency_key)
        status = self._session.decode(answer, wire.WebhookEndpoint).status
        return _done(answer, f"{endpoint_id} is {safe_line(status or 'in an unknown state', limit=40)}")

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        # Not in Stripe's API reference; it is what `stripe events resend` calls. 4xx: not resendable here.
        path = f"/v1/events/{self._checked(event_id)}/retry"
        params = {"webhook_endpoint": self._checked(endpoint_id)}
        answer = self._session.post(self._slot, path, params, idempotency_key)
        return _done(answer, f"{event_id} is sent again to {endpoint_id}")

    def close(self) -> None:
        self._session.close()

    def _checked(self, object_id: str) -> str:
        if not _ID.fullmatch(object_id):
            raise self._session.error(
                "invalid_request", f"{safe_line(object_id, limit=60)!r} is no Stripe id"
            )
        return object_id


def _rejected(proof: CredentialProof, error: ProviderError) -> CredentialProof:
    return replace(
        proof,
        ok=False,
        error=error.bucket,
        code=error.code,
        message=error.message,
        request_id=error.request_id,
    )


def _account_in(message: str) -> str | None:
    found = _ACCOUNT_ID.search(message)
    return found.group(0) if found else None


def _done(answer: Answer, detail: str) -> ActionAnswer:
    return ActionAnswer((answer.request_id,) if answer.request_id else (), detail)
