"""Subscriptions that owe, cannot be charged, or whose bill is stuck: which they are, and the signals of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from payops.config import AccountSettings
from payops.domain.feeds import SIGHT
from payops.domain.incidents import Value
from payops.domain.payments import OWING, Invoice, Provider, Subscription
from payops.store import Owing, Store

from .rows import Whose, account_labels, age_s
from .schema import SignalRow
from .success import seen_at

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
OWN_TRY = timedelta(days=4)
"""Within this a provider tries again by itself."""
METHODS_TOLD: frozenset[Provider] = frozenset({"stripe", "braintree"})
"""Providers that tell whether a subscription has a method to be charged."""
INVOICES_OF: frozenset[Provider] = frozenset({"stripe"})
"""Providers that bill with invoices."""


def past_due(store: Store, account: Whose, now: datetime) -> tuple[Subscription, ...]:
    """Subscriptions that owe and are not known to lack a method, the longest owing first.

    One that payops gave a method to is left to the provider's own next try.
    """
    found = _owing(store, account, "subscription-past-due")
    given = _given_a_method(store, account, now) if found else frozenset()
    return tuple(
        each for each in found if each.has_payment_method is not False and each.subscription_id not in given
    )


def unpayable(store: Store, account: Whose, now: datetime) -> tuple[Subscription, ...]:
    """Subscriptions that came to owe in the last week and have no method to be charged, the longest owing first."""
    found = _owing(store, account, "subscription-no-payment-method")
    return tuple(
        each
        for each in found
        if each.has_payment_method is False and each.owing_since is not None and each.owing_since > now - WEEK
    )


def stuck_invoices(store: Store, account: Whose, now: datetime) -> tuple[Invoice, ...]:
    """Bills that could not be finalized, so that nobody will collect them, oldest first."""
    closed = store.incidents.closed_at(account.name, "subscription-invoice-stuck")
    found = [
        each
        for each in store.facts.invoices(account.name, ["draft"])
        if each.finalization_error is not None and (closed is None or each.changed_at > closed)
    ]
    return tuple(sorted(found, key=lambda each: (each.at, each.invoice_id)))


def past_due_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `past_due_subscriptions` signal of one account."""
    closed = store.incidents.closed_at(account.name, "subscription-past-due")
    edges = (now - HOUR, now - DAY)
    found = store.facts.owing(account.name, closed, edges)
    if found.n and _given_a_method(store, account, now):
        left = [each.owing_since for each in past_due(store, account, now) if each.owing_since is not None]
        found = Owing(
            len(left), tuple(sum(at > edge for at in left) for edge in edges), min(left, default=None)
        )
    values: dict[str, Value | None] = {"count": found.n}
    for (name, span), owing in zip((("1h", HOUR), ("24h", DAY)), found.since, strict=True):
        _, collected = store.facts.renewals(account.name, now - span, now + timedelta(seconds=1))
        values[f"count_{name}"] = owing
        values[f"collected_{name}"] = collected
        values[f"share_{name}"] = owing / (owing + collected) if owing + collected else None
    # Where declines leave no trace, what is seen of renewals has no share of refused ones.
    told = SIGHT[account.provider].all_declines
    n, good = store.facts.renewals(account.name, now - WEEK, now - DAY) if told else (0, 0)
    values["usual_n"] = n
    values["usual"] = (n - good) / n if n else None
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def unpayable_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `unpayable_subscriptions` signal of one account; unknown where the provider does not tell of methods."""
    if account.provider not in METHODS_TOLD:
        return SignalRow(account_labels(account), dict.fromkeys(("count", "count_1h", "oldest_s")), None)
    closed = store.incidents.closed_at(account.name, "subscription-no-payment-method")
    after = now - WEEK if closed is None else max(closed, now - WEEK)
    found = store.facts.unpayable(account.name, after, (now - HOUR,))
    values = {"count": found.n, "count_1h": found.since[0], "oldest_s": age_s(found.oldest, now) or 0}
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def stuck_row(store: Store, account: AccountSettings, now: datetime) -> SignalRow:
    """The `stuck_invoices` signal of one account; unknown where the provider bills without invoices."""
    if account.provider not in INVOICES_OF:
        return SignalRow(account_labels(account), dict.fromkeys(("count", "oldest_s", "code")), None)
    found = stuck_invoices(store, account, now)
    values: dict[str, Value | None] = {
        "count": len(found),
        "oldest_s": max((age_s(each.at, now) or 0 for each in found), default=0),
        "code": (found[-1].finalization_error or "") if found else "",
    }
    return SignalRow(account_labels(account), values, seen_at(store, account, now))


def _given_a_method(store: Store, account: Whose, now: datetime) -> frozenset[str]:
    recent = store.incidents.attempts_since(account.name, "attach-payment-method", now - OWN_TRY)
    return frozenset(name for each in recent for name in json.loads(each.progress).get("done", {}))


def _owing(store: Store, account: Whose, rule: str) -> list[Subscription]:
    """Those whose bill is unpaid, but for what a person closed with an incident of `rule`, the longest owing first."""
    closed = store.incidents.closed_at(account.name, rule)
    found = [
        each
        for each in store.facts.subscriptions(account.name, OWING)
        # One that was suspended on request owes nothing.
        if (each.status != "suspended" or (each.outstanding_minor or 0) > 0)
        and (closed is None or each.owing_since is None or each.owing_since > closed)
    ]
    return sorted(
        found, key=lambda each: (each.owing_since is None, each.owing_since or each.at, each.subscription_id)
    )
