"""What stands between a plan and its first call: observing, STOP, approval, limits, the breaker, the lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from payops.domain.errors import NotPossible
from payops.domain.incidents import FixAttempt
from payops.domain.plans import Plan, plan_json
from payops.remedies import driving


def test_observing_shows_the_plan_writes_nothing_and_is_exhausted_after_five_minutes(make_world):
    world = make_world(mode="observe")
    world.history()
    world.miss(3)
    world.poll()
    world.open()
    world.tick()
    opened = world.now
    assert "observing: enable-endpoint is not armed" in world.incident.l1_reason
    assert "Would have done: enable we_1" in world.incident.l1_reason
    assert "; resend what is missing then; list again" in world.incident.l1_reason
    assert world.incident.next_action_at == opened + timedelta(minutes=5)
    world.run(world.over)
    assert world.now - opened == timedelta(minutes=5)
    assert not world.stripe.calls
    assert not world.attempts
    assert world.timeline.count("Would have done") == 2  # once shown, once in the reason it ended


def test_arming_lets_it_act_at_the_next_tick(make_world):
    world = make_world(mode="observe")
    world.history()
    world.miss(3)
    world.poll()
    world.open()
    world.tick()
    world.store.switches.arm("stripe-live", ["enable-endpoint"], "ana", "trusted", world.now)
    world.step()
    assert world.stripe.status == "enabled"


def test_disarm_wins_over_the_configuration(world):
    world.store.switches.disarm("stripe-live", ["enable-endpoint"], "ana", "not now", world.now)
    world.open()
    world.run(world.over)
    assert not world.stripe.calls


def test_stop_holds_everything_survives_a_restart_and_says_who(world):
    world.store.switches.stop("ana", "looks wrong", world.now)
    world.open()
    world.tick()
    world.restart()
    world.run(world.over)
    assert "stopped by ana at 2026-01-15T09:00:00Z: looks wrong" in world.incident.l1_reason
    assert not world.stripe.calls


def slow(world, takes: timedelta):
    """Real time passes with each call; a tick still sees one instant."""
    world.history()
    world.miss(12)
    world.poll()
    world.called_at = []

    def call(_target: str) -> None:
        world.called_at.append(world.now + world.passed)
        world.passed += takes

    def step(seconds: int = 10, stepped=world.step) -> None:
        elapsed, world.passed = int(world.passed.total_seconds()), timedelta(0)
        stepped(max(seconds, elapsed))

    world.passed = timedelta(0)
    world.clock = lambda: world.now + world.passed
    world.stripe.before_call = call
    world.step = step
    world.restart()
    return world


def test_stop_in_the_middle_of_a_batch_holds_the_rest(world):
    def stop_after_three(_target: str) -> None:
        if len(world.stripe.sent) == 3 and world.store.switches.stopped() is None:
            world.store.switches.stop("ana", "enough", world.now)

    world.stripe.before_call = stop_after_three
    world.open()
    world.run(lambda: len(world.stripe.sent) >= 3)
    made = len(world.stripe.calls)
    world.step()
    world.step()
    assert len(world.stripe.calls) == made
    assert "stopped by ana" in world.attempts[0].detail


def test_stop_that_was_only_asked_for_holds_the_rest_of_the_batch(world):
    def ask_after_three(_target: str) -> None:
        if len(world.stripe.sent) == 3:
            world.store.commands.put("stop", None, {}, "ana", "cli", world.now)

    world.stripe.before_call = ask_after_three
    world.open()
    world.run(lambda: len(world.stripe.sent) >= 3)
    assert len(world.stripe.sent) == 4, "only the call that was under way"
    assert world.attempts[0].detail == "stop asked for by ana at 2026-01-15T09:00:20Z"


def test_slow_provider_ends_the_step_not_the_attempt(make_world):
    world = slow(make_world(), timedelta(seconds=2))
    world.open()
    world.run(lambda: len(world.stripe.sent) >= 2)
    made = len(world.stripe.sent)
    assert made < 12
    assert "goes on at the next tick" in world.attempts[0].detail
    world.run(world.ended)
    assert len(world.stripe.sent) == 12
    assert world.attempts[0].verified


def test_no_call_is_made_after_the_five_minutes_however_slow_the_provider(make_world):
    world = slow(make_world(), timedelta(seconds=50))
    world.open()
    world.run(world.over)
    assert all(at <= world.attempts[0].started_at + timedelta(minutes=5) for at in world.called_at)
    assert len(world.stripe.calls) >= 3


def test_going_on_with_one_incident_touches_no_other(world):
    world.open()
    world.open("webhook-events-missing", endpoint="own")
    world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    for _ in range(30):
        world.now += timedelta(seconds=10)
        for event_id in world.stripe.on_its_way:
            world.receive(event_id)
        world.stripe.on_its_way.clear()
        world.poll()
        world.runner.go_on("inc-1", world.signals(), world.now)
    assert world.attempts[0].verified
    assert world.store.incidents.attempts("inc-2") == []


def test_what_arrived_by_itself_before_the_first_call_is_no_cure(make_world, monkeypatch):
    world = make_world()
    world.history()
    missed = world.miss(12)
    world.stripe.status = "enabled"
    world.poll()
    world.open("webhook-events-missing")

    def stopped_before_the_first_call(*args, start=driving.start, **kwargs):
        attempt = start(*args, **kwargs)
        world.store.switches.stop("ana", "wait", world.now)
        return attempt

    with monkeypatch.context() as patch:
        patch.setattr(driving, "start", stopped_before_the_first_call)
        world.tick()
    for event_id in missed:
        world.receive(event_id)
    world.store.switches.resume("ana", "go on", world.now)
    world.run(world.ended)
    assert not world.stripe.calls
    assert world.attempts[0].verified and not world.attempts[0].cured


def test_incident_of_an_account_that_left_the_configuration_is_a_persons(make_world):
    world = make_world(accounts=[], arm=[])
    world.open()
    world.runner.tick(world.signals(), world.now, may_act=True)
    assert world.incident.l1_reason == "the configuration has no account stripe-live any more"
    assert world.incident.next_action_at == world.now


def test_first_tick_acts_on_nothing(world):
    world.open()
    world.tick(may_act=False)
    assert not world.stripe.calls
    assert world.incident.l1_started_at is None


def test_endpoint_not_declared_idempotent_needs_a_person(make_world):
    account = {
        "name": "stripe-live",
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "endpoints": [{"name": "own", "url": "https://stripe.sim/webhooks/stripe-live"}],
    }
    world = make_world(accounts=[account])
    world.history()
    world.miss(3)
    world.poll()
    world.open()
    world.run(world.over)
    assert "not declared idempotent" in world.incident.l1_reason
    assert not world.stripe.calls
    said = world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    assert "enable-endpoint, attempt 1 of 2" in said
    world.run(world.ended)
    assert (world.attempts[0].by, world.attempts[0].verified) == ("ana", True)


def test_operator_is_told_how_to_arm(make_world):
    world = make_world(mode="observe")
    world.history()
    world.miss(3)
    world.poll()
    world.open()
    with pytest.raises(NotPossible, match="payops arm stripe-live enable-endpoint"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    assert not world.stripe.calls


def test_operator_cannot_act_while_stopped_or_while_an_attempt_runs(world):
    world.store.switches.stop("ana", "wait", world.now)
    world.open()
    with pytest.raises(NotPossible, match="stopped by ana"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    world.store.switches.resume("ana", "go", world.now)
    world.tick()
    with pytest.raises(NotPossible, match="attempt 1, is applying"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now)


def test_operator_is_refused_when_the_plan_is_not_the_one_shown(world):
    world.open()
    with pytest.raises(NotPossible, match="changed since you saw it"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now, seen="0" * 16)


def test_operator_gets_no_third_attempt(world):
    world.stripe.script["enable"] = ["timeout_lost"] * 2
    world.open()
    world.run(world.over)
    with pytest.raises(NotPossible, match="2 of 2 attempts are used"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now)


def test_target_that_does_not_answer_is_refused_to_an_operator_with_its_reason(world):
    world.probe.up = False
    world.open()
    with pytest.raises(NotPossible, match="does not answer"):
        world.runner.request_fix("inc-1", "ana", world.signals(), world.now)
    run = world.runner.dry_run("inc-1", world.signals(), world.now)
    assert run.plan.waits
    assert not run.would_act


def attempt_of_another_incident(world, minutes_ago: int, **columns: object) -> None:
    at = world.now - timedelta(minutes=minutes_ago)
    n = len(world.store.incidents.listing())
    other = world.store.incidents.open(
        replace(world.draft, dedup_key=f"other-{n}", labels={**world.draft.labels}), "other", at
    )
    plan = Plan("enable-endpoint", "webhooks.enable_endpoint", "external", ("x",), 1)
    attempt = FixAttempt(
        incident_id=other.id,
        n=1,
        remedy="enable-endpoint",
        action="webhooks.enable_endpoint",
        effect="external",
        by="payops",
        idempotency_key=f"key-{n}",
        plan=plan_json(plan),
        phase="applying",
        started_at=at,
    )
    world.store.incidents.start_attempt(attempt, at)
    if columns:
        world.store.incidents.update_attempt(other.id, 1, at, **columns)
        now = world.store.incidents.get(other.id)
        world.store.incidents.change(
            now, at, who="t", entry="", kind="t", state="resolved", resolved_at=at, ended_as="self_healed"
        )


@pytest.fixture
def crowded(world):
    """A world whose incident is not the first; `draft` is what the others are made from."""
    world.draft = world.open()
    return world


def test_attempt_of_another_incident_cools_the_remedy_down(crowded):
    attempt_of_another_incident(crowded, 3, phase="done", outcome="succeeded", verified=True)
    crowded.tick()
    assert "cools down on stripe-live until" in crowded.incident.l1_reason
    assert not crowded.stripe.calls


def test_three_unverified_attempts_within_the_hour_open_the_breaker(crowded):
    for minutes in (50, 30, 10):
        attempt_of_another_incident(crowded, minutes, phase="done", outcome="not_verified", verified=False)
    crowded.tick()
    assert "circuit breaker is open" in crowded.incident.l1_reason
    assert not crowded.stripe.calls


def test_attempts_per_hour_are_bounded(crowded):
    for minutes in (50, 40, 30, 10):
        attempt_of_another_incident(crowded, minutes, phase="done", outcome="succeeded", verified=True)
    crowded.tick()
    assert "4 times on stripe-live within the hour" in crowded.incident.l1_reason


def test_another_attempt_on_the_same_account_locks_it(crowded):
    attempt_of_another_incident(crowded, 6)
    crowded.runner.tick(crowded.signals(), crowded.now, may_act=True)
    assert not [call for call in crowded.stripe.calls if call[2].startswith("payops-")]
    assert "acts on stripe-live right now" in crowded.incident.l1_reason


def test_rule_without_remedies_is_over_at_once(world):
    incident = world.open()
    bare = incident.policy.replace('"webhooks.enable_endpoint"', '"webhooks.unheard_of"')
    world.store.incidents.change(
        incident,
        world.now,
        who="t",
        entry="",
        kind="t",
        state="resolved",
        resolved_at=world.now,
        ended_as="false_alarm",
    )
    world.store.incidents.open(replace(incident, dedup_key="again", policy=bare), "again", world.now)
    world.tick()
    again = world.store.incidents.get("inc-2")
    assert "payops knows no action webhooks.unheard_of" in again.l1_reason
    assert again.l1_exhausted_at == world.now


def test_step_that_fails_holds_up_no_other_and_calls_a_person(world, monkeypatch):
    world.open()
    world.open("webhook-events-missing")

    def breaks(_url: str) -> tuple[bool, str]:
        if world.store.incidents.get("inc-1").l1_exhausted_at is None:
            raise RuntimeError("nobody thought of this")
        return False, "connection refused"

    monkeypatch.setattr(world.probe, "answers", breaks)
    with pytest.raises(RuntimeError, match="nobody thought of this"):
        world.tick()
    assert world.incident.l1_reason == "payops failed at it (RuntimeError: nobody thought of this)"
    assert world.incident.next_action == "Level 2 handoff"
    assert world.store.incidents.get("inc-2").l1_reason.startswith("waits")
    world.step()
