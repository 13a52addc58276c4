"""Who and how much an incident hurts, since when, and how that was counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from payops.domain.gaps import paid, worth
from payops.domain.incidents import Impact, Incident
from payops.domain.money import Money, totals
from payops.domain.plans import plan_of
from payops.domain.stripe_events import EVENT_TYPES
from payops.store import FirstAttempt, Store

from .onset import onset
from .success import baseline
from .webhooks import GRACE

MOST = 5_000


def impact(store: Store, incident: Incident, now: datetime) -> Impact:
    """What is known of the harm at `now`, or at the end of a resolved incident; None = unknown, and why."""
    end = incident.resolved_at or now
    if incident.challenge == "transaction_fail":
        return _failures(store, incident, end)
    if incident.challenge == "webhook_miss":
        return _gap(store, incident, end)
    if incident.challenge in ("api_auth", "wrong_environment"):
        return Impact(
            incident.opened_at,
            None,
            None,
            method="payops's monitor credential sees nothing while this lasts; payments go through the "
            "application's own key, which was not verified",
        )
    return Impact(incident.opened_at, None, None, method="this kind of incident has no count of payments")


def _failures(store: Store, incident: Incident, end: datetime) -> Impact:
    """First attempts failed beyond the expected since the onset, and what they were worth."""
    expected = baseline(store, incident.account, incident.opened_at)
    if expected is None:
        return Impact(
            incident.opened_at,
            None,
            None,
            method="there is too little history to say how many failures are usual",
        )
    since = onset(store, incident.account, 1 - expected.share, incident.opened_at)
    minutes = store.facts.minutes(incident.account, since, end + timedelta(minutes=1))
    n = sum(count for _, count, _ in minutes)
    failed = n - sum(good for _, _, good in minutes)
    beyond = max(0, round(failed - n * (1 - expected.share)))
    attempts = store.facts.first_attempts(incident.account, since, MOST)
    lost = [attempt for attempt in attempts if not attempt.succeeded and attempt.at <= end]
    at_least = "at least, as only the newest are summed; " if len(attempts) == MOST else ""
    return Impact(
        since=since,
        payments=beyond,
        customers=len({attempt.customer for attempt in lost if attempt.customer}) or None,
        money=_share(lost, beyond, failed),
        method=f"{at_least}{failed} of {n} first attempts failed, {1 - expected.share:.1%} of them expected from the "
        f"{expected.n} of the day before; the onset is the minute from which failures ran above that; customers are "
        "all who failed",
    )


def _share(lost: list[FirstAttempt], beyond: int, failed: int) -> tuple[Money, ...]:
    """The part of the failed money that is beyond the expected, rounded down."""
    if not failed:
        return ()
    sums = totals(
        Money(attempt.amount_minor, attempt.currency.upper())
        for attempt in lost
        if attempt.amount_minor is not None and attempt.currency
    )
    return tuple(Money(money.amount_minor * min(beyond, failed) // failed, money.currency) for money in sums)


def _gap(store: Store, incident: Incident, end: datetime) -> Impact:
    """Paid purchases whose events are missing; after a resend, those the plan was to bring."""
    plans = [plan_of(attempt.plan) for attempt in store.incidents.attempts(incident.id)]
    resent = max((plan for plan in plans if plan.money), key=lambda plan: plan.targets, default=None)
    since = store.inbox.first_verified_at(incident.account)
    feed = store.facts.feed(incident.account, "events")
    if incident.state == "resolved" and resent is not None:
        return Impact(
            incident.opened_at,
            None,
            None,
            resent.money,
            f"{resent.targets} calls were planned to bring the missing events; their paid purchases are summed once",
        )
    if since is None or feed is None or feed.data_as_of is None:
        return Impact(
            incident.opened_at,
            None,
            None,
            method="nothing was received here yet, so what is missing cannot be told",
        )
    events = store.facts.missing_events(
        incident.account, _types(store, incident.account), since, min(end - GRACE, feed.data_as_of)
    )
    return Impact(
        since=events[0].created_at if events else incident.opened_at,
        payments=len(paid(events)),
        customers=None,
        money=worth(events),
        method=f"{len(events)} events the provider lists are not in our inbox; each paid purchase among them is "
        "counted once",
    )


def _types(store: Store, account: str) -> tuple[str, ...]:
    subscribed = {name for endpoint in store.facts.endpoints(account) for name in endpoint.event_types}
    if not subscribed or "*" in subscribed:
        return EVENT_TYPES
    return tuple(name for name in EVENT_TYPES if name in subscribed)
