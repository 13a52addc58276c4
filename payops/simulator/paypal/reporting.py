"""The search of transactions: late, at most 31 days at a time, and declined ones only for those who ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from payops.simulator.objects import Charge, Refund

from . import errors
from .account import PayPalAccount
from .call import Answer, Call, R, Route, spanned
from .keys import REPORTING
from .names import Shape, instant, link, money
from .shapes import custom_id, fee

_PATH = "/v1/reporting/transactions"
_DAY_MS = 24 * 3600 * 1000
_MOST_DAYS = 31
_REACH_MS = 3 * 365 * _DAY_MS
_MOST_ROWS = 10_000
_MINUTE_MS = 60_000
_CHECKOUT, _CARD, _RENEWAL, _RESERVED, _REFUND = "T0006", "T0000", "T0003", "T1300", "T1107"


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the report. `affects`: it moved money. `status`: S success, D denied, P pending."""

    id: str
    code: str
    at_ms: int
    charge: Charge
    amount: int
    status: str
    affects: bool
    changed_ms: int
    refers_to: str | None = None


def _search(call: Call) -> Answer:
    account, query = call.account, call.query
    first_ms, last_ms = query["start_date"], query["end_date"]
    if last_ms < first_ms or last_ms - first_ms > _MOST_DAYS * _DAY_MS:
        raise _unfit("end_date", last_ms, f"The date range must be ordered, and at most {_MOST_DAYS} days.")
    if first_ms < call.at_ms - _REACH_MS:
        raise _unfit("start_date", first_ms, "Data for the given start date is not available.")
    as_of_ms = (call.at_ms - account.reporting_lag_ms) // _MINUTE_MS * _MINUTE_MS
    rows: list[_Row] = []
    if call.home:
        found = _rows(account, first_ms, min(last_ms, as_of_ms))
        rows = sorted((row for row in found if _wanted(call, row)), key=lambda row: (row.at_ms, row.id))
    if len(rows) > _MOST_ROWS:
        raise errors.named(400, "RESULTSET_TOO_LARGE", "RESULTSET_TOO_LARGE")
    size, page = query.get("page_size", 100), query.get("page", 1)
    pages = -(-len(rows) // size)
    if page > max(1, pages):
        raise errors.malformed("INVALID_REQUEST", "page", page, "query")
    return 200, {
        "transaction_details": [_shape(call, row) for row in rows[(page - 1) * size : page * size]],
        "account_number": account.id,
        "start_date": instant(first_ms),
        "end_date": instant(last_ms),
        "last_refreshed_datetime": instant(as_of_ms),
        "page": page,
        "total_items": len(rows),
        "total_pages": pages,
        "links": _links(call, page, pages),
    }


def _unfit(name: str, at_ms: int, why: str) -> errors.ApiError:
    return errors.named(
        400, "INVALID_REQUEST", why, field=name, value=instant(at_ms), location="query", description=why
    )


def _links(call: Call, page: int, pages: int) -> list[Shape]:
    asked = {name: _as_sent(name, value) for name, value in call.query.items()}

    def to(rel: str, number: int) -> Shape:
        return link(call.base, f"{_PATH}?{urlencode({**asked, 'page': number})}", rel)

    links = [to("self", page)]
    if page < pages:
        links += [to("next", page + 1), to("last", pages)]
    if page > 1:
        links += [to("first", 1), to("prev", page - 1)]
    return links


def _as_sent(name: str, value: object) -> object:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return "Y" if value else "N"
    return instant(value) if name.endswith("_date") and isinstance(value, int) else value


def _rows(account: PayPalAccount, first_ms: int, last_ms: int) -> Iterator[_Row]:
    for charge in _between(account.charges.rows, first_ms, last_ms):
        if not account.leaves_trace(charge) or charge.test:
            continue
        yield _of_charge(account, charge)
    for late in account.beside.late.values():
        if first_ms <= late.at_ms <= last_ms:
            yield _Row(
                late.id,
                _CHECKOUT,
                late.at_ms,
                late.charge,
                late.amount,
                "S",
                True,
                late.at_ms,
                late.charge.id,
            )
    for refund in _between(account.refunds.rows, first_ms, last_ms):
        yield _of_refund(account, refund)


def _between(rows: list[R], first_ms: int, last_ms: int) -> Iterator[R]:
    for place in spanned(rows, first_ms, last_ms):
        if first_ms <= rows[place].at_ms <= last_ms:
            yield rows[place]


def _of_charge(account: PayPalAccount, charge: Charge) -> _Row:
    payment = charge.payment
    refers_to = None
    if payment.subscription is not None:
        code, refers_to = _RENEWAL, payment.subscription.id.replace("-", "")
    elif charge.expires_ms is not None:
        code = _RESERVED
    else:
        code = _CARD if account.by_card(payment.buyer) else _CHECKOUT
    status = "S" if charge.decline is None else "D"
    if code == _RESERVED:
        status = "S" if charge.id in account.beside.taken else "P"
    affects = status == "S" and code != _RESERVED
    changed_ms = max([charge.at_ms, *(refund.changed_ms for refund in charge.refunds)])
    return _Row(charge.id, code, charge.at_ms, charge, payment.amount, status, affects, changed_ms, refers_to)


def _of_refund(account: PayPalAccount, refund: Refund) -> _Row:
    status = {"succeeded": "S", "pending": "P", "failed": "D"}[refund.status]
    captured = account.capture_id(refund.charge)
    changed_ms = max(refund.at_ms, refund.changed_ms)
    return _Row(
        refund.id,
        _REFUND,
        refund.at_ms,
        refund.charge,
        -refund.amount,
        status,
        status == "S",
        changed_ms,
        captured,
    )


def _wanted(call: Call, row: _Row) -> bool:
    query = call.query
    currency = row.charge.payment.buyer.currency.upper()
    return (
        (row.affects or not query.get("balance_affecting_records_only", True))
        and row.status == query.get("transaction_status", row.status)
        and row.code == query.get("transaction_type", row.code)
        and row.id == query.get("transaction_id", row.id)
        and currency == query.get("transaction_currency", currency)
    )


def _shape(call: Call, row: _Row) -> Shape:
    payment = row.charge.payment
    buyer = payment.buyer
    payer = call.shapes.order(payment, approved=True)["payer"]
    info: Shape = {
        "paypal_account_id": payer["payer_id"],
        "transaction_id": row.id,
        "transaction_event_code": row.code,
        "transaction_initiation_date": instant(row.at_ms),
        "transaction_updated_date": instant(row.changed_ms),
        "transaction_amount": money(row.amount, buyer.currency),
        "transaction_status": row.status,
        "invoice_id": payment.order,
        "custom_field": _plain(custom_id(payment)),
        "protection_eligibility": "01",
    }
    if row.affects and row.amount > 0:
        info["fee_amount"] = money(-fee(row.amount, buyer.currency), buyer.currency)
    if row.refers_to is not None:
        kind = "SUB" if row.code == _RENEWAL else "TXN"
        info |= {"paypal_reference_id": row.refers_to, "paypal_reference_id_type": kind}
    shape: Shape = {"transaction_info": info}
    wanted = call.query.get("fields", ("transaction_info",))
    if "payer_info" in wanted or "all" in wanted:
        shape["payer_info"] = {
            "account_id": payer["payer_id"],
            "email_address": buyer.email,
            "address_status": "Y",
            "payer_status": "Y",
            "payer_name": payer["name"],
            "country_code": buyer.country,
        }
    return shape


def _plain(text: str) -> str:
    """Reporting keeps only plain characters of what the shop wrote."""
    return "".join(letter for letter in text if letter.isalnum() or letter in "_'-., \":;!?")


ROUTES: Mapping[str, Route] = {f"GET {_PATH}": Route(_search, REPORTING)}
