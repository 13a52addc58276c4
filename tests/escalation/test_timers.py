"""Nobody is forgotten: every open incident has a next step in the future, and who has one says how it stands."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.domain.errors import LostRace, NotPossible
from payops.domain.protocol import SECURITY, TRIGGERS
from payops.escalation import accept, ack, audit, escalate, note, return_
from payops.escalation.auditor import GRACE


def run_audit(desk) -> list[str]:
    return audit(desk.store, desk.settings, desk.signals(), desk.now)


def test_a_holder_is_reminded_of_each_update_and_a_word_puts_it_off(desk):
    desk.open(severity="sev2")
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    assert desk.incident.next_action_at == desk.now + timedelta(hours=1)
    desk.tick(minutes=50)
    note(desk.store, "inc-1", "the provider is looking", "ana", desk.now)
    desk.tick(minutes=30)
    assert desk.timeline.count("no update by ana") == 0
    desk.tick(minutes=30)
    assert desk.timeline.count("no update by ana") == 1
    desk.tick(minutes=10)
    assert desk.timeline.count("no update by ana") == 1
    assert desk.incident.next_action_at > desk.now


def test_a_handoff_without_a_word_for_a_day_is_given_to_others(desk):
    desk.open(severity="sev2")
    desk.exhaust()
    desk.tick()
    accept(desk.store, "inc-1", "ana", desk.now)
    assert desk.tick(hours=23) == []
    assert desk.tick(hours=1) == ["inc-1"]
    assert (desk.handoffs[-1].cause, desk.handoffs[-1].level) == ("lapsed", 2)
    assert desk.incident.state == "open"
    assert "ana gave no update" in desk.timeline


def test_an_incident_without_a_next_step_is_raised_once(desk):
    opened = desk.open(next_action="", next_action_at=None)
    assert run_audit(desk) == []
    desk.now += GRACE
    assert run_audit(desk) == [opened.id]
    assert (desk.handoffs[-1].level, desk.handoffs[-1].cause) == (2, "auditor")
    assert run_audit(desk) == []
    desk.now += GRACE
    assert run_audit(desk) == []


def test_a_question_that_nobody_answers_is_put_again_at_the_same_level(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    return_(desk.store, "inc-1", "which endpoint?", "cora", desk.now)
    desk.tick(minutes=30)
    assert run_audit(desk) == []
    desk.tick(minutes=33)
    assert run_audit(desk) == ["inc-1"]
    assert (desk.handoffs[-1].level, desk.handoffs[-1].cause) == (2, "auditor")


def test_the_auditor_never_goes_to_level_4(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    escalate(desk.store, desk.settings, "inc-1", {}, "ana", desk.signals(), desk.now)
    return_(desk.store, "inc-1", "why?", "tess", desk.now)
    desk.now += timedelta(days=2)
    run_audit(desk)
    assert desk.handoffs[-1].level == 3


def test_without_a_rule_that_hands_over_level_2_is_told_all_the_same(desk, rules):
    policy = json.loads(rules["webhook-endpoint-disabled"].policy_json())
    policy["escalate"] = {}
    desk.open(policy=json.dumps(policy))
    desk.exhaust()
    desk.tick()
    desk.tick(minutes=33)
    assert run_audit(desk) == ["inc-1"]
    assert desk.handoffs[-1].to == "integration-coordinator"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ack", "accept", "return", "escalate", "note", "wait"]),
        st.integers(min_value=0, max_value=300),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(STEPS)
def test_after_every_tick_and_audit_each_open_incident_waits_for_a_time_to_come(make_desk, steps):
    desk = make_desk()
    desk.open()
    desk.exhaust()
    do = {
        "ack": lambda: ack(desk.store, "inc-1", "ana", desk.now),
        "accept": lambda: accept(desk.store, "inc-1", "ben", desk.now),
        "return": lambda: return_(desk.store, "inc-1", "which one is it?", "ben", desk.now),
        "escalate": lambda: escalate(desk.store, desk.settings, "inc-1", {}, "ana", desk.signals(), desk.now),
        "note": lambda: note(desk.store, "inc-1", "still looking", "ana", desk.now),
        "wait": lambda: "",
    }
    for what, minutes in steps:
        with suppress(NotPossible, LostRace):
            do[what]()
        desk.tick(minutes=minutes)
        run_audit(desk)
        incident = desk.incident
        assert incident.next_action_at is not None, incident.next_action
        assert incident.next_action_at > desk.now - GRACE, incident.next_action
        assert desk.handoffs[-1].level < 4 or any(
            h.sent_by != "payops" for h in desk.handoffs if h.level == 4
        )


@pytest.mark.parametrize("trigger", list(TRIGGERS))
def test_a_stated_trigger_goes_straight_to_level_3_to_whom_it_concerns(desk, trigger):
    desk.open()
    fields = {"trigger": trigger.replace("_", "-")}
    escalate(desk.store, desk.settings, "inc-1", fields, "ana", desk.signals(), desk.now)
    (handoff,) = desk.handoffs
    assert (handoff.level, handoff.trigger) == (3, trigger)
    assert handoff.to == ("security-coordinator" if trigger in SECURITY else "tech-lead-orchestrator")
    assert TRIGGERS[trigger] in desk.timeline


def test_without_a_trigger_nobody_skips_a_level_and_an_unknown_one_is_refused(desk):
    desk.open()
    with pytest.raises(NotPossible, match="did you mean 'leaked_key'"):
        escalate(
            desk.store, desk.settings, "inc-1", {"trigger": "leaked keys"}, "ana", desk.signals(), desk.now
        )
    escalate(desk.store, desk.settings, "inc-1", {}, "ana", desk.signals(), desk.now)
    assert desk.handoffs[-1].level == 2


@pytest.mark.parametrize(("trigger", "level"), [(None, 2), ("card_testing", 3)])
def test_a_rule_s_step_skips_level_2_only_by_its_trigger_and_level_1_goes_on_beside_it(
    desk, rules, trigger, level
):
    policy = json.loads(rules["webhook-endpoint-disabled"].policy_json())
    step = {
        "when": ["open_for >= duration('0s')"],
        "role": "security-coordinator",
        "request": "Is it an attack?",
    }
    policy["escalate"]["level2"]["when"] = ["open_for >= duration('0s')"]
    policy["escalate"]["level3"] = [step | ({"trigger": trigger} if trigger else {})]
    desk.open(policy=json.dumps(policy))
    desk.tick()
    assert (desk.handoffs[-1].level, desk.handoffs[-1].trigger) == (level, trigger)
    assert desk.incident.l1_exhausted_at is None


def test_the_auditor_calls_level_3_again_and_nobody_above_it(desk):
    desk.open()
    for level in ("2", "3"):
        escalate(desk.store, desk.settings, "inc-1", {"level": level}, "ana", desk.signals(), desk.now)
    desk.store.incidents.change(
        desk.incident, desk.now, who="t", entry="", kind="t", next_action="", next_action_at=None
    )
    desk.now += GRACE
    assert run_audit(desk) == ["inc-1"]
    assert [handoff.level for handoff in desk.handoffs] == [2, 3, 3]
