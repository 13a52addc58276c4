"""The single objects behind an incident: their ids, money, deadlines, and what may be done about them, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from payops.domain.gaps import amounts
from payops.domain.money import Money, totals
from payops.domain.payments import Attempt, Provider, Refund, Subscription
from payops.domain.refunds import CONTESTED, NOT_THIS_CARD, went_through
from payops.store import Store
from payops.text import safe_line

from . import authorizations, disputes, duplicates, payouts, refunds, subscriptions
from .rows import Whose
from .words import plural

SHOWN = 6
"""So many objects are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One object. `said` is what is wrong with it, `until` its deadline (None = not known, or none).

    `advice`: what ends it, where that is not the same for all of its kind.
    """

    name: str
    said: str
    at: datetime
    money: Money | None = None
    customer: str | None = None
    until: datetime | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class AtAccount:
    """Whose objects, where only the name and the provider are at hand."""

    name: str
    provider: Provider


def troubles(store: Store, account: Whose, source: str, now: datetime) -> tuple[Trouble, ...] | None:
    """The objects a signal counts now, oldest or most urgent first; None for a signal that counts no objects."""
    find = _OF.get(source)
    return None if find is None else find(store, account, now)


def money_of(found: Sequence[Trouble]) -> tuple[Money, ...]:
    """What they are worth, per currency."""
    return totals(each.money for each in found if each.money is not None)


def listed(found: Sequence[Trouble]) -> str:
    """`re_1 (40.00 EUR, of ch_1, failed: declined), re_2 (…) and 4 more`."""
    shown = [_one(each) for each in found[:SHOWN]]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{', '.join(shown)}{more}"


def account_of(source: str, found: Sequence[Trouble]) -> str:
    """What stands, as a sentence with its money and its advice; that nothing does, where it is so."""
    one = _NOUNS[source]
    if not found:
        return f"No {one} stands any more."
    worth = money_of(found)
    money = f" worth {amounts(worth)}" if worth else ""
    special = "".join(f" {_sentence(each)}" for each in dict.fromkeys(each.advice for each in found) if each)
    return f"{plural(len(found), one)}{money}: {listed(found)}.{special} {_ADVICE[source]}"


def deadlines(store: Store, account: Whose, now: datetime) -> tuple[tuple[datetime, str], ...]:
    """The soonest deadline of each kind still ahead at an account, and what is lost or over by then."""
    soonest = []
    for source, said in _DEADLINES.items():
        ahead = [
            each for each in troubles(store, account, source, now) or () if each.until and each.until > now
        ]
        if ahead:
            first = min(ahead, key=lambda each: (each.until or now, each.name))
            money = f", {first.money}" if first.money else ""
            more = f", {len(ahead) - 1} more later" if len(ahead) > 1 else ""
            name = safe_line(first.name, limit=60)
            soonest.append((first.until or now, f"{account.name}: {said} {name}{money}{more}"))
    return tuple(soonest)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _one(each: Trouble) -> str:
    parts = [] if each.money is None else [str(each.money)]
    parts.append(safe_line(each.said, limit=160))
    if each.until is not None:
        parts.append(f"until {each.until:%Y-%m-%d %H:%M} UTC")
    return f"{safe_line(each.name, limit=60)} ({', '.join(parts)})"


def _money(amount_minor: int | None, currency: str | None) -> Money | None:
    if amount_minor is None or not currency or len(currency) != 3 or not currency.isalpha():
        return None
    return Money(amount_minor, currency.upper())


def _refund(refund: Refund, said: str, until: datetime | None = None, advice: str = "") -> Trouble:
    of = f"of {refund.attempt_id or refund.payment_id or 'a payment not told'}"
    money = _money(refund.amount_minor, refund.currency)
    return Trouble(
        refund.refund_id, f"{of}, {said}", refund.changed_at or refund.at, money, None, until, advice
    )


def _failed_refunds(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    return tuple(_refund(each, _why_failed(each)) for each in refunds.failed(store, account, now))


def _why_failed(refund: Refund) -> str:
    reason = refund.failure_reason or "no reason told"
    if reason in NOT_THIS_CARD:
        return f"failed: {reason}, pay it another way"
    return f"failed: {reason}, do not make it again" if reason in CONTESTED else f"failed: {reason}"


def _stuck_refunds(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    return tuple(
        _refund(
            each,
            f"{each.pending_reason or each.status}, waiting is right"
            if wait.until(each) > now
            else "overdue",
            wait.until(each),
            wait.advice,
        )
        for each, wait in refunds.stuck(store, account, now)
    )


def _excess_refunds(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    found = refunds.excess(store, account, now)
    paid = store.facts.attempts_by_id(account.name, (each.attempt_id for each in found if each.attempt_id))

    def said(refund: Refund) -> str:
        attempt = paid.get(refund.attempt_id or "")
        taken = _money(attempt.amount_minor, attempt.currency) if attempt else None
        what = "given back beyond" if went_through(refund) else "refused, of"
        return f"{what} the {taken} taken" if taken else "beyond what was taken"

    return tuple(_refund(each, said(each)) for each in found)


def _disputes(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    waiting = tuple(
        Trouble(
            each.dispute_id,
            f"{each.reason or 'no reason told'}, of {each.attempt_id or 'a payment not told'}, no reply yet"
            + ("" if each.reply_by else ", deadline not told"),
            each.at,
            _money(each.amount_minor, each.currency),
            None,
            each.reply_by,
        )
        for each in disputes.waiting(store, account, now)
    )
    lost = tuple(
        Trouble(
            each.dispute_id, "lost: nobody replied in time", each.at, _money(each.amount_minor, each.currency)
        )
        for each in disputes.missed(store, account, now)
    )
    return waiting + lost


def _failed_payouts(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            each.payout_id,
            f"failed: {each.failure_code or 'no reason told'}",
            each.changed_at,
            _money(each.amount_minor, each.currency),
        )
        for each in payouts.failed(store, account, now)
    )


def _subscription(each: Subscription, said: str) -> Trouble:
    money = _money(each.outstanding_minor or each.amount_minor, each.currency)
    return Trouble(each.subscription_id, said, each.owing_since or each.changed_at, money, each.customer)


def _past_due(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    newest = sorted(
        subscriptions.past_due(store, account, now),
        key=lambda each: each.owing_since or each.at,
        reverse=True,
    )
    return tuple(
        _subscription(
            each,
            f"{plural(each.failed_payments, 'refusal')} in a row" if each.failed_payments else each.status,
        )
        for each in newest
    )


def _unpayable(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    found = subscriptions.unpayable(store, account, now)
    return tuple(_subscription(each, f"{each.status}, no payment method") for each in found)


def _stuck_invoices(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            each.invoice_id,
            f"of {each.subscription_id or 'no subscription told'}, draft: {each.finalization_error}",
            each.at,
            _money(each.amount_due_minor, each.currency),
        )
        for each in subscriptions.stuck_invoices(store, account, now)
    )


def _duplicates(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            each.second.attempt_id,
            f"paid again {_minutes(each.first, each.second)} after {each.first.attempt_id}, order "
            f"{each.second.order_id or 'not told'}",
            each.second.at,
            _money(each.second.amount_minor, each.second.currency),
            each.second.customer,
        )
        for each in duplicates.listed(store, account, now)
    )


def _minutes(first: Attempt, second: Attempt) -> str:
    seconds = int((second.at - first.at).total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _authorizations(store: Store, account: Whose, now: datetime) -> tuple[Trouble, ...]:
    return tuple(
        Trouble(
            each.attempt_id,
            f"order {each.order_id or 'not told'}, not captured",
            each.at,
            _money(each.amount_minor, each.currency),
            each.customer,
            each.capture_before,
        )
        for each in authorizations.expiring(store, account, now)
    )


_OF: dict[str, Callable[[Store, Whose, datetime], tuple[Trouble, ...]]] = {
    "failed_refunds": _failed_refunds,
    "stuck_refunds": _stuck_refunds,
    "excess_refunds": _excess_refunds,
    "disputes": _disputes,
    "failed_payouts": _failed_payouts,
    "past_due_subscriptions": _past_due,
    "unpayable_subscriptions": _unpayable,
    "stuck_invoices": _stuck_invoices,
    "duplicates": _duplicates,
    "authorizations": _authorizations,
}
_DEADLINES: dict[str, str] = {
    "disputes": "no reply by then loses dispute",
    "authorizations": "the money is let go of authorization",
    "stuck_refunds": "waiting is no longer right for refund",
}
_NOUNS: dict[str, str] = {
    "failed_refunds": "failed refund",
    "stuck_refunds": "waiting refund",
    "excess_refunds": "refund beyond its limit",
    "disputes": "dispute",
    "failed_payouts": "failed payout",
    "past_due_subscriptions": "unpaid subscription",
    "unpayable_subscriptions": "subscription without a payment method",
    "stuck_invoices": "invoice that cannot be finalized",
    "duplicates": "second charge",
    "authorizations": "authorization about to end",
}
_ADVICE: dict[str, str] = {
    "failed_refunds": "Sum what has gone back already before one is made again; a lost or expired card is paid "
    "another way.",
    "stuck_refunds": "Waiting is right until the time beside each; making one again pays twice.",
    "excess_refunds": "Make none again as it was: find out what the buyer was promised and what went back already.",
    "disputes": "No reply in time is lost; a refund does not end a dispute and pays twice.",
    "failed_payouts": "The money is back in the balance; it goes out once the bank details are right.",
    "past_due_subscriptions": "The newest first; look at why they were refused before anything is collected.",
    "unpayable_subscriptions": "Only a method the customer has set for this may be used.",
    "stuck_invoices": "What the error names has to be put right before it can be finalized.",
    "duplicates": "The second one goes back, not the first, unless the buyer took both.",
    "authorizations": "Capture what will be delivered and let the rest go before it ends.",
}
