"""Who and how much an incident hurts, since when, and how that was counted."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import NamedTuple

from payops.clock import from_epoch
from payops.domain.counting import Family
from payops.domain.event_types import EVENT_TYPES
from payops.domain.feeds import EVENT_LIST
from payops.domain.gaps import paid, worth
from payops.domain.incidents import FixAttempt, Impact, Incident
from payops.domain.money import Money
from payops.domain.plans import plan_of
from payops.domain.policy import parse_policy
from payops.store import Store

from . import forwarding
from .credentials import application_sentence
from .drop import FAMILIES, drop
from .drop_words import few
from .drop_words import money as money_sentence
from .inboxes import GRACE, Imported
from .rows import OURS, RECEIVER
from .troubles import AtAccount, Trouble, listed, money_of, troubles
from .words import be, plural

MOST = 5_000


def impact(store: Store, incident: Incident, now: datetime) -> Impact:
    """What is known of the harm at `now`, or at the end of a resolved incident; None = unknown, and why."""
    end = incident.resolved_at or now
    source = parse_policy(incident.policy).source if incident.policy else ""
    if source == "calls":
        return _unseen(store, incident, "what payops cannot read it cannot count")
    if source == "account":
        return _unseen(store, incident, "a payment the provider does not take leaves no trace")
    found = troubles(store, AtAccount(incident.account, incident.provider), source, end)
    if found is not None:
        return _objects(incident, found)
    if source == "rejections":
        return _stopped(store, incident, end)
    if source == "platform":
        return Impact(
            incident.opened_at,
            None,
            None,
            method="payments go on without payops; while this lasts it may see, store or tell too little of them",
        )
    if source == "api_version":
        why = "what another version leaves out or names otherwise is misread here and by the application, unseen"
        return _unseen(store, incident, why)
    if source == "card_data":
        return _exposed(store, incident)
    if source == forwarding.SOURCE:
        return _untaken(store, incident)
    if source in FAMILIES:
        return _failures(store, incident, end, FAMILIES[source])
    if incident.challenge == "webhook_miss":
        return _gap(store, incident, end)
    if source == "mode":
        return Impact(
            incident.opened_at,
            0,
            None,
            method="what came of the other mode is in quarantine: it is nobody's payment and in no rate",
        )
    if source == "webhook_signatures":
        return _gap(store, incident, end)
    if incident.challenge in ("api_auth", "wrong_environment"):
        return Impact(
            incident.opened_at,
            None,
            None,
            method="payops's monitor credential sees nothing while this lasts; payments go through another one: "
            f"{application_sentence(store, incident.account)}",
        )
    return Impact(incident.opened_at, None, None, method="this kind of incident has no count of payments")


def _objects(incident: Incident, found: tuple[Trouble, ...]) -> Impact:
    """What single objects are worth, by their ids; once none stands, how many did at the opening."""
    if not found:
        opened = next((why.value for why in incident.why if why.term == "count"), None)
        then = f"; {opened} did at the opening" if isinstance(opened, int) and opened else ""
        return Impact(
            incident.opened_at, 0, None, method=f"none of the objects it is about stands any more{then}"
        )
    return Impact(
        since=min(each.at for each in found),
        payments=len(found),
        customers=len({each.customer for each in found if each.customer}) or None,
        money=money_of(found),
        method=f"each is counted once: {listed(found)}",
    )


def _failures(store: Store, incident: Incident, end: datetime, family: Family) -> Impact:
    """First attempts failed beyond the expected since the onset, and the money that was not collected for it."""
    found = drop(store, incident.account, incident.provider, incident.opened_at, end, family)
    if found is None:
        return Impact(
            incident.opened_at,
            None,
            None,
            method="no stream of payments ran an alarm then, or there is too little history to say how many failures "
            "are usual",
        )
    at_least = "" if found.whole else "at least, as only the newest are counted; "
    collected = money_sentence(found)
    return Impact(
        since=found.since,
        payments=found.extra,
        customers=found.customers or None,
        money=tuple(sorted((lost.money for lost in found.lost if lost.lost_minor), reverse=True)),
        method=f"{at_least}{found.failed} of {plural(found.n, 'first attempt')} failed, {few(found.expected)} of them "
        "expected at this hour of the week; the onset is the most likely one; customers are all who failed"
        + (f"; {collected}" if collected else ""),
    )


def _unseen(store: Store, incident: Incident, why: str) -> Impact:
    """How many payments are made is not known; how many are usual says what is at stake."""
    day = timedelta(hours=24)
    usual = store.facts.window(incident.account, incident.opened_at - day, incident.opened_at)
    hourly = f"; {usual.succeeded / 24:.1f} an hour succeeded in the day before" if usual.succeeded else ""
    return Impact(incident.opened_at, None, None, method=f"{why}{hourly}")


def _exposed(store: Store, incident: Incident) -> Impact:
    """How many purchases had account data written beside them, as far as payops saw it."""
    found = store.findings.listing(incident.account, limit=MOST)
    mine = [each for each in found if each.reviewed_at in (None, incident.resolved_at)]
    numbers = {each.seal for each in mine if each.seal}
    told = f", {plural(len(numbers), 'different card number')} among them" if numbers else ""
    return Impact(
        min((each.found_at for each in mine), default=incident.opened_at),
        len({each.ref for each in mine}),
        None,
        method=f"events and objects with account data in them{told}, told apart by a keyed hash and not kept; earlier ones, "
        "and copies elsewhere, are unknown",
    )


def _stopped(store: Store, incident: Incident, end: datetime) -> Impact:
    """First attempts that the merchant's own rules stopped since the opening's quarter of an hour, usual ones too."""
    since = incident.opened_at - timedelta(minutes=15)
    counts = store.facts.stopped(incident.account, since, end + timedelta(seconds=1))
    return Impact(
        since,
        sum(count for _, count in counts),
        None,
        method="first attempts our own rules at the provider stopped since a quarter of an hour before the opening; "
        "some of them rightly",
    )


def _gap(store: Store, incident: Incident, end: datetime) -> Impact:
    """Paid purchases whose events are missing or had to be resent; unknown of an endpoint that is not ours."""
    imported = incident.labels.get("topology") == "import"
    if incident.labels.get(RECEIVER, OURS) != OURS and not imported:
        return Impact(
            incident.opened_at,
            None,
            None,
            method="the endpoint is not payops's own, and what the application behind it received cannot be seen "
            "from here",
        )
    before = max((_listed(a) for a in store.incidents.attempts(incident.id)), key=_size, default=_NOTHING)
    inbox: Imported | None = None
    since, until = store.inbox.first_verified_at(incident.account), end - GRACE
    if imported:
        inbox = Imported(store, incident.account, incident.labels["endpoint"])
        since, until = inbox.judged_from(), inbox.known_until(end) or end - GRACE
    listed = EVENT_LIST[incident.provider]
    feed = None if listed is None else store.facts.feed(incident.account, listed)
    if since is None or feed is None or feed.data_as_of is None:
        if before.events:
            return _as_listed(incident, before, "how many are missing now cannot be told")
        return Impact(
            incident.opened_at,
            None,
            None,
            method="nothing was received here yet, so what is missing cannot be told",
        )
    until, types = min(until, feed.data_as_of), _types(store, incident)
    if inbox is None:
        words, left = "our inbox", store.facts.missing_events(incident.account, types, since, until)
    else:
        words, left = inbox.words, inbox.missing(types, since, until, 10_000)
    if before.events > len(left):
        return _as_listed(incident, before, f"{len(left)} still missing at {until:%H:%M:%S} UTC")
    return Impact(
        since=left[0].created_at if left else incident.opened_at,
        payments=len(paid(left)),
        customers=None,
        money=worth(left),
        method=f"{plural(len(left), 'event')} the provider lists {be(len(left))} not in {words}; each paid "
        "purchase among them is counted once",
    )


def _untaken(store: Store, incident: Incident) -> Impact:
    """Paid purchases whose events the application behind a relay has not taken."""
    endpoint = incident.labels.get("endpoint")
    if endpoint is None:
        why = "which endpoint it is about was not kept, so what its application has not taken cannot be told"
        return Impact(incident.opened_at, None, None, method=why)
    events = store.forwards.untaken(incident.account, endpoint)
    return Impact(
        since=events[0].created_at if events else incident.opened_at,
        payments=len(paid(events)),
        customers=None,
        money=worth(events),
        method=f"{plural(len(events), 'event')} {be(len(events))} received here and not taken by the application; each "
        "paid purchase among them is counted once",
    )


def _as_listed(incident: Incident, before: _Listed, now: str) -> Impact:
    """The harm an attempt found: it was done even when all of it has arrived since."""
    return Impact(
        since=before.oldest or incident.opened_at,
        payments=before.payments,
        customers=None,
        money=before.money,
        method=f"{plural(before.events, 'event')} {be(before.events, past=True)} not received in time, as attempt "
        f"{before.attempt} listed them; {now}; each paid purchase is counted once",
    )


class _Listed(NamedTuple):
    """What an attempt found missing; `payments` is None where it kept only its plan."""

    attempt: int
    events: int
    payments: int | None
    money: tuple[Money, ...]
    oldest: datetime | None


_NOTHING = _Listed(0, 0, None, (), None)


def _size(listed: _Listed) -> int:
    return listed.events


def _listed(attempt: FixAttempt) -> _Listed:
    kept = json.loads(attempt.progress).get("listed")
    if isinstance(kept, dict):
        money = tuple(Money(minor, currency) for currency, minor in kept["money"].items())
        return _Listed(attempt.n, kept["events"], kept["payments"], money, from_epoch(kept["oldest"]))
    plan = plan_of(attempt.plan)
    events = plan.targets - int(plan.data.get("enable") is True)
    return _Listed(attempt.n, events if plan.money else 0, None, plan.money, None)


def _types(store: Store, incident: Incident) -> tuple[str, ...]:
    known = EVENT_TYPES[incident.provider]
    subscribed = {
        name for endpoint in store.facts.endpoints(incident.account) for name in endpoint.event_types
    }
    if not subscribed or "*" in subscribed:
        return known
    return tuple(name for name in known if name in subscribed)
