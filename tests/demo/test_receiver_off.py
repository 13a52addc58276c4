"""The receiver is off for half an hour while three providers go on: what is missing is listed to the letter, then brought."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta

import pytest
from proof import FULL, tell

from payops.clock import from_epoch
from payops.demo.headless import STEP, _House
from payops.domain import deadlines
from payops.domain.money import Money, totals
from payops.signals import object_gaps, webhooks
from payops.simulator import ledger
from payops.simulator import scenario as scenarios
from payops.simulator.objects import Charge, Payment, Refund

OFF_AT, OFF_FOR = timedelta(minutes=5), timedelta(minutes=30 if FULL else 12)
AFTERWARDS = timedelta(minutes=25 if FULL else 15)
RATE = 4 if FULL else 2
PROVIDERS = ("stripe", "braintree", "paypal")
SCENARIO = f"""
schema: payops.scenario/v1
name: off for a while
seed: 30
start: 2026-01-15T09:00:00Z
warmup: 6h
duration: {int((OFF_AT + OFF_FOR + AFTERWARDS).total_seconds() // 60)}m
providers:
  stripe: {{mode: live, payments_per_minute: {RATE}}}
  braintree: {{mode: live, payments_per_minute: {RATE}}}
  paypal: {{mode: live, payments_per_minute: {RATE}}}
faults:
""" + "".join(
    f"  - {{kind: receiver_down, provider: {provider}, at: {int(OFF_AT.total_seconds())}s,"
    f" until: {int((OFF_AT + OFF_FOR).total_seconds())}s}}\n"
    for provider in PROVIDERS
)


def told_missing(house: _House, account: str, now: datetime) -> tuple[object_gaps.Gap, ...]:
    settings = house.settings.account(account)
    gaps = object_gaps.read(house.store, settings, settings.endpoints[0], now)
    return (gaps.events or ()) + (gaps.objects or ())


def really_missing(house: _House, account: str, until: datetime) -> dict[str, datetime]:
    """By the world's own books: what was made and not delivered; at Braintree by the object it is about."""
    delivered = ledger.delivered_ids(house.world, account)
    named = {
        event_id: object_id if account.startswith("braintree") else event_id
        for event_id, _, object_id in ledger.generated(house.world, account)
    }
    with house.world.lock:
        made = {
            event.id: from_epoch(event.at_ms // 1000) for event in house.world.accounts[account].events.rows
        }
    return {
        named[event_id]: made[event_id]
        for event_id in named
        if event_id not in delivered and made[event_id] <= until
    }


def judged_until(house: _House, account: str, now: datetime) -> datetime:
    settings = house.settings.account(account)
    endpoint = settings.endpoints[0]
    if account.startswith("braintree"):
        return webhooks.shown_window(house.store, settings, endpoint, now)[1]
    return webhooks.window(house.store, settings, endpoint, now)[2]


def worth(house: _House, account: str, gap: object_gaps.Gap) -> tuple[Money, ...]:
    """What the objects behind a gap are worth by the world's own books, each once; an approval is no money yet."""
    if gap.type == "CHECKOUT.ORDER.APPROVED":
        return ()
    with house.world.lock:
        events = house.world.accounts[account].events.rows
        about = {
            (ledger.object_of(event) if account.startswith("braintree") else event.id): event
            for event in events
        }
        subjects = {ledger.object_of(about[each]): about[each].subject for each in gap.ids}
    return totals(money for subject in subjects.values() if (money := amount_of(subject)) is not None)


def amount_of(subject: object) -> Money | None:
    if isinstance(subject, Payment):
        return Money(subject.amount, subject.buyer.currency.upper())
    if isinstance(subject, Charge):
        return amount_of(subject.payment)
    if isinstance(subject, Refund):
        return Money(subject.amount, subject.charge.payment.buyer.currency.upper())
    return None


@pytest.mark.proof
def test_what_was_missed_while_the_receiver_was_off_is_listed_exactly_and_then_brought(tmp_path):
    scenario = scenarios.parse(SCENARIO, "off.yaml")
    processed: Counter[str] = Counter()
    with ExitStack() as stack:
        house = _House(scenario, scenario.seed, tmp_path / "payops.db", stack)
        apply = house.store.facts.apply_facts

        def counted(account, facts, now):
            processed.update(event.event_id for event in facts.events)
            return apply(account, facts, now)

        house.store.facts.apply_facts = counted
        now, end = scenario.start, scenario.start + scenario.duration
        while now < scenario.start + OFF_AT + OFF_FOR - STEP:
            house.step(now)
            now += STEP
        missed = {}
        for account in house.world.accounts:
            provider = house.settings.account(account).provider
            gaps = told_missing(house, account, now)
            expected = really_missing(house, account, judged_until(house, account, now))
            assert len(expected) > (10 if FULL else 3)
            assert {each for gap in gaps for each in gap.ids} == set(expected)
            for gap in gaps:
                assert gap.money == worth(house, account, gap), gap.type
                first = min(expected[each] for each in gap.ids)
                assert (gap.first_at, gap.last_at) == (first, max(expected[each] for each in gap.ids))
                ends = deadlines.of_event(provider, "live", first)
                assert (gap.gives_up_at, gap.resend_until) == (ends.gives_up_at, ends.resend_until)
            missed[account] = expected
        while now <= end:
            house.step(now)
            now += STEP
        for account in house.world.accounts:
            assert told_missing(house, account, end) == ()
        incidents = house.incidents()
        assert sorted((each.rule, each.account, each.ended_as) for each in incidents) == [
            ("webhook-events-missing", account, "fixed_by_payops") for account in sorted(house.world.accounts)
        ]
        assert set(processed.values()) == {1}
        house.drain(end)
        counts = house.webhooks()
        assert counts["missing"] == 0 and counts["received"] == counts["processed"] == counts["generated"]
        told = ", ".join(f"{len(ids)} at {account}" for account, ids in sorted(missed.items()))
        tell(
            f"seed {scenario.seed}: off for {OFF_FOR}: missing {told}, each listed; then 0, "
            f"{counts['reconciled']} of them rebuilt, {len(processed)} events processed once"
        )
