"""What payops does at Braintree, and how it learns what came of it.

Writes go through the SDK's gateways with an `api_request_key`, which makes Braintree do them once. Merchants for
whom it is not turned on get the validation error 915231: nothing was done, so what was asked is looked up in two
ways, as the search index may lag, and only then asked for without the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from payops.domain.errors import ProviderError
from payops.domain.money import Money
from payops.domain.payments import Attempt, PaymentMethod, Refund, Subscription
from payops.providers.port import ActionAnswer
from payops.text import safe_line

from . import lists, normalise, refunded, search, wire
from .errors import KEY_NOT_ALLOWED
from .session import Reader, Session

if TYPE_CHECKING:
    from .transport import Answer

_MOST_REFUNDS = search.PAGE
_KEY_LIMIT = 255
_UNSETTLED = frozenset({"authorized", "submitted_for_settlement", "settlement_pending"})
Object = Mapping[str, Any]


def attempt(session: Session, slot: int, attempt_id: str) -> Attempt:
    """The attempt as it is now, with the sum of its refunds that did not fail."""
    reader = Reader(session, slot)
    sale = _transaction(reader, attempt_id)
    found = normalise.attempt(sale, session.account)
    if found is None:
        raise session.error("outage", f"Braintree's answer about {attempt_id} is no sale")
    return refunded.summed(found, [back for back, _ in _refunds(reader, sale)])


def refunds_of(session: Session, slot: int, attempt_id: str) -> tuple[tuple[Refund, str | None], ...]:
    """All refunds of a sale; the reference of ours is their order id."""
    reader = Reader(session, slot)
    return _refunds(reader, _transaction(reader, attempt_id))


def refund(
    session: Session, slot: int, attempt_id: str, amount: Money | None, reference: str, key: str
) -> ActionAnswer:
    sale = _fits(session, amount, _writable(session, slot, attempt_id), attempt_id)
    if _voidable(sale, amount):
        return _void(session, slot, attempt_id, key)
    options: dict[str, Any] = {"order_id": reference}
    if amount is not None:
        options["amount"] = wire.major(amount.amount_minor, amount.currency)

    def act(more: Mapping[str, str]) -> Callable[[Any], Any]:
        return lambda gateway: gateway.transaction.refund(attempt_id, {**options, **more})

    def before() -> ActionAnswer | None:
        reader = Reader(session, slot)
        by_order = search.ids(
            reader, search.TRANSACTIONS, {"order_id": {"is": reference}, "type": ["credit"]}
        )
        for made, said in _refunds(reader, _transaction(reader, attempt_id)):
            if said == reference or made.refund_id in by_order:
                return ActionAnswer((), f"{made.refund_id} was already made: {made.status}", made.refund_id)
        if by_order:
            raise session.error(
                "conflict",
                f"{by_order[0]} carries the reference {reference}, but is no refund of {attempt_id}",
            )
        return None

    return _once(session, slot, act, before, key, f"{attempt_id} is refunded")


def _voidable(sale: Object, amount: Money | None) -> bool:
    """Whether all of a sale that is not settled is asked back, by its amount: it is let go, a refund is refused.

    A part never becomes a void, which would give back the whole; nor does an amount nobody stated.
    """
    if amount is None or wire.word(sale.get("status")) not in _UNSETTLED:
        return False
    return wire.minor(sale.get("amount"), wire.currency(sale.get("currency_iso_code"))) == amount.amount_minor


def _void(session: Session, slot: int, attempt_id: str, key: str) -> ActionAnswer:
    def act(more: Mapping[str, str]) -> Callable[[Any], Any]:
        return lambda gateway: gateway.transaction.void(attempt_id, dict(more) or None)

    def before() -> ActionAnswer | None:
        said = wire.word(_transaction(Reader(session, slot), attempt_id).get("status"))
        return ActionAnswer((), f"{attempt_id} was already voided", attempt_id) if said == "voided" else None

    return _once(session, slot, act, before, key, f"{attempt_id} is voided, it was not settled yet")


def capture(session: Session, slot: int, attempt_id: str, amount: Money | None, key: str) -> ActionAnswer:
    _fits(session, amount, _writable(session, slot, attempt_id), attempt_id)
    exact = None if amount is None else wire.major(amount.amount_minor, amount.currency)

    def act(more: Mapping[str, str]) -> Callable[[Any], Any]:
        return lambda gateway: gateway.transaction.submit_for_settlement(attempt_id, exact, dict(more))

    def before() -> ActionAnswer | None:
        found = normalise.attempt(_transaction(Reader(session, slot), attempt_id), session.account)
        if found is not None and found.captured:
            return ActionAnswer((), f"{attempt_id} was already submitted for settlement", attempt_id)
        return None

    return _once(session, slot, act, before, key, f"{attempt_id} is submitted for settlement")


def subscription(session: Session, slot: int, subscription_id: str, now: datetime) -> Subscription:
    reader = Reader(session, slot)
    found = lists.subscription(reader, _subscription(reader, subscription_id), now)
    if found is None:
        raise session.error("outage", f"Braintree's answer about {subscription_id} is no subscription")
    return found


def collect(session: Session, slot: int, subscription_id: str, amount: Money, key: str) -> ActionAnswer:
    """The SDK's `retry_charge` with the amount stated, submitted for settlement, and a key it does not offer.

    Without a stated amount Braintree takes the whole balance; without the option the money is only authorized.
    """
    reader = _writable(session, slot, subscription_id)
    owed = normalise.subscription(_subscription(reader, subscription_id), session.account)
    _same_currency(session, amount, owed.currency if owed else None, subscription_id)
    params = {
        "amount": wire.major(amount.amount_minor, amount.currency),
        "subscription_id": subscription_id,
        "type": "sale",
        "options": {"submit_for_settlement": True},
    }
    try:
        return _charged(session, slot, {**params, "api_request_key": key[:_KEY_LIMIT]}, subscription_id)
    except ProviderError as error:
        if error.code != KEY_NOT_ALLOWED:
            raise
    found = _subscription(Reader(session, slot), subscription_id)
    owing = normalise.subscription(found, session.account)
    if owing is None or owing.status != "past_due":
        raise session.error("invalid_request", f"{subscription_id} is not past due: it owes nothing now")
    charges = normalise.facts(
        map(wire.mapping, wire.items(found.get("transactions"))), session.account
    ).attempts
    last = max(charges, key=lambda each: each.at, default=None)
    if last is not None and last.status != "failed":
        # It may be what an earlier call without an answer did: some methods settle days later.
        raise session.error(
            "conflict",
            f"the last charge of {subscription_id}, {last.attempt_id}, did not fail: it is not charged again",
        )
    return _charged(session, slot, params, subscription_id)


def methods_of(session: Session, slot: int, subscription_id: str) -> tuple[PaymentMethod, ...]:
    """The cards in the vault of the subscription's customer, who is known by its transactions."""
    reader = Reader(session, slot)
    known = normalise.subscription(_subscription(reader, subscription_id), session.account)
    if known is None or known.customer is None:
        raise session.error("invalid_request", f"Braintree does not tell whose {subscription_id} is")
    answer = reader.get(f"/customers/{_checked(session, known.customer)}")
    if answer.root.tag != "customer":
        raise session.error("outage", f"Braintree's answer about {known.customer} is no customer", answer)
    customer = wire.fields(answer.root, normalise.VAULT)
    found = (normalise.method(wire.mapping(each)) for each in wire.items(customer.get("credit_cards")))
    return tuple(each for each in found if each is not None)


def use_payment_method(session: Session, slot: int, subscription_id: str, method_id: str) -> ActionAnswer:
    """Setting the same method twice changes nothing: it needs no key, and Braintree takes none here."""
    _writable(session, slot, subscription_id, method_id)
    answer = session.via(slot).write(
        lambda gateway: gateway.subscription.update(subscription_id, {"payment_method_token": method_id})
    )
    return _done(session, answer, "subscription", f"{subscription_id} is paid with {method_id} now")


def _writable(session: Session, slot: int, *object_ids: str) -> Reader:
    """A reader of a credential that did not show to be of the other mode: with that one nothing is written."""
    for each in object_ids:
        _checked(session, each)
    reader = Reader(session, slot)
    reader.require_known_mode()
    return reader


def _fits(session: Session, amount: Money | None, reader: Reader, attempt_id: str) -> Object:
    """The transaction; refuses an amount in another currency, of which Braintree takes the number alone."""
    sale = _transaction(reader, attempt_id)
    if sale.get("id") != attempt_id:
        raise session.error("outage", f"Braintree's answer about {attempt_id} is another transaction")
    if amount is not None:
        _same_currency(session, amount, wire.currency(sale.get("currency_iso_code")), attempt_id)
    return sale


def _same_currency(session: Session, amount: Money, currency: str | None, object_id: str) -> None:
    if amount.amount_minor <= 0:
        raise session.error("invalid_request", f"{amount} is no amount to move")
    if currency != amount.currency:
        raise session.error(
            "invalid_request",
            f"{object_id} is in {currency or 'a currency Braintree does not tell'}, not in {amount.currency}: "
            f"{amount} was not sent",
            code="wrong_currency",
        )


def _once(
    session: Session,
    slot: int,
    act: Callable[[Mapping[str, str]], Callable[[Any], Any]],
    before: Callable[[], ActionAnswer | None],
    key: str,
    done: str,
) -> ActionAnswer:
    """Write with the key; where the merchant may not use one, look first whether it is done already."""
    via = session.via(slot)
    answer: Answer | None = None
    try:
        answer = via.write(act({"api_request_key": key[:_KEY_LIMIT]}))
    except ProviderError as error:
        if error.code != KEY_NOT_ALLOWED:
            raise
    if answer is None:
        known = before()
        if known is not None:
            return known
        answer = via.write(act({}))
    return _done(session, answer, "transaction", done)


def _charged(session: Session, slot: int, params: Object, subscription_id: str) -> ActionAnswer:
    answer = session.via(slot).post("/transactions", {"transaction": params})
    return _done(session, answer, "transaction", f"{subscription_id} is charged")


def _done(session: Session, answer: Answer, thing: str, done: str) -> ActionAnswer:
    """The answer to a write that was granted; in any other form it is unknown what came of it."""
    object_id = wire.identifier(answer.root.findtext("id"))
    if answer.root.tag != thing or object_id is None:
        raise session.error("outage", f"Braintree's answer holds no {thing}", answer)
    status = safe_line(answer.root.findtext("status") or "in an unknown state", limit=40)
    ids = (answer.request_id,) if answer.request_id else ()
    return ActionAnswer(ids, f"{done}: {safe_line(object_id, limit=64)} is {status}", object_id)


def _refunds(reader: Reader, sale: Object) -> tuple[tuple[Refund, str | None], ...]:
    ids = refunded.refund_ids(sale)
    if not ids:
        return ()
    if len(ids) > _MOST_REFUNDS:
        raise reader.session.error("outage", f"Braintree names {len(ids)} refunds of one sale")
    found = search.fetch(reader, search.TRANSACTIONS, ids)
    known = [(normalise.refund(each, reader.session.account), each) for each in found]
    refunds = tuple((back, wire.identifier(each.get("order_id"))) for back, each in known if back is not None)
    if len(refunds) < len(ids):
        # A sum with one left out would allow to give back too much.
        raise reader.session.error("outage", "Braintree does not show every refund it names: ask again")
    return refunds


def _transaction(reader: Reader, transaction_id: str) -> Object:
    answer = reader.get(f"/transactions/{_checked(reader.session, transaction_id)}")
    if answer.root.tag != "transaction":
        raise reader.session.error(
            "outage", f"Braintree's answer about {transaction_id} is no transaction", answer
        )
    return wire.fields(answer.root, normalise.TRANSACTION)


def _subscription(reader: Reader, subscription_id: str) -> Object:
    answer = reader.get(f"/subscriptions/{_checked(reader.session, subscription_id)}")
    if answer.root.tag != "subscription":
        raise reader.session.error(
            "outage", f"Braintree's answer about {subscription_id} is no subscription", answer
        )
    return wire.fields(answer.root, normalise.SUBSCRIPTION)


def _checked(session: Session, object_id: str) -> str:
    if not search.ID.fullmatch(object_id):
        raise session.error("invalid_request", f"{safe_line(object_id, limit=60)!r} is no Braintree id")
    return object_id
