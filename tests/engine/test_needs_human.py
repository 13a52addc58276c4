"""When the board says that a person is needed, and who has an incident."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from payops.config import Settings
from payops.domain.incidents import FixAttempt, Handoff, Incident
from payops.domain.plans import Plan, plan_json
from payops.engine.board import Board
from payops.engine.boards import LEASE, build, moment
from payops.escalation import people
from payops.signals import read
from payops.store import Store

PLAN = Plan("x", "x", "external", ("POST /v1/x",), 1)
OBSERVING = "observing: x is not armed on stripe-live (payops arm stripe-live x). Would have done: POST /v1/x"


def opened(store: Store, now: datetime, reason: str = "", **columns: object) -> Incident:
    draft = Incident(
        "", 0, "r", "webhook_miss", "stripe", "stripe-live", "live", "Events are missing", "sev3", "open", 1, "k", {},
        now, now, l1_reason=reason,
    )  # fmt: skip
    with store.write():
        made = store.incidents.open(draft, "test", now)
        assert made is not None
        if columns:
            made = store.incidents.change(made, now, who="payops", entry="", kind="test", **columns)
    return made


def handed(store: Store, incident: Incident, now: datetime) -> None:
    handoff = Handoff(
        incident.id, 1, 2, "backend-coordinator", "p", "a", "i", "g", "r", now, "payops", now + timedelta(minutes=5)
    )  # fmt: skip
    with store.write():
        store.incidents.add_handoff(
            handoff, incident, now, entry="handed", next_action="", next_action_at=None
        )


def seen(store: Store, settings: Settings, now: datetime) -> Board:
    store.leases.acquire(LEASE, "here", now, 60)
    return build(store, settings, read(store, settings, now), now, operator="ana", holder="here", receiver="")


@pytest.mark.parametrize(
    ("reason", "blocked", "said"),
    [
        (OBSERVING, "observing", "inc-1 needs a person: payops only observes stripe-live: Events are missing."),
        ("stopped by ana at 2026-01-15T11:00:00Z: night", "stopped", "inc-1 needs a person: payops is stopped"),
        ("x cannot be taken back and e is not declared idempotent = true: an operator decides", "operator",
         "inc-1 needs a person: Level 1 waits for an operator"),
        ("waits: the endpoint does not answer", "", "inc-1 is being handled at Level 1: Events are missing."),
        ("x of inc-7 acts on stripe-live right now. Would have done: POST", "", "is being handled at Level 1"),
        ("", "", "inc-1 is being handled at Level 1"),
    ],
)  # fmt: skip
def test_level_1_that_may_not_act_needs_a_person_and_one_that_waits_does_not(
    store: Store, settings: Settings, now: datetime, reason: str, blocked: str, said: str
) -> None:
    opened(store, now, reason, l1_blocked=blocked)
    shown = seen(store, settings, now)
    assert shown.incidents[0].blocked == blocked
    assert shown.incidents[0].needs_human is bool(blocked)
    assert said in shown.headline
    assert shown.tone == ("bad" if blocked else "watch")


def test_level_1_that_is_over_needs_a_person(store: Store, settings: Settings, now: datetime) -> None:
    opened(store, now, "waits: it does not answer", l1_exhausted_at=now)
    assert "needs a person: Level 1 is over" in seen(store, settings, now).headline


def test_a_running_attempt_or_somebody_who_has_it_needs_no_other_person(
    store: Store, settings: Settings, now: datetime
) -> None:
    incident = opened(store, now, OBSERVING)
    people.ack(store, incident.id, "ana", now)
    shown = seen(store, settings, now)
    assert not shown.incidents[0].needs_human
    assert shown.headline == "inc-1 is at Level 1 with ana: Events are missing."


def test_an_attempt_under_way_is_not_blocked(store: Store, settings: Settings, now: datetime) -> None:
    incident = opened(store, now, OBSERVING, l1_blocked="observing")
    attempt = FixAttempt(incident.id, 1, "x", "x", "external", "ana", "k", plan_json(PLAN), "applying", now)
    with store.write():
        store.incidents.start_attempt(attempt, now)
    shown = seen(store, settings, now)
    assert not shown.incidents[0].needs_human
    assert "is being handled at Level 1" in shown.headline
    with store.write():
        store.incidents.update_attempt(incident.id, 1, now, phase="done", outcome="rejected")
    assert seen(store, settings, now).incidents[0].needs_human


def test_an_unanswered_handoff_needs_a_person_also_while_a_lower_level_has_it(
    store: Store, settings: Settings, now: datetime
) -> None:
    incident = opened(store, now)
    people.ack(store, incident.id, "ben", now)
    handed(store, store.incidents.get(incident.id), now)
    row = seen(store, settings, now).incidents[0]
    assert (row.level, row.waits_for, row.needs_human) == (2, "backend-coordinator", True)
    people.accept(store, incident.id, "ana", now)
    shown = seen(store, settings, now)
    assert (shown.incidents[0].waits_for, shown.incidents[0].needs_human) == ("", False)
    assert shown.headline == "inc-1 is at Level 2 with ana (backend-coordinator): Events are missing."
    people.return_(store, incident.id, "Since when is that?", "ana", now)
    row = seen(store, settings, now).incidents[0]
    assert (row.waits_for, row.held_by, row.needs_human) == ("", "", True)


def test_a_stop_is_told_in_the_clock_of_the_screen(now: datetime) -> None:
    assert moment(now, now) == "12:00 UTC"
    assert moment(now - timedelta(days=1), now) == "Jan 14 12:00 UTC"
