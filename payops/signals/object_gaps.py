"""What should have reached an endpoint of ours and did not: of the events listed, and of the objects themselves.

The second witness finds what no list has: events that were never made, and those of a provider without a list. It is
careful: an event that need not have been sent is no gap. It reads much, so it is for who asks and not for every tick.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from payops.config import AccountSettings, EndpointSettings
from payops.domain import deadlines
from payops.domain.abilities import CANNOT
from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import WebhookEvent
from payops.domain.feeds import EVENT_LIST
from payops.domain.money import Money, totals
from payops.domain.payments import Provider
from payops.store import Store

from . import webhooks
from .inboxes import Own, inbox_of

GRACE = timedelta(hours=1)
"""An object younger than this may still get its event."""
ENOUGH = 20
"""So many payments of one method must have had an event before its absence means anything."""
MOST = 10_000

NEVER_MADE = "it exists, and no event of it was listed or received: the provider may never have made one"
NOT_OF_THIS_APP = "no event of it was listed or received: another app of the merchant may have made it"
NOT_SENT = "such events reach this endpoint, and of this one none did"
NOT_SETTLED = "payments of its kind had their event long before this age; it may also not have settled yet"
_OURS_ONLY = "what the application behind this endpoint received is not known here"
_NOTHING_YET = "no event was received here yet: what is missing cannot be told"
_UNREAD_INBOX = "the application's inbox was not read yet, or has no event that can be used"
_IDS_ONLY = "the application's inbox tells events by id, not what they speak of"
_UNREAD = "the provider's list of events was not read to its end yet"

_STRIPE_CHARGE = ("charge.succeeded", "charge.failed", "charge.pending")


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of one type that did not come. `ids` are of the events, or of the objects that have none.

    `certain` False: another explanation than a lost event is left, and `why` names it. `gives_up_at` and
    `resend_until` are estimates for the oldest one, None where there is nothing to be delivered or resent.
    """

    type: str
    ids: tuple[str, ...]
    money: tuple[Money, ...]
    first_at: datetime
    last_at: datetime
    gives_up_at: datetime | None
    resend_until: datetime | None
    certain: bool
    why: str


@dataclass(frozen=True, slots=True)
class Gaps:
    """Both witnesses of one endpoint. None = it cannot be told, and `*_unknown` says why."""

    account: str
    endpoint: str
    since: datetime | None
    events: tuple[Gap, ...] | None
    events_unknown: str
    objects: tuple[Gap, ...] | None
    objects_unknown: str


@dataclass(frozen=True, slots=True)
class _Object:
    id: str
    at: datetime
    money: Money | None


def read(store: Store, account: AccountSettings, endpoint: EndpointSettings, now: datetime) -> Gaps:
    """Judged from its first event on; of an application whose inbox is not known here nothing is claimed."""
    inbox = inbox_of(store, account, endpoint)
    since = None if inbox is None else inbox.judged_from()
    if inbox is None or since is None:
        why = _OURS_ONLY if inbox is None else _NOTHING_YET if inbox.words == Own.words else _UNREAD_INBOX
        never = inbox and CANNOT[account.provider].get("list_events")
        return Gaps(account.name, endpoint.name, None, None, never or why, None, why)
    listed = EVENT_LIST[account.provider]
    if listed is None:
        why = CANNOT[account.provider].get("list_events", "")
        if not account.receives(endpoint):
            return Gaps(account.name, endpoint.name, since, None, why, None, _IDS_ONLY)
        found = _unlisted(store, account, endpoint, since, now)
        return Gaps(account.name, endpoint.name, since, None, why, found, "")
    window = webhooks.window(store, account, endpoint, now)
    feed = store.facts.feed(account.name, listed)
    if window is None or feed is None or feed.more:
        return Gaps(account.name, endpoint.name, since, None, _UNREAD, None, _UNREAD)
    types, start, until = window
    where = f"listed by the provider and not in {inbox.words}"
    events = _of_events(account, inbox.missing(types, start, until, limit=MOST), where)
    if not account.receives(endpoint):
        return Gaps(account.name, endpoint.name, since, events, "", None, _IDS_ONLY)
    if webhooks.at_provider(store, account, endpoint) is None:
        why = "the provider knows no endpoint with this URL: no event need come"
        return Gaps(account.name, endpoint.name, since, events, "", None, why)
    objects = _listed(store, account, types, start, min(until, now - GRACE))
    return Gaps(account.name, endpoint.name, since, events, "", objects, "")


def _of_events(account: AccountSettings, missing: Sequence[WebhookEvent], why: str) -> tuple[Gap, ...]:
    by_type: dict[str, list[WebhookEvent]] = defaultdict(list)
    for event in missing:
        by_type[event.type].append(event)
    found = []
    for name, events in sorted(by_type.items()):
        ends = deadlines.of_event(account.provider, account.mode, events[0].created_at)
        worth = {
            event.object_id or event.event_id: Money(event.amount_minor, event.currency.upper())
            for event in events
            if event.amount_minor is not None and event.currency
        }
        found.append(
            Gap(
                name,
                tuple(event.event_id for event in events),
                totals(worth.values()),
                events[0].created_at,
                events[-1].created_at,
                ends.gives_up_at,
                ends.resend_until,
                True,
                why,
            )
        )
    return tuple(found)


def _listed(
    store: Store, account: AccountSettings, subscribed: Sequence[str], since: datetime, until: datetime
) -> tuple[Gap, ...]:
    """Objects without any event, where the provider lists its events and tells what the endpoint gets."""
    name = account.name
    if account.provider == "stripe":
        expected = [
            ("charge.succeeded", _payments(store, name, "succeeded", since, until), _STRIPE_CHARGE),
            ("charge.failed", _payments(store, name, "failed", since, until), _STRIPE_CHARGE),
            ("refund.created", _refunds(store, name, since, until), _starting("stripe", "refund.")),
            (
                "charge.dispute.created",
                _disputes(store, name, since, until),
                _starting("stripe", "charge.dispute."),
            ),
        ]
        certain, why = True, NEVER_MADE
    else:
        # A refund's event names a sale's refund by another type than those read: nothing is said of refunds.
        expected = [
            (
                "PAYMENT.CAPTURE.COMPLETED",
                _payments(store, name, "succeeded", since, until),
                _starting("paypal", "PAYMENT."),
            ),
            (
                "CUSTOMER.DISPUTE.CREATED",
                _disputes(store, name, since, until),
                _starting("paypal", "CUSTOMER."),
            ),
        ]
        certain, why = False, NOT_OF_THIS_APP
    found = [
        _gap(type_, _without(store, name, objects, witnesses), certain=certain, why=why)
        for type_, objects, witnesses in expected
        if type_ in subscribed
    ]
    return tuple(gap for gap in found if gap is not None)


def _unlisted(
    store: Store, account: AccountSettings, endpoint: EndpointSettings, since: datetime, now: datetime
) -> tuple[Gap, ...]:
    """Braintree: only types that have come before, as it does not tell what an endpoint is subscribed to."""
    name, come = account.name, store.facts.types_received(account.name)
    tries, until = deadlines.gives_up(account.provider, account.mode), now - GRACE
    found: list[Gap | None] = []
    span = webhooks.shown_window(store, account, endpoint, now)
    if span is not None:
        found += _shown(store.facts.untold(name, *span, MOST), tries.after)
    elif "transaction_settled" in come:
        paid = store.facts.payments_between(name, "succeeded", since, until)
        took = store.facts.told_after(name, "transaction_settled")
        overdue = [
            _Object(attempt_id, at, money)
            for attempt_id, at, money, method in paid
            if method in took and took[method][0] >= ENOUGH and at + 2 * took[method][1] <= until
        ]
        ends = tries.after + max((longest for _, longest in took.values()), default=timedelta())
        late = _without(store, name, overdue, ("transaction_settled", "transaction_settlement_declined"))
        found.append(_gap("transaction_settled", late, certain=False, why=NOT_SETTLED, tried_for=ends))
    if "dispute_opened" in come:
        opened = _without(
            store, name, _disputes(store, name, since, until), _starting("braintree", "dispute_")
        )
        found.append(_gap("dispute_opened", opened, certain=True, why=NOT_SENT, tried_for=tries.after))
    for type_, status in (
        ("subscription_charged_successfully", "succeeded"),
        ("subscription_charged_unsuccessfully", "failed"),
    ):
        if type_ in come:
            charges = _charges(store, name, type_, status, since, until)
            found.append(_gap(type_, charges, certain=True, why=NOT_SENT, tried_for=tries.after))
    return tuple(gap for gap in found if gap is not None)


def _shown(untold: Sequence[WebhookEvent], tried_for: timedelta) -> Iterable[Gap | None]:
    by_type: dict[str, list[_Object]] = defaultdict(list)
    for event in untold:
        money = (
            Money(event.amount_minor, event.currency.upper())
            if event.amount_minor is not None and event.currency
            else None
        )
        by_type[event.type].append(_Object(event.object_id or "", event.created_at, money))
    return [
        _gap(type_, objects, certain=True, why=NOT_SENT, tried_for=tried_for)
        for type_, objects in sorted(by_type.items())
    ]


def _charges(
    store: Store, account: str, type_: str, status: str, since: datetime, until: datetime
) -> list[_Object]:
    """Renewals of a known subscription with no event of this type that names it about that time."""
    owners: dict[tuple[str, int, str], list[str]] = defaultdict(list)
    for each in store.facts.subscriptions(account):
        if each.customer and each.amount_minor is not None and each.currency:
            owners[each.customer, each.amount_minor, each.currency.upper()].append(each.subscription_id)
    told = store.facts.told_of(account, type_)
    missing = []
    for attempt_id, at, money, customer in store.facts.renewals_between(account, status, since, until):
        names = owners.get((customer, money.amount_minor, money.currency), ())
        # Two alike cannot be told apart: nothing is said of them.
        if len(names) == 1 and not any(at - GRACE <= when <= at + GRACE for when in told.get(names[0], ())):
            missing.append(_Object(attempt_id, at, money))
    return missing


def _gap(
    type_: str,
    objects: Sequence[_Object],
    *,
    certain: bool,
    why: str,
    tried_for: timedelta | None = None,
) -> Gap | None:
    if not objects:
        return None
    ordered = sorted(objects, key=lambda each: (each.at, each.id))
    first = ordered[0].at
    return Gap(
        type_,
        tuple(each.id for each in ordered),
        totals(each.money for each in ordered if each.money is not None),
        first,
        ordered[-1].at,
        None if tried_for is None else first + tried_for,
        None,
        certain,
        why,
    )


def _without(
    store: Store, account: str, objects: Iterable[_Object], witnesses: Sequence[str]
) -> list[_Object]:
    known = list(objects)
    named = store.facts.named_by(account, witnesses, [each.id for each in known])
    return [each for each in known if each.id not in named]


def _payments(store: Store, account: str, status: str, since: datetime, until: datetime) -> list[_Object]:
    return [
        _Object(attempt_id, at, money)
        for attempt_id, at, money, _ in store.facts.payments_between(account, status, since, until)
    ]


def _refunds(store: Store, account: str, since: datetime, until: datetime) -> list[_Object]:
    return [
        _Object(each.refund_id, each.at, Money(each.amount_minor, each.currency.upper()))
        for each in store.facts.refunds(account, since)
        if each.at <= until
    ]


def _disputes(store: Store, account: str, since: datetime, until: datetime) -> list[_Object]:
    return [
        _Object(each.dispute_id, each.at, Money(each.amount_minor, each.currency.upper()))
        for each in store.facts.disputes(account)
        if since <= each.at <= until
    ]


def _starting(provider: Provider, prefix: str) -> tuple[str, ...]:
    return tuple(name for name in EVENT_TYPES[provider] if name.startswith(prefix))
