"""The engine's side: a handoff goes out when the frozen rule says so, and silence is told apart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.escalation import accept, ack, return_


def test_nothing_is_handed_over_before_its_condition_holds(desk):
    desk.open()
    assert desk.tick(minutes=1) == []
    assert desk.incident.level == 1


def test_exhausted_level_1_is_handed_to_level_2_at_once(desk):
    desk.open()
    desk.exhaust()
    assert desk.tick() == ["inc-1"]
    (handoff,) = desk.handoffs
    assert (handoff.level, handoff.to, handoff.sent_by) == (2, "integration-coordinator", "payops")
    assert handoff.accept_by == desk.now + timedelta(minutes=30)
    assert desk.incident.next_action == "integration-coordinator accepts"
    assert desk.incident.next_action_at == handoff.accept_by


def test_handoff_is_sent_once(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    for _ in range(5):
        assert desk.tick(minutes=1) == []


def test_time_alone_hands_over_what_level_1_still_waits_for(desk):
    desk.open()
    assert desk.tick(minutes=30) == []
    assert desk.tick(seconds=1) == ["inc-1"]


def test_five_fields_are_never_blank_even_when_nothing_is_known(desk, rules):
    for rule in rules:
        desk.open(rule, dedup_key=rule, why=(), labels={"account": "stripe-live"})
    desk.tick(hours=2)
    for incident in desk.store.incidents.open_ones():
        (handoff,) = desk.store.incidents.handoffs(incident.id)
        for field in ("problem", "attempted", "impact", "gateway", "request"):
            assert len(getattr(handoff, field).split()) > 3, (incident.rule, field)


def test_silence_calls_the_backup_first_and_then_level_3(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    assert desk.tick(minutes=30) == ["inc-1"]
    assert [(h.level, h.to) for h in desk.handoffs] == [(2, "integration-coordinator")] * 2
    assert "call 2, for the role's backup too" in desk.timeline
    assert desk.tick(minutes=30) == ["inc-1"]
    assert (desk.handoffs[-1].level, desk.handoffs[-1].to) == (3, "tech-lead-orchestrator")
    assert "escalated by silence" in desk.timeline


def test_silence_never_reaches_level_4_and_calls_ever_more_rarely(desk):
    desk.open()
    desk.exhaust()
    for _ in range(60):
        desk.tick(hours=1)
    assert desk.incident.level == 3
    waits = [h.accept_by - h.sent_at for h in desk.handoffs if h.level == 3]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=24)
    assert len(waits) < 8


def test_silence_may_last_for_months(desk):
    desk.open()
    desk.exhaust()
    for _ in range(60):
        desk.tick(hours=25)
    waits = [h.accept_by - h.sent_at for h in desk.handoffs if h.level == 3]
    assert len(waits) > 40 and waits[-1] == timedelta(hours=24)


def test_incident_that_cannot_be_judged_holds_up_no_other(desk):
    desk.open(dedup_key="unreadable", policy="[]")
    desk.open()
    desk.store.incidents.change(
        desk.store.incidents.get("inc-2"), desk.now, who="t", entry="", kind="t", l1_exhausted_at=desk.now
    )
    with pytest.raises(ValueError, match="frozen rule"):
        desk.tick()
    assert [handoff.level for handoff in desk.store.incidents.handoffs("inc-2")] == [2]


def test_accepted_handoff_is_not_called_again(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    for _ in range(10):
        assert desk.tick(hours=1) == []
    assert desk.incident.state == "acknowledged"
    assert desk.incident.next_action.startswith("ana has it as integration-coordinator")


def test_acknowledgement_holds_the_clock_until_it_expires(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    ack(desk.store, "inc-1", "ana", desk.now)
    assert desk.tick(hours=3) == []
    assert desk.tick(hours=1) == ["inc-1"]
    assert desk.incident.state == "open"
    assert "the acknowledgement of ana expired" in desk.timeline


def test_content_raises_to_level_3_by_the_rule(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    assert desk.tick(hours=24, seconds=1) == ["inc-1"]
    assert desk.handoffs[-1].level == 3
    assert "silence" not in desk.timeline


def test_handoff_above_an_accepted_one_is_nobodys_until_it_is_accepted(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    desk.tick(hours=24, seconds=1)
    assert (desk.incident.state, desk.incident.acknowledged_by) == ("open", None)
    assert desk.incident.next_action == "tech-lead-orchestrator accepts"
    accept(desk.store, "inc-1", "ben", desk.now)
    assert (desk.incident.state, desk.incident.acknowledged_by) == ("acknowledged", "ben")


def test_level_4_needs_a_decision_asked_for_by_level_3(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    desk.tick(hours=24, seconds=1)
    accept(desk.store, "inc-1", "ana", desk.now)
    return_(desk.store, "inc-1", "which region is affected?", "ana", desk.now)
    assert desk.tick() == []
    assert desk.incident.next_action == "answer ana: which region is affected?"


def test_decision_asked_for_opens_level_4_with_its_options(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    desk.tick(hours=24, seconds=1)
    accept(desk.store, "inc-1", "ana", desk.now)
    return_(desk.store, "inc-1", "decision: poll or hold?", "ana", desk.now)
    assert desk.tick() == ["inc-1"]
    last = desk.handoffs[-1]
    assert (last.level, last.to) == (4, "user")
    assert "Options: (poll)" in last.request
    assert "done by shop operations" in last.request


def test_reopened_incident_calls_its_level_again(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    ended = desk.store.incidents.change(
        desk.incident, desk.now, who="t", entry="", kind="t", state="resolved",
        resolved_at=desk.now, ended_as="self_healed",
    )  # fmt: skip
    desk.now += timedelta(minutes=5)
    desk.store.incidents.reopen("inc-1", ended.version, desk.now, why_text="back again")
    assert desk.tick() == ["inc-1"]
    assert [h.level for h in desk.handoffs] == [2, 2]


def test_money_lost_does_not_wait_for_level_1(desk, rules):
    rule = rules["webhook-endpoint-disabled"].policy_json()
    loses = rule.replace("l1_exhausted || open_for > duration('30m')", "l1_exhausted || money_lost")
    desk.open(policy=loses)
    assert desk.tick() == []
    desk.missing(5)
    assert desk.tick() == ["inc-1"]


def test_frozen_rule_that_cannot_be_judged_hands_nothing_over(desk, rules):
    broken = rules["webhook-endpoint-disabled"].policy_json().replace("l1_exhausted ||", "no_such_name ||")
    desk.open(policy=broken)
    desk.exhaust()
    assert desk.tick() == []
    assert desk.incident.next_action == "the rule's Level 2 condition, a person, or Level 2 in any case"
    assert desk.incident.next_action_at == desk.now + timedelta(minutes=30)


def test_next_action_is_written_only_when_it_changes(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    version = desk.incident.version
    desk.tick(minutes=1)
    desk.tick(minutes=1)
    assert desk.incident.version == version
