"""What people do: every wrong state is refused with its reason, every way up is a handoff."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.domain.errors import LostRace, NotPossible, UsageError
from payops.domain.handoffs import FIELDS
from payops.escalation import accept, ack, assign, draft, escalate, note, resolve, return_


def go_up(desk, **fields: str) -> str:
    return escalate(desk.store, desk.settings, "inc-1", fields, "ana", desk.signals(), desk.now)


def end(desk, cause: str = "provider change", fixed: str = "rolled the key", operator: str = "ana") -> str:
    return resolve(desk.store, "inc-1", cause, fixed, "", operator, desk.now)


def test_escalation_carries_what_the_person_wrote_and_keeps_the_rest(desk):
    desk.open()
    before = draft(desk.store, desk.settings, desk.incident, desk.signals(), desk.now)
    said = go_up(desk, request="May we enable it while the deploy runs?")
    assert said == "inc-1: handed to integration-coordinator (Level 2), to be accepted by 09:30:00 UTC"
    (handoff,) = desk.handoffs
    assert handoff.request == "May we enable it while the deploy runs?"
    assert handoff.problem == before.problem
    assert handoff.sent_by == "ana"


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", ["", "   ", "n/a", "Unknown.", "see above", "asap", "12345 67 89"])
def test_field_that_says_nothing_is_refused_by_name(desk, field, text):
    desk.open()
    with pytest.raises(NotPossible, match=f"{field} (is empty|says too little)"):
        go_up(desk, **{field: text})
    assert desk.incident.level == 1
    assert not desk.handoffs


def test_secret_in_a_handoff_does_not_reach_the_disk(desk):
    desk.open()
    go_up(desk, gateway="Stripe with the key sk_live_51H8abcdefghijklmnopqrst and req_1")
    assert "sk_live_51H8abcdefghijklmnopqrst" not in desk.handoffs[0].gateway


def test_accept_makes_it_the_persons_and_only_once(desk):
    desk.open()
    with pytest.raises(NotPossible, match="was not handed over"):
        accept(desk.store, "inc-1", "ana", desk.now)
    go_up(desk)
    accept(desk.store, "inc-1", "ben", desk.now)
    assert (desk.incident.state, desk.incident.owner) == ("acknowledged", "ben")
    with pytest.raises(NotPossible, match="accepted by ben"):
        accept(desk.store, "inc-1", "ana", desk.now)


def test_return_keeps_the_level_and_its_answer_goes_to_the_same_level(desk):
    desk.open()
    go_up(desk)
    with pytest.raises(NotPossible, match="question"):
        return_(desk.store, "inc-1", " ", "ben", desk.now)
    return_(desk.store, "inc-1", "Which endpoint do you mean?", "ben", desk.now)
    assert (desk.incident.level, desk.incident.state) == (2, "open")
    assert desk.handoffs[0].question == "Which endpoint do you mean?"
    with pytest.raises(NotPossible, match="returned by ben"):
        accept(desk.store, "inc-1", "ana", desk.now)
    go_up(desk, problem="It is the endpoint called own, disabled since nine.")
    assert [handoff.level for handoff in desk.handoffs] == [2, 2]
    go_up(desk)
    assert desk.incident.level == 3


def test_one_word_is_a_question_and_without_a_handoff_none_is_asked(desk):
    desk.open()
    with pytest.raises(NotPossible, match="no handoff waits"):
        return_(desk.store, "inc-1", "", "ben", desk.now)
    go_up(desk)
    for nothing in ("", " ? ", "decision: ", "Decision: ?"):
        with pytest.raises(NotPossible, match="question"):
            return_(desk.store, "inc-1", nothing, "ben", desk.now)
    return_(desk.store, "inc-1", "why?", "ben", desk.now)
    assert desk.handoffs[0].question == "why?"


def test_escalation_stops_at_level_4(desk):
    desk.open()
    for level in (2, 3, 4):
        go_up(desk)
        assert desk.incident.level == level
    with pytest.raises(NotPossible, match="Level 4 already"):
        go_up(desk)


def test_acknowledging_twice_says_so_and_another_takes_over(desk):
    desk.open()
    ack(desk.store, "inc-1", "ana", desk.now)
    with pytest.raises(NotPossible, match="by you already"):
        ack(desk.store, "inc-1", "ana", desk.now)
    ack(desk.store, "inc-1", "ben", desk.now)
    assert desk.incident.acknowledged_by == "ben"
    assert "acknowledged by ben, after ana" in desk.timeline


def test_assign_and_note_are_kept_with_their_author(desk):
    desk.open()
    assign(desk.store, "inc-1", "ben", "ana", desk.now)
    note(desk.store, "inc-1", "called the provider \x1b[31m", "ana", desk.now)
    assert desk.incident.owner == "ben"
    last = desk.store.incidents.timeline("inc-1")[-1]
    assert (last.who, last.text, last.kind) == ("ana", "called the provider", "note")
    with pytest.raises(NotPossible):
        assign(desk.store, "inc-1", " ", "ana", desk.now)
    with pytest.raises(NotPossible):
        note(desk.store, "inc-1", "\x1b[0m ", "ana", desk.now)


def test_person_who_says_what_fixed_it_at_level_1_fixed_it(desk):
    desk.open()
    assert end(desk) == "inc-1: resolved as fixed_by_operator"
    assert "cause provider change; fixed by: rolled the key" in desk.timeline


def test_nothing_fixed_it_is_a_self_heal_and_no_success(desk):
    desk.open()
    end(desk, fixed="Nothing.")
    assert desk.incident.ended_as == "self_healed"


def test_blank_fix_is_refused(desk):
    desk.open()
    with pytest.raises(NotPossible, match="fixed is empty"):
        end(desk, fixed="  ")


def test_verified_attempt_says_who_fixed_it_at_level_1(desk):
    desk.open()
    desk.attempt(verified=True)
    end(desk)
    assert desk.incident.ended_as == "fixed_by_payops"


def test_false_alarm_ends_so_at_any_level(desk):
    desk.open()
    go_up(desk)
    end(desk, cause="False alarm")
    assert desk.incident.ended_as == "false_alarm"


@pytest.mark.parametrize("level", [2, 3, 4])
def test_person_at_level_n_ends_it_as_level_n(desk, level):
    desk.open()
    desk.attempt(verified=True)
    for _ in range(level - 1):
        go_up(desk)
    end(desk)
    assert desk.incident.ended_as == f"level_{level}"


def test_unknown_cause_is_refused_with_a_suggestion(desk):
    desk.open()
    with pytest.raises(NotPossible, match="did you mean 'false alarm'"):
        end(desk, cause="fals alarm")


def test_incident_is_not_closed_over_a_call_that_is_not_read_back(desk):
    desk.open()
    desk.attempt(done=False)
    with pytest.raises(NotPossible, match="is being applied"):
        end(desk)


def test_attempt_not_proved_before_the_close_stays_unproved(desk):
    desk.open()
    desk.attempt(done=False)
    desk.store.incidents.update_attempt("inc-1", 1, desk.now, phase="verifying", applied_at=desk.now)
    end(desk)
    (attempt,) = desk.store.incidents.attempts("inc-1")
    assert (attempt.phase, attempt.outcome, attempt.verified) == ("done", "not_verified", False)
    assert desk.incident.ended_as == "fixed_by_operator"


@pytest.mark.parametrize("what", ["ack", "assign", "escalate", "accept", "return", "resolve"])
def test_resolved_incident_takes_nothing_but_notes(desk, what):
    desk.open()
    end(desk)
    doing = {
        "ack": lambda: ack(desk.store, "inc-1", "ana", desk.now),
        "assign": lambda: assign(desk.store, "inc-1", "ben", "ana", desk.now),
        "escalate": lambda: go_up(desk),
        "accept": lambda: accept(desk.store, "inc-1", "ana", desk.now),
        "return": lambda: return_(desk.store, "inc-1", "what is it?", "ana", desk.now),
        "resolve": lambda: end(desk),
    }
    with pytest.raises(NotPossible, match="was resolved as fixed_by_operator"):
        doing[what]()
    note(desk.store, "inc-1", "learned later", "ana", desk.now)


def test_unknown_incident_is_a_usage_error(desk):
    desk.open()
    with pytest.raises(UsageError, match="inc-1"):
        ack(desk.store, "inc-11", "ana", desk.now)


def test_loser_of_a_race_is_told_who_won(desk, monkeypatch):
    desk.open()
    old = desk.incident
    ack(desk.store, "inc-1", "ben", desk.now)
    monkeypatch.setattr(desk.store.incidents, "get", lambda _: old)
    with pytest.raises(LostRace, match="ben"):
        ack(desk.store, "inc-1", "ana", desk.now)


OPERATIONS = ("ack", "escalate", "accept", "return", "resolve", "tick", "exhaust", "wait")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(OPERATIONS), max_size=14))
def test_level_only_grows_and_each_level_has_its_handoff(make_desk, operations):
    desk = make_desk()
    desk.open()
    highest = 1
    for operation in operations:
        with contextlib.suppress(NotPossible):
            {
                "ack": lambda: ack(desk.store, "inc-1", "ana", desk.now),
                "escalate": lambda: go_up(desk),
                "accept": lambda: accept(desk.store, "inc-1", "ana", desk.now),
                "return": lambda: return_(desk.store, "inc-1", "decision: stop or go?", "ana", desk.now),
                "resolve": lambda: end(desk),
                "tick": lambda: desk.tick(minutes=7),
                "exhaust": desk.exhaust,
                "wait": lambda: desk.tick(hours=5),
            }[operation]()
        incident = desk.incident
        assert incident.level >= highest
        highest = incident.level
        sent = {handoff.level for handoff in desk.handoffs}
        assert incident.level == 1 or incident.level in sent
        assert incident.level == max(sent, default=1)
        assert (incident.ended_as is None) == (incident.state != "resolved")
        if incident.ended_as and incident.ended_as.startswith("level_"):
            assert incident.ended_as == f"level_{incident.level}"
    report = desk.store.audit.verify()
    assert report.ok
