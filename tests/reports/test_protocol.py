"""The scorecard equals an independent count over the raw rows, and each figure names what it counts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payops.domain.incidents import FixAttempt, Incident
from payops.domain.plans import Plan, plan_json
from payops.escalation import accept, ack, escalate, resolve
from payops.reports import protocol_report, shift_report
from payops.reports.protocol import scorecard
from payops.rulebook import load, shipped_dir
from payops.store import Store

RULES = load([shipped_dir()]).rules
KINDS = ("endpoint", "declines", "platform")
RULE_OF = {
    "endpoint": "webhook-endpoint-disabled",
    "declines": "success-rate-drop",
    "platform": "clock-skew",
}
ENDS = ("payops", "operator", "healed", "false", "level 2", "level 3", "level 4", "open")
CASES = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(ENDS), st.integers(0, 500)), max_size=14)


def build(store: Store, settings_, start, cases) -> None:
    """Each case: a rule, how it ends, and the minutes until somebody took it."""
    for index, (kind, end, minutes) in enumerate(cases):
        rule = RULES[RULE_OF[kind]]
        at = start + timedelta(hours=index)
        draft = Incident(
            "", 0, rule.id, rule.challenge, "stripe", "stripe-live", "live", rule.title, "sev2", "open", 1,
            f"key-{index}", {"account": "stripe-live"}, at, at, policy=rule.policy_json(), rule_hash=rule.hash,
        )  # fmt: skip
        made = store.incidents.open(draft, "test", at)
        assert made is not None
        then = at + timedelta(minutes=minutes)
        if end == "payops":
            attempt(store, made.id, at)
            store.incidents.change(
                store.incidents.get(made.id), then, who="payops", entry="healed", kind="resolved",
                state="resolved", resolved_at=then, ended_as="fixed_by_payops",
            )  # fmt: skip
        elif end == "operator":
            ack(store, made.id, "ana", then)
            resolve(store, made.id, "our configuration", "changed it by hand", "", "ana", then)
        elif end == "healed":
            resolve(store, made.id, "issuer", "nothing", "", "ana", then)
        elif end == "false":
            resolve(store, made.id, "false alarm", "", "", "ana", then)
        elif end.startswith("level"):
            for _ in range(int(end[-1]) - 1):
                escalate(store, settings_, made.id, {}, "ana", {}, at)
                accept(store, made.id, "ben", then)
            resolve(store, made.id, "our deploy", "rolled back", "", "ben", then)


def attempt(store: Store, incident_id: str, at) -> None:
    plan = Plan("enable-endpoint", "webhooks.enable_endpoint", "external", ("enable it",), 1, (), "none")
    store.incidents.start_attempt(
        FixAttempt(incident_id, 1, plan.remedy, plan.action, plan.effect, "payops", f"k-{incident_id}",
                   plan_json(plan), "applying", at), at,
    )  # fmt: skip
    store.incidents.update_attempt(
        incident_id,
        1,
        at,
        phase="done",
        ended_at=at + timedelta(seconds=40),
        outcome="succeeded",
        verified=True,
    )


def raw(store: Store, sql: str) -> int:
    with store.read() as db:
        return db.execute(sql).fetchone()[0] or 0


REAL = "challenge <> 'platform' AND ended_as IS NOT NULL AND ended_as <> 'false_alarm'"
COUNTS = {
    "level1": (f"ended_as LIKE 'fixed%' AND {REAL}", REAL),
    "level1_known_fix": (
        f"ended_as LIKE 'fixed%' AND rule = 'webhook-endpoint-disabled' AND {REAL}",
        f"rule = 'webhook-endpoint-disabled' AND {REAL}",
    ),
    "self_healed": (f"ended_as = 'self_healed' AND {REAL}", REAL),
    "level2": (f"ended_as = 'level_2' AND {REAL}", f"ended_as LIKE 'level%' AND {REAL}"),
    "level4": ("level = 4 AND challenge <> 'platform'", "challenge <> 'platform'"),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES)
def test_every_share_equals_an_independent_count_over_the_raw_rows(
    make_store, story_start, no_accounts, cases
):
    store = make_store()
    build(store, no_accounts, story_start, cases)
    card = scorecard(store, story_start, story_start + timedelta(days=2), story_start + timedelta(days=9))
    for name, (count, of) in COUNTS.items():
        share = card.share(name)
        assert share.count == raw(store, f"SELECT COUNT(*) FROM incidents WHERE {count}"), name
        assert share.of == raw(store, f"SELECT COUNT(*) FROM incidents WHERE {of}"), name
        assert len(share.ids) == share.count
    assert sum(n for _, n in card.endings) + len(card.unfinished) == card.incidents
    assert sum(n for _, n in card.levels) == card.incidents
    waits = raw(
        store,
        "SELECT COUNT(DISTINCT incident_id) FROM timeline JOIN incidents ON incidents.id = incident_id"
        " WHERE kind IN ('ack', 'accept') AND challenge <> 'platform'",
    )
    assert card.time_to_acknowledge.n == waits
    document = json.loads(protocol_report(store, "json", story_start, story_start + timedelta(days=9)))
    assert {each["name"]: each["count"] for each in document["shares"]}["level1"] == card.share(
        "level1"
    ).count


def test_percentiles_are_of_the_incidents_and_unknown_without_one(make_store, story_start, no_accounts):
    store = make_store()
    end = story_start + timedelta(days=2)
    assert scorecard(store, story_start, end, end).time_to_resolve.p50_s is None
    build(
        store, no_accounts, story_start, [("endpoint", "operator", minutes) for minutes in (1, 2, 3, 4, 100)]
    )
    times = scorecard(store, story_start, end, end).time_to_resolve
    assert (times.n, times.p50_s, times.p90_s) == (5, 180, 6000)


def test_a_target_is_judged_by_its_side(make_store, story_start, no_accounts):
    store = make_store()
    build(store, no_accounts, story_start, [("endpoint", "payops", 3)] * 7 + [("endpoint", "level 4", 3)] * 3)
    card = scorecard(store, story_start, story_start + timedelta(days=2), story_start)
    assert card.share("level1").met is True
    assert card.share("level4").met is False
    assert card.share("level2").met is False
    assert replace(card.share("level1"), count=0, of=0).met is None


def test_silence_and_content_are_told_apart(make_store, story_start, no_accounts):
    store = make_store()
    build(store, no_accounts, story_start, [("endpoint", "level 3", 5), ("endpoint", "open", 0)])
    store.incidents.add_handoff(
        replace(store.incidents.handoffs("inc-1")[-1], incident_id="inc-2", level=3, cause="silence"),
        store.incidents.get("inc-2"),
        story_start,
    )
    share = scorecard(store, story_start, story_start + timedelta(days=2), story_start).share("by_silence")
    assert (share.count, share.of, share.ids) == (1, 2, ("inc-2",))


@pytest.mark.parametrize("format_", ["text", "md", "html", "json"])
def test_the_handover_tells_what_is_open_what_ended_and_what_is_owed(
    make_store, story_start, no_accounts, format_
):
    store = make_store()
    build(store, no_accounts, story_start, [("endpoint", "level 2", 30), ("declines", "open", 0)])
    text = shift_report(store, format_, story_start, story_start + timedelta(days=30))
    for part in ("inc-2", "rolled back", "say what inc-1 taught", "overdue"):
        assert part in text.replace("\\", "").replace("`", ""), part
