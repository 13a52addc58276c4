"""Braintree's search: criteria as its XML writes them, and the rows that match, most recently created first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from payops.simulator.objects import Dispute, Subscription

from . import errors
from .shapes import PLAN, SUBSCRIPTION_STATUSES, days_past_due, money
from .transactions import Transaction
from .xml import Params, Typed

if TYPE_CHECKING:
    from .account import BraintreeAccount

R = TypeVar("R")
Kind = Literal["text", "any_of", "instant", "day", "number", "flag"]

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?)?")
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "is": str.__eq__,
    "is_not": str.__ne__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
}
_MOST_IDS = 20_000


@dataclass(frozen=True, slots=True)
class Field(Generic[R]):
    """How a criterion is written, and what of a row it looks at: for `instant` and `day` epoch milliseconds, for
    `number` a decimal, for `flag` a truth, else a text; None matches nothing."""

    kind: Kind
    of: Callable[[R], Any]


@dataclass(frozen=True, slots=True)
class Window:
    """Instants in [first, before)."""

    first_ms: int
    before_ms: int


class Criteria(Generic[R]):
    """Checked criteria. All of them must hold. `Invalid` for one that is unknown or malformed."""

    def __init__(self, raw: Any, fields: Mapping[str, Field[R]]) -> None:
        if raw in ("", None):
            raw = {}
        if not isinstance(raw, dict):
            raise errors.malformed("search", "a group of criteria")
        unknown = [f"search[{name}]" for name in raw if name not in fields]
        if unknown:
            raise errors.unknown_parameters(unknown)
        self.windows: dict[str, Window] = {}
        self.lists: dict[str, frozenset[str]] = {}
        self.texts: dict[str, str] = {}
        """Names of fields that must be exactly this."""
        self._tests = [self._test(name, value, fields[name]) for name, value in raw.items()]

    def match(self, row: R) -> bool:
        return all(test(row) for test in self._tests)

    def _test(self, name: str, value: Any, field: Field[R]) -> Callable[[R], bool]:
        place, of = f"search[{name}]", field.of
        if field.kind == "any_of":
            listed = [each.text if isinstance(each, Typed) else each for each in value or ()]
            if not isinstance(value, list) or not all(isinstance(each, str) for each in listed):
                raise errors.malformed(place, "a list")
            wanted = self.lists[name] = frozenset(listed)
            if len(wanted) > _MOST_IDS:
                raise errors.malformed(place, f"a list of at most {_MOST_IDS}")
            return lambda row: of(row) in wanted
        if field.kind == "flag":
            flag = value.text if isinstance(value, Typed) else value
            if flag not in ("true", "false"):
                raise errors.malformed(place, "true or false")
            return lambda row: bool(of(row)) is (flag == "true")
        if not isinstance(value, dict) or not value:
            raise errors.malformed(place, "a group of comparisons")
        if field.kind == "text":
            return self._compare(name, place, value, of)
        return self._range(name, place, value, field)

    def _compare(
        self, name: str, place: str, value: Params, of: Callable[[R], str | None]
    ) -> Callable[[R], bool]:
        pairs = []
        for word, text in value.items():
            if word not in _TEXT or not isinstance(text, str):
                raise errors.malformed(f"{place}[{word}]", "a comparison of texts")
            pairs.append((_TEXT[word], text))
        if "is" in value:
            self.texts[name] = value["is"]

        def test(row: R) -> bool:
            seen = of(row) or ""
            return all(compare(seen, text) for compare, text in pairs)

        return test

    def _range(self, name: str, place: str, value: Params, field: Field[R]) -> Callable[[R], bool]:
        bounds = {}
        for word, bound in value.items():
            if word not in ("min", "max", "is", "is_not"):
                raise errors.malformed(f"{place}[{word}]", "a bound")
            text = bound.text if isinstance(bound, Typed) else bound
            bounds[word] = _number(place, text) if field.kind == "number" else _instant(place, text)
        if field.kind == "number":
            return _between(bounds, field.of)
        window = _window(bounds, _MINUTE_MS if field.kind == "instant" else _DAY_MS)
        self.windows[name] = window

        def test(row: R) -> bool:
            at = field.of(row)
            return at is not None and window.first_ms <= at < window.before_ms

        return test


def _between(
    bounds: Mapping[str, Decimal], of: Callable[[Any], Decimal | int | None]
) -> Callable[[Any], bool]:
    def test(row: Any) -> bool:
        seen = of(row)
        if seen is None:
            return False
        return (
            ("min" not in bounds or seen >= bounds["min"])
            and ("max" not in bounds or seen <= bounds["max"])
            and ("is" not in bounds or seen == bounds["is"])
            and ("is_not" not in bounds or seen != bounds["is_not"])
        )

    return test


def _window(bounds: Mapping[str, Decimal], unit_ms: int) -> Window:
    """To the minute (or day): from the beginning of the lower one to the end of the upper one, as one is added."""
    low = bounds.get("min", bounds.get("is"))
    high = bounds.get("max", bounds.get("is"))
    first = 0 if low is None else int(low) // unit_ms * unit_ms
    return Window(first, (1 << 62) if high is None else int(high) // unit_ms * unit_ms + unit_ms)


def _instant(place: str, text: Any) -> Decimal:
    if not isinstance(text, str) or not _ISO.fullmatch(text):
        raise errors.malformed(place, "a time")
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.malformed(place, "a time") from error
    return Decimal(round(at.replace(tzinfo=UTC).timestamp() * 1000))


def _number(place: str, text: Any) -> Decimal:
    try:
        return Decimal(text)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise errors.malformed(place, "a number") from error


def found(rows: Iterable[R], criteria: Criteria[R], cap: int) -> list[R]:
    """At most `cap` rows that match, in the order given."""
    kept: list[R] = []
    for row in rows:
        if criteria.match(row):
            kept.append(row)
            if len(kept) == cap:
                break
    return kept


# What can be asked of transactions.

STATUS_FIELDS: Mapping[str, str] = {
    "authorized_at": "authorized",
    "authorization_expired_at": "authorization_expired",
    "failed_at": "failed",
    "gateway_rejected_at": "gateway_rejected",
    "processor_declined_at": "processor_declined",
    "settled_at": "settled",
    "submitted_for_settlement_at": "submitted_for_settlement",
    "voided_at": "voided",
}
"""Criterion → the status whose instant it asks for."""


def _reached(status: str) -> Callable[[Transaction], int | None]:
    return lambda row: row.reached(status)


def transaction_fields(account: BraintreeAccount) -> dict[str, Field[Transaction]]:
    def major(row: Transaction) -> Decimal:
        return Decimal(money(row.amount, row.currency))

    def dispute(row: Transaction) -> int | None:
        given = row.charge.dispute
        return None if given is None or row.refund is not None else given.at_ms

    fields: dict[str, Field[Transaction]] = {
        "id": Field("text", lambda row: row.id),
        "ids": Field("any_of", lambda row: row.id),
        "order_id": Field("text", lambda row: row.order),
        "customer_id": Field("text", lambda row: row.charge.payment.buyer.customer),
        "customer_email": Field("text", lambda row: row.charge.payment.buyer.email),
        "payment_method_token": Field("text", lambda row: row.token),
        "currency": Field("text", lambda row: row.currency.upper()),
        "status": Field("any_of", lambda row: row.status),
        "type": Field("any_of", lambda row: row.type),
        "source": Field("any_of", lambda row: row.source or "api"),
        "user": Field("any_of", lambda row: row.steps[0].by),
        "merchant_account_id": Field("any_of", lambda row: account.merchant_account(row.currency)),
        "payment_instrument_type": Field("any_of", lambda row: "credit_card"),
        "reason_code": Field("any_of", lambda row: None),
        "refund": Field("flag", lambda row: row.refund is not None),
        "amount": Field("number", major),
        "created_at": Field("instant", lambda row: row.at_ms),
        "disbursement_date": Field("day", lambda row: row.disbursed_ms),
        "dispute_date": Field("day", dispute),
        "ach_return_responses_created_at": Field("instant", lambda row: None),
    }
    for name, status in STATUS_FIELDS.items():
        fields[name] = Field("instant", _reached(status))
    return fields


def transactions(account: BraintreeAccount, criteria: Criteria[Transaction], cap: int) -> list[Transaction]:
    """Those that match, most recently created first; looked for where the fewest are."""
    book = account.book
    if "ids" in criteria.lists or "id" in criteria.texts:
        wanted = criteria.lists.get("ids", frozenset()) or {criteria.texts.get("id", "")}
        named = [row for row in (book.get(each) for each in wanted) if row is not None]
        return found(book.sorted(named), criteria, cap)
    if "order_id" in criteria.texts:
        return found(book.sorted(book.of_order(criteria.texts["order_id"])), criteria, cap)
    for name, status in STATUS_FIELDS.items():
        if name in criteria.windows:
            window = criteria.windows[name]
            return found(book.moved(status, window.first_ms, window.before_ms), criteria, cap)
    if "created_at" in criteria.windows:
        window = criteria.windows["created_at"]
        return found(book.created(window.first_ms, window.before_ms), criteria, cap)
    return found(book.newest(), criteria, cap)


# What can be asked of subscriptions and disputes.


def subscription_fields(account: BraintreeAccount, now_ms: int) -> dict[str, Field[Subscription]]:
    def days(row: Subscription) -> int | None:
        return days_past_due(row, account.past_due_since(row), now_ms) or None

    def price(row: Subscription) -> Decimal:
        return Decimal(money(row.amount, row.buyer.currency))

    def transaction(row: Subscription) -> str | None:
        return next((charge.id for payment in row.payments for charge in payment.charges), None)

    return {
        "id": Field("text", lambda row: row.id),
        "ids": Field("any_of", lambda row: row.id),
        "status": Field("any_of", lambda row: SUBSCRIPTION_STATUSES[row.status]),
        "plan_id": Field("any_of", lambda row: PLAN),
        "merchant_account_id": Field("any_of", lambda row: account.merchant_account(row.buyer.currency)),
        "in_trial_period": Field("any_of", lambda row: "false"),
        "transaction_id": Field("text", transaction),
        "created_at": Field("instant", lambda row: row.at_ms),
        "next_billing_date": Field("day", lambda row: row.next_ms),
        "days_past_due": Field("number", days),
        "price": Field("number", price),
        "billing_cycles_remaining": Field("number", lambda row: None),
    }


def dispute_fields(account: BraintreeAccount) -> dict[str, Field[Dispute]]:
    return {
        "id": Field("text", lambda row: row.id),
        "status": Field("any_of", lambda row: account.history_of_dispute(row)[-1][1]),
        "kind": Field("any_of", lambda row: "chargeback"),
        "merchant_account_id": Field(
            "any_of", lambda row: account.merchant_account(row.charge.payment.buyer.currency)
        ),
        "customer_id": Field("text", lambda row: row.charge.payment.buyer.customer),
        "transaction_id": Field("text", lambda row: row.charge.id),
        "received_date": Field("day", lambda row: row.at_ms),
        "effective_date": Field("day", lambda row: row.changed_ms),
        "reply_by_date": Field("day", lambda row: row.reply_ms),
    }
