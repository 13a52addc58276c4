from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payops.domain.errors import LostRace, NotPossible, UsageError
from payops.domain.incidents import FixAttempt, Handoff, Incident, Why
from payops.store import Store

MINUTE = timedelta(minutes=1)


@pytest.fixture
def incident(store: Store, draft: Incident, now: datetime) -> Incident:
    opened = store.incidents.open(draft, "disabled is true", now)
    assert opened is not None
    return opened


def handoff(incident: Incident, now: datetime, level: int = 2, **fields: str) -> Handoff:
    five = {name: f"the {name}" for name in ("problem", "attempted", "impact", "gateway", "request")} | fields
    return Handoff(
        incident_id=incident.id,
        seq=0,
        level=level,
        to="integration-coordinator",
        sent_at=now,
        sent_by="payops",
        **five,
    )


def fix(incident: Incident, n: int, now: datetime, key: str | None = None) -> FixAttempt:
    return FixAttempt(
        incident_id=incident.id,
        n=n,
        remedy="enable-endpoint",
        action="webhooks.enable",
        effect="external",
        by="payops",
        idempotency_key=key or f"key-{n}",
        plan="{}",
        phase="applying",
        started_at=now,
    )


def resolve(store: Store, incident: Incident, now: datetime, **columns: object) -> Incident:
    values = {"state": "resolved", "resolved_at": now, "ended_as": "self_healed", **columns}
    return store.incidents.change(
        incident, now, who="payops", entry="condition is over", kind="resolve", **values
    )


def test_incident_comes_back_as_it_was_opened(store: Store, draft: Incident, now: datetime):
    given_ = replace(
        draft,
        why=(Why("disabled", True), Why("rate_5m < 0.5", 0.25), Why("missing", None)),
        next_action_at=now + MINUTE,
        next_action="plan enable-endpoint",
        rule_hash="abc",
        policy='{"id":"x"}',
        owner="ana",
    )
    opened = store.incidents.open(given_, "why", now)
    assert opened == replace(given_, id="inc-1", version=1)
    assert store.incidents.get("inc-1") == opened


def test_ids_count_openings_without_gaps(store: Store, draft: Incident, now: datetime):
    for n in range(1, 4):
        with pytest.raises(ZeroDivisionError), store.write():
            store.incidents.open(replace(draft, dedup_key=f"k{n}"), "why", now)
            raise ZeroDivisionError
        opened = store.incidents.open(replace(draft, dedup_key=f"k{n}"), "why", now)
        assert opened is not None and opened.id == f"inc-{n}"


def test_second_incident_of_the_same_key_opens_only_after_the_first_is_resolved(
    store: Store, draft: Incident, incident: Incident, now: datetime
):
    assert store.incidents.open(draft, "again", now) is None
    assert [entry.kind for entry in store.incidents.timeline(incident.id)] == ["opened"]
    resolve(store, incident, now)
    second = store.incidents.open(draft, "again", now)
    assert second is not None and second.id == "inc-2"


def test_change_writes_columns_timeline_and_audit_together(store: Store, incident: Incident, now: datetime):
    at = now + MINUTE
    changed = store.incidents.change(
        incident,
        at,
        who="ana",
        entry="Acknowledged by ana",
        kind="ack",
        origin="tui",
        state="acknowledged",
        acknowledged_at=at,
        acknowledged_by="ana",
    )
    assert changed == replace(
        incident, version=2, state="acknowledged", acknowledged_at=at, acknowledged_by="ana", updated_at=at
    )
    last = store.incidents.timeline(incident.id)[-1]
    assert (last.at, last.kind, last.who, last.text) == (at, "ack", "ana", "Acknowledged by ana")
    audited = store.audit.rows()[-1]
    assert (audited.who, audited.what, audited.object, audited.origin) == ("ana", "ack", "inc-1", "tui")
    assert audited.detail["state"] == "acknowledged"


def test_loser_of_a_race_changes_nothing_and_learns_who_won_and_with_what(
    store: Store, incident: Incident, now: datetime
):
    store.incidents.change(incident, now, who="ana", entry="Took it over", kind="assign", owner="ana")
    before = store.audit.verify().rows
    with pytest.raises(LostRace) as error:
        store.incidents.change(incident, now, who="bob", entry="Mine", kind="assign", owner="bob")
    assert "ana at 2026-01-15T09:00:00Z: Took it over" in str(error.value)
    assert store.incidents.get(incident.id).owner == "ana"
    assert store.audit.verify().rows == before


def test_nothing_changes_when_the_audit_cannot_be_written(
    store: Store, incident: Incident, now: datetime, monkeypatch: pytest.MonkeyPatch
):
    with store.write() as db:
        db.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk on fire'); END"
        )
    with pytest.raises(Exception, match="audit could not be written"):
        store.incidents.change(incident, now, who="ana", entry="x", kind="assign", owner="ana")
    with pytest.raises(Exception, match="audit could not be written"):
        store.switches.stop("ana", "why", now)
    with pytest.raises(Exception, match="audit could not be written"):
        store.commands.put("fix", incident.id, {}, "ana", "cli", now)
    assert store.incidents.get(incident.id) == incident
    assert len(store.incidents.timeline(incident.id)) == 1
    assert store.switches.stopped() is None


def test_level_cannot_be_set_by_change(store: Store, incident: Incident, now: datetime):
    with pytest.raises(ValueError, match="level"):
        store.incidents.change(incident, now, who="x", entry="x", kind="x", level=2)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE incidents SET level = 2, version = version + 1",
        "UPDATE incidents SET state = 'acknowledged'",
        "UPDATE incidents SET version = version + 2",
        "UPDATE incidents SET policy = 'x', version = version + 1",
        "UPDATE incidents SET state = 'resolved', version = version + 1",
        "UPDATE incidents SET state = 'resolved', resolved_at = 1, version = version + 1",
        "UPDATE incidents SET ended_as = 'self_healed', version = version + 1",
        "UPDATE incidents SET state = 'resolved', resolved_at = 1, ended_as = 'level_2', version = version + 1",
        "DELETE FROM incidents",
        "INSERT OR REPLACE INTO incidents SELECT * FROM incidents",
        "UPDATE timeline SET text = 'nothing happened'",
        "DELETE FROM timeline",
    ],
)
def test_no_statement_walks_around_the_guards(store: Store, incident: Incident, statement: str):
    with pytest.raises(sqlite3.IntegrityError), store.write() as db:
        db.execute(statement)
    assert store.incidents.get(incident.id) == incident


def test_handoff_raises_the_level_and_is_kept_word_for_word(store: Store, incident: Incident, now: datetime):
    sent = handoff(incident, now)
    raised = store.incidents.add_handoff(sent, incident, now, next_action_at=now + MINUTE)
    assert (raised.level, raised.next_action_at) == (2, now + MINUTE)
    assert store.incidents.handoffs(incident.id) == [replace(sent, seq=1)]
    assert store.incidents.timeline(incident.id)[-1].kind == "handoff"


def test_handoff_that_loses_the_race_is_not_sent(store: Store, incident: Incident, now: datetime):
    store.incidents.change(incident, now, who="ana", entry="x", kind="assign", owner="ana")
    with pytest.raises(LostRace):
        store.incidents.add_handoff(handoff(incident, now), incident, now)
    assert store.incidents.handoffs(incident.id) == []


@pytest.mark.parametrize("field", ["problem", "attempted", "impact", "gateway", "request"])
def test_blank_handoff_is_refused_and_says_what_is_missing(
    store: Store, incident: Incident, now: datetime, field: str
):
    with pytest.raises(NotPossible, match=field):
        store.incidents.add_handoff(handoff(incident, now, **{field: " \n"}), incident, now)
    assert store.incidents.get(incident.id).level == 1


def test_level_never_falls(store: Store, incident: Incident, now: datetime):
    raised = store.incidents.add_handoff(handoff(incident, now, level=3), incident, now)
    with pytest.raises(NotPossible, match="would lower it"):
        store.incidents.add_handoff(handoff(raised, now, level=2), raised, now)
    with pytest.raises(sqlite3.IntegrityError, match="never falls"), store.write() as db:
        db.execute("UPDATE incidents SET level = 2, version = version + 1")
    resolved = resolve(store, raised, now)
    assert store.incidents.reopen(resolved.id, resolved.version, now, why_text="back").level == 3


def test_sent_handoff_never_changes(store: Store, incident: Incident, now: datetime):
    store.incidents.add_handoff(handoff(incident, now), incident, now)
    for statement in ("UPDATE handoffs SET impact = 'none'", "DELETE FROM handoffs"):
        with pytest.raises(sqlite3.IntegrityError), store.write() as db:
            db.execute(statement)


def test_accepting_acknowledges_once(store: Store, incident: Incident, now: datetime):
    with pytest.raises(NotPossible, match="not handed over"):
        store.incidents.accept_handoff(incident, "bob", now)
    raised = store.incidents.add_handoff(handoff(incident, now), incident, now)
    accepted = store.incidents.accept_handoff(raised, "bob", now + MINUTE)
    assert (accepted.state, accepted.acknowledged_by, accepted.owner) == ("acknowledged", "bob", "bob")
    assert store.incidents.handoffs(incident.id)[0].accepted_at == now + MINUTE
    with pytest.raises(NotPossible, match="accepted by bob at 2026-01-15T09:01:00Z"):
        store.incidents.accept_handoff(accepted, "eve", now)


def test_returning_asks_a_question_and_keeps_the_level(store: Store, incident: Incident, now: datetime):
    raised = store.incidents.add_handoff(handoff(incident, now), incident, now)
    with pytest.raises(NotPossible, match="question"):
        store.incidents.return_handoff(raised, "bob", "  ", now)
    returned = store.incidents.return_handoff(raised, "bob", "Which endpoint?", now)
    assert returned.level == 2
    sent = store.incidents.handoffs(incident.id)[0]
    assert (sent.returned_by, sent.question) == ("bob", "Which endpoint?")
    with pytest.raises(NotPossible):
        store.incidents.return_handoff(returned, "bob", "Again?", now)


def test_resolved_incident_is_neither_handed_over_nor_accepted(
    store: Store, incident: Incident, now: datetime
):
    raised = store.incidents.add_handoff(handoff(incident, now), incident, now)
    resolved = resolve(store, raised, now)
    for act in (
        lambda: store.incidents.add_handoff(handoff(resolved, now, level=3), resolved, now),
        lambda: store.incidents.accept_handoff(resolved, "bob", now),
        lambda: store.incidents.return_handoff(resolved, "bob", "why?", now),
    ):
        with pytest.raises(NotPossible, match="is resolved"):
            act()


def test_level_n_ending_is_possible_only_at_that_level(store: Store, incident: Incident, now: datetime):
    raised = store.incidents.add_handoff(handoff(incident, now), incident, now)
    with pytest.raises(sqlite3.IntegrityError):
        resolve(store, raised, now, ended_as="level_3")
    assert resolve(store, raised, now, ended_as="level_2").ended_as == "level_2"


def test_fix_attempt_comes_back_as_it_was_started(store: Store, incident: Incident, now: datetime):
    started = fix(incident, 1, now)
    assert store.incidents.start_attempt(started, now) == started
    assert store.incidents.attempts(incident.id) == [started]
    assert store.incidents.unfinished_attempts() == [started]
    assert store.incidents.attempts_since("stripe-live", "enable-endpoint", now) == [started]
    assert store.incidents.attempts_since("stripe-live", "enable-endpoint", now + MINUTE) == []


def test_incident_gets_two_attempts_and_never_a_third(store: Store, incident: Incident, now: datetime):
    for n in (1, 2):
        store.incidents.start_attempt(fix(incident, n, now), now)
    with pytest.raises(NotPossible, match="two fix attempts"):
        store.incidents.start_attempt(fix(incident, 3, now), now)
    for n in (0, 3):
        with pytest.raises(sqlite3.IntegrityError), store.write() as db:
            db.execute(
                "INSERT INTO fix_attempts SELECT incident_id, ?, remedy, action, effect, by, 'other', plan, phase,"
                " started_at, applied_at, verify_until, ended_at, outcome, verified, request_ids, progress, detail"
                " FROM fix_attempts WHERE n = 1",
                (n,),
            )


def test_attempt_started_by_somebody_else_first_is_a_lost_race(
    store: Store, incident: Incident, now: datetime
):
    store.incidents.start_attempt(replace(fix(incident, 1, now), by="ana"), now)
    with pytest.raises(LostRace, match=r"by ana \(enable-endpoint\)"):
        store.incidents.start_attempt(fix(incident, 1, now, key="other"), now)
    with pytest.raises(LostRace, match="idempotency key"):
        store.incidents.start_attempt(fix(incident, 2, now, key="key-1"), now)


def test_resolved_incident_is_not_fixed(store: Store, incident: Incident, now: datetime):
    resolve(store, incident, now)
    with pytest.raises(NotPossible, match="resolved"):
        store.incidents.start_attempt(fix(incident, 1, now), now)


def test_attempt_is_updated_and_its_outcome_is_final(store: Store, incident: Incident, now: datetime):
    store.incidents.start_attempt(fix(incident, 1, now), now)
    update = store.incidents.update_attempt
    update(incident.id, 1, now, outcome="unknown", phase="verifying", verify_until=now + MINUTE)
    done = update(
        incident.id,
        1,
        now,
        outcome="succeeded",
        phase="done",
        verified=True,
        ended_at=now,
        request_ids=("req_1", "req_2"),
        progress='{"sent":["evt_1"]}',
    )
    assert (done.outcome, done.verified, done.request_ids, done.progress) == (
        "succeeded",
        True,
        ("req_1", "req_2"),
        '{"sent":["evt_1"]}',
    )
    assert store.incidents.unfinished_attempts() == []
    with pytest.raises(sqlite3.IntegrityError, match="final"):
        update(incident.id, 1, now, outcome="rejected")


def test_progress_of_an_attempt_is_not_audited_but_its_outcome_is(
    store: Store, incident: Incident, now: datetime
):
    store.incidents.start_attempt(fix(incident, 1, now), now)
    rows = store.audit.verify().rows
    store.incidents.update_attempt(incident.id, 1, now, progress="{}", detail="sent 3 of 9")
    assert store.audit.verify().rows == rows
    store.incidents.update_attempt(incident.id, 1, now, phase="done", outcome="rejected")
    assert store.audit.rows()[-1].detail["outcome"] == "rejected"


def test_reopened_incident_keeps_id_attempts_and_policy(store: Store, incident: Incident, now: datetime):
    store.incidents.start_attempt(fix(incident, 1, now), now)
    resolved = resolve(store, incident, now)
    later = now + 30 * MINUTE
    reopened = store.incidents.reopen(
        resolved.id,
        resolved.version,
        later,
        why_text="disabled again",
        next_action_at=later,
        next_action="plan",
    )
    assert (reopened.state, reopened.resolved_at, reopened.ended_as) == ("open", None, None)
    assert (reopened.next_action_at, reopened.opened_at) == (later, now)
    assert len(store.incidents.attempts(incident.id)) == 1
    with pytest.raises(LostRace):
        store.incidents.reopen(resolved.id, resolved.version, later, why_text="x")


def test_reopening_beside_an_open_one_of_the_same_key_is_a_lost_race(
    store: Store, draft: Incident, incident: Incident, now: datetime
):
    resolved = resolve(store, incident, now)
    store.incidents.open(draft, "why", now)
    with pytest.raises(LostRace, match="inc-2 is open"):
        store.incidents.reopen(resolved.id, resolved.version, now, why_text="x")


def test_due_are_open_ones_whose_time_has_come_longest_waiting_first(
    store: Store, draft: Incident, now: datetime
):
    for n, minutes in enumerate((5, 1, None, 3, 99)):
        at = None if minutes is None else now + minutes * MINUTE
        store.incidents.open(replace(draft, dedup_key=f"k{n}", next_action_at=at), "why", now)
    resolve(store, store.incidents.get("inc-4"), now)
    assert [one.id for one in store.incidents.due(now + 5 * MINUTE)] == ["inc-2", "inc-1"]
    assert store.incidents.due(now) == []


def test_lists_and_searches(store: Store, draft: Incident, incident: Incident, now: datetime):
    second = store.incidents.open(replace(draft, dedup_key="other"), "why", now)
    assert second is not None
    assert [one.id for one in store.incidents.listing()] == ["inc-2", "inc-1"]
    assert store.incidents.find_open(draft.dedup_key) == incident
    resolved = resolve(store, incident, now)
    assert store.incidents.find_open(draft.dedup_key) is None
    assert store.incidents.find_recent(draft.dedup_key, now) == resolved
    assert store.incidents.find_recent(draft.dedup_key, now + MINUTE) is None
    assert store.incidents.listing(["resolved"]) == [resolved]
    assert store.incidents.open_ones() == [second]
    assert store.incidents.resolved_since(now) == [resolved]
    assert store.incidents.endings() == [("webhook_miss", 1, None, 1), ("webhook_miss", 1, "self_healed", 1)]


def test_unknown_incident_is_answered_with_the_nearest(store: Store, incident: Incident):
    with pytest.raises(UsageError, match=r"no incident 'inc-11' \(did you mean 'inc-1'\?\)"):
        store.incidents.get("inc-11")


def test_notes_and_entries_reach_the_disk_masked(store: Store, incident: Incident, now: datetime):
    secret = "card 4242424242424242 of ann@example.com, key sk_live_51HxAbCdEfGhIjKl4f2a"
    store.incidents.note(incident.id, "ana", secret, now)
    changed = store.incidents.change(incident, now, who="ana", entry=secret, kind="note", next_action=secret)
    store.incidents.add_handoff(handoff(changed, now, impact=secret), changed, now)
    store.incidents.start_attempt(replace(fix(incident, 1, now), plan='{"x": "4242424242424242"}'), now)
    with store.read() as db:
        dump = "\n".join(
            str(tuple(row))
            for table in ("incidents", "timeline", "handoffs", "fix_attempts", "audit")
            for row in db.execute(f"SELECT * FROM {table}")
        )
    for leaked in ("4242424242424242", "ann@example.com", "sk_live_51Hx"):
        assert leaked not in dump
    assert "…4242" in dump


ACTS = st.lists(
    st.sampled_from(["ack", "handoff 2", "handoff 3", "accept", "return", "resolve", "reopen", "fix"]),
    max_size=14,
)


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_whatever_people_do_level_only_grows_attempts_stay_two_and_versions_count_up(acts: list[str]):
    now = datetime.fromisoformat("2026-01-15T09:00:00+00:00")
    template = Incident(
        "", 0, "r", "webhook_miss", "stripe", "a", "live", "t", "sev3", "open", 1, "k", {}, now, now
    )
    with Store.in_memory(now) as store:
        current = store.incidents.open(template, "why", now)
        assert current is not None
        for step, act in enumerate(acts):
            before = current
            try:
                if act.startswith("handoff"):
                    store.incidents.add_handoff(handoff(current, now, level=int(act[-1])), current, now)
                elif act == "accept":
                    store.incidents.accept_handoff(current, "bob", now)
                elif act == "return":
                    store.incidents.return_handoff(current, "bob", "why?", now)
                elif act == "resolve":
                    resolve(store, current, now)
                elif act == "reopen":
                    store.incidents.reopen(current.id, current.version, now, why_text="back")
                elif act == "fix":
                    n = len(store.incidents.attempts(current.id)) + 1
                    store.incidents.start_attempt(fix(current, n, now, key=f"k{step}"), now)
                else:
                    store.incidents.change(current, now, who="a", entry="", kind="ack", owner="a")
            except (NotPossible, LostRace):
                assert store.incidents.get(current.id) == before
            current = store.incidents.get(current.id)
            assert current.level >= before.level
            assert current.version - before.version in (0, 1)
            assert len(store.incidents.attempts(current.id)) <= 2
            assert current.level == 1 or any(
                one.level == current.level for one in store.incidents.handoffs(current.id)
            )
        assert store.audit.verify().ok
