"""Every kind of fault is a function of the seed, changes what it names, and is undone where it ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from payops.domain.payments import PROVIDERS, Provider
from payops.simulator import ledger
from payops.simulator import scenario as scenarios
from payops.simulator.account import Account
from payops.simulator.faults import Faults
from payops.simulator.kinds import kind
from payops.simulator.mishaps import HEALS
from payops.simulator.objects import Endpoint
from payops.simulator.scenario_model import FAULT_KINDS, FAULT_PROVIDERS
from payops.simulator.world import World

from .conftest import ACCOUNT, make_scenario

CASES = [(each, provider) for each in FAULT_KINDS for provider in FAULT_PROVIDERS.get(each, PROVIDERS)]
_LOGS = (
    "payments",
    "charges",
    "refunds",
    "events",
    "subscriptions",
    "invoices",
    "disputes",
    "payouts",
    "endpoints",
)
_FIELDS = ("id", "at_ms", "amount", "status", "changed_ms", "type", "enabled", "url", "captured", "secret")


def one_fault(fault: str, provider: Provider, *, seed: int = 3, until: str = "") -> World:
    text = f"""
schema: payops.scenario/v1
name: a fault
seed: {seed}
warmup: 30m
duration: 40m
providers:
  {provider}: {{payments_per_minute: 2, fallback_credential: true, endpoints: [{{name: shop}}]}}
faults: [{{kind: {fault}, provider: {provider}, at: 5m{until}}}]
"""
    return World(scenarios.parse(text, "test.yaml"))


def fingerprint(world: World) -> list[Any]:
    return fingerprint_of(next(iter(world.accounts.values())), world.now)


def fingerprint_of(account: Account, now: datetime) -> list[Any]:
    """What any provider's account holds, and the bytes that are to be sent."""
    rows = [
        [tuple(getattr(row, field, None) for field in _FIELDS) for row in getattr(account, log).rows]
        for log in _LOGS
    ]
    sends = account.deliveries.ready()
    wire = [kind(account.provider).delivery(account, send, now) for send in sends[-20:]]
    keys = [(key.token, key.mode, key.dead, sorted(key.denied)) for key in account.keyring._keys.values()]
    faults: Faults = account.faults
    said = (faults.trouble, faults.latency_ms, faults.skew_s, faults.silent)
    return [rows, [send.key for send in sends], wire, keys, said, account.taken, account.requirements_due]


@pytest.mark.parametrize(("fault", "provider"), CASES)
def test_same_seed_same_world_in_one_step_or_in_many(fault: str, provider: Provider) -> None:
    jumped, walked = one_fault(fault, provider), one_fault(fault, provider)
    jumped.advance(jumped.start + timedelta(minutes=20))
    for step in range(1, 161):
        walked.advance(walked.start + timedelta(seconds=7.5 * step))
    assert fingerprint(jumped) == fingerprint(walked)


@pytest.mark.parametrize(("fault", "provider"), CASES)
def test_a_fault_ends_when_it_is_said_to(fault: str, provider: Provider) -> None:
    world = one_fault(fault, provider, until=", until: 15m")
    account = next(iter(world.accounts.values()))
    world.advance(world.start + timedelta(minutes=4))
    before = standing(account)
    world.advance(world.start + timedelta(minutes=16))
    assert account.faults.now(fault) is None
    assert standing(account) == before
    assert account.faults.trouble is None and account.faults.latency_ms == 0 and not account.faults.silent


def standing(account: Account) -> list[Any]:
    """The settings a fault may change, as opposed to what happened meanwhile."""
    ends = [
        (e.id, e.url, e.enabled, e.secret, tuple(sorted(e.enabled_events))) for e in account.endpoints.rows
    ]
    keys = [(key.token, key.mode, key.dead, sorted(key.denied)) for key in account.keyring._keys.values()]
    return [ends, keys, account.charges_enabled, account.payouts_enabled, account.drifted]


def at_minute(minutes: float, **settings: Any) -> World:
    world = World(make_scenario(**settings))
    world.advance(world.start + timedelta(minutes=minutes))
    return world


def since(world: World, minutes: float) -> list[Any]:
    start_ms = world.start_ms + int(minutes * 60_000)
    return [c for c in world.accounts[ACCOUNT].charges.rows if c.at_ms >= start_ms]


@pytest.mark.parametrize("fault", ["traffic_silence", "provider_outage", "account_restricted"])
def test_nobody_pays_while_nobody_can(fault: str) -> None:
    world = at_minute(30, rate=30, faults=f"[{{kind: {fault}, provider: stripe, at: 10m, until: 20m}}]")
    charges = [c.at_ms - world.start_ms for c in since(world, 0)]
    assert not [at for at in charges if 600_000 <= at < 1_200_000]
    assert [at for at in charges if at < 600_000] and [at for at in charges if at >= 1_200_000]


def test_buyers_come_at_the_same_instants_with_and_without_an_outage() -> None:
    calm, hit = (
        at_minute(30, rate=20, faults=faults)
        for faults in ("[]", "[{kind: provider_outage, provider: stripe, at: 10m, until: 20m}]")
    )
    until_ms = calm.start_ms + 600_000
    ours, theirs = (
        {p.at_ms: p.amount for p in w.accounts[ACCOUNT].payments.rows if p.subscription is None}
        for w in (calm, hit)
    )
    assert theirs.items() < ours.items()
    assert {at for at in ours if at < until_ms} == {at for at in theirs if at < until_ms}


def test_chance_of_a_delivery_depends_on_nothing_before_it() -> None:
    """Whether an event is lost is the same whatever was asked about other events."""
    world = at_minute(20, rate=10, faults="[{kind: events_lost, provider: stripe, at: 1m, share: 0.5}]")
    account = world.accounts[ACCOUNT]
    events = [e for e in account.events.rows if e.at_ms > world.start_ms + 60_000]
    first = [account.faults.loses(event, account.own_endpoint) for event in events]
    again = [account.faults.loses(event, account.own_endpoint) for event in reversed(events)]
    assert first == list(reversed(again))
    assert 0.3 < sum(first) / len(first) < 0.7
    lost = {e.id for e, gone in zip(events, first, strict=True) if gone}
    assert not lost & {send.event.id for send in world.due_deliveries(world.now)}
    assert not lost & account.deliveries.undelivered.keys(), "the provider believes they were sent"


def test_duplicates_are_sent_twice_and_order_is_lost() -> None:
    twice = at_minute(10, faults="[{kind: events_duplicated, provider: stripe, at: 1m}]")
    ids = [s.event.id for s in twice.due_deliveries(twice.now) if s.due_ms > twice.start_ms + 70_000]
    assert len(ids) > 20 and len(set(ids)) <= len(ids) // 2 + 1
    mixed = at_minute(10, faults="[{kind: events_out_of_order, provider: stripe, at: 1m}]")
    made = [send.event.at_ms for send in mixed.due_deliveries(mixed.now)]
    assert made != sorted(made)


def test_with_retries_off_a_failed_delivery_is_final() -> None:
    world = at_minute(20, rate=10, faults="[{kind: webhook_retry_disabled, provider: stripe, at: 1m}]")
    account = world.accounts[ACCOUNT]
    failed = [
        each[0].at_ms
        for event_id, each in account.deliveries.tries.items()
        if not each[0].ok and event_id in account.deliveries.undelivered
    ]
    assert len(failed) > 20
    for send in world.due_deliveries(world.now):
        world.delivered(send, world.now)
    world.advance(world.start + timedelta(hours=3))
    later = {s.event.id for s in world.due_deliveries(world.now) if s.tries}
    assert not later, "nothing is tried a second time"


@pytest.mark.parametrize("name", ["payops", "shop"])
def test_a_wrong_url_leads_nowhere(name: str) -> None:
    world = at_minute(
        10,
        options=", endpoints: [{name: shop}]",
        faults=f"[{{kind: webhook_url_wrong, provider: stripe, at: 1m, endpoint: {name}}}]",
    )
    account = world.accounts[ACCOUNT]
    endpoint: Endpoint = next(e for e in account.endpoints.rows if e.name == name)
    assert endpoint.url == f"{endpoint.home}-before-the-move"
    path = endpoint.home.removeprefix("https://stripe.sim/")
    assert (world.plays("stripe", path) == 200) is (name == "shop"), (
        "what was meant still answers where it is"
    )
    assert not world.plays("stripe", f"{path}-before-the-move")
    if name == "shop":
        tries = [t for each in account.deliveries.tries.values() for t in each if t.endpoint is endpoint]
        late = [t for t in tries if t.at_ms > world.start_ms + 62_000]
        assert late and not any(t.ok for t in late)


def test_renewal_collected_meanwhile_is_not_collected_again() -> None:
    world = at_minute(
        10, rate=0.02, faults="[{kind: subscription_past_due, provider: stripe, at: 1m, count: 8}]"
    )
    account = world.accounts[ACCOUNT]
    owing = [s for s in account.subscriptions.rows if s.status == "past_due"]
    assert len(owing) == 8
    for subscription in owing:
        account.traffic.renew(world.now_ms, subscription, None)
    world.advance(world.now + timedelta(days=20))
    for subscription in owing:
        paid = [p for p in subscription.payments if p.paid is not None]
        assert len(paid) == 1 and subscription.status == "active" and subscription.outstanding == 0


def test_events_of_the_other_mode_are_in_no_books() -> None:
    world = at_minute(20, faults="[{kind: test_object_in_live, provider: stripe, at: 1m, count: 5}]", rate=2)
    account = world.accounts[ACCOUNT]
    strays = {event.id for event in account.events.rows if event.test}
    assert len(strays) == 5
    assert not strays & ledger.generated_ids(world, ACCOUNT)
    assert strays <= {send.event.id for send in world.due_deliveries(world.now)}, "but they are sent"


def test_the_usual_count_is_the_kinds_own() -> None:
    faults = make_scenario(
        faults="""
  - {kind: refund_failed, provider: stripe, at: 1m}
  - {kind: refund_failed, provider: stripe, at: 1m, count: 7}
  - {kind: dispute_opened, provider: stripe, at: 1m}
"""
    ).faults
    assert [fault.count for fault in faults] == [3, 7, 1]


def _right(account: Account, fault: str) -> bool:
    """Whether nothing is left of what a fault did to single objects."""
    if fault == "duplicate_charge":
        doubled = [c for p in account.payments.rows if p.doubles is not None for c in p.charges]
        return bool(doubled) and all(c.amount_refunded == c.amount_taken for c in doubled)
    if fault == "authorization_expiring":
        held = [c for c in account.charges.rows if c.expires_ms is not None]
        return len(held) == 3 and all(c.captured for c in held)
    if fault == "dispute_opened":
        return [each.status for each in account.disputes.rows] == ["under_review"]
    if fault == "payout_failed":
        return [each.status for each in account.payouts.rows] == ["failed", "paid"]
    if fault in ("refund_failed", "refund_over_limit"):
        hit = {r.charge.id: r.charge for r in account.refunds.rows if r.status == "failed"}
        return bool(hit) and all(c.amount_refunded == c.amount_taken for c in hit.values())
    if fault == "refund_stuck":
        return bool(account.refunds.rows) and all(r.status == "succeeded" for r in account.refunds.rows)
    if fault == "subscription_invoice_stuck":
        return all(each.status == "paid" for each in account.invoices.rows)
    return all(each.status == "active" and each.method for each in account.subscriptions.rows)


@pytest.mark.parametrize(("fault", "provider"), [case for case in CASES if case[0] in HEALS])
def test_what_a_fault_did_to_single_objects_is_put_right_at_its_end(fault: str, provider: Provider) -> None:
    world = one_fault(fault, provider, until=", until: 15m")
    account = next(iter(world.accounts.values()))
    world.advance(world.start + timedelta(minutes=14))
    assert not _right(account, fault)
    world.advance(world.start + timedelta(minutes=17))
    assert _right(account, fault)
    for charge in account.charges.rows:
        assert charge.amount_refunded <= charge.amount_taken or charge.decline is not None
