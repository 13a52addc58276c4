"""Writes, and how to learn afterwards what they did. Every write carries its key as `PayPal-Request-Id`.

PayPal cannot list the refunds of a capture. Its order lists them; where there is no order, the events about money
given back are searched for those whose link leads up to the capture, as far back as events are kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from payops.clock import to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import Endpoint
from payops.domain.money import Money
from payops.domain.payments import Attempt, Refund, Subscription
from payops.providers.port import ActionAnswer

from . import agreements, amounts, feeds, listing, payments, windows, wire
from .fields import mode_of, time
from .session import Reader

if TYPE_CHECKING:
    from .transport import Answer

_CAPTURES = "/v2/payments/captures"
_AUTHORIZATIONS = "/v2/payments/authorizations"
_ORDERS = "/v2/checkout/orders"
_REFUND_EVENTS = ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.REFUND.PENDING", "PAYMENT.REFUND.FAILED")
_GIVEN_BACK = ("PARTIALLY_REFUNDED", "REFUNDED")
_UNTOLD = "refunds_not_told"
"""Our code for: PayPal cannot say any more how much went back."""
_MOST_PAGES = 20
_REFERENCE = re.compile(r"[A-Za-z0-9\-_.,]{1,127}")


class Actions:
    """The writes and read-backs of one account with one credential, at one instant."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._session = reader.session

    # Reading back.

    def attempt(self, attempt_id: str) -> Attempt:
        """A capture by id, else the authorization of that id."""
        session = self._session
        thing, is_capture = self._payment(attempt_id)
        read = payments.as_capture if is_capture else payments.as_authorization
        found = read(thing, session.account, time(thing.update_time) or self._reader.seen_at)
        if found is None:
            raise session.error("outage", f"PayPal's answer about {attempt_id} is no payment")
        if is_capture and found.status == "succeeded" and found.amount_refunded_minor is None:
            # PayPal does not sum: a capture says only that it is refunded in part.
            try:
                refunds = self.refunds_of(attempt_id)
            except ProviderError as error:
                if error.code != _UNTOLD:
                    raise
                return found  # how much went back stays unknown
            given_back = sum(each.amount_minor for each, _ in refunds if _went_back(each))
            found = replace(found, amount_refunded_minor=given_back)
        return found

    def refunds_of(self, attempt_id: str) -> tuple[tuple[Refund, str | None], ...]:
        """Refunds of a capture, or of what was captured of an authorization, each with what was written on it."""
        thing, is_capture = self._payment(attempt_id)
        order_id = _order_of(thing)
        if order_id is not None:
            order = self._reader.one(f"{_ORDERS}/{self._session.checked(order_id)}", wire.Order)
            captures = set(_captures(order, None if is_capture else attempt_id))
            found = [each for each in _refunds(order) if payments.refunded_capture(each) in captures]
            if is_capture:
                found = [each for each in found if payments.refunded_capture(each) == thing.id]
            return self._with_references(found)
        if not is_capture:
            raise self._session.error(
                "invalid_request", f"PayPal does not say which captures authorization {attempt_id} has"
            )
        return self._with_references(self._refunds_in_events(thing))

    def subscription(self, subscription_id: str) -> Subscription:
        session = self._session
        path = f"{feeds.SUBSCRIPTIONS}/{session.checked(subscription_id)}"
        thing = self._reader.one(path, wire.Thing)
        found = agreements.as_subscription(thing, session.account, self._reader.seen_at)
        if found is None:
            raise session.error("outage", f"PayPal's answer about {subscription_id} is no subscription")
        return found

    def endpoint(self, endpoint_id: str) -> Endpoint:
        session = self._session
        path = f"{feeds.WEBHOOKS}/{session.checked(endpoint_id)}"
        found = feeds.as_endpoint(self._reader.one(path, wire.Webhook), session.account)
        if found is None:
            raise session.error("outage", f"PayPal's answer about {endpoint_id} is no webhook")
        return found

    def fetch_event(self, event_id: str) -> bytes:
        session = self._session
        answer = self._reader.get(f"{listing.PATH}/{session.checked(event_id)}")
        if session.decode(answer, wire.Event).id != event_id:
            raise session.error("outage", f"PayPal's answer about {event_id} is no event of that id")
        return answer.body

    # Writing.

    def refund(self, attempt_id: str, amount: Money | None, reference: str, key: str) -> ActionAnswer:
        session = self._session
        if not _REFERENCE.fullmatch(reference):
            raise session.error(
                "invalid_request", "PayPal takes letters, digits and -_., as a refund's custom_id"
            )
        body: dict[str, object] = {"custom_id": reference}
        if amount is not None:
            body["amount"] = self._written(amount)
        thing, is_capture = self._payment(attempt_id)
        self._fits(amount, thing, attempt_id)
        capture_id = attempt_id if is_capture else self._one_capture(thing, attempt_id)
        answer = self._post(f"{_CAPTURES}/{session.checked(capture_id)}/refund", body, key)
        made = self._made(answer)
        if (made.status or "").upper() in ("FAILED", "CANCELLED"):
            raise session.error("card", f"PayPal could not refund {attempt_id}", answer, code=made.status)
        return _done(answer, f"refund {made.id} is {made.status or 'in an unknown state'}", made.id)

    def capture(self, attempt_id: str, amount: Money | None, key: str) -> ActionAnswer:
        session = self._session
        body: dict[str, object] = {"final_capture": True}
        if amount is not None:
            body["amount"] = self._written(amount)
        path = f"{_AUTHORIZATIONS}/{session.checked(attempt_id)}"
        self._fits(amount, self._reader.one(path, wire.Thing), attempt_id)
        answer = self._post(f"{path}/capture", body, key)
        made = self._made(answer)
        if (made.status or "").upper() in ("DECLINED", "FAILED"):
            # A 201 that is a refusal: the capture exists, and is final.
            raise session.error(
                "card", f"PayPal declined the capture of {attempt_id}", answer, code=made.status
            )
        return _done(answer, f"capture {made.id} is {made.status or 'in an unknown state'}", made.id)

    def collect(self, subscription_id: str, amount: Money, reference: str, key: str) -> ActionAnswer:
        body = {
            "note": reference,
            "capture_type": "OUTSTANDING_BALANCE",
            "amount": self._written(amount),
        }
        path = f"{feeds.SUBSCRIPTIONS}/{self._session.checked(subscription_id)}"
        agreement = self._reader.one(path, wire.Thing)
        self._ours(agreement, subscription_id)
        owing = agreements.as_subscription(agreement, self._session.account, self._reader.seen_at)
        self._same_currency(amount, owing.currency if owing else None, subscription_id)
        answer = self._post(f"{path}/capture", body, key)
        made = self._session.decode(answer, wire.Thing) if answer.body else wire.Thing()
        return _done(answer, f"what {subscription_id} owes is {made.status or 'asked for'}", made.id)

    def change_endpoint(
        self, endpoint_id: str, key: str, url: str | None, event_types: tuple[str, ...] | None
    ) -> ActionAnswer:
        session = self._session
        patches: list[Mapping[str, object]] = []
        if url is not None:
            patches.append({"op": "replace", "path": "/url", "value": url})
        if event_types is not None:
            names = [{"name": name} for name in event_types]
            patches.append({"op": "replace", "path": "/event_types", "value": names})
        if not patches:
            raise session.error("invalid_request", f"nothing was given to change at {endpoint_id}")
        path = f"{feeds.WEBHOOKS}/{session.checked(endpoint_id)}"
        answer = self._send("PATCH", path, patches, key)
        return _done(answer, f"{endpoint_id} is changed")

    def resend_event(self, event_id: str, endpoint_id: str, key: str) -> ActionAnswer:
        """404s of this call come and go at PayPal: `invalid_request`, to be asked once more later."""
        session = self._session
        path = f"{listing.PATH}/{session.checked(event_id)}/resend"
        answer = self._post(path, {"webhook_ids": [session.checked(endpoint_id)]}, key)
        return _done(answer, f"{event_id} is sent again to {endpoint_id}")

    def _payment(self, attempt_id: str) -> tuple[wire.Thing, bool]:
        """The object behind an attempt, and whether it is a capture."""
        checked = self._session.checked(attempt_id)
        try:
            return self._reader.one(f"{_CAPTURES}/{checked}", wire.Thing), True
        except ProviderError as error:
            if error.http_status != 404:
                raise
        return self._reader.one(f"{_AUTHORIZATIONS}/{checked}", wire.Thing), False

    def _one_capture(self, authorization: wire.Thing, attempt_id: str) -> str:
        order_id = _order_of(authorization)
        found: list[str] = []
        if order_id is not None:
            order = self._reader.one(f"{_ORDERS}/{self._session.checked(order_id)}", wire.Order)
            found = _captures(order, attempt_id)
        if len(found) != 1:
            raise self._session.error(
                "invalid_request",
                f"authorization {attempt_id} has {len(found)} captures that PayPal shows: refund by capture id",
            )
        return found[0]

    def _refunds_in_events(self, capture: wire.Thing) -> list[wire.Thing]:
        at = to_epoch(self._reader.now)
        made = time(capture.create_time)
        oldest = at - windows.RETENTION_S
        since = max(to_epoch(made) if made else 0, oldest)
        if since == oldest and (capture.status or capture.state or "").upper() in _GIVEN_BACK:
            # A sum with one left out would allow to give back too much.
            raise self._session.error(
                "invalid_request",
                f"{capture.id} was refunded, and PayPal keeps the events that would tell all of it for "
                f"{windows.RETENTION_S // 86_400} days only: look at it in PayPal's own pages",
                code=_UNTOLD,
            )
        found: dict[str, wire.Thing] = {}
        for event_type in _REFUND_EVENTS:
            window = windows.Window(since, at)
            for _ in range(_MOST_PAGES):
                page = listing.ask(self._reader, window, event_type=event_type)
                for event in sorted(
                    wire.rows(page.rows, wire.Event), key=lambda each: each.create_time or ""
                ):
                    thing = event.resource
                    if thing and thing.id and payments.refunded_capture(thing) == capture.id:
                        found[thing.id] = thing
                query = listing.next_page(self._session, page)
                if query is None or not page.rows:
                    break
                window = windows.Window(since, at, query)
            else:
                raise self._session.error(
                    "outage", f"PayPal's list of events about money given back does not end: {capture.id}"
                )
        return list(found.values())

    def _with_references(self, found: list[wire.Thing]) -> tuple[tuple[Refund, str | None], ...]:
        account, now = self._session.account, self._reader.seen_at
        read = []
        for each in found:
            refund = payments.as_refund(each, account, time(each.update_time) or now)
            if refund is None:
                raise self._session.error(
                    "outage", "PayPal's answer about refunds holds one that is no refund"
                )
            read.append((refund, payments.reference_of(each)))
        return tuple(read)

    def _ours(self, thing: wire.Thing, object_id: str) -> None:
        """Refuse what is another object than was asked for, or of the other mode: nothing is ever done to it."""
        session = self._session
        if thing.id != object_id:
            raise session.error("outage", f"PayPal's answer about {object_id} is another object")
        mode = mode_of(thing.links)
        if mode not in (None, session.mode):
            raise session.error(
                "invalid_request",
                f"{object_id} is of {mode} mode, but account {session.account!r} is {session.mode}",
                code="wrong_mode",
            )

    def _fits(self, amount: Money | None, thing: wire.Thing, object_id: str) -> None:
        self._ours(thing, object_id)
        if amount is not None:
            self._same_currency(amount, amounts.read(thing.amount)[1], object_id)

    def _same_currency(self, amount: Money, currency: str | None, object_id: str) -> None:
        """PayPal may convert what is given back in another currency than was taken: nobody approved that sum."""
        if currency != amount.currency:
            raise self._session.error(
                "invalid_request",
                f"{object_id} is in {currency or 'a currency PayPal does not tell'}, not in {amount.currency}: "
                f"{amount} was not sent",
                code="wrong_currency",
            )

    def _written(self, amount: Money) -> dict[str, str]:
        try:
            return amounts.write(amount)
        except ValueError as error:
            raise self._session.error("invalid_request", str(error)) from None

    def _made(self, answer: Answer) -> wire.Thing:
        """What a write made; an answer that names nothing leaves open what came of it."""
        made = self._session.decode(answer, wire.Thing)
        if not made.id:
            raise self._session.error("outage", "PayPal's answer to a write names no object", answer)
        return made

    def _post(self, path: str, body: object, key: str) -> Answer:
        return self._send("POST", path, body, key)

    def _send(self, method: str, path: str, body: object, key: str) -> Answer:
        from .transport import encoded

        return self._session.api(self._reader.slot).call(
            method,
            path,
            self._reader.now,
            data=encoded(body),
            headers={"PayPal-Request-Id": key, "Prefer": "return=representation"},
        )


def _went_back(refund: Refund) -> bool:
    return refund.status in ("COMPLETED", "PENDING")


def _order_of(thing: wire.Thing) -> str | None:
    related = thing.supplementary_data.related_ids if thing.supplementary_data else None
    return related.order_id if related else None


def _payments(order: wire.Order) -> list[wire.Payments]:
    return [unit.payments for unit in order.purchase_units or () if unit.payments]


def _refunds(order: wire.Order) -> list[wire.Thing]:
    return [each for paid in _payments(order) for each in paid.refunds or ()]


def _captures(order: wire.Order, authorization: str | None) -> list[str]:
    """Ids of an order's captures: all, or those of one authorization."""
    found = []
    for paid in _payments(order):
        for each in paid.captures or ():
            related = each.supplementary_data.related_ids if each.supplementary_data else None
            of = related.authorization_id if related else None
            if each.id and authorization in (None, of or payments.above(each, "authorizations")):
                found.append(each.id)
    return found


def _done(answer: Answer, detail: str, object_id: str | None = None) -> ActionAnswer:
    return ActionAnswer((answer.request_id,) if answer.request_id else (), detail, object_id)
