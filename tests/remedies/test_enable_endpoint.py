"""The endpoint-disabled story, and every way its calls can go wrong."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from payops.domain.event_types import EVENT_TYPES
from payops.domain.events import Endpoint
from payops.domain.incidents import FixAttempt
from payops.domain.plans import Plan, Refusal, plan_of


def test_enables_resends_and_proves_what_the_endpoint_missed(world):
    world.open()
    world.tick()
    assert world.stripe.status == "enabled"
    world.run(world.ended)
    (attempt,) = world.attempts
    assert (attempt.outcome, attempt.verified) == ("succeeded", True)
    assert len(world.stripe.sent) == len(set(world.stripe.sent)) == 12
    assert world.store.inbox.has("stripe-live", "evt_0011")
    assert "resent 12 of 12 events" in attempt.detail
    assert attempt.request_ids[0] == "req_enable_1"


def test_last_apply_is_within_five_minutes_of_the_first_plan(world):
    world.open()
    world.run(world.ended)
    (attempt,) = world.attempts
    assert attempt.applied_at - world.incident.l1_started_at <= timedelta(minutes=5)


def test_canary_goes_first_and_the_rest_waits_for_its_arrival(world):
    world.delivers = False
    world.open()
    world.run(lambda: bool(world.stripe.sent))
    assert world.stripe.sent == ["evt_0000"]
    world.step()
    assert world.stripe.sent == ["evt_0000"]
    world.delivers = True
    world.run(world.ended)
    assert world.stripe.sent == sorted(world.stripe.sent)


def test_canary_that_never_arrives_keeps_the_batch_back(world):
    world.delivers = False
    world.open()
    world.run(world.ended)
    assert world.attempts[0].outcome == "not_verified"
    assert "did not arrive within 30 s" in world.attempts[0].detail
    assert world.stripe.sent == ["evt_0000"]


def test_event_that_is_in_the_inbox_is_never_resent(world):
    world.receive("evt_0000")
    world.receive("evt_0007")
    world.open()
    world.run(lambda: bool(world.stripe.sent))
    world.receive("evt_0005")  # arrives by itself between canary and batch
    world.run(world.ended)
    assert world.attempts[0].verified
    assert not {"evt_0000", "evt_0005", "evt_0007"} & set(world.stripe.sent)


def test_listed_events_go_at_once_and_the_others_when_the_list_is_complete_to_the_enabling(world):
    late = world.event("evt_late", world.now - timedelta(seconds=1))
    world.open()
    world.tick()
    assert world.stripe.sent == ["evt_0000"]
    world.run(lambda: len(world.stripe.sent) == 12, limit_s=30)
    assert "waits until the event list is complete to 09:00:00 UTC" in world.attempts[0].detail
    world.run(world.ended)
    assert world.stripe.sent[-1] == late.event_id
    assert "resent 13 of 13 events" in world.attempts[0].detail
    assert world.attempts[0].verified
    assert world.attempts[0].applied_at - world.attempts[0].started_at > timedelta(seconds=60)


def test_fresh_read_is_asked_for_only_once_the_list_can_be_complete(world):
    world.open()
    asked = []
    while not world.ended():
        world.step()
        asked += [world.now] * bool(world.runner.wants_reads)
    assert asked[0] - world.attempts[0].started_at > timedelta(seconds=60)
    assert all((later - at).total_seconds() >= 30 for at, later in pairwise(asked))


def test_event_that_arrives_by_itself_is_counted_as_such(world):
    world.open()
    world.tick()
    world.receive("evt_0008")
    world.run(world.ended)
    assert "resent 11 of 12 events; 1 arrived by itself" in world.attempts[0].detail


def test_plan_names_the_calls_the_count_and_the_money(world):
    world.open()
    plan, would_act, why_not, digest = world.runner.dry_run("inc-1", world.signals(), world.now)
    assert isinstance(plan, Plan)
    assert plan.steps[0].startswith("enable we_1 (https://stripe.sim/webhooks/stripe-live)")
    assert "resend 12 events" in plan.steps[1]
    assert "120.00 EUR" in plan.steps[1]
    assert plan.targets == 13
    assert (would_act, why_not) == (True, "")
    assert len(digest) == 16
    assert not world.stripe.calls


def test_dry_run_hash_survives_more_missing_events_and_not_another_endpoint(world):
    world.open()
    first = world.runner.dry_run("inc-1", world.signals(), world.now).plan_hash
    world.event("evt_more", world.now - timedelta(seconds=200))
    world.poll()
    assert world.runner.dry_run("inc-1", world.signals(), world.now).plan_hash == first
    world.stripe.status = "enabled"
    world.poll()
    assert world.runner.dry_run("inc-1", world.signals(), world.now).plan_hash != first


def test_endpoint_a_person_switched_off_is_left_alone(world):
    world.stripe.disabled_reason = "user"
    world.open()
    world.tick()
    assert world.over()
    assert "a person switched we_1 off" in world.incident.l1_reason
    assert not world.stripe.calls


def test_endpoint_whose_application_is_served_by_another_is_left_alone(world):
    other = Endpoint(
        "stripe-live", "we_2", world.stripe.as_listed().url + "/", "enabled", EVENT_TYPES["stripe"], True
    )
    world.stripe.others = [other]
    world.open()
    world.tick()
    assert "we_2 is enabled and serves" in world.incident.l1_reason
    assert not world.stripe.calls


def test_url_that_does_not_answer_starts_no_budget(world):
    world.probe.up = False
    world.open()
    for _ in range(60):
        world.step()
    assert world.incident.l1_started_at is None
    assert not world.over()
    assert "does not answer (connection refused)" in world.incident.l1_reason
    assert world.timeline.count("does not answer") == 1
    world.probe.up = True
    world.run(world.ended)
    assert world.attempts[0].verified


def test_endpoint_that_is_not_ours_is_enabled_and_nothing_is_claimed_of_its_events(make_world):
    url = "https://shop.example/hooks"
    account = {
        "name": "stripe-live",
        "provider": "stripe",
        "mode": "live",
        "api_key": "env:KEY",
        "endpoints": [{"name": "own", "url": url, "idempotent": True}],
    }
    world = make_world(accounts=[account])
    world.stripe.as_listed = lambda: Endpoint(
        "stripe-live", "we_1", url, world.stripe.status, EVENT_TYPES["stripe"], True
    )
    world.history()
    world.miss(3)
    world.poll()
    world.open()
    world.tick()
    assert world.stripe.calls[0][0] == "enable"
    assert "what the application received is unknown here" in world.attempts[0].plan
    world.run(world.ended, 2000)
    assert not world.stripe.sent
    assert world.attempts[0].verified  # by reading the endpoint back; of its events nothing is claimed
    assert "the provider says we_1 is enabled" in world.attempts[0].detail
    assert "missing" not in world.attempts[0].detail


def test_timeout_whose_call_was_applied_is_read_back_and_not_repeated(world):
    world.stripe.script["enable"] = ["timeout_applied"]
    world.open()
    world.run(world.ended)
    assert [call[0] for call in world.stripe.calls].count("enable") == 1
    assert len(world.attempts) == 1
    assert world.attempts[0].verified


def test_timeout_whose_call_was_lost_ends_the_attempt_and_leaves_one_more(world):
    world.stripe.script["enable"] = ["timeout_lost"]
    world.open()
    world.tick()
    assert world.attempts[0].outcome == "not_verified"
    assert "read back: not applied" in world.attempts[0].detail
    world.run(lambda: len(world.attempts) == 2 and world.ended())
    assert world.attempts[1].verified
    keys = [call[2] for call in world.stripe.calls if call[0] == "enable"]
    assert len(set(keys)) == 2


def test_two_lost_calls_exhaust_level_1(world):
    world.stripe.script["enable"] = ["timeout_lost"] * 5
    world.open()
    world.run(world.over)
    assert len(world.attempts) == 2
    assert "2 of 2 attempts are used" in world.incident.l1_reason
    assert len(world.stripe.calls) == 2


def test_rejection_is_definite_and_not_tried_again(world):
    world.stripe.script["enable"] = ["rejected"]
    world.open()
    world.run(world.over)
    (attempt,) = world.attempts
    assert (attempt.outcome, attempt.verified) == ("rejected", False)
    assert attempt.request_ids == ("req_invalid_request",)
    assert len(world.stripe.calls) == 1


def test_rate_limit_is_waited_for_and_tried_once_more(world):
    world.stripe.script["enable"] = ["rate_limited"]
    world.open()
    world.tick()
    assert world.attempts[0].outcome == "rate_limited"
    first = world.now
    world.run(lambda: len(world.attempts) == 2)
    assert world.now - first >= timedelta(seconds=30)
    world.run(world.ended)
    assert world.attempts[1].verified


def test_rate_limit_inside_the_batch_pauses_it_and_goes_on(world):
    world.stripe.script["resend"] = ["ok", "ok", "rate_limited"]
    world.open()
    world.run(world.ended)
    assert len(world.attempts) == 1
    assert world.attempts[0].verified
    assert sorted(world.stripe.sent) == [f"evt_{i:04}" for i in range(12)]


def test_events_that_cannot_be_resent_are_kept_and_named(world):
    world.stripe.script["resend"] = ["ok", "rejected"]
    world.open()
    world.run(world.ended)
    assert world.attempts[0].outcome == "not_verified"
    assert "1 not resendable here: evt_0001 (resource_missing)" in world.attempts[0].detail
    assert len(world.stripe.sent) == 11


def test_canaries_that_are_all_refused_stop_the_resend(world):
    world.stripe.script["resend"] = ["rejected"] * 20
    world.open()
    world.run(world.ended)
    assert world.attempts[0].outcome == "rejected"
    assert "not resendable here" in world.attempts[0].detail
    assert len([call for call in world.stripe.calls if call[0] == "resend"]) == 3


def test_resend_without_answer_waits_for_the_inbox_before_it_goes_on(world):
    world.stripe.script["resend"] = ["ok", "ok", "timeout_applied"]
    world.open()
    world.run(world.ended)
    assert world.attempts[0].verified
    assert len(world.stripe.sent) == len(set(world.stripe.sent)) == 12


def test_resend_that_was_lost_is_made_once_more_with_the_same_key(world):
    world.stripe.script["resend"] = ["ok", "ok", "timeout_lost"]
    world.open()
    world.run(world.ended)
    assert world.attempts[0].verified
    keys = [call[2] for call in world.stripe.calls if call[1] == "evt_0002"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize("bucket", ["auth", "permission"])
def test_credential_trouble_in_the_batch_ends_the_attempt(world, bucket):
    world.stripe.script["resend"] = ["ok", "ok", bucket]
    world.open()
    world.run(world.ended)
    assert world.attempts[0].outcome == "rejected"
    assert "resent 2 of 12 events" in world.attempts[0].detail


def test_unanswered_read_back_blocks_until_it_is_known(world):
    world.stripe.script["enable"] = ["timeout_applied"]
    world.stripe.before_call = lambda _: setattr(world.stripe, "reads_fail", True)
    world.open()
    world.tick()
    world.step()
    assert len(world.stripe.calls) == 1
    assert world.attempts[0].phase == "applying"
    world.run(world.over)
    attempt: FixAttempt = world.attempts[0]
    assert (attempt.outcome, attempt.ended_at) == ("unknown", None)
    assert "unknown whether enable took effect" in world.incident.l1_reason
    world.step()
    assert len(world.stripe.calls) == 1
    world.stripe.reads_fail = False
    world.step()
    assert world.attempts[0].phase == "verifying"
    assert world.attempts[0].outcome is None
    assert len(world.stripe.calls) == 1


def test_batch_larger_than_level_1_has_time_for_asks_an_operator(make_world):
    world = make_world()
    world.history()
    world.miss(3000)
    world.poll()
    world.open()
    world.run(world.over)
    assert "longer than Level 1 has: an operator decides" in world.incident.l1_reason
    assert not world.stripe.calls
    assert world.runner.dry_run("inc-1", world.signals(), world.now).would_act


def test_more_targets_than_the_rule_allows_are_refused_at_once(make_world):
    world = make_world()
    world.history()
    world.miss(5001)
    world.poll()
    world.open()
    world.tick()
    assert world.over()
    assert "more than the limit of 5000" in world.incident.l1_reason


def test_attempt_row_keeps_the_plan_as_it_was_shown(world):
    world.open()
    shown = world.runner.dry_run("inc-1", world.signals(), world.now).plan
    world.tick()
    assert plan_of(world.attempts[0].plan) == shown


def test_enabled_endpoint_without_a_gap_is_refused(world):
    world.stripe.status = "enabled"
    for event in list(world.events):
        world.receive(event.event_id)
    world.poll()
    world.open()
    plan = world.runner.dry_run("inc-1", world.signals(), world.now).plan
    assert isinstance(plan, Refusal)
    assert "nothing to do" in plan.reason
