"""Writes at Stripe, each with the idempotency key it is given, and the reads that tell what became of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from payops.domain.errors import NotPossible, ProviderError, UsageError
from payops.domain.events import Endpoint
from payops.domain.money import Money
from payops.domain.payments import Attempt, Invoice, PaymentMethod, Refund, Subscription
from payops.providers.port import ActionAnswer
from payops.text import mask, safe_line

from . import billing, feeds, fields, keys, normalise, payments, wire
from .session import Reader, Session

REFERENCE = "payops_attempt"
"""The key of a refund's metadata under which our own reference stands."""
_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_MOST_PAGES = 50
"""Nobody has 5,000 refunds of one charge."""


class Actions:
    """One account, with the credential in use."""

    def __init__(self, session: Session, slot: int) -> None:
        self._session = session
        self._slot = slot

    # Endpoints and events

    def endpoint(self, endpoint_id: str) -> Endpoint:
        reader = self._reader()
        path = f"/v1/webhook_endpoints/{self._checked(endpoint_id)}"
        found = feeds.as_endpoint(reader.one(path, wire.WebhookEndpoint), self._session.account)
        if found is None:
            raise self._odd(endpoint_id, "webhook endpoint")
        if found.status == "disabled":
            found = replace(found, disabled_reason=feeds.disabled_reason(reader, endpoint_id))
        return found

    def enable_endpoint(self, endpoint_id: str, key: str) -> ActionAnswer:
        path = f"/v1/webhook_endpoints/{self._checked(endpoint_id)}"
        return self._write(path, {"disabled": False}, key, endpoint_id)

    def change_endpoint(
        self, endpoint_id: str, key: str, url: str | None, event_types: tuple[str, ...] | None
    ) -> ActionAnswer:
        params: dict[str, Any] = {}
        if url is not None:
            params["url"] = url
        if event_types is not None:
            params["enabled_events"] = list(event_types)
        if not params.get("enabled_events", True) or not params:
            raise UsageError("an endpoint is changed to a URL, to a list of event types, or both")
        return self._write(f"/v1/webhook_endpoints/{self._checked(endpoint_id)}", params, key, endpoint_id)

    def resend_event(self, event_id: str, endpoint_id: str, key: str) -> ActionAnswer:
        # Not in Stripe's API reference; it is what `stripe events resend` calls. 4xx: not resendable here.
        path = f"/v1/events/{self._checked(event_id)}/retry"
        params = {"webhook_endpoint": self._checked(endpoint_id)}
        return self._write(path, params, key, event_id, f"{event_id} is sent again to {endpoint_id}")

    def fetch_event(self, event_id: str) -> bytes:
        answer = self._session.get(self._slot, f"/v1/events/{self._checked(event_id)}")
        found = self._session.decode(answer, wire.Event)
        if found.id != event_id:
            raise self._odd(event_id, "event of that id")
        if found.livemode is not (self._session.mode == "live"):
            raise self._wrong_mode(event_id, "live" if found.livemode else "test")
        return answer.body

    # Attempts and refunds

    def attempt(self, attempt_id: str, now: datetime) -> Attempt:
        if attempt_id.startswith("evt_"):
            return self._attempt_of_event(attempt_id)
        charge, at = self._charge(attempt_id, now)
        found = payments.attempt(charge, self._session.account, at)
        if found is None:
            raise self._odd(attempt_id, "charge")
        return found

    def refunds_of(self, attempt_id: str, now: datetime) -> tuple[tuple[Refund, str | None], ...]:
        reader = self._reader()
        params: dict[str, Any] = {"charge": self._checked(attempt_id), "limit": 100}
        found: dict[str, tuple[Refund, str | None]] = {}
        for _ in range(_MOST_PAGES):
            listed, more, answer = reader.page("/v1/refunds", params, wire.Thing)
            known = len(found)
            for thing in listed:
                refund = payments.refund(thing, self._session.account, min(now, answer.at or now))
                if refund is None:
                    # An incomplete sum of what went back would let too much go.
                    raise self._odd(str(thing.id), "refund")
                ours = fields.word(thing.metadata.payops_attempt) if thing.metadata else None
                found[refund.refund_id] = (refund, ours)
            if not more:
                return tuple(found.values())
            if len(found) == known:
                break
            params["starting_after"] = listed[-1].id
        raise self._session.error("outage", f"Stripe's list of the refunds of {attempt_id} does not end")

    def refund(
        self, attempt_id: str, amount: Money | None, reference: str, key: str, now: datetime
    ) -> ActionAnswer:
        charge, _ = self._charge(attempt_id, now)
        self._fits(amount, charge, attempt_id)
        params: dict[str, Any] = {"charge": attempt_id, "metadata": {REFERENCE: reference}}
        if amount is not None:
            params["amount"] = amount.amount_minor
        return self._write("/v1/refunds", params, key)

    def capture(self, attempt_id: str, amount: Money | None, key: str, now: datetime) -> ActionAnswer:
        charge, _ = self._charge(attempt_id, now)
        self._fits(amount, charge, attempt_id)
        intent = fields.ref(charge.payment_intent)
        if intent is None:
            path, name = f"/v1/charges/{attempt_id}/capture", "amount"
        else:
            # A charge that a payment intent made can be captured through it only.
            path, name = f"/v1/payment_intents/{self._checked(intent)}/capture", "amount_to_capture"
        return self._write(path, {} if amount is None else {name: amount.amount_minor}, key, attempt_id)

    # Subscriptions

    def subscription(self, subscription_id: str, now: datetime) -> Subscription:
        found = feeds.owing(self._reader(), self._checked(subscription_id), now)
        if found is None:
            raise self._odd(subscription_id, "subscription")
        return found

    def methods_of(self, subscription_id: str) -> tuple[PaymentMethod, ...]:
        reader = self._reader()
        path = f"/v1/subscriptions/{self._checked(subscription_id)}"
        thing = reader.one(path, wire.Thing, {"expand": ["customer"]})
        customer = thing.customer
        if not isinstance(customer, wire.Customer) or customer.id is None:
            raise self._odd(subscription_id, "subscription of a customer")
        chosen = customer.invoice_settings.default_payment_method if customer.invoice_settings else None
        path = f"/v1/customers/{self._checked(customer.id)}/payment_methods"
        listed, more, _ = reader.page(path, {"limit": 100}, wire.StoredMethod)
        found = tuple(billing.method(each, fields.ref(chosen)) for each in listed)
        if more or None in found:
            raise self._odd(customer.id, "whole list of payment methods")
        return tuple(each for each in found if each is not None)

    def invoice(self, invoice_id: str, now: datetime) -> Invoice:
        thing, answer = self._reader().answered(f"/v1/invoices/{self._checked(invoice_id)}", wire.Thing)
        self._ours(thing, invoice_id)
        found = billing.invoice(thing, self._session.account, min(now, answer.at or now))
        if found is None:
            raise self._odd(invoice_id, "invoice")
        return found

    def collect(self, subscription_id: str, amount: Money, key: str) -> ActionAnswer:
        """Pay the one open invoice of that amount; its payment intent must then not be confirmed besides."""
        params = {"subscription": self._checked(subscription_id), "status": "open", "limit": 100}
        bills, more, _ = self._reader().page("/v1/invoices", params, wire.Thing)
        if more:
            raise NotPossible(f"{subscription_id} has more than 100 open invoices: somebody must look at it")
        asked = [each for each in bills if _asks(each) == amount]
        if not asked:
            others = ", ".join(str(_asks(each)) for each in bills if _asks(each)) or "none"
            raise NotPossible(f"{subscription_id} has no open invoice of {amount}; open: {others}")
        oldest = min(asked, key=lambda each: (each.created or 0, each.id or ""))
        self._ours(oldest, subscription_id)
        self._fits(amount, oldest, subscription_id)
        path = f"/v1/invoices/{self._checked(oldest.id or '')}/pay"
        return self._write(path, {"off_session": True}, key, oldest.id)

    def use_payment_method(self, subscription_id: str, method_id: str, key: str) -> ActionAnswer:
        path = f"/v1/subscriptions/{self._checked(subscription_id)}"
        params = {"default_payment_method": self._checked(method_id)}
        detail = f"{subscription_id} is paid with {method_id} from now on"
        return self._write(path, params, key, subscription_id, detail)

    def finalize_invoice(self, invoice_id: str, key: str) -> ActionAnswer:
        return self._write(f"/v1/invoices/{self._checked(invoice_id)}/finalize", {}, key, invoice_id)

    # How

    def _reader(self) -> Reader:
        return Reader(self._session, self._slot)

    def _charge(self, attempt_id: str, now: datetime) -> tuple[wire.Thing, datetime]:
        path = f"/v1/charges/{self._checked(attempt_id)}"
        charge, answer = self._reader().answered(path, wire.Thing)
        if charge.id != attempt_id:
            raise self._odd(attempt_id, "charge")
        self._ours(charge, attempt_id)
        return charge, min(now, answer.at or now)

    def _attempt_of_event(self, event_id: str) -> Attempt:
        """A try without a charge is known by the event that told of it."""
        event = self._reader().one(f"/v1/events/{self._checked(event_id)}", wire.Event)
        facts = normalise.facts((event,), self._session.account, self._session.mode)
        found = next((each for each in facts.attempts if each.attempt_id == event_id), None)
        if found is None:
            raise self._odd(event_id, "failed payment")
        return found

    def _ours(self, thing: wire.Thing, object_id: str) -> None:
        """Refuse an object of the other mode: nothing is ever done to it."""
        live = self._session.mode == "live"
        if thing.livemode is not None and thing.livemode != live:
            raise self._wrong_mode(object_id, "live" if thing.livemode else "test")

    def _fits(self, amount: Money | None, thing: wire.Thing, object_id: str) -> None:
        """Refuse an amount that is none, or in another currency: Stripe takes the number and no currency with it."""
        if amount is None:
            return
        if amount.amount_minor <= 0:
            raise self._session.error("invalid_request", f"{amount} is no amount to move")
        currency = fields.currency(thing.currency)
        if currency != amount.currency:
            raise self._session.error(
                "invalid_request",
                f"{object_id} is in {currency or 'a currency Stripe does not tell'}, not in {amount.currency}: "
                f"{amount} was not sent",
                code="wrong_currency",
            )

    def _writable(self) -> None:
        """Refuse to write with a key that is, by its prefix or by what it read last, of the other mode."""
        session = self._session
        stated = keys.mode_of(session.key(self._slot))
        if stated not in (None, session.mode):
            raise self._wrong_mode(f"key {mask(session.key(self._slot))}", stated)
        self._reader().refuse_known_wrong_mode()

    def _wrong_mode(self, what: str, other: str) -> ProviderError:
        return self._session.error(
            "invalid_request",
            f"{what} is of {other} mode, but account {self._session.account!r} is {self._session.mode}",
            code="wrong_mode",
        )

    def _write(
        self, path: str, params: Mapping[str, Any], key: str, object_id: str | None = None, detail: str = ""
    ) -> ActionAnswer:
        self._writable()
        answer = self._session.post(self._slot, path, params, key)
        found = self._session.decode(answer, wire.Thing)
        made = fields.id_(found.id)
        if made is None:
            raise self._session.error("outage", "Stripe's answer to a write names no object", answer)
        if path == "/v1/refunds" and found.status in ("failed", "canceled"):
            raise self._session.error(
                "card", f"Stripe could not give it back: {made}", answer, code=found.status
            )
        status = safe_line(found.status or "in an unknown state", limit=40)
        request_ids = (answer.request_id,) if answer.request_id else ()
        return ActionAnswer(request_ids, detail or f"{made} is {status}", object_id or made)

    def _checked(self, object_id: str) -> str:
        if not _ID.fullmatch(object_id):
            raise self._session.error(
                "invalid_request", f"{safe_line(object_id, limit=60)!r} is no Stripe id"
            )
        return object_id

    def _odd(self, object_id: str, kind: str) -> ProviderError:
        shown = safe_line(object_id, limit=60)
        return self._session.error("outage", f"Stripe's answer about {shown} is no {kind}")


def _asks(bill: wire.Thing) -> Money | None:
    """What an invoice still asks for."""
    amount, currency = fields.amount(bill.amount_remaining), fields.currency(bill.currency)
    return None if amount is None or currency is None else Money(amount, currency)
