"""Stripe behind the port."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from payops.clock import from_epoch, to_epoch
from payops.config import AccountSettings
from payops.domain.errors import Bucket, ProviderError, UsageError
from payops.domain.events import CredentialProof, Endpoint, FeedPage, WebhookEvent
from payops.domain.payments import Mode
from payops.domain.stripe_events import EVENT_TYPES
from payops.providers.port import ActionAnswer, FeedSpec
from payops.text import mask, safe_line

from . import errors, history, keys, normalise, wire

if TYPE_CHECKING:
    from .transport import Answer, Transport

T = TypeVar("T", bound=msgspec.Struct)

_RETENTION_S = 30 * 24 * 3600
_RETRIES_S = 3 * 24 * 3600
"""Stripe retries a live delivery for up to three days: what is older is not pending any more."""
_UNDELIVERED_PAGES = 20
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_ACCOUNT_ID = re.compile(r"\bacct_\w{1,64}")
_NOT_TOLD: frozenset[Bucket] = frozenset({"invalid_request", "permission"})
_SEES = "every charge Stripe made an event for: declines, blocks and failed authentications included"

FEEDS = (
    FeedSpec("events", history.HEAD_EVERY_S, 1, _SEES, history.LAG_S),
    FeedSpec("endpoints", 60, 1, "whether Stripe sends to an endpoint", 0),
    FeedSpec(
        "undelivered",
        60,
        1,
        f"events of the last 3 days not delivered to at least one endpoint, at most "
        f"{_UNDELIVERED_PAGES * history.PAGE}",
        history.LAG_S,
    ),
    FeedSpec("credential", 60, 2, "whether Stripe accepts the key, and for which mode", 0),
)


class StripeProvider:
    """One account at Stripe. Any thread may call it; every call blocks until answered or out of time."""

    provider = "stripe"
    feeds: tuple[FeedSpec, ...] = FEEDS
    retention_s = _RETENTION_S

    def __init__(
        self,
        account: AccountSettings,
        secrets: Callable[[str], str],
        *,
        timeout_s: tuple[float, float],
        requests_per_s: float | None,
    ) -> None:
        self.account = account.name
        self.mode: str = account.mode
        self._settings = account
        self._mode: Mode = account.mode
        self._secrets = secrets
        self._timeout_s = timeout_s
        self._requests_per_s = requests_per_s
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._closed = False
        self._keys: dict[int, str] = {}
        self._shown_mode: dict[int, Mode] = {}
        """The mode each credential was last seen to have; absent = not known."""
        self._slot = 0
        self._key(0)

    # -- feeds

    def poll(self, feed: str, cursor: str | None, now: datetime) -> FeedPage:
        polls = {
            "events": self._events,
            "endpoints": self._endpoints,
            "undelivered": self._undelivered,
            "credential": self._credential,
        }
        if feed not in polls:
            raise UsageError(f"Stripe has no feed {feed!r}; it has {', '.join(polls)}")
        return polls[feed](cursor, now)

    def _events(self, text: str | None, now: datetime) -> FeedPage:
        reader = _Reader(self, self._slot, now)
        reader.refuse_known_wrong_mode()
        at = to_epoch(now)
        cursor = history.load(text, at)
        read = history.next_read(cursor, at)
        try:
            events, more, answer = reader.page("/v1/events", _event_params(read), wire.Event)
        except ProviderError as error:
            if not (read.gap and read.after and error.bucket == "invalid_request"):
                raise
            # The event reading stopped at may have left the list; in the other mode it never was in it.
            reader.require_mode()
            cursor = history.without_anchor(cursor)
            read = history.next_read(replace(cursor, head_at=at), at)
            events, more, answer = reader.page("/v1/events", _event_params(read), wire.Event)
        if all(normalise.is_other_mode(event, self._mode) for event in events):
            reader.require_mode(suspect=bool(events))
        listed = [
            history.Listed(event.id, event.created, not normalise.is_other_mode(event, self._mode))
            for event in events
            if event.id is not None and event.created is not None
        ]
        before = history.progress(cursor)
        try:
            if read.gap:
                cursor = history.after_gap(cursor, listed, more)
            else:
                cursor = history.after_head(cursor, read, listed, more, at)
        except history.Repeats as error:
            raise self._error(
                "outage", f"Stripe's event list repeats itself at {error}: reading stopped", answer
            ) from None
        progress = history.progress(cursor)
        return FeedPage(
            feed="events",
            read=len(events),
            requests=reader.requests,
            cursor=history.dump(cursor),
            more=bool(cursor.gaps),
            data_as_of=None if cursor.proven is None else from_epoch(cursor.proven),
            request_id=answer.request_id,
            facts=normalise.facts(events, self.account, self._mode),
            progress=1.0 if progress is None and before is not None else progress,
        )

    def _endpoints(self, cursor: str | None, now: datetime) -> FeedPage:
        reader = _Reader(self, self._slot, now)
        reader.refuse_known_wrong_mode()
        listed, more, answer = reader.page("/v1/webhook_endpoints", {"limit": 100}, wire.WebhookEndpoint)
        if more:
            # An account has at most 16.
            raise self._error("outage", "Stripe lists more than 100 webhook endpoints", answer)
        ours = [each for each in listed if each.livemode is None or each.livemode == (self._mode == "live")]
        if not ours:
            reader.require_mode(suspect=bool(listed))
        found = []
        for each in ours:
            endpoint = self._as_endpoint(each)
            if endpoint is not None and endpoint.status == "disabled":
                endpoint = replace(
                    endpoint, disabled_reason=reader.disabled_reason(endpoint.endpoint_id, lenient=True)
                )
            if endpoint is not None:
                found.append(endpoint)
        return FeedPage(
            feed="endpoints",
            read=len(listed),
            requests=reader.requests,
            data_as_of=now,
            request_id=answer.request_id,
            endpoints=tuple(found),
        )

    def _undelivered(self, cursor: str | None, now: datetime) -> FeedPage:
        reader = _Reader(self, self._slot, now)
        reader.refuse_known_wrong_mode()
        params: dict[str, Any] = {
            "limit": history.PAGE,
            "delivery_success": False,
            "created": {"gte": to_epoch(now) - _RETRIES_S},
        }
        found: dict[str, WebhookEvent] = {}
        read = 0
        for _ in range(_UNDELIVERED_PAGES):
            events, more, answer = reader.page("/v1/events", params, wire.Event)
            read += len(events)
            known = len(found)
            for event in events:
                webhook = normalise.webhook_event(event, self.account)
                if webhook is not None and not normalise.is_other_mode(event, self._mode):
                    found[webhook.event_id] = webhook
            if not more:
                break
            if len(found) == known or not events[-1].id:
                raise self._error("outage", "Stripe's list of undelivered events repeats itself", answer)
            params["starting_after"] = events[-1].id
        if not found and self._slot not in self._shown_mode:
            reader.require_mode()
        return FeedPage(
            feed="undelivered",
            read=read,
            requests=reader.requests,
            data_as_of=now,
            request_id=answer.request_id,
            undelivered=tuple(found.values()),
        )

    def _credential(self, cursor: str | None, now: datetime) -> FeedPage:
        proof = self.prove(self._slot, now)
        return FeedPage(
            feed="credential", read=1, requests=2, data_as_of=now, request_id=proof.request_id, proof=proof
        )

    # -- credentials

    def prove(self, slot: int, now: datetime) -> CredentialProof:
        key = self._key(slot)
        proof = CredentialProof(account=self.account, slot=slot, hint=mask(key), at=now, ok=True)
        try:
            answer, mode = self._balance_mode(slot)
        except ProviderError as error:
            if error.bucket == "auth":
                return replace(
                    proof,
                    ok=False,
                    error="auth",
                    code=error.code,
                    message=error.message,
                    request_id=error.request_id,
                )
            if error.bucket != "permission":
                raise
            proof = replace(
                proof, code=error.code, message=error.message, identity=_account_in(error.message)
            )
        else:
            proof = replace(proof, mode=mode, request_id=answer.request_id)
        try:
            answer = self.transport().get(key, "/v1/account")
            identity = self.decode(answer, wire.Account).id
            return replace(proof, identity=identity, request_id=answer.request_id)
        except ProviderError as error:
            if error.bucket == "permission":
                # The refusal itself names the account the key belongs to.
                return replace(proof, identity=_account_in(error.message) or proof.identity)
            if error.bucket == "auth":
                return replace(proof, ok=False, error="auth", code=error.code, message=error.message)
            raise

    def use_slot(self, slot: int) -> None:
        self._key(slot)
        self._slot = slot

    # -- endpoints and resending

    def endpoint(self, endpoint_id: str, now: datetime) -> Endpoint:
        reader = _Reader(self, self._slot, now)
        answer = self.transport().get(
            self._key(self._slot), f"/v1/webhook_endpoints/{self._checked(endpoint_id)}"
        )
        found = self._as_endpoint(self.decode(answer, wire.WebhookEndpoint))
        if found is None:
            raise self._error("outage", f"Stripe's answer about {endpoint_id} is no webhook endpoint", answer)
        if found.status == "disabled":
            found = replace(found, disabled_reason=reader.disabled_reason(endpoint_id, lenient=False))
        return found

    def enable_endpoint(self, endpoint_id: str, idempotency_key: str, now: datetime) -> ActionAnswer:
        path = f"/v1/webhook_endpoints/{self._checked(endpoint_id)}"
        answer = self.transport().post(
            self._key(self._slot), path, {"disabled": False}, idempotency_key=idempotency_key
        )
        status = self.decode(answer, wire.WebhookEndpoint).status
        return _done(answer, f"{endpoint_id} is {safe_line(status or 'in an unknown state', limit=40)}")

    def resend_event(
        self, event_id: str, endpoint_id: str, idempotency_key: str, now: datetime
    ) -> ActionAnswer:
        # Not in Stripe's API reference; it is what `stripe events resend` calls. A 4xx means: not resendable here.
        answer = self.transport().post(
            self._key(self._slot),
            f"/v1/events/{self._checked(event_id)}/retry",
            {"webhook_endpoint": self._checked(endpoint_id)},
            idempotency_key=idempotency_key,
        )
        return _done(answer, f"{event_id} is sent again to {endpoint_id}")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._transport is not None:
                self._transport.close()

    # -- shared by the feeds

    def transport(self) -> Transport:
        """The connection to Stripe; the first call imports the SDK."""
        with self._lock:
            if self._transport is None:
                from .transport import Transport

                self._transport = Transport(
                    self.account,
                    api_base=self._settings.api_base,
                    api_version=self._settings.api_version,
                    timeout_s=self._timeout_s,
                    requests_per_s=self._requests_per_s,
                )
                if self._closed:
                    self._transport.close()
            return self._transport

    def decode(self, answer: Answer, kind: type[T]) -> T:
        try:
            return wire.one(answer.body, kind)
        except wire.Unreadable as error:
            raise self._unreadable(answer, error) from None

    def _unreadable(self, answer: Answer, error: wire.Unreadable) -> ProviderError:
        return errors.unreadable(
            answer.status, answer.body, str(error), account=self.account, request_id=answer.request_id
        )

    def _balance_mode(self, slot: int) -> tuple[Answer, Mode | None]:
        answer = self.transport().get(self._key(slot), "/v1/balance")
        live = self.decode(answer, wire.Balance).livemode
        mode: Mode | None = None if live is None else "live" if live else "test"
        if mode is None:
            self._shown_mode.pop(slot, None)
        else:
            self._shown_mode[slot] = mode
        return answer, mode

    def _key(self, slot: int) -> str:
        key = self._keys.get(slot)
        if key is None:
            if not 0 <= slot < self._settings.slots:
                raise UsageError(f"account {self.account!r} has no stored credential {slot}")
            reference = self._settings.credential(slot).api_key
            if reference is None:
                raise UsageError(f"account {self.account!r}: fallback credential {slot} has no api_key")
            key = self._keys[slot] = keys.check(self._secrets(reference), self._settings, reference)
        return key

    def _as_endpoint(self, found: wire.WebhookEndpoint) -> Endpoint | None:
        if found.id is None or found.url is None or found.status not in ("enabled", "disabled"):
            return None
        return Endpoint(
            account=self.account,
            endpoint_id=found.id,
            url=found.url,
            status="enabled" if found.status == "enabled" else "disabled",
            event_types=tuple(found.enabled_events or ()),
            livemode=found.livemode,
            api_version=found.api_version,
            created_at=from_epoch(found.created) if found.created and 0 < found.created < 2**37 else None,
        )

    def _checked(self, object_id: str) -> str:
        if not _ID.fullmatch(object_id):
            raise self._error("invalid_request", f"{safe_line(object_id, limit=60)!r} is no Stripe id", None)
        return object_id

    def _error(self, bucket: Bucket, message: str, answer: Answer | None) -> ProviderError:
        return ProviderError(
            bucket,
            message,
            provider=self.provider,
            account=self.account,
            request_id=answer.request_id if answer else None,
        )


class _Reader:
    """The reads of one poll with one credential, counted."""

    def __init__(self, provider: StripeProvider, slot: int, now: datetime) -> None:
        self._provider = provider
        self._slot = slot
        self._now = now
        self.requests = 0

    def page(self, path: str, params: Mapping[str, Any], kind: type[T]) -> tuple[list[T], bool, Answer]:
        """One page of a list, whether there are more, and the answer it came in."""
        self.requests += 1
        provider = self._provider
        answer = provider.transport().get(provider._key(self._slot), path, params)
        try:
            return (*wire.page(answer.body, kind), answer)
        except wire.Unreadable as error:
            raise provider._unreadable(answer, error) from None

    def refuse_known_wrong_mode(self) -> None:
        """Ask again when this credential was seen to be of the other mode; raise while it still is."""
        if self._provider._shown_mode.get(self._slot, self._provider._mode) != self._provider._mode:
            self.require_mode()

    def require_mode(self, *, suspect: bool = False) -> None:
        """Raise when the credential is of the other mode: what it lists, or does not, says nothing about us.

        Where the key may not read the balance, the mode is unknown, and `suspect` decides.
        """
        provider = self._provider
        self.requests += 1
        try:
            mode = provider._balance_mode(self._slot)[1]
        except ProviderError as error:
            if error.bucket != "permission":
                raise
            mode = None
        if mode == provider._mode or (mode is None and not suspect):
            return
        raise ProviderError(
            "invalid_request",
            f"key {mask(provider._key(self._slot))} reads {mode or 'other'} data, but account "
            f"{provider.account!r} is {provider._mode}: nothing is taken from it; store a {provider._mode} key",
            provider=provider.provider,
            account=provider.account,
            code="wrong_mode",
        )

    def disabled_reason(self, endpoint_id: str, *, lenient: bool) -> str | None:
        """Who or what disabled an endpoint (`user`, …), None where Stripe does not tell."""
        provider = self._provider
        self.requests += 1
        try:
            answer = provider.transport().get(
                provider._key(self._slot),
                f"/v2/core/event_destinations/{provider._checked(endpoint_id)}",
            )
            details = provider.decode(answer, wire.EventDestination).status_details
        except ProviderError as error:
            if lenient or error.bucket in _NOT_TOLD:
                return None
            raise
        return details.disabled.reason if details and details.disabled else None


def _event_params(read: history.Read) -> dict[str, Any]:
    created = {"gte": read.gte} if read.lte is None else {"gte": read.gte, "lte": read.lte}
    params: dict[str, Any] = {"limit": history.PAGE, "types": list(EVENT_TYPES), "created": created}
    if read.after is not None:
        params["starting_after"] = read.after
    return params


def _account_in(message: str) -> str | None:
    found = _ACCOUNT_ID.search(message)
    return found.group(0) if found else None


def _done(answer: Answer, detail: str) -> ActionAnswer:
    return ActionAnswer((answer.request_id,) if answer.request_id else (), detail)
