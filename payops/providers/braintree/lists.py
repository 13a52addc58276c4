"""The feeds beside the transactions: subscriptions, disputes, and the state of the merchant's accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from payops.clock import to_epoch
from payops.domain.errors import ProviderError
from payops.domain.events import AccountState, Facts, FeedPage
from payops.domain.payments import Dispute, Subscription
from payops.providers.port import FeedSpec

from . import members, normalise, refunded, search, wire
from .session import Reader

T = TypeVar("T", bound=msgspec.Struct)
_EVERY_S = 120
_TURN = {"past_due": 10, "active": 40}
"""So many of each list are read again at each poll; of one past due its payment method too."""
_DISPUTE_PAGES = 20
_LEAVERS = 10
_ACCOUNT_PAGES = 10
OPEN_DISPUTES = ("open", "disputed", "under_review")
SUBSCRIPTION_LISTS: dict[str, search.Criteria] = {
    "past_due": {"status": ["Past Due"]},
    "active": {"status": ["Active", "Pending"]},
}
SUBSCRIPTIONS = FeedSpec(
    "subscriptions", _EVERY_S, 4, "subscriptions past due, without a payment method, and those that end", 60
)
DISPUTES = FeedSpec("disputes", 300, 1, "open disputes and their deadlines", 60)
ACCOUNT = FeedSpec("account", 300, 1, "whether a merchant account is active or suspended", 0)


class _SubscriptionsCursor(msgspec.Struct, frozen=True):
    lists: dict[str, members.Members] = {}
    after: dict[str, str] = {}
    """List → the subscription up to which the round of re-reading came."""
    read_at: int | None = None


class _DisputesCursor(msgspec.Struct, frozen=True):
    open: tuple[str, ...] = ()


def subscriptions(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """What came to or left the lists of past due and active ones; then some of each list in turn.

    Nothing lists subscriptions by their last change, so balance and payment method show only when one is re-read.
    """
    reader.require_known_mode()
    at = to_epoch(now)
    cursor = _decoded(text, _SubscriptionsCursor)
    lists = {name: cursor.lists.get(name) or members.Members() for name in SUBSCRIPTION_LISTS}
    found: list[dict[str, Any]] = []
    after, read_at = dict(cursor.after), cursor.read_at
    name = next((name for name, each in lists.items() if each.due(at, _EVERY_S // 2)), None)
    if name is not None:
        lists[name], found = members.step(
            reader, search.SUBSCRIPTIONS, SUBSCRIPTION_LISTS[name], lists[name], at
        )
    else:
        asked: list[str] = []
        for name, known in lists.items():
            turn = _turn(known.ids, cursor.after.get(name), _TURN[name])
            after |= {name: turn[-1]} if turn else {}
            asked += turn
        found = search.fetch(reader, search.SUBSCRIPTIONS, asked) if asked else []
        read_at = at
    more = any(each.due(at, _EVERY_S // 2) for each in lists.values()) or read_at != at
    return FeedPage(
        feed=SUBSCRIPTIONS.name,
        read=len(found),
        requests=reader.requests,
        cursor=msgspec.json.encode(_SubscriptionsCursor(lists, after, read_at)).decode(),
        more=more,
        data_as_of=None if more else now,
        request_id=reader.request_id,
        facts=_stated(reader, found, now),
    )


def subscription(reader: Reader, found: Mapping[str, Any], now: datetime) -> Subscription | None:
    """A subscription just read; of one past due also whether what pays it still exists."""
    known = normalise.subscription(found, reader.session.account, read_at=min(now, reader.at or now))
    token = found.get("payment_method_token")
    if known is None or known.status != "past_due" or known.has_payment_method is not None:
        return known
    return replace(known, has_payment_method=_exists(reader, token))


def _stated(reader: Reader, found: list[dict[str, Any]], now: datetime) -> Facts:
    """The subscriptions, and the charges shown in them as attempts."""
    known = [each for each in (subscription(reader, each, now) for each in found) if each is not None]
    shown = [wire.mapping(each) for one in found for each in wire.items(one.get("transactions"))]
    charged = [each for each in shown if wire.identifier(each.get("id")) is not None]
    return replace(refunded.facts(reader, charged), subscriptions=tuple(known))


def _exists(reader: Reader, token: object) -> bool | None:
    """Whether a payment method is in the vault; None where this key is not told."""
    if not isinstance(token, str) or not search.ID.fullmatch(token):
        return None
    try:
        reader.get(f"/payment_methods/any/{token}")
    except ProviderError as error:
        if error.http_status == 404:
            return False
        if error.bucket in ("permission", "invalid_request"):
            return None
        raise
    return True


def disputes(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """All open disputes, and how those ended that were open before (at most ten of them at once)."""
    reader.require_known_mode()
    cursor = _decoded(text, _DisputesCursor)
    account = reader.session.account
    listed: dict[str, Dispute] = {}
    read, ids = 0, set[str]()
    for page in range(1, _DISPUTE_PAGES + 1):
        # Not the SDK's `dispute.search`: it keeps the criteria on an object all threads share.
        answer = reader.post(
            f"/disputes/advanced_search?page={page}", {"search": {"status": list(OPEN_DISPUTES)}}
        )
        if answer.root.tag != "disputes":
            raise reader.session.error("outage", "Braintree's answer holds no disputes", answer)
        shown = [wire.fields(each, normalise.DISPUTE) for each in answer.root.iterfind("dispute")]
        known = len(ids)
        for each in shown:
            ids.add(str(each.get("id")))
            found = normalise.dispute(each, account)
            if found is not None:
                listed[found.dispute_id] = found
        read += len(shown)
        total = wire.number(answer.root.findtext("total-items")) or 0
        if not shown or len(ids) >= total:
            break
        if len(ids) == known:
            raise reader.session.error("outage", "Braintree's list of disputes repeats itself", answer)
    left = [each for each in cursor.open if each not in listed]
    ended = [found for each in left[:_LEAVERS] if (found := _dispute(reader, each)) is not None]
    return FeedPage(
        feed=DISPUTES.name,
        read=read,
        requests=reader.requests,
        cursor=msgspec.json.encode(_DisputesCursor((*left[_LEAVERS:], *listed)[: members.MOST])).decode(),
        more=len(left) > _LEAVERS,
        data_as_of=now,
        request_id=reader.request_id,
        facts=Facts(disputes=(*listed.values(), *ended)),
    )


def account(reader: Reader, text: str | None, now: datetime) -> FeedPage:
    """Whether the merchant's accounts may take money. A suspended one, or a default that is not active, may not."""
    reader.require_known_mode()
    seen: dict[str, dict[str, Any]] = {}
    for page in range(1, _ACCOUNT_PAGES + 1):
        answer = reader.get(f"/merchant_accounts/?page={page}")
        if answer.root.tag != "merchant-accounts":
            raise reader.session.error("outage", "Braintree's answer holds no merchant accounts", answer)
        shown = [wire.mapping(wire.plain(each)) for each in answer.root.iterfind("merchant-account")]
        known = len(seen)
        seen |= {str(each.get("id")): dict(each) for each in shown}
        total = wire.number(answer.root.findtext("total-items")) or 0
        if not shown or len(seen) >= total:
            break
        if len(seen) == known:
            raise reader.session.error(
                "outage", "Braintree's list of merchant accounts repeats itself", answer
            )
    return FeedPage(
        feed=ACCOUNT.name,
        read=len(seen),
        requests=reader.requests,
        data_as_of=now,
        request_id=reader.request_id,
        account_state=_state(list(seen.values()), reader.session.account, now),
    )


def _state(accounts: list[dict[str, Any]], account: str, now: datetime) -> AccountState:
    off = [
        each
        for each in accounts
        if each.get("status") == "suspended"
        or (each.get("default") is True and each.get("status") != "active")
    ]
    told = [each for each in accounts if each.get("status") is not None]
    reasons = [f"merchant account {each.get('id')} is {each.get('status')}" for each in off]
    return AccountState(
        account=account,
        at=now,
        charges_enabled=False if off else True if told else None,
        reason="; ".join(reasons)[:300] or None,
    )


def _dispute(reader: Reader, dispute_id: str) -> Dispute | None:
    try:
        answer = reader.get(f"/disputes/{dispute_id}")
    except ProviderError as error:
        if error.bucket == "invalid_request":
            return None
        raise
    return normalise.dispute(wire.fields(answer.root, normalise.DISPUTE), reader.session.account)


def _turn(ids: Sequence[str], after: str | None, most: int) -> list[str]:
    """The next in the round over all ids; from the start when its last place is gone."""
    start = ids.index(after) + 1 if after is not None and after in ids else 0
    return list(ids[start:] or ids)[:most]


def _decoded(text: str | None, kind: type[T]) -> T:
    if text is None:
        return kind()
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError:
        return kind()
