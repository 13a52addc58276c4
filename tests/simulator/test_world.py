"""The world is a function of scenario, seed, time and what came in; faults change what they name and no more."""

from __future__ import annotations

import re
import time
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.simulator.agenda import Agenda
from payops.simulator.ids import Ids
from payops.simulator.scenario import Scenario, parse
from payops.simulator.stripe.account import of_stripe
from payops.simulator.world import World

from .conftest import ACCOUNT, make_scenario


def picture(world: World) -> list[object]:
    """Everything there is to see of a world, in order."""
    account = world.accounts[ACCOUNT]
    shapes = of_stripe(account).shapes
    return [
        [shapes.event(event) for event in account.events.rows],
        [shapes.payment(payment) for payment in account.payments.rows],
        [shapes.charge(charge) for charge in account.charges.rows],
        [shapes.refund(refund) for refund in account.refunds.rows],
        [shapes.subscription(subscription) for subscription in account.subscriptions.rows],
        [shapes.invoice(invoice) for invoice in account.invoices.rows],
        [shapes.dispute(dispute) for dispute in account.disputes.rows],
        [shapes.payout(payout) for payout in account.payouts.rows],
        [shapes.endpoint(endpoint) for endpoint in account.endpoints.rows],
        [send.key for send in account.deliveries.ready()],
        sorted(account.deliveries.undelivered),
        account.taken,
    ]


def at_end(scenario: Scenario, seed: int | None = None) -> World:
    world = World(scenario, seed)
    world.advance(world.start + scenario.duration)
    return world


BUSY = make_scenario(
    faults="""
  - {kind: decline_surge, provider: stripe, at: 5m, until: 15m, only: {card_brand: visa}}
  - {kind: webhook_endpoint_disabled, provider: stripe, at: 10m, until: 20m}
  - {kind: receiver_down, provider: stripe, at: 21m}
  - {kind: dispute_opened, provider: stripe, at: 22m}
  - {kind: subscription_past_due, provider: stripe, at: 23m, count: 3}
  - {kind: subscription_invoice_stuck, provider: stripe, at: 24m}
  - {kind: events_out_of_order, provider: stripe, at: 25m}
  - {kind: events_lost, provider: stripe, at: 30m}
""",
    duration="40m",
)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(min_value=0.001, max_value=900), min_size=1, max_size=60))
def test_world_is_the_same_whatever_the_steps(steps: list[float]) -> None:
    walked = World(BUSY)
    for step in steps:
        walked.advance(walked.now + timedelta(seconds=step))
    jumped = World(BUSY)
    jumped.advance(walked.now)
    assert picture(walked) == picture(jumped)


def test_same_seed_same_world_other_seed_other_world() -> None:
    assert picture(at_end(BUSY)) == picture(at_end(BUSY))
    assert picture(at_end(BUSY)) != picture(at_end(BUSY, seed=99))


def test_time_never_goes_back() -> None:
    world = at_end(BUSY)
    before, seen = world.now, picture(world)
    world.advance(world.start)
    assert (world.now, picture(world)) == (before, seen)


def test_traffic_has_the_stated_rate_and_acceptance() -> None:
    world = at_end(make_scenario(rate=30, duration="4h", success=0.9))
    payments = [p for p in world.accounts[ACCOUNT].payments.rows if p.at_ms >= world.start_ms]
    assert abs(len(payments) - 30 * 240) < 4 * (30 * 240) ** 0.5
    first = sum(p.charges[0].decline is None for p in payments) / len(payments)
    assert abs(first - 0.9) < 0.015
    assert {p.buyer.brand for p in payments} == {"visa", "mastercard", "amex", "discover"}
    assert len({p.buyer.currency for p in payments}) > 3
    assert any(p.buyer.customer is None for p in payments)


def test_some_buyers_try_again_on_the_same_payment_and_none_pays_twice() -> None:
    account = at_end(make_scenario(rate=30, duration="2h")).accounts[ACCOUNT]
    tries = Counter(len(payment.charges) for payment in account.payments.rows)
    assert tries[1] > tries[2] > tries[3] > 0 and max(tries) <= 4
    for payment in account.payments.rows:
        assert all(charge.decline is not None for charge in payment.charges[:-1])


def test_refunds_never_exceed_what_was_taken() -> None:
    account = at_end(make_scenario(rate=30, warmup="6h", duration="2h")).accounts[ACCOUNT]
    assert len(account.refunds) > 20
    assert all(charge.amount_refunded <= charge.payment.amount for charge in account.charges.rows)
    taken: Counter[str] = Counter()
    for charge in account.charges.rows:
        if charge.decline is None:
            taken[charge.payment.buyer.currency] += charge.payment.amount - charge.amount_refunded
    assert account.taken == taken


def test_every_charge_and_refund_is_told_by_its_events() -> None:
    account = at_end(make_scenario(rate=20, warmup="2h", duration="1h")).accounts[ACCOUNT]
    types = Counter(event.type for event in account.events.rows)
    succeeded = sum(charge.decline is None for charge in account.charges.rows)
    assert types["charge.succeeded"] == types["payment_intent.succeeded"] == succeeded
    assert (
        types["charge.failed"] == types["payment_intent.payment_failed"] == len(account.charges) - succeeded
    )
    assert types["charge.refunded"] == types["refund.created"] == len(account.refunds)
    assert types["refund.updated"] == sum(refund.referenced for refund in account.refunds.rows)
    instants = [event.at_ms for event in account.events.rows]
    assert instants == sorted(instants)


def test_event_shows_its_subject_as_it_was_then() -> None:
    account = at_end(make_scenario(rate=30, warmup="6h", duration="2h")).accounts[ACCOUNT]
    shapes = of_stripe(account).shapes
    refund = account.refunds.rows[0]
    of_charge = {e.type: shapes.event(e) for e in account.events.rows if e.subject is refund.charge}
    assert of_charge["charge.succeeded"]["data"]["object"]["amount_refunded"] == 0
    assert of_charge["charge.refunded"]["data"]["object"]["amount_refunded"] == refund.amount
    assert of_charge["charge.refunded"]["data"]["previous_attributes"]["amount_refunded"] == 0
    retried = next(p for p in account.payments.rows if len(p.charges) > 1 and p.paid)
    first = next(shapes.event(e) for e in account.events.rows if e.subject is retried)["data"]["object"]
    assert first["status"] == "requires_payment_method"
    assert first["latest_charge"] == first["last_payment_error"]["charge"] == retried.charges[0].id
    assert shapes.payment(retried)["status"] == "succeeded"


def test_surge_touches_only_the_cards_it_names_and_only_while_it_lasts() -> None:
    calm = at_end(make_scenario(rate=20, duration="1h"))
    surged = at_end(
        make_scenario(
            rate=20,
            duration="1h",
            faults="[{kind: decline_surge, provider: stripe, at: 20m, until: 40m, success_rate: 0.2, "
            "decline: lost_card, only: {card_brand: visa}}]",
        )
    )
    begins, ends = surged.start_ms + 20 * 60_000, surged.start_ms + 40 * 60_000
    hit, n = 0, 0
    for before, after in zip(
        calm.accounts[ACCOUNT].payments.rows, surged.accounts[ACCOUNT].payments.rows, strict=True
    ):
        assert (before.id, before.at_ms, before.amount) == (after.id, after.at_ms, after.amount)
        if begins <= after.at_ms < ends and after.buyer.brand == "visa":
            n += 1
            hit += after.charges[0].decline is None
            if before.charges[0].decline is None and after.charges[0].decline is not None:
                assert after.charges[0].decline.code == "lost_card"
        else:
            assert before.charges[0].decline is after.charges[0].decline
    assert n > 100 and abs(hit / n - 0.2) < 0.15


def test_default_surge_shows_at_four_payments_a_minute() -> None:
    world = at_end(
        make_scenario(
            rate=4, duration="30m", success=0.95, faults="[{kind: decline_surge, provider: stripe, at: 10m}]"
        )
    )
    since = world.start_ms + 10 * 60_000
    after = [p for p in world.accounts[ACCOUNT].payments.rows if p.at_ms >= since]
    assert sum(p.charges[0].decline is None for p in after) / len(after) < 0.5


def test_no_id_can_be_taken_for_a_card_number() -> None:
    ids = Ids(1, ACCOUNT)
    for number in range(5000):
        text = " ".join((ids.long("ch", number), ids.short("cus", number), ids.token(f"t{number}", 24)))
        assert not re.search(r"[0-9]{13}", text)


def test_ids_are_stripes_in_form_and_unique() -> None:
    account = at_end(BUSY).accounts[ACCOUNT]
    for log, prefix in ((account.charges, "ch"), (account.payments, "pi"), (account.events, "evt")):
        ids = [row.id for row in log.rows]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(prefix + r"_[0-9A-Za-z]{24}", object_id) for object_id in ids)


def test_a_day_at_thirty_a_minute_is_made_in_seconds() -> None:
    world = World(make_scenario(rate=30, warmup="24h"))
    began = time.process_time()
    world.advance(world.start)
    assert time.process_time() - began < 8  # under 3 s on an idle core
    assert len(world.accounts[ACCOUNT].payments) > 40_000


def test_acts_of_one_instant_run_in_the_order_they_were_planned() -> None:
    agenda, done = Agenda(0), []
    for name in "abc":
        agenda.plan(5, lambda at_ms, subject: done.append(subject), name)
    agenda.plan(1, lambda at_ms, _: agenda.plan(5, lambda at_ms, subject: done.append(subject), "d"))
    agenda.run(5)
    assert done == ["a", "b", "c", "d"]


def test_a_daily_swing_moves_payments_from_night_to_day_and_leaves_their_number() -> None:
    def hours(swing: float) -> list[int]:
        text = f"""
schema: payops.scenario/v1
name: days
warmup: 24h
duration: 0s
start: 2026-01-16T00:00:00Z
providers: {{stripe: {{mode: live, payments_per_minute: 6, daily_swing: {swing}}}}}
"""
        made = parse(text, "days.yaml")
        world = World(made)
        world.advance(made.start)
        (account,) = world.accounts.values()
        counted = [0] * 24
        for payment in account.payments.rows:
            counted[payment.at_ms // 3_600_000 % 24] += 1
        return counted

    flat, swinging = hours(0.0), hours(0.8)
    assert sum(swinging) == pytest.approx(sum(flat), rel=0.05)
    assert swinging[15] > 1.5 * flat[15] and swinging[3] < 0.5 * flat[3]
