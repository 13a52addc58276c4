"""An endpoint whose URL or event types were changed at the provider, and every way the mend can go wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.event_types import EVENT_TYPES
from payops.domain.plans import Plan, Refusal

TYPES = EVENT_TYPES["stripe"]
ARMED = [{"account": "stripe-live", "remedies": ["update-url", "subscribe-types", "diagnose"]}]
MOVED = "https://elsewhere.example/hook"


@pytest.fixture
def moved(make_world):
    """Our endpoint, seen as it should be, then with another URL, and twelve events that went there."""
    world = make_world(arm=ARMED)
    world.stripe.status = "enabled"
    world.history()
    world.tick()
    world.stripe.url = MOVED
    world.now += timedelta(minutes=10)
    world.miss(12)
    world.poll()
    return world


@pytest.fixture
def narrowed(make_world):
    """Our endpoint without one of its types, of which three events were never sent."""
    world = make_world(arm=ARMED)
    world.stripe.status = "enabled"
    world.history()
    world.tick()
    world.stripe.types = TYPES[1:]
    world.now += timedelta(minutes=10)
    for n in range(3):
        world.event(f"evt_{n}", world.now - timedelta(seconds=200 - n), TYPES[0])
    world.poll()
    return world


def plan_of(world) -> Plan | Refusal:
    return world.runner.dry_run("inc-1", world.signals(), world.now).plan


def test_the_url_is_set_again_and_what_went_elsewhere_is_resent(moved):
    moved.open("webhook-endpoint-misconfigured")
    plan = plan_of(moved)
    assert plan.steps[0] == f"set the URL of we_1 to https://stripe.sim/webhooks/stripe-live; it is {MOVED}"
    assert plan.undo.startswith(f"set the URL of we_1 to {MOVED} again")
    assert plan.targets == 13
    moved.run(moved.ended)
    (attempt,) = moved.attempts
    assert (attempt.outcome, attempt.verified) == ("succeeded", True)
    assert moved.stripe.url == "https://stripe.sim/webhooks/stripe-live"
    assert len(moved.stripe.sent) == 12
    assert attempt.request_ids[0] == "req_change_1"


def test_a_dropped_type_is_added_to_those_there_are_and_what_was_not_sent_is_resent(narrowed):
    narrowed.stripe.types = (*narrowed.stripe.types, "customer.created")
    narrowed.poll()
    narrowed.open("webhook-event-types-missing")
    plan = plan_of(narrowed)
    assert plan.steps[0] == f"subscribe we_1 to 1 more event type: {TYPES[0]}"
    assert plan.undo.startswith(f"take {TYPES[0]} from we_1 again")
    narrowed.run(narrowed.ended)
    assert narrowed.stripe.types == (*TYPES[1:], "customer.created", TYPES[0])
    assert narrowed.attempts[0].verified
    assert narrowed.stripe.sent == ["evt_0", "evt_1", "evt_2"]


@pytest.mark.parametrize("answer", ["timeout_applied", "timeout_lost"])
def test_a_change_without_an_answer_is_read_back_and_never_doubled(moved, answer):
    moved.stripe.script["change"] = [answer]
    moved.open("webhook-endpoint-misconfigured")
    moved.run(lambda: moved.over() or any(each.verified for each in moved.attempts))
    changes = [call for call in moved.stripe.calls if call[0] == "change"]
    first = moved.attempts[0]
    if answer == "timeout_applied":
        assert len(changes) == 1 and first.verified
    else:
        assert first.outcome == "not_verified" and "read back: not applied" in first.detail
        assert moved.attempts[1].verified


def test_an_endpoint_that_was_never_seen_with_the_url_is_left_alone(make_world):
    world = make_world(arm=ARMED)
    world.stripe.status, world.stripe.url = "enabled", MOVED
    world.history()
    world.poll()
    world.open("webhook-endpoint-misconfigured")
    plan = plan_of(world)
    assert isinstance(plan, Refusal) and "is not known, or it is gone" in plan.reason
    world.run(world.over)
    assert not world.stripe.calls and world.stripe.url == MOVED


def test_an_endpoint_that_is_gone_is_never_made_again(moved):
    listed = moved.stripe.as_listed()
    moved.stripe.as_listed = lambda: type(listed)(
        listed.account, "we_other", listed.url, listed.status, listed.event_types, True
    )
    moved.poll()
    moved.open("webhook-endpoint-misconfigured")
    moved.run(moved.over)
    assert not moved.stripe.calls


def test_an_endpoint_that_serves_another_of_the_configuration_is_left_alone(make_world):
    account = {
        "name": "stripe-live",
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "endpoints": [
            {"name": "own", "url": "https://stripe.sim/webhooks/stripe-live", "idempotent": True},
            {"name": "shop", "url": MOVED, "idempotent": True},
        ],
    }
    world = make_world(arm=ARMED, accounts=[account])
    world.stripe.status = "enabled"
    world.history()
    world.tick()
    world.stripe.url = MOVED
    world.poll()
    world.open("webhook-endpoint-misconfigured")
    world.run(world.over)
    assert not world.stripe.calls and world.stripe.url == MOVED


def test_nothing_is_changed_while_the_url_does_not_answer(moved):
    moved.probe.up = False
    moved.open("webhook-endpoint-misconfigured")
    for _ in range(6):
        moved.step()
    assert not moved.stripe.calls and moved.incident.l1_started_at is None
    moved.probe.up = True
    moved.run(moved.ended)
    assert moved.attempts[0].verified


def test_what_was_edited_since_the_last_list_is_looked_at_before_anything_is_set(moved):
    moved.open("webhook-endpoint-misconfigured")
    moved.stripe.url = "https://third.example/hook"
    moved.runner.tick(moved.signals(), moved.now, may_act=True)
    assert not moved.stripe.calls
    moved.run(moved.ended)
    assert "it is https://third.example/hook" in moved.timeline
