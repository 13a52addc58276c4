"""People approve inside Level 1's five minutes, the plan they saw, each of them once; holding and skipping."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import pytest

from payops.domain.errors import NotPossible
from payops.domain.incidents import FixAttempt
from payops.domain.plans import Plan, plan_json


@pytest.fixture
def asking(make_world):
    """An armed and idempotent endpoint whose rule asks for an approval all the same."""

    def make(**approval: object):
        world = make_world(
            operators=[
                {"name": "ana", "roles": ["operator"]},
                {"name": "ben", "roles": ["security"]},
                {"name": "eve", "roles": ["viewer"]},
            ]
        )
        world.history()
        world.miss(3)
        world.poll()
        terms = {"by": "operator", "expires": "4m", **approval}
        world.open_with(lambda policy: policy["level1"]["remedies"][0].update(approval=terms))
        world.tick()
        return world

    return make


def waiting(world):
    return world.store.incidents.waiting_approval("inc-1")


def approve(world, who: str, seen: str = "") -> str:
    return world.runner.approve("inc-1", who, world.signals(), world.now, seen=seen)


def test_nothing_is_called_before_the_approval_and_the_plan_is_what_was_asked(asking):
    world = asking()
    world.step()
    assert not world.stripe.calls
    request = waiting(world)
    assert request.plan_hash in world.incident.next_action
    assert world.incident.next_action_at == request.expires_at == request.requested_at + timedelta(minutes=4)
    assert json.loads(request.plan)["steps"][0].startswith("enable we_1")
    approve(world, "ana", request.plan_hash)
    world.run(world.ended)
    (attempt,) = world.attempts
    assert (attempt.by, attempt.verified) == ("ana", True)
    (given,) = world.store.incidents.approvals("inc-1")
    assert (given.state, given.attempt, given.by) == ("given", 1, ("ana",))


def test_an_approval_not_given_in_time_spends_level_1(asking):
    world = asking()
    request = waiting(world)
    world.run(world.over)
    assert request.expires_at <= world.now < request.expires_at + timedelta(seconds=20)
    assert "Nobody approved it by 09:04:00 UTC" in world.incident.l1_reason
    with pytest.raises(NotPossible, match="nothing waits"):
        approve(world, "ana")
    assert not world.stripe.calls


def test_an_approval_comes_too_late_at_the_very_instant_it_expires(asking):
    world = asking()
    world.now = waiting(world).expires_at
    with pytest.raises(NotPossible, match="was over at 09:04:00"):
        approve(world, "ana")


def test_waiting_counts_into_the_five_minutes(asking):
    world = asking()
    opened = world.now
    while world.now < opened + timedelta(seconds=230):
        world.step()
    approve(world, "ana")
    until = json.loads(world.attempts[0].progress)["apply_until"]
    assert until == (opened + timedelta(minutes=5)).timestamp()


def test_four_eyes_are_two_different_people(asking):
    world = asking(people=2)
    assert "another operator must approve it" in approve(world, "ana")
    assert not world.stripe.calls
    with pytest.raises(NotPossible, match="ana has approved enable-endpoint already"):
        approve(world, "ana")
    world.restart()
    world.step()
    approve(world, "ben")
    world.run(world.ended)
    assert world.attempts[0].verified
    assert world.store.incidents.approvals("inc-1")[0].by == ("ana", "ben")


def test_a_press_of_fix_is_the_first_of_two_approvals(asking):
    world = asking(people=2)
    world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    assert not world.stripe.calls
    approve(world, "ben")
    assert world.stripe.calls


def test_only_the_role_the_rule_names_may_approve(asking):
    world = asking(by="security")
    for who in ("ana", "eve", "nobody"):
        with pytest.raises(NotPossible, match="approved by the role security or admin"):
            approve(world, who)
    approve(world, "ben")
    assert world.stripe.calls


def test_what_was_seen_is_what_is_approved(asking):
    world = asking()
    with pytest.raises(NotPossible, match="has changed since you saw it"):
        approve(world, "ana", "0" * 16)
    before = waiting(world)
    world.stripe.status = "enabled"
    with pytest.raises(NotPossible, match="the plan has changed since it was asked"):
        approve(world, "ana", before.plan_hash)
    after = waiting(world)
    assert after.plan_hash != before.plan_hash
    assert after.expires_at <= before.requested_at + timedelta(minutes=5)
    assert not world.stripe.calls


@pytest.mark.parametrize("against", ["stop", "disarm"])
def test_stop_and_disarm_stand_against_an_approval(asking, against):
    world = asking()
    if against == "stop":
        world.store.switches.stop("ana", "looks wrong", world.now)
    else:
        world.store.switches.disarm("stripe-live", ["enable-endpoint"], "ana", "not now", world.now)
    with pytest.raises(NotPossible, match=r"stopped by ana|not armed"):
        approve(world, "ana")
    assert not world.stripe.calls


def test_a_request_from_before_a_restart_is_the_same_request(asking):
    world = asking()
    before = waiting(world)
    world.restart()
    world.step()
    assert waiting(world) == before


def test_held_waits_for_a_press_and_level_1_runs_out(world):
    world.open()
    world.runner.hold("inc-1", "ana", "let me look", world.now)
    world.step()
    assert "enable-endpoint is held by ana" in world.incident.l1_reason
    assert world.incident.l1_blocked == "operator"
    world.run(world.over)
    assert not world.stripe.calls


def test_a_press_of_fix_lets_a_held_remedy_go(world):
    world.open()
    world.runner.hold("inc-1", "ana", "let me look", world.now)
    world.step()
    world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    assert world.stripe.calls


def test_a_hold_ends_the_batch_between_two_calls_and_fix_goes_on(world):
    def hold_after_three(_target: str) -> None:
        if len(world.stripe.sent) == 3 and not world.store.incidents.aside("inc-1"):
            world.runner.hold("inc-1", "ana", "enough", world.now)

    world.stripe.before_call = hold_after_three
    world.open()
    world.run(lambda: len(world.stripe.sent) >= 3)
    made = len(world.stripe.calls)
    world.step()
    assert len(world.stripe.calls) == made
    world.stripe.before_call = lambda _: None
    assert "goes on" in world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    world.run(world.ended)
    assert len(world.stripe.sent) == 12


def test_skipped_is_gone_without_and_with_nothing_left_level_1_is_over(world):
    world.open()
    world.runner.skip("inc-1", "ana", "wrong fix here", world.now)
    world.step()
    assert world.over()
    assert "enable-endpoint is skipped by ana: wrong fix here" in world.incident.l1_reason
    assert not world.stripe.calls
    with pytest.raises(NotPossible, match="skipped"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now)


def attempt(world, n: int, effect: str, by: str, **progress: float) -> FixAttempt:
    plan = plan_json(Plan("x", "x", "money", (), 1))
    return FixAttempt("inc-1", n, "enable-endpoint", "x", effect, by, f"k{n}", plan, "applying", world.now,
                      progress=json.dumps(progress))  # fmt: skip


def test_the_database_itself_moves_no_money_without_its_approval(asking):
    world = asking(people=2)
    for by in ("payops", "ana"):
        with pytest.raises(sqlite3.IntegrityError, match="only when people approved"):
            world.store.incidents.start_attempt(attempt(world, 1, "money", by), world.now)
    request = world.store.incidents.approve(waiting(world), "ana", world.now)
    with pytest.raises(sqlite3.IntegrityError, match="as many people"):
        world.store.incidents.give_approval(request, 1, world.now)


def test_the_database_itself_keeps_level_1_within_five_minutes(world):
    world.open()
    first_plan = world.now
    world.store.incidents.change(
        world.incident, world.now, who="payops", entry="", kind="t", l1_started_at=first_plan
    )
    end = first_plan.timestamp() + 300
    world.now += timedelta(minutes=4)
    with pytest.raises(sqlite3.IntegrityError, match="five minutes from its first plan"):
        world.store.incidents.start_attempt(
            attempt(world, 1, "external", "payops", apply_until=end + 1), world.now
        )
    world.store.incidents.start_attempt(attempt(world, 1, "external", "payops", apply_until=end), world.now)

    def begin(**progress: float) -> None:
        world.store.incidents.update_attempt("inc-1", 1, world.now, progress=json.dumps(progress))

    begin(apply_until=end, doing_at=end)
    for late in ({"apply_until": end, "doing_at": end + 1}, {"apply_until": end + 60, "doing_at": end}):
        with pytest.raises(sqlite3.IntegrityError, match="no call is begun after"):
            begin(**late)
