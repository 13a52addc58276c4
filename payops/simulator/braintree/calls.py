"""What each call of Braintree's API does to the world, and what it answers."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from payops.domain.payments import Mode
from payops.simulator.keys import Key
from payops.simulator.log import Log, Row

from . import errors, refunds, sales, search
from .account import BraintreeAccount
from .errors import ApiError
from .ids import lower
from .keys import ENVIRONMENTS
from .params import minor
from .shapes import Shapes
from .transactions import Transaction
from .xml import Many, Page, Params, Value

R = TypeVar("R", bound=Row)

PAGE_SIZE = 50
ACCOUNTS_PAGE_SIZE = 20
MOST_TRANSACTIONS = 20_000
MOST_OTHERS = 10_000
_TOKEN_VERSIONS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is allowed and well-formed. `id` is the one in the path, `page` counts from 1."""

    account: BraintreeAccount
    key: Key
    id: str
    params: Params
    at_ms: int
    page: int = 1

    @property
    def home(self) -> bool:
        """The keys open the environment that has anything in it."""
        return self.key.mode == self.account.mode

    @property
    def mode(self) -> Mode:
        return self.key.mode

    @property
    def shapes(self) -> Shapes:
        return Shapes(self.account, self.at_ms)


@dataclass(frozen=True, slots=True)
class Answer:
    """`name` is the root element. `transaction` is what the call made or changed, as far as it is one."""

    status: int
    name: str
    value: Value
    transaction: Transaction | None = None


Handler = Callable[[Call], Answer]


def _find(call: Call, log: Log[R]) -> R:
    row = log.get(call.id)
    if row is None or not call.home:
        raise ApiError(errors.NOT_FOUND)
    return row


def shown(call: Call, row: Transaction, status: int = 200) -> Answer:
    """A transaction as the answer to what made it: a declined one is a refusal that holds it."""
    shape = call.shapes.transaction(row)
    refused = refunds.problem(row)
    if refused is not None:
        refused.extra = {"transaction": shape}
        raise refused
    return Answer(status, "transaction", shape, row)


def _transaction(call: Call) -> Answer:
    return Answer(200, "transaction", call.shapes.transaction(_find(call, call.account.book.log)))


def _sale(call: Call) -> Answer:
    params = call.params.get("transaction", {})
    if not call.home:
        raise errors.refuse("91518", "payment_method_token")
    return shown(call, sales.sale(call.account, call.at_ms, params), 201)


def _clone(call: Call) -> Answer:
    first = _find(call, call.account.book.log)
    params = call.params.get("transaction_clone", {})
    return shown(call, sales.clone(call.account, call.at_ms, first, params), 201)


def _refund(call: Call) -> Answer:
    row = _find(call, call.account.book.log)
    return shown(call, refunds.refund(call.account, call.at_ms, row, call.params.get("transaction", {})), 201)


def _reverse(call: Call) -> Answer:
    row = _find(call, call.account.book.log)
    params = call.params.get("transaction", {})
    return shown(call, refunds.reverse(call.account, call.at_ms, row, params), 201)


def _void(call: Call) -> Answer:
    row = _find(call, call.account.book.log)
    return shown(call, refunds.void(call.account, call.at_ms, row))


def _submit(call: Call) -> Answer:
    row = _find(call, call.account.book.log)
    amount: Decimal | None = call.params.get("transaction", {}).get("amount")
    return shown(call, refunds.submit(call.account, call.at_ms, row, amount))


def _sandbox(what: str) -> Handler:
    def act(call: Call) -> Answer:
        if call.account.mode != "test":
            raise ApiError(errors.FORBIDDEN)
        row = _find(call, call.account.book.log)
        refunds.SANDBOX[what](call.account, call.at_ms, row)
        return Answer(200, "transaction", call.shapes.transaction(row), row)

    return act


def _searched(rows: Sequence[Any]) -> Answer:
    ids = Many("item", [row.id for row in rows])
    return Answer(200, "search_results", {"page_size": PAGE_SIZE, "ids": ids})


def _transactions(call: Call) -> list[Transaction]:
    criteria = search.Criteria(call.params.get("search"), search.transaction_fields(call.account))
    return search.transactions(call.account, criteria, MOST_TRANSACTIONS) if call.home else []


def _transaction_ids(call: Call) -> Answer:
    return _searched(_transactions(call))


def _transaction_rows(call: Call) -> Answer:
    rows = _transactions(call)[:PAGE_SIZE]
    drawn = [call.shapes.transaction(row) for row in rows]
    return Answer(200, "credit_card_transactions", Page("transaction", drawn, 1, PAGE_SIZE, len(rows)))


def _subscriptions(call: Call) -> list[Any]:
    account = call.account
    criteria = search.Criteria(call.params.get("search"), search.subscription_fields(account, call.at_ms))
    rows = sorted(account.subscriptions.rows, key=lambda row: row.at_ms, reverse=True)
    return search.found(rows, criteria, MOST_OTHERS) if call.home else []


def _subscription_ids(call: Call) -> Answer:
    return _searched(_subscriptions(call))


def _subscription_rows(call: Call) -> Answer:
    rows = _subscriptions(call)[:PAGE_SIZE]
    drawn = [call.shapes.subscription(row) for row in rows]
    return Answer(200, "subscriptions", Page("subscription", drawn, 1, PAGE_SIZE, len(rows)))


def _subscription(call: Call) -> Answer:
    return Answer(200, "subscription", call.shapes.subscription(_find(call, call.account.subscriptions)))


def _update_subscription(call: Call) -> Answer:
    account, params = call.account, call.params.get("subscription", {})
    row = _find(call, account.subscriptions)
    if row.status == "canceled":
        raise errors.refuse("81901", of="subscription")
    if "payment_method_token" in params:
        buyer = account.vaulted(params["payment_method_token"])
        if buyer is None:
            raise errors.refuse("91903", "payment_method_token", "subscription")
        if buyer is not row.buyer:
            raise errors.refuse("91905", "payment_method_token", "subscription")
        row.method = True
    if "price" in params:
        row.amount = minor(params["price"], row.buyer.currency)
    row.changed_ms = call.at_ms
    account.subscription_changed(call.at_ms, row, "updated")
    return Answer(200, "subscription", call.shapes.subscription(row))


def _cancel_subscription(call: Call) -> Answer:
    row = _find(call, call.account.subscriptions)
    if row.status == "canceled":
        raise errors.refuse("81905", of="subscription")
    row.status, row.outstanding, row.changed_ms = "canceled", 0, call.at_ms
    call.account.subscription_changed(call.at_ms, row, "canceled")
    return Answer(200, "subscription", call.shapes.subscription(row))


def _disputes(call: Call) -> Answer:
    account = call.account
    criteria = search.Criteria(call.params.get("search"), search.dispute_fields(account))
    rows = search.found(reversed(account.disputes.rows), criteria, MOST_OTHERS) if call.home else []
    page = rows[(call.page - 1) * PAGE_SIZE : call.page * PAGE_SIZE]
    drawn = [call.shapes.dispute(row) for row in page]
    return Answer(200, "disputes", Page("dispute", drawn, call.page, PAGE_SIZE, len(rows)))


def _dispute(call: Call) -> Answer:
    return Answer(200, "dispute", call.shapes.dispute(_find(call, call.account.disputes)))


def _customer(call: Call) -> Answer:
    return Answer(200, "customer", call.shapes.customer(_find(call, call.account.customers).buyer))


def _payment_method(call: Call) -> Answer:
    buyer = call.account.vaulted(call.id) if call.home else None
    if buyer is None:
        raise ApiError(errors.NOT_FOUND)
    return Answer(200, "credit_card", call.shapes.payment_method(buyer))


def _merchant_accounts(call: Call) -> Answer:
    account, size = call.account, ACCOUNTS_PAGE_SIZE
    known = account.currencies
    page = known[(call.page - 1) * size : call.page * size]
    drawn = [call.shapes.merchant_account(currency) for currency in page]
    return Answer(200, "merchant_accounts", Page("merchant_account", drawn, call.page, size, len(known)))


def _merchant_account(call: Call) -> Answer:
    account = call.account
    known = {account.merchant_account(each): each for each in account.currencies}
    if call.id not in known:
        raise ApiError(errors.NOT_FOUND)
    return Answer(200, "merchant_account", call.shapes.merchant_account(known[call.id]))


def _client_token(call: Call) -> Answer:
    params = call.params.get("client_token", {})
    version = params.get("version", 2)
    if version not in _TOKEN_VERSIONS:
        raise errors.refuse("92806", "version", "client_token")
    token: dict[str, object] = {
        "version": version,
        "environment": ENVIRONMENTS[call.mode],
        "merchantId": call.account.id,
        "merchantAccountId": call.account.merchant_account(call.account.default_currency),
        "authorizationFingerprint": lower(call.account.ids, f"fingerprint/{call.at_ms}", 24),
        "clientApiUrl": f"https://api.braintree.sim/merchants/{call.account.id}/client_api",
        "challenges": ["cvv"],
    }
    text = json.dumps(token, separators=(",", ":"))
    value = text if version == 1 else b64encode(text.encode()).decode()
    return Answer(201, "client_token", {"value": value})


HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("GET", "transactions/{id}"): _transaction,
    ("POST", "transactions"): _sale,
    ("POST", "transactions/advanced_search_ids"): _transaction_ids,
    ("POST", "transactions/advanced_search"): _transaction_rows,
    ("POST", "transactions/{id}/clone"): _clone,
    ("POST", "transactions/{id}/refund"): _refund,
    ("POST", "transactions/{id}/reverse"): _reverse,
    ("PUT", "transactions/{id}/void"): _void,
    ("PUT", "transactions/{id}/submit_for_settlement"): _submit,
    **{("PUT", f"transactions/{{id}}/{what}"): _sandbox(what) for what in refunds.SANDBOX},
    ("GET", "subscriptions/{id}"): _subscription,
    ("PUT", "subscriptions/{id}"): _update_subscription,
    ("PUT", "subscriptions/{id}/cancel"): _cancel_subscription,
    ("POST", "subscriptions/advanced_search_ids"): _subscription_ids,
    ("POST", "subscriptions/advanced_search"): _subscription_rows,
    ("GET", "disputes/{id}"): _dispute,
    ("POST", "disputes/advanced_search"): _disputes,
    ("GET", "customers/{id}"): _customer,
    ("GET", "payment_methods/any/{id}"): _payment_method,
    ("GET", "payment_methods/credit_card/{id}"): _payment_method,
    ("GET", "merchant_accounts"): _merchant_accounts,
    ("GET", "merchant_accounts/{id}"): _merchant_account,
    ("POST", "client_token"): _client_token,
}
SEARCHES = frozenset(called for called in HANDLERS if "advanced_search" in called[1])
READS = frozenset({*SEARCHES, ("POST", "client_token")})
"""Calls by POST that change nothing."""
_WORDS = frozenset(word for _, pattern in HANDLERS for word in pattern.split("/"))


def route(method: str, path: str) -> tuple[tuple[str, str], str]:
    """The call a path below the merchant names, as a key of `HANDLERS`, and the id in it; `ApiError` 404 for none."""
    parts = path.strip("/").split("/")
    if (method, "/".join(parts)) in HANDLERS:
        return (method, "/".join(parts)), ""
    for place in range(len(parts) - 1, 0, -1):
        pattern = "/".join([*parts[:place], "{id}", *parts[place + 1 :]])
        if (method, pattern) in HANDLERS:
            return (method, pattern), parts[place]
    raise ApiError(errors.NOT_FOUND)
