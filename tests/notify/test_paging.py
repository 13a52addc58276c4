"""Who is told what: each thing once, the next person when one cannot be told, nobody at night for what can wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payops.config import QuietSettings
from payops.domain.errors import UsageError
from payops.escalation import accept, ack, return_
from payops.notify import collect


def keys(desk) -> list[tuple[str, str]]:
    return [(each.key, each.state) for each in reversed(desk.store.outbox.newest(100))]


def names(desk, state: str = "waiting") -> list[str]:
    return [each.contact for each in reversed(desk.store.outbox.newest(100)) if each.state == state]


def test_the_first_person_of_the_role_is_paged_once_with_all_five_fields(desk, contact):
    settings = desk.settings(contact("ana"), contact("ben"), contact("cat", "backend-coordinator"))
    desk.open()
    assert collect(desk.store, settings, desk.now) == 0
    desk.hand_over()
    assert collect(desk.store, settings, desk.now) == 1
    assert collect(desk.store, settings, desk.now + timedelta(minutes=1)) == 0
    (page,) = desk.store.outbox.waiting()
    assert (page.contact, page.kind, page.role) == ("ana", "page", "integration-coordinator")
    for part in (
        "it is off",
        "we tried",
        "12 payments",
        "stripe we_1",
        "what now?",
        "payops incidents accept inc-1",
    ):
        assert part in page.body


def test_a_page_that_failed_goes_to_the_next_person(desk, contact):
    settings = desk.settings(contact("ana"), contact("ben"))
    desk.open()
    desk.hand_over()
    collect(desk.store, settings, desk.now)
    desk.store.outbox.failed(desk.store.outbox.waiting()[0], "json: refused", desk.now)
    assert collect(desk.store, settings, desk.now + timedelta(seconds=45)) == 1
    assert names(desk) == ["ben"]
    assert "could not tell ana" in desk.timeline


def test_a_second_call_asks_the_backup_too(desk, contact):
    settings = desk.settings(contact("ana"), contact("ben"))
    desk.open()
    desk.hand_over()
    desk.now += timedelta(minutes=30)
    desk.hand_over()
    assert collect(desk.store, settings, desk.now) == 2
    assert names(desk) == ["ana", "ben"]


@pytest.mark.parametrize(
    ("to", "level", "paged"), [("integration-coordinator", 2, 0), ("security-coordinator", 3, 1)]
)
def test_a_silenced_incident_pages_nobody_but_security(desk, contact, to, level, paged):
    settings = desk.settings(contact("ana", to))
    incident = desk.open()
    desk.store.incidents.change(
        incident,
        desk.now,
        who="payops",
        entry="",
        kind="quiet",
        quiet_until=desk.now + timedelta(hours=1),
        quiet_why="silenced by eve: deploy",
    )
    desk.hand_over(level=level, to=to)
    assert collect(desk.store, settings, desk.now) == paged
    assert collect(desk.store, settings, desk.now + timedelta(hours=1)) == 1 - paged


@pytest.mark.parametrize("answer", [accept, ack])
def test_what_was_answered_before_it_went_out_is_dropped(desk, contact, answer):
    settings = desk.settings(contact("ana"))
    desk.open()
    desk.hand_over()
    collect(desk.store, settings, desk.now)
    answer(desk.store, "inc-1", "ana", desk.now)
    collect(desk.store, settings, desk.now)
    assert names(desk, "dropped") == ["ana"]
    assert names(desk) == []


def test_a_returned_handoff_pages_nobody(desk, contact):
    settings = desk.settings(contact("ana"))
    desk.open()
    desk.hand_over()
    return_(desk.store, "inc-1", "which endpoint?", "ana", desk.now)
    assert collect(desk.store, settings, desk.now) == 0


NIGHT = {"from": "22:00", "until": "07:00", "timezone": "Europe/Berlin"}
AT_NIGHT = datetime(2026, 1, 15, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("severity", "challenge", "rule", "waits"),
    [
        ("sev3", "webhook_miss", "r", True),
        ("sev4", "webhook_miss", "r", True),
        ("sev1", "webhook_miss", "r", False),
        ("sev2", "webhook_miss", "r", False),
        ("sev4", "pci", "r", False),
        ("sev4", "refund_fail", "dispute-deadline", False),
    ],
)
def test_quiet_hours_hold_back_only_what_can_wait(desk, contact, severity, challenge, rule, waits):
    settings = desk.settings(contact("ana", quiet=NIGHT))
    desk.now = AT_NIGHT
    desk.open(severity=severity, challenge=challenge, rule=rule)
    desk.hand_over()
    collect(desk.store, settings, desk.now)
    (page,) = desk.store.outbox.waiting()
    assert page.due_at == (datetime(2026, 1, 15, 6, 0, tzinfo=UTC) if waits else AT_NIGHT)


def test_who_is_awake_is_asked_before_who_is_not(desk, contact):
    settings = desk.settings(contact("ana", quiet=NIGHT), contact("ben"))
    desk.now = AT_NIGHT
    desk.open()
    desk.hand_over()
    collect(desk.store, settings, desk.now)
    assert names(desk) == ["ben"]


def test_a_holder_who_owes_an_update_is_reminded_once_for_each(desk, contact):
    settings = desk.settings(contact("ana"))
    desk.open()
    desk.hand_over()
    accept(desk.store, "inc-1", "ana", desk.now)
    incident = desk.store.incidents.get("inc-1")
    for late in (1, 2):
        desk.now += timedelta(hours=4)
        incident = desk.store.incidents.change(
            incident, desk.now, who="payops", entry=f"no update {late}", kind="update_overdue",
            next_action_at=desk.now + timedelta(hours=4),
        )  # fmt: skip
        assert collect(desk.store, settings, desk.now) == 1
        assert collect(desk.store, settings, desk.now) == 0
    assert [kind for kind, _ in keys(desk)] == sorted({kind for kind, _ in keys(desk)})


def test_nobody_is_asked_where_nobody_is_configured(desk):
    desk.open()
    desk.hand_over()
    assert collect(desk.store, desk.settings(), desk.now) == 0


@given(st.integers(0, 366 * 86_400), st.sampled_from(["22:00", "08:00"]))
def test_quiet_hours_end_after_now_within_a_day_also_over_a_clock_change(second, start):
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    quiet = QuietSettings.model_validate({"from": start, "until": "07:00" if start == "22:00" else "17:30",
                                          "timezone": "America/New_York"})  # fmt: skip
    ends = quiet.ends_at(now)
    if ends is not None:
        assert now < ends <= now + timedelta(hours=11)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"targets": ["json://user:secret@host"]}, "a secret is a reference"),
        ({"targets": []}, "targets"),
        ({"roles": ["integration-cordinator"]}, "did you mean 'integration-coordinator'"),
        ({"quiet": {"from": "22:00", "until": "22:00"}}, "must differ"),
        (
            {"quiet": {"from": "22:00", "until": "07:00", "timezone": "Europe/Berln"}},
            "did you mean 'Europe/Berlin'",
        ),
    ],
)
def test_mistakes_in_the_configuration_are_named_and_no_secret_is_shown(desk, contact, changes, says):
    with pytest.raises(UsageError) as error:
        desk.settings({**contact("ana"), **changes})
    assert says in str(error.value)
    assert "secret@host" not in str(error.value)
