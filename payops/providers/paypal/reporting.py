"""The `reporting` feed: PayPal's transaction search, up to three hours late, which fills what events left out.

A row's `transaction_id` is the capture's id, so a payment that an event told of is the same attempt. Reporting
knows less of it and corrects its date from time to time, so a row is given the payment's own time as the time of
its state: where an event has spoken, the event stands.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from payops.clock import from_epoch, iso, to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import Facts, FeedPage
from payops.domain.payments import Attempt, AttemptStatus, Refund
from payops.providers.port import FeedSpec

from . import amounts, wire
from .fields import kept, time
from .session import Reader

PATH = "/v1/reporting/transactions"
_PAGE = 500
_DAY_S = 24 * 3600
_LONGEST_S = 31 * _DAY_S - 1
_BACK_S = 6 * 3600
_WEAKER = timedelta(minutes=1)
_MOST_PAGES = 1_000
_SHORTEST_S = 60
_TOO_LARGE = "RESULTSET_TOO_LARGE"
SPEC = FeedSpec(
    "reporting",
    3600,
    2,
    "payments taken, pending, denied and reversed; a wallet payment refused at the checkout is not among them",
    3 * 3600,
)
_STATUS: dict[str, AttemptStatus] = {"S": "succeeded", "V": "succeeded", "D": "failed", "P": "pending"}
_REFUND_STATUS = {"S": "COMPLETED", "P": "PENDING", "D": "FAILED", "V": "CANCELLED"}
_PAYMENT = "T00"
_NO_PURCHASE = frozenset({"T0000", "T0001", "T0008"})
"""Of the T00 codes: general, mass payment and internal ones, which no buyer made."""
_REFUND = frozenset({"T1106", "T1107"})
_SUBSCRIPTION = "T0002"


class Window(msgspec.Struct, frozen=True):
    """[start, end] in epoch seconds, of which `page` is to be read next. `first`: an id on the page before it."""

    start: int
    end: int
    page: int = 1
    first: str | None = None


class Cursor(msgspec.Struct, frozen=True):
    """`as_of`: PayPal's own word on how far reporting reaches. `windows`: what is left of this pass, newest first.

    `total_s`: how long the pass was; `backfill`: whether it is the first. `asked_at`: when it began.
    """

    as_of: int | None = None
    windows: tuple[Window, ...] = ()
    total_s: int = 0
    backfill: bool = False
    asked_at: int = 0


def poll(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """One page of the pass under way, or the first of a new one."""
    session, at = reader.session, to_epoch(now)
    cursor = _load(text)
    if not cursor.windows or not 0 <= at - cursor.asked_at < _DAY_S:
        cursor = _pass(cursor, at)
    window = cursor.windows[0]
    try:
        page = reader.page(PATH, _params(window), "transaction_details")
    except ProviderError as error:
        if error.code != _TOO_LARGE or window.end - window.start < _SHORTEST_S:
            raise
        cursor = _halved(cursor)
        window = cursor.windows[0]
        page = reader.page(PATH, _params(window), "transaction_details")
    infos = [
        each.transaction_info for each in wire.rows(page.rows, wire.Transaction) if each.transaction_info
    ]
    first = infos[0].transaction_id if infos else None
    more_pages = window.page < min(page.listing.total_pages or 1, _MOST_PAGES)
    if more_pages and (not infos or (first is not None and first == window.first)):
        raise session.error("outage", "PayPal's reporting gives the same page again: reading stopped")
    rest = cursor.windows[1:]
    if more_pages:
        rest = (Window(window.start, window.end, window.page + 1, first), *rest)
    refreshed = time(page.listing.last_refreshed_datetime)
    as_of = cursor.as_of if refreshed is None else min(to_epoch(refreshed), at)
    moved = msgspec.structs.replace(cursor, as_of=as_of, windows=rest)
    left_s = sum(each.end - each.start for each in rest)
    return FeedPage(
        feed=SPEC.name,
        read=len(page.rows),
        requests=reader.requests,
        cursor=msgspec.json.encode(moved).decode(),
        more=bool(rest),
        data_as_of=None if rest or as_of is None else from_epoch(as_of),
        request_id=page.request_id,
        facts=_facts(infos, session.account),
        progress=1 - left_s / max(1, cursor.total_s) if cursor.backfill else None,
    )


def _pass(cursor: Cursor, at: int) -> Cursor:
    """A new pass: from six hours before what is known to have been there until now, in windows PayPal allows."""
    first = cursor.as_of is None
    start = at - _DAY_S if cursor.as_of is None else min(cursor.as_of, at) - _BACK_S
    if not first and cursor.windows:
        # A pass that was given up: what it left is still to be read.
        start = min(start, min(each.start for each in cursor.windows))
    windows = []
    end = at
    step_s = _BACK_S if first else _LONGEST_S
    while end > start:
        windows.append(Window(max(start, end - step_s), end))
        end -= step_s
    return Cursor(
        cursor.as_of, tuple(windows), at - start, first or (cursor.backfill and bool(cursor.windows)), at
    )


def _halved(cursor: Cursor) -> Cursor:
    """The newest window as two: PayPal gives out no more than 10,000 rows of one search."""
    window, rest = cursor.windows[0], cursor.windows[1:]
    middle = (window.start + window.end) // 2
    return msgspec.structs.replace(
        cursor, windows=(Window(middle, window.end), Window(window.start, middle), *rest)
    )


def _params(window: Window) -> dict[str, str]:
    return {
        "start_date": iso(from_epoch(window.start)),
        "end_date": iso(from_epoch(window.end)),
        "fields": "transaction_info",
        # The default leaves out what was denied.
        "balance_affecting_records_only": "N",
        "page_size": str(_PAGE),
        "page": str(window.page),
    }


def _facts(infos: list[wire.TransactionInfo], account: str) -> Facts:
    attempts: list[Attempt] = []
    refunds: list[Refund] = []
    for info in infos:
        code = info.transaction_event_code or ""
        if code in _REFUND:
            refunds += kept(_refund(info, account))
        elif code.startswith(_PAYMENT) and code not in _NO_PURCHASE:
            attempts += kept(_attempt(info, account))
    return Facts(attempts=tuple(attempts), refunds=tuple(refunds))


def _attempt(info: wire.TransactionInfo, account: str) -> Attempt | None:
    own_id, status = info.transaction_id, _STATUS.get(info.transaction_status or "")
    amount, currency = amounts.read(info.transaction_amount)
    at = time(info.transaction_initiation_date)
    # Below zero we paid somebody; nothing is a verification.
    if not own_id or status is None or at is None or (amount is not None and amount <= 0):
        return None
    about, kind = info.paypal_reference_id, info.paypal_reference_id_type
    authorization = about if kind == "TXN" else None
    return Attempt(
        account=account,
        attempt_id=authorization or own_id,
        at=at,
        status=status,
        # An event about it is later, whatever the clocks: it knows more.
        changed_at=at - _WEAKER,
        payment_id=about if kind == "ODR" else authorization,
        customer=info.paypal_account_id,
        amount_minor=amount,
        currency=currency,
        initiated_by="renewal" if info.transaction_event_code == _SUBSCRIPTION else None,
        captured=True if status == "succeeded" else None,
        order_id=info.invoice_id or info.custom_field,
    )


def _refund(info: wire.TransactionInfo, account: str) -> Refund | None:
    amount, currency = amounts.read(info.transaction_amount)
    at = time(info.transaction_initiation_date)
    if not info.transaction_id or amount is None or currency is None or at is None:
        return None
    of = info.paypal_reference_id if info.paypal_reference_id_type in (None, "TXN") else None
    return Refund(
        account=account,
        refund_id=info.transaction_id,
        payment_id=of,
        at=at,
        status=_REFUND_STATUS.get(info.transaction_status or "", "unknown"),
        amount_minor=abs(amount),
        currency=currency,
        attempt_id=of,
        changed_at=at - _WEAKER,
    )


def _load(text: str | None) -> Cursor:
    if text is not None:
        try:
            return msgspec.json.decode(text, type=Cursor)
        except msgspec.DecodeError:
            pass
    return Cursor()
