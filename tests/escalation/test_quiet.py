"""Silences and announced maintenance: nothing acts, nobody is called, everything is still seen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from payops import escalation
from payops.config import OperatorSettings, parse
from payops.domain.errors import NotPossible, UsageError
from payops.engine.boards import row

from .conftest import SETTINGS

ANA = OperatorSettings(name="ana", roles=("operator",))
EVE = OperatorSettings(name="eve", roles=("security",))


def silence(desk, lasts="2h", by=ANA, scope="", incident="inc-1"):
    return escalation.silence(desk.store, desk.settings, incident, lasts, "deploy", scope, by, desk.now)


def pass_by(desk, **later):
    desk.now += timedelta(**later)
    escalation.keep_quiet(desk.store, desk.settings, desk.now)
    return desk.tick()


def test_silenced_incident_calls_nobody_until_its_end_and_says_what_comes_then(desk):
    desk.open()
    desk.exhaust()
    assert "payops will hand it to integration-coordinator (Level 2)" in silence(desk)
    assert pass_by(desk) == []
    assert pass_by(desk, minutes=119) == []
    shown = row(desk.store, desk.incident, desk.now)
    assert shown.status == "silenced by ana until 11:00 UTC"
    assert not shown.needs_human
    assert pass_by(desk, minutes=1) == ["inc-1"]
    story = [entry.text for entry in desk.store.incidents.timeline("inc-1")]
    assert any("silenced by ana: deploy; quiet until 2026-01-15 11:00:00 UTC, then" in text for text in story)
    assert any("no longer quiet" in text and "still holds" in text for text in story)


def test_silence_ended_early_is_over_at_once(desk):
    desk.open()
    desk.exhaust()
    silence(desk)
    pass_by(desk)
    escalation.unsilence(desk.store, desk.settings, "inc-1", "ana", desk.now)
    assert pass_by(desk, seconds=10) == ["inc-1"]
    with pytest.raises(NotPossible, match="no silence covers it"):
        escalation.unsilence(desk.store, desk.settings, "inc-1", "ana", desk.now)


def test_silence_of_a_group_leaves_the_others_alone_and_of_the_account_does_not(desk):
    desk.open()
    desk.open(dedup_key="other")
    for incident in desk.store.incidents.open_ones():
        desk.store.incidents.change(
            incident, desk.now, who="t", entry="", kind="t", l1_exhausted_at=desk.now, l1_reason="over"
        )
    silence(desk)
    assert pass_by(desk, seconds=10) == ["inc-2"]
    silence(desk, scope="account", incident="inc-2")
    escalation.keep_quiet(desk.store, desk.settings, desk.now)
    assert all(incident.is_quiet(desk.now) for incident in desk.store.incidents.open_ones())


@pytest.mark.parametrize("lasts", ["", "0s", "8d", "soon", "-1h"])
def test_silence_without_an_end_within_a_week_is_refused(desk, lasts):
    desk.open()
    with pytest.raises(UsageError, match="for"):
        silence(desk, lasts)
    assert desk.store.silences.listing() == []


def test_pci_concern_is_never_silenced_nor_kept_quiet_by_maintenance(desk):
    desk.open(challenge="pci")
    desk.exhaust()
    with pytest.raises(NotPossible, match="never silenced"):
        silence(desk, by=EVE)
    announce(desk)
    assert pass_by(desk) == ["inc-1"]


def test_security_handoff_goes_out_of_a_silenced_incident_and_nothing_else_does(desk):
    policy = (
        '{"id": "r", "challenge": "transaction_fail", "signal": {"source": "success"}, "escalate": {"level2":'
        ' {"when": ["l1_exhausted"], "role": "backend-coordinator"}, "level3": [{"when": ["l1_exhausted"],'
        ' "role": "security-coordinator", "trigger": "card_testing", "request": "Card testing?"}]}}'
    )
    desk.open(policy=policy)
    desk.exhaust()
    with pytest.raises(NotPossible, match="security and admin"):
        silence(desk)
    silence(desk, by=EVE)
    assert pass_by(desk) == ["inc-1"]
    (handoff,) = desk.store.incidents.handoffs("inc-1")
    assert handoff.to == "security-coordinator"


def announce(desk, **more):
    window = {
        "name": "import",
        "reason": "the shop is closed",
        "from": desk.now,
        "until": desk.now + timedelta(hours=1),
        **more,
    }
    document = SETTINGS.model_dump(by_alias=True, mode="python", exclude={"base"})
    desk.settings = parse({**document, "maintenance": [window]}, base=Path(), source="test")


def test_announced_maintenance_keeps_quiet_what_it_covers_and_says_so(desk):
    desk.open()
    desk.exhaust()
    announce(desk)
    assert pass_by(desk) == []
    assert row(desk.store, desk.incident, desk.now).status == "maintenance import until 10:00 UTC"
    with pytest.raises(NotPossible, match="ends by itself"):
        escalation.unsilence(desk.store, desk.settings, "inc-1", "ana", desk.now)
    assert pass_by(desk, hours=1) == ["inc-1"]


def test_maintenance_of_another_rule_keeps_nothing_quiet(desk):
    desk.open()
    desk.exhaust()
    announce(desk, rules=["traffic-silence"])
    assert pass_by(desk) == ["inc-1"]
