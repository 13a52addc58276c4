"""What comes back from above: answers become follow-ups, decisions have a reason, levels are handed down in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payops.domain.errors import NotPossible
from payops.domain.protocol import ANSWERS
from payops.escalation import accept, answer, decide, done, escalate, hand_down, learn, resolve, return_
from payops.reports.proposals import proposals


def at_level(desk, level: int) -> None:
    desk.open()
    desk.exhaust()
    desk.tick()
    for _ in range(level - 2):
        accept(desk.store, "inc-1", "ana", desk.now)
        escalate(desk.store, desk.settings, "inc-1", {}, "ana", desk.signals(), desk.now)
    assert desk.handoffs[-1].level == level


def say(desk, kind: str, text: str = "put a queue before the handler") -> str:
    return answer(desk.store, desk.settings, "inc-1", kind, text, "", None, "cora", desk.signals(), desk.now)


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_every_answer_becomes_a_follow_up_with_owner_and_date(desk, kind):
    at_level(desk, 2)
    accept(desk.store, "inc-1", "cora", desk.now)
    say(desk, kind)
    (made,) = desk.store.followups.open_ones()
    assert (made.incident_id, made.owner, made.kind) == ("inc-1", "cora", "answer")
    assert made.due_at is not None and made.due_at > desk.now
    (kept,) = desk.store.followups.answers("inc-1")
    assert (kept.kind, kept.by, kept.handoff_seq) == (kind, "cora", 1)
    assert "put a queue before the handler" in desk.timeline


@pytest.mark.parametrize(
    ("kind", "trigger"), [("provider_issue", "provider_api_change"), ("architecture_change", None)]
)
def test_an_answer_that_escalates_goes_to_level_3_with_its_reason(desk, kind, trigger):
    at_level(desk, 2)
    accept(desk.store, "inc-1", "cora", desk.now)
    assert "Level 3" in say(desk, kind)
    assert (desk.handoffs[-1].level, desk.handoffs[-1].trigger) == (3, trigger)


def test_an_answer_may_become_a_level_1_attempt_or_a_proposal_to_change_the_rule(desk):
    at_level(desk, 2)
    accept(desk.store, "inc-1", "cora", desk.now)
    say(desk, "advice", "wait two minutes longer before it opens")
    assert "f tries Level 1 again, 2 of 2 attempts are left" in desk.incident.next_action
    (found,) = proposals(desk.store, desk.now, desk.now)
    assert (found.kind, found.subject, found.ids) == ("advice", "webhook-endpoint-disabled", ("inc-1",))
    assert "wait two minutes longer" in found.what
    done(desk.store, "1", "cora", desk.now)
    assert proposals(desk.store, desk.now, desk.now) == ()


def test_nobody_answers_a_handoff_that_nobody_accepted(desk):
    at_level(desk, 2)
    with pytest.raises(NotPossible, match="accept it, then answer"):
        say(desk, "advice")
    accept(desk.store, "inc-1", "cora", desk.now)
    with pytest.raises(NotPossible, match="did you mean 'advice'"):
        say(desk, "advise")
    with pytest.raises(NotPossible, match="in a sentence"):
        say(desk, "advice", "  ")


def test_a_decision_has_one_of_the_options_a_reason_an_executor_and_a_check(desk):
    at_level(desk, 4)
    options = [choice.id for step in desk.policy.at_level(4) for choice in step.options]
    with pytest.raises(NotPossible, match=f"one of: {', '.join(options)}"):
        decide(desk.store, "inc-1", "close the shop", "no idea", "uma", desk.now)
    with pytest.raises(NotPossible, match="why is missing"):
        decide(desk.store, "inc-1", options[0], " ", "uma", desk.now)
    decide(desk.store, "inc-1", options[0], "orders can wait a day", "uma", desk.now)
    (kept,) = desk.store.followups.decisions("inc-1")
    assert (kept.option, kept.why, kept.by) == (options[0], "orders can wait a day", "uma")
    assert kept.executor
    todo, check = desk.store.followups.open_ones()
    assert todo.owner == kept.executor
    assert check.what.startswith(f"check what the decision {options[0]} did")
    assert desk.incident.state == "acknowledged"
    assert desk.handoffs[-1].accepted_by == "uma"


def test_nothing_is_decided_below_level_4(desk):
    at_level(desk, 3)
    with pytest.raises(NotPossible, match="not at Level 4"):
        decide(desk.store, "inc-1", "wait", "because", "uma", desk.now)


def test_handing_down_keeps_the_highest_level_on_record_and_climbs_from_below_again(desk):
    at_level(desk, 3)
    accept(desk.store, "inc-1", "tess", desk.now)
    hand_down(
        desk.store, desk.settings, "inc-1", "no strategy is needed, the endpoint is known", "tess", desk.now
    )
    last = desk.handoffs[-1]
    assert (last.level, last.to, last.cause) == (2, "integration-coordinator", "down")
    assert desk.incident.level == 3
    assert "handed it down from Level 3, because no strategy is needed" in desk.timeline
    accept(desk.store, "inc-1", "cora", desk.now)
    escalate(desk.store, desk.settings, "inc-1", {}, "cora", desk.signals(), desk.now)
    assert desk.handoffs[-1].level == 3
    resolve(desk.store, "inc-1", "our deploy", "rolled back", "", "cora", desk.now)
    assert desk.incident.ended_as == "level_3"


def test_there_is_nothing_below_level_2_to_hand_down_to(desk):
    at_level(desk, 2)
    with pytest.raises(NotPossible, match="no level to hand it down to"):
        hand_down(desk.store, desk.settings, "inc-1", "it is easy", "cora", desk.now)


def test_closing_above_level_1_leaves_a_lesson_owed_until_it_is_said(desk):
    at_level(desk, 2)
    told = resolve(desk.store, "inc-1", "our deploy", "rolled back", "", "ana", desk.now)
    (owed,) = desk.store.followups.open_ones()
    assert (owed.kind, owed.owner, owed.due_at) == ("learn", "ana", desk.now + timedelta(days=7))
    assert f"follow-up {owed.id}" in told
    with pytest.raises(NotPossible, match="because of what"):
        learn(desk.store, "inc-1", "nothing", "", "", None, "ana", desk.now)
    with pytest.raises(NotPossible, match="needs a date"):
        learn(desk.store, "inc-1", "action", "add a canary deploy", "", None, "ana", desk.now)
    learn(desk.store, "inc-1", "nothing", "because the deploy is gone", "", None, "ana", desk.now)
    assert desk.store.followups.open_ones() == []


def test_a_lesson_given_before_the_end_is_not_owed_again(desk):
    at_level(desk, 2)
    learn(
        desk.store,
        "inc-1",
        "action",
        "alarm on deploys",
        "ben",
        desk.now + timedelta(days=3),
        "ana",
        desk.now,
    )
    resolve(desk.store, "inc-1", "our deploy", "rolled back", "", "ana", desk.now)
    (todo,) = desk.store.followups.open_ones()
    assert (todo.kind, todo.owner) == ("action", "ben")
    assert "is done" in done(desk.store, str(todo.id), "ben", desk.now)
    with pytest.raises(NotPossible, match="was done by ben"):
        done(desk.store, str(todo.id), "ben", desk.now)
    with pytest.raises(NotPossible, match="no follow-up 99"):
        done(desk.store, "99", "ben", desk.now)


def test_what_ends_at_level_1_owes_no_lesson(desk):
    desk.open()
    resolve(desk.store, "inc-1", "issuer", "nothing", "", "ana", desk.now)
    assert desk.store.followups.open_ones() == []


def test_a_returned_handoff_is_answered_at_its_own_level_after_a_hand_down(desk):
    at_level(desk, 3)
    hand_down(desk.store, desk.settings, "inc-1", "no strategy is needed", "tess", desk.now)
    return_(desk.store, "inc-1", "which endpoint is it?", "cora", desk.now)
    escalate(desk.store, desk.settings, "inc-1", {}, "ana", desk.signals(), desk.now)
    assert (desk.handoffs[-1].level, desk.handoffs[-1].cause) == (2, "answer")
