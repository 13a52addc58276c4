"""Two people at once, clocks that go back, words that are too many or act on a screen."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from payops.domain.errors import LostRace, NotPossible
from payops.escalation import accept, ack, assign, escalate, learn, note, resolve, return_
from payops.store import Store

HOSTILE = (
    "[bold red]x[/] \x1b[2J\x1b]0;title\x07 =cmd|'/c calc'!A1 <img src=x onerror=alert(1)> \u202egnp.exe\u2066 "
    "`rm -rf` ${jndi:ldap://x} {{7*7}} \x00\r\n| a | b |"
)


def test_of_two_who_escalate_at_once_one_wins_and_the_other_is_told_who(desk, tmp_path):
    with Store.open(tmp_path / "p.db", now=desk.now) as store:
        desk.store = store
        desk.open()
        signals = desk.signals()
        ready = threading.Barrier(2)
        said: dict[str, str] = {}

        def press(who: str) -> None:
            ready.wait(10)
            try:
                said[who] = escalate(store, desk.settings, "inc-1", {"level": "2"}, who, signals, desk.now)
            except (LostRace, NotPossible) as error:
                said[who] = f"lost: {error}"

        people = [threading.Thread(target=press, args=(who,)) for who in ("ana", "ben")]
        for each in people:
            each.start()
        for each in people:
            each.join(20)
        assert len(desk.handoffs) == 1
        (winner,) = [who for who, text in said.items() if not text.startswith("lost")]
        (loser,) = [text for text in said.values() if text.startswith("lost")]
        assert winner in loser
        assert "look again" in loser


def test_who_pressed_on_what_another_had_sent_already_sends_nothing(desk):
    desk.open()
    escalate(desk.store, desk.settings, "inc-1", {"level": "2"}, "ana", desk.signals(), desk.now)
    with pytest.raises(NotPossible, match="would go to Level 3 now, not to 2; ana handed it to"):
        escalate(desk.store, desk.settings, "inc-1", {"level": "2"}, "ben", desk.signals(), desk.now)
    assert [handoff.level for handoff in desk.handoffs] == [2]


def test_a_clock_that_goes_back_sends_nothing_twice_and_forgets_nothing(desk):
    desk.open()
    desk.exhaust()
    desk.tick()
    desk.tick(minutes=20)
    for _ in range(3):
        assert desk.tick(hours=-1) == []
    assert len(desk.handoffs) == 1
    accept(desk.store, "inc-1", "ana", desk.now)
    assert desk.tick(hours=-2) == []
    assert desk.incident.state == "acknowledged"
    assert desk.tick(hours=6) == []
    assert desk.store.audit.verify().ok


@pytest.mark.parametrize("text", [HOSTILE, "é" * 3_900, "مرحبا \u202b عالم"])
def test_hostile_words_are_kept_as_words_and_act_nowhere(desk, text):
    desk.open()
    note(desk.store, "inc-1", text, "ana", desk.now)
    assign(desk.store, "inc-1", text[:60], "ana", desk.now)
    fields = dict.fromkeys(
        ("problem", "attempted", "impact", "gateway", "request"), f"three words here {text}"
    )
    escalate(desk.store, desk.settings, "inc-1", fields, "ana", desk.signals(), desk.now)
    return_(desk.store, "inc-1", f"why {text}", "ben", desk.now)
    kept = desk.timeline + "".join(handoff.problem for handoff in desk.handoffs)
    for bad in ("\x1b", "\x00", "\u202e", "\u202b", "\u2066"):
        assert bad not in kept
    assert desk.store.audit.verify().ok


def test_more_words_than_are_kept_are_refused_and_not_cut(desk):
    desk.open()
    long = "word " * 20_000
    signals = desk.signals()
    for tell in (
        lambda: note(desk.store, "inc-1", long, "ana", desk.now),
        lambda: return_(desk.store, "inc-1", long, "ana", desk.now),
        lambda: learn(desk.store, "inc-1", "rule", long, "", None, "ana", desk.now),
        lambda: resolve(desk.store, "inc-1", "issuer", long, "", "ana", desk.now),
        lambda: escalate(desk.store, desk.settings, "inc-1", {"problem": long}, "ana", signals, desk.now),
    ):
        with pytest.raises(NotPossible) as error:
            tell()
        assert "at most 4,000" in str(error.value) or "no handoff waits" in str(error.value)
    assert desk.incident.state == "open"
    assert desk.handoffs == []


def test_two_who_acknowledge_at_once_are_both_on_record(desk):
    desk.open()
    ack(desk.store, "inc-1", "ana", desk.now)
    ack(desk.store, "inc-1", "ben", desk.now + timedelta(seconds=2))
    assert "acknowledged by ana" in desk.timeline
    assert "acknowledged by ben, after ana" in desk.timeline
