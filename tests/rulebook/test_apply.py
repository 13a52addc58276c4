"""What opens, stays, and ends an incident. The rule: missing >= 5 for 1m fires, missing == 0 for 2m resolves."""

from __future__ import annotations

import pytest

from payops.rulebook import Rule
from payops.store import Store


def resolved_by_hand(rig, minute: float) -> None:
    rig.store.incidents.change(
        rig.only(),
        rig.at(minute),
        who="ana",
        entry="a test of ours",
        kind="resolved",
        state="resolved",
        resolved_at=rig.at(minute),
        ended_as="false_alarm",
    )


def test_fires_after_its_for_and_resolves_after_its_own(rig):
    rig = rig()
    assert rig.outcome(rig.missing(0, 9)) == "pending"
    assert rig.missing(0.9, 9).opened == ()
    assert rig.missing(1, 9).opened == ("inc-1",)
    assert rig.missing(5, 3).resolved == ()
    assert rig.missing(6, 0).resolved == ()
    assert rig.missing(7.9, 0).resolved == ()
    assert rig.missing(8, 0).resolved == ("inc-1",)
    incident = rig.only()
    assert (incident.opened_at, incident.resolved_at) == (rig.at(1), rig.at(8))
    assert (incident.ended_as, incident.level, incident.next_action_at) == ("self_healed", 1, None)


def test_incident_says_why_with_values_and_freezes_its_rule(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 12)
    incident = rig.only()
    assert [(why.term, why.value) for why in incident.why] == [("missing >= 5", True), ("missing", 12)]
    assert incident.title == "Events missing at shop (a)"
    assert (incident.account, incident.provider, incident.mode) == ("a", "stripe", "live")
    assert incident.dedup_key == "v1:events-missing:a:shop"
    assert (incident.next_action, incident.next_action_at) == ("plan resend", rig.at(1))
    assert incident.rule_hash == rig.rules["events-missing"].hash
    assert Rule.from_policy(incident.policy).hash == incident.rule_hash
    assert rig.store.incidents.timeline("inc-1")[0].text == "opened: missing >= 5 for 1m (missing 12)"


def test_condition_that_stops_before_its_for_opens_nothing(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(0.5, 0)
    rig.missing(1, 9)
    assert rig.missing(1.9, 9).opened == ()
    assert rig.missing(2, 9).opened == ("inc-1",)


def test_hysteresis_keeps_open_between_the_two_conditions(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    for minute in range(2, 60):
        assert rig.missing(minute, 1).resolved == ()
    assert rig.state() == "open"


@pytest.mark.parametrize("blind", ["none", "stale", "undated", "absent"])
def test_unknown_never_opens_and_never_resolves(rig, blind):
    rig = rig()

    def look(minute: float, count: int) -> None:
        rows = {
            "none": (rig.row(minute, {"missing": None}),),
            "stale": (rig.row(minute, {"missing": count}, age_s=901),),
            "undated": (
                rig.row(minute, {"missing": count}).__class__(
                    rig.row(0, {}).labels, {"missing": count}, None
                ),
            ),
            "absent": (),
        }[blind]
        applied = rig.tick(minute, {"webhooks": rows})
        assert (applied.opened, applied.resolved) == ((), ())
        assert all(verdict.outcome == "unknown" and verdict.no_data for verdict in applied.verdicts)

    rig.missing(0, 9)
    for minute in range(1, 30):
        look(minute, 9)
    assert rig.missing(30, 9).opened == ("inc-1",)
    for minute in range(31, 60):
        look(minute, 0)
    assert rig.state() == "open"


def test_unknown_starts_the_resolve_timer_over(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.missing(2, 0)
    rig.missing(3, None)
    assert rig.missing(4, 0).resolved == ()
    assert rig.missing(6, 0).resolved == ("inc-1",)


def test_row_of_exactly_the_stale_limit_still_counts(rig):
    rig = rig(("for: 1m", "for: 0s"))
    assert rig.tick(0, {"webhooks": (rig.row(0, {"missing": 9}, age_s=900),)}).opened == ("inc-1",)


def test_on_no_data_fire_opens_without_data_and_resolve_closes(rig):
    fires = rig(("on_no_data: hold", "on_no_data: fire"))
    fires.missing(0, None)
    assert fires.missing(1, None).opened == ("inc-1",)
    assert "no data, and the rule says fire" in fires.store.incidents.timeline("inc-1")[0].text
    closes = rig(("on_no_data: hold", "on_no_data: resolve"))
    closes.missing(0, 9)
    closes.missing(1, 9)
    closes.missing(2, None)
    assert closes.missing(4, None).resolved == ("inc-1",)


def test_severity_rises_while_open_and_never_falls(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    assert rig.only().severity == "sev3"
    assert rig.missing(2, 60).changed == ("inc-1",)
    assert rig.missing(3, 60).changed == ()
    rig.missing(4, 9)
    assert rig.only().severity == "sev2"
    assert "sev3 → sev2" in rig.store.incidents.timeline("inc-1")[-1].text


def test_incident_opens_at_the_severity_it_has_by_then(rig):
    rig = rig()
    rig.missing(0, 60)
    rig.missing(1, 60)
    assert rig.only().severity == "sev2"


def test_verified_attempt_makes_it_fixed_by_who_made_it(rig):
    for by, ended_as in (("payops", "fixed_by_payops"), ("ana", "fixed_by_operator")):
        each = rig()
        each.missing(0, 9)
        each.missing(1, 9)
        each.attempt(2, by=by)
        each.missing(3, 0)
        each.missing(5, 0)
        assert each.only().ended_as == ended_as


@pytest.mark.parametrize(
    "attempt",
    [
        {"effect": "read"},
        {"phase": "done", "outcome": "not_verified", "verified": False},
        {"phase": "done", "outcome": "rejected", "verified": False},
        {"phase": "done", "outcome": "succeeded", "verified": True, "progress": '{"by_itself": true}'},
    ],
)
def test_what_was_only_read_or_not_verified_heals_by_itself(rig, attempt):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.attempt(2, **attempt)
    rig.missing(3, 0)
    rig.missing(5, 0)
    assert rig.only().ended_as == "self_healed"


@pytest.mark.parametrize("phase", ["applying", "verifying"])
def test_resolution_waits_for_an_attempt_under_way(rig, phase):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.attempt(2, phase=phase)
    rig.missing(3, 0)
    assert rig.missing(6, 0).resolved == ()
    rig.store.incidents.update_attempt(
        "inc-1", 1, rig.at(6), phase="done", outcome="succeeded", verified=True, ended_at=rig.at(6)
    )
    assert rig.missing(7, 0).resolved == ("inc-1",)
    assert rig.only().ended_as == "fixed_by_payops"


def test_same_trouble_within_reopen_within_reopens_and_keeps_attempts(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.attempt(2)
    rig.missing(3, 0)
    rig.missing(5, 0)
    rig.missing(60, 9)
    assert rig.missing(61, 9).opened == ("inc-1",)
    incident = rig.only()
    assert (incident.state, incident.ended_as, incident.resolved_at) == ("open", None, None)
    assert len(rig.store.incidents.attempts("inc-1")) == 1
    rig.missing(70, 0)
    rig.missing(72, 0)
    assert rig.only().ended_as == "self_healed", "the attempt before the reopening fixed what came before it"


def test_reopened_incident_inherits_what_it_used_of_the_five_minutes(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.store.incidents.change(
        rig.only(), rig.at(1), who="payops", entry="", kind="level1", l1_started_at=rig.at(1)
    )
    rig.attempt(2)
    rig.store.incidents.update_attempt("inc-1", 1, rig.at(3), applied_at=rig.at(3))
    rig.missing(3, 0)
    rig.missing(5, 0)
    rig.missing(60, 9)
    rig.missing(61, 9)
    assert rig.only().l1_started_at == rig.at(59)


def test_same_trouble_after_reopen_within_is_a_new_incident(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.missing(3, 0)
    rig.missing(5, 0)
    rig.missing(126, 9)
    assert rig.missing(127, 9).opened == ("inc-2",)


def test_reopened_incident_whose_level_one_was_over_stays_over(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    rig.store.incidents.change(
        rig.only(), rig.at(2), who="payops", entry="over", kind="level1", l1_exhausted_at=rig.at(2)
    )
    rig.missing(3, 0)
    rig.missing(5, 0)
    rig.missing(10, 9)
    rig.missing(11, 9)
    incident = rig.only()
    assert incident.l1_exhausted_at == rig.at(2)
    assert incident.next_action == "Level 2 handoff"


def test_what_a_person_closed_stays_closed_until_the_condition_clears(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    resolved_by_hand(rig, 5)
    for minute in range(6, 20):
        assert rig.missing(minute, 9).opened == ()
    rig.missing(20, 0)
    rig.missing(21, 9)
    assert rig.missing(22, 9).opened == ("inc-1",)


def test_what_a_person_closed_comes_back_when_it_never_clears(rig):
    rig = rig()
    rig.missing(0, 9)
    rig.missing(1, 9)
    resolved_by_hand(rig, 5)
    assert rig.missing(124, 9).opened == ()
    assert rig.missing(126, 9).opened == ("inc-2",)


def test_flapping_holds_the_incident_open(rig):
    rig = rig(("for: 1m", "for: 0s"), ("for: 2m", "for: 0s"))
    for minute in (0, 10):
        rig.missing(minute, 9)
        assert rig.missing(minute + 5, 0).resolved == ("inc-1",)
    rig.missing(20, 9)
    assert rig.missing(25, 0).resolved == ()
    assert rig.missing(79, 0).resolved == ()
    assert rig.missing(80, 0).resolved == ("inc-1",)


def test_changes_outside_the_flap_window_are_forgotten(rig):
    rig = rig(("for: 1m", "for: 0s"), ("for: 2m", "for: 0s"))
    for hour in range(0, 40, 4):
        rig.missing(hour * 60, 9)
        assert rig.missing(hour * 60 + 5, 0).resolved != ()


CAUSE = """\
schema: payops.rule/v1
id: endpoint-off
challenge: webhook_miss
title: "{endpoint} is off"
status: stable
runbook: "Enable it."
signal: {source: endpoints, group_by: [account, endpoint]}
fire: {when: ["disabled"], for: 0s, severity: sev2}
resolve: {when: ["!disabled"], for: 0s}
incident: {dedup_key: [account, endpoint]}
escalate:
  level2: {when: ["l1_exhausted"], role: integration-coordinator, ack_within: 1h, request: "Why is it off?"}
"""
BY_CAUSE = ("reopen_within: 2h", "inhibited_by: [{rule: endpoint-off, equal: [account, endpoint]}]")


def both(minute: float, rig, *, off: bool | None, missing: int, **more):
    return rig.tick(minute, {"endpoints": {"disabled": off}, "webhooks": {"missing": missing}}, **more)


def test_consequence_opens_nothing_beside_its_cause_in_the_same_tick(rig):
    rig = rig(BY_CAUSE, ("for: 1m", "for: 0s"), others=(CAUSE,))
    applied = both(0, rig, off=True, missing=9)
    assert applied.opened == ("inc-1",)
    assert rig.only().rule == "endpoint-off"
    assert rig.outcome(applied) == "inhibited"


def test_open_incident_of_the_cause_inhibits_even_when_its_condition_is_not_known(rig):
    rig = rig(BY_CAUSE, ("for: 1m", "for: 0s"), others=(CAUSE,))
    both(0, rig, off=True, missing=0)
    assert both(5, rig, off=None, missing=9).opened == ()


def test_inhibited_timer_runs_on_and_fires_when_the_cause_is_over(rig):
    rig = rig(BY_CAUSE, others=(CAUSE,))
    both(0, rig, off=True, missing=9)
    both(5, rig, off=True, missing=9)
    assert both(6, rig, off=False, missing=9).resolved == ("inc-1",)
    assert both(6.1, rig, off=False, missing=9).opened == ("inc-2",)


def test_cause_at_another_endpoint_inhibits_nothing(rig):
    rig = rig(BY_CAUSE, ("for: 1m", "for: 0s"), others=(CAUSE,))
    applied = rig.tick(
        0,
        {
            "endpoints": (rig.row(0, {"disabled": True}, endpoint="other"),),
            "webhooks": (rig.row(0, {"missing": 9}),),
        },
    )
    assert len(applied.opened) == 2


def test_first_tick_waits_for_a_cause_that_is_not_known_yet(rig):
    rig = rig(BY_CAUSE, ("for: 1m", "for: 0s"), others=(CAUSE,))
    first = both(0, rig, off=None, missing=9, may_act=False)
    assert (first.opened, rig.outcome(first)) == ((), "pending")
    assert both(1, rig, off=None, missing=9).opened == ("inc-1",)


def test_first_tick_opens_what_has_no_cause_to_wait_for(rig):
    rig = rig(("for: 1m", "for: 0s"))
    assert rig.missing(0, 9, may_act=False).opened == ("inc-1",)


@pytest.mark.parametrize("status", ["draft", "retired", "shadow"])
def test_only_stable_rules_open_incidents(rig, status):
    rig = rig(("status: stable", f"status: {status}"), ("for: 1m", "for: 0s"))
    applied = rig.missing(0, 9)
    assert applied.opened == ()
    assert [verdict.outcome for verdict in applied.verdicts] == (["fire"] if status == "shadow" else [])


def test_edit_of_the_rule_never_changes_an_open_incident(rig):
    old = rig()
    old.missing(0, 9)
    old.missing(1, 9)
    for edit in ((("for: 2m", "for: 30m"),), (("id: events-missing", "id: another"),)):
        old.rules = rig(*edit).rules
        old.missing(2, 0)
    assert old.missing(4, 0).resolved == ("inc-1",)


def test_groups_are_judged_apart(rig):
    rig = rig(("for: 1m", "for: 0s"))
    rows = tuple(rig.row(0, {"missing": 9}, endpoint=name) for name in ("a", "b:c", "b%3Ac"))
    assert len(rig.tick(0, {"webhooks": rows}).opened) == 3
    assert rig.tick(1, {"webhooks": rows}).opened == ()


def test_shadow_rule_is_counted_from_opening_to_its_own_resolution_and_opens_nothing(rig):
    shadow = rig(("status: stable", "status: shadow"))
    for minute in range(30):
        shadow.missing(minute, 7 if 2 <= minute < 10 else 0)
    assert shadow.store.incidents.listing() == []
    (firing,) = shadow.store.rules.firings_since(shadow.at(0))
    assert firing.at == shadow.at(3)
    assert firing.ended_at is not None
    assert firing.ended_at > shadow.at(9)
    assert [why.value for why in firing.why if why.term == "missing"] == [7]


def test_shadow_rule_inhibits_nobody_and_a_promoted_one_stops_counting(rig):
    shadow = rig(("status: stable", "status: shadow"))
    for minute in range(5):
        shadow.missing(minute, 7)
    assert [firing.ended_at for firing in shadow.store.rules.firing_now()] == [None]
    shadow.rules = rig().rules
    shadow.missing(6, 7)
    assert shadow.store.rules.firing_now() == []
    assert shadow.state() == "open"


def test_timers_another_process_moved_are_read_again(rig, tmp_path):
    one = rig()
    path = tmp_path / "shared.db"
    with Store.open(path, now=one.at(0)) as here, Store.open(path, now=one.at(0)) as there:
        one.store.close()
        one.store = here
        one.missing(0, 7)
        one.store = there
        one.missing(1, 0)
        one.store = here
        assert [state.pending_since for state in here.rules.states().values()] == [None]
        with pytest.raises(RuntimeError), here.write():
            one.missing(2, 7)
            raise RuntimeError
        assert [state.pending_since for state in here.rules.states().values()] == [None]
        one.missing(3, 7)
        assert here.rules.states() == there.rules.states()
