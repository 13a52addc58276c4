"""Every job of the screen, by keys alone."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from fake_desk import (
    BULK,
    BUSY,
    FIXED,
    HEALTHY,
    NOW,
    OBSERVED,
    REFUSED,
    STOPPED,
    VIEW_ONLY,
    WAITING,
    WORKING,
    FakeDesk,
)
from textual.widgets import TextArea

from payops.domain.errors import NotPossible, UsageError
from payops.engine.board import CommandResult, ReloadView
from payops.tui.screens.escalate import EscalateScreen, PreviewModal
from payops.tui.screens.fix import FixModal
from payops.tui.screens.form import FormModal
from payops.tui.screens.help import HelpModal
from payops.tui.screens.incident import IncidentScreen
from payops.tui.screens.main import MainScreen
from payops.tui.screens.small import TooSmall

SIZES = [(80, 24), (140, 40)]


@pytest.fixture(params=SIZES, ids=["80x24", "140x40"])
def size(request):
    return request.param


async def test_the_first_glance_names_the_trouble_and_the_key(make, size, text_of) -> None:
    app = make(BUSY)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = text_of(app)
        assert "✖ TROUBLE" in text
        assert "inc-2 needs a person" in text
        assert "! waits for backend-coordinator" in text
        assert "y accept" in text
        assert "proved 13:55" in text
        assert "as of 14:02:10 UTC" in text


async def test_enter_opens_the_incident_with_its_whole_story(make, size, text_of, wait_until) -> None:
    app = make(BUSY)
    async with app.run_test(size=size) as pilot:
        await pilot.press("end", "enter")
        await wait_until(lambda: "fixed at Level 1" in text_of(app))
        assert isinstance(app.screen, IncidentScreen)
        await wait_until(lambda: "Why" in text_of(app))
        text = text_of(app)
        assert "✔ proved 13:54:20" in text
        assert "req_8aQ1, req_8aQ2" in text
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)


async def test_fix_shows_its_dry_run_and_needs_a_key_after_the_grace(
    make, size, text_of, clock, wait_until
) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f")
        await wait_until(lambda: "do exactly this" in text_of(app))
        assert "POST /v1/webhook_endpoints/we_1 disabled=false" in text_of(app)
        await pilot.press("y")
        assert desk.asked == [], "a key within the grace must not confirm"
        clock.at += 0.6
        await pilot.press("x")
        assert desk.asked == [], "another key must not confirm"
        await pilot.press("y")
        await wait_until(lambda: desk.asked)
        assert desk.asked == [("fix", "inc-2", {"plan_hash": "hash-1"})]
        await wait_until(lambda: "fix inc-2: done" in text_of(app))


async def test_silence_asks_how_long_and_why_and_stays_in_the_list(
    make, size, text_of, clock, wait_until
) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press("z")
        await wait_until(lambda: "how long" in text_of(app))
        clock.at += 0.6
        await pilot.press("2", "h", "enter", "d", "e", "p", "l", "o", "y", "enter")
        await wait_until(lambda: desk.asked)
        assert desk.asked == [("silence", "inc-2", {"for": "2h", "reason": "deploy"})]
    quiet = replace(
        WAITING,
        quiet="silenced by ana: deploy",
        quiet_until=NOW + timedelta(hours=2),
        status="silenced by ana until 16:02 UTC",
        needs_human=False,
    )
    app = make(replace(BUSY, incidents=(quiet,)))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await wait_until(
            lambda: "silenced by ana until 16:02" in text_of(app) and "Kept quiet" in text_of(app)
        )


async def test_reload_shows_what_would_open_before_it_swaps(make, size, text_of, clock, wait_until) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.screen.action_ask("reload")
        await wait_until(
            lambda: "use exactly these rules" in text_of(app) and "would open now" in text_of(app)
        )
        await pilot.press("y")
        assert desk.asked == [], "a key within the grace must not confirm"
        clock.at += 0.6
        await pilot.press("y")
        await wait_until(lambda: desk.asked)
        assert desk.asked == [("reload", None, {"hash": "hash-r"})]


async def test_reload_of_wrong_files_shows_the_mistakes_and_takes_no_key(
    make, size, text_of, clock, wait_until
) -> None:
    desk = FakeDesk(BUSY)
    desk.reload_view = ReloadView("", (), ("own.yaml:3:5: unknown key 'fier' (did you mean 'fire'?)",))
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.screen.action_ask("reload")
        await wait_until(lambda: "did you mean 'fire'" in text_of(app))
        clock.at += 0.6
        await pilot.press("y")
        assert desk.asked == []


async def test_many_targets_need_the_id_typed(make, size, text_of, clock, wait_until) -> None:
    desk = FakeDesk(BUSY)
    desk.plan_view = BULK
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press("f")
        await wait_until(lambda: "37 targets, 12,340.50 EUR" in text_of(app))
        clock.at += 0.6
        await pilot.press("y", "enter")
        assert desk.asked == []
        await pilot.press("i", "n", "c", "minus", "2", "enter")
        await wait_until(lambda: desk.asked)
        assert desk.asked == [("fix", "inc-2", {"plan_hash": "hash-2"})]


@pytest.mark.parametrize(("view", "words"), [(REFUSED, "a person disabled"), (OBSERVED, "is observing")])
async def test_a_plan_that_would_not_act_cannot_be_confirmed(
    make, text_of, clock, wait_until, view, words
) -> None:
    desk = FakeDesk(BUSY)
    desk.plan_view = view
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        await wait_until(lambda: words in text_of(app))
        clock.at += 0.6
        await pilot.press("y", "enter", "escape")
        assert desk.asked == []
        assert isinstance(app.screen, MainScreen)


@pytest.mark.parametrize(("key", "action"), [("a", "ack"), ("y", "accept")])
async def test_ack_and_accept_go_out_at_once(make, size, key, action, wait_until) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press(key)
        await wait_until(lambda: desk.asked)
        assert desk.asked == [(action, "inc-2", {})]


async def test_a_refusal_of_the_engine_is_shown(make, size, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    desk.answer = CommandResult(False, "inc-2 was acknowledged by ben a second ago")
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press("a")
        await wait_until(lambda: "acknowledged by ben" in text_of(app))
        assert "✖" in text_of(app)


async def test_the_handoff_is_prefilled_validated_previewed_and_sent(
    make, size, text_of, clock, wait_until
) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press("e")
        await wait_until(lambda: "Prefilled" in text_of(app))
        assert isinstance(app.screen, EscalateScreen)
        request = app.screen.query_one("#field-request", TextArea)
        request.text = "   "
        await pilot.press("f2")
        await wait_until(lambda: "Request cannot be blank" in text_of(app))
        await pilot.press(*"Wait?")
        await pilot.press("f2")
        await wait_until(lambda: isinstance(app.screen, PreviewModal))
        clock.at += 0.6
        assert "tech-lead-orchestrator" in text_of(app)
        await pilot.press("y")
        await wait_until(lambda: desk.asked)
        action, incident, fields = desk.asked[0]
        assert (action, incident) == ("escalate", "inc-2")
        assert list(fields) == ["problem", "attempted", "impact", "gateway", "request", "level"]
        assert fields["level"] == "3"
        assert fields["request"].startswith("Wait?")
        assert all(value.strip() for value in fields.values())
        await wait_until(lambda: isinstance(app.screen, MainScreen))


async def test_a_typed_handoff_survives_leaving_the_form(make, text_of, wait_until) -> None:
    app = make(BUSY)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await wait_until(lambda: "Prefilled" in text_of(app))
        await pilot.press(*"Mine ", "escape", "e")
        await wait_until(lambda: "Mine Acceptance" in text_of(app))


@pytest.mark.parametrize(
    ("key", "typed", "expected"),
    [
        ("n", ["l", "o", "o", "k", "enter"], ("note", "inc-2", {"text": "look"})),
        ("t", ["w", "h", "y", "question_mark", "enter"], ("return", "inc-2", {"question": "why?"})),
        ("o", ["b", "e", "n", "enter"], ("assign", "inc-2", {"to": "ben"})),
        ("S", ["enter"], ("stop", None, {"reason": "no reason given"})),
        (
            "r",
            ["down", "down", "enter", "i", "t", "enter", "enter"],
            ("resolve", "inc-2", {"cause": "issuer", "fixed": "it", "note": ""}),
        ),
    ],
)
async def test_forms_take_their_words_and_go_out(make, size, clock, wait_until, key, typed, expected) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=size) as pilot:
        await pilot.press(key)
        assert isinstance(app.screen, FormModal)
        clock.at += 0.6
        await pilot.press(*typed)
        await wait_until(lambda: desk.asked)
        assert desk.asked == [expected]


async def test_a_blank_form_is_not_sent(make, text_of, clock) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        clock.at += 0.6
        await pilot.press("space", "enter")
        await pilot.pause()
        assert "text cannot be blank" in text_of(app)
        await pilot.press("escape")
        assert desk.asked == []


async def test_resume_is_asked_for_when_stopped(make, clock, wait_until) -> None:
    desk = FakeDesk(STOPPED)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("R")
        clock.at += 0.6
        await pilot.press("o", "k", "enter")
        await wait_until(lambda: desk.asked)
        assert desk.asked == [("resume", None, {"reason": "ok"})]


async def test_export_writes_the_report_and_shows_its_path(make, size, text_of, tmp_path, wait_until) -> None:
    app = make(BUSY)
    async with app.run_test(size=size) as pilot:
        await pilot.press("x")
        await wait_until(lambda: "written:" in text_of(app))
        assert (tmp_path / "inc-2.md").read_text("utf-8") == "report"


async def test_pause_freezes_the_picture_and_collecting_goes_on(make, size, text_of, wait_until) -> None:
    desk = FakeDesk(HEALTHY)
    app = make(desk=desk)
    later = replace(BUSY, at=NOW + timedelta(seconds=10))
    async with app.run_test(size=size) as pilot:
        await pilot.press("p")
        assert "PAUSED at 14:02:10 UTC" in text_of(app)
        desk.publish(later)
        await wait_until(lambda: app.latest is later)
        await pilot.pause()
        assert "TROUBLE" not in text_of(app)
        await pilot.press("p")
        await wait_until(lambda: "TROUBLE" in text_of(app))
        assert "as of 14:02:20 UTC" in text_of(app)


async def test_help_shows_every_key_and_closes(make, size, text_of) -> None:
    app = make(BUSY)
    async with app.run_test(size=size) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpModal)
        assert "Escalate" in text_of(app)
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)


async def test_the_palette_runs_actions_that_have_no_key(make, clock, wait_until) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.press(*"arm rem")
        await wait_until(lambda: type(app.screen).__name__ == "CommandPalette")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await wait_until(lambda: isinstance(app.screen, FormModal))
        clock.at += 0.6
        await pilot.press("enter", *"enable", "enter", *"why", "enter")
        await wait_until(lambda: desk.asked)
        action, incident, fields = desk.asked[0]
        assert action in ("arm", "disarm") and incident is None
        assert fields == {"account": "stripe-live", "remedies": "enable", "reason": "why"}


async def test_view_only_refuses_with_its_reason(make, size, text_of, wait_until) -> None:
    desk = FakeDesk(VIEW_ONLY)
    app = make(desk=desk)
    async with app.run_test(size=size, notifications=True) as pilot:
        for key in ("f", "a", "e", "y", "S"):
            await pilot.press(key)
        await wait_until(lambda: "start with --operator" in text_of(app))
        assert isinstance(app.screen, MainScreen)
        assert desk.asked == []


async def test_the_row_under_the_cursor_stays_under_the_cursor(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down")
        assert app.screen.selected_row().id == "inc-3"
        worse = replace(WAITING, id="inc-9", severity="sev1", title="Keys rejected")
        desk.publish(replace(BUSY, incidents=(worse, WAITING, WORKING)))
        await wait_until(lambda: "Keys rejected" in text_of(app))
        assert app.screen.selected_row().id == "inc-3"
        desk.publish(
            replace(
                BUSY,
                incidents=(worse, WAITING),
                recent=(replace(WORKING, state="resolved", resolved_at=NOW, ended_as="self_healed"), FIXED),
            )
        )
        await wait_until(lambda: "healed by itself" in text_of(app))
        assert app.screen.selected_row().id == "inc-3"


async def test_a_cursor_that_nobody_moved_leaves_the_closed_for_the_open(make, text_of, wait_until) -> None:
    desk = FakeDesk(replace(BUSY, incidents=(), recent=(FIXED,)))
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: "Closed. Nothing to do." in text_of(app))
        await pilot.pause()
        desk.publish(replace(BUSY, incidents=(WAITING,), recent=(FIXED,)))
        await wait_until(lambda: "A person is needed" in text_of(app))
        assert app.screen.selected_row().id == "inc-2"
        await pilot.press("end")
        assert app.screen.selected_row().id == "inc-1"
        desk.publish(replace(BUSY, incidents=(WORKING, WAITING), recent=(FIXED,)))
        await wait_until(lambda: "Events are missing" in text_of(app))
        assert app.screen.selected_row().id == "inc-1"


async def test_an_open_incident_follows_the_board(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("enter")
        await wait_until(lambda: "Handoffs" in text_of(app))
        desk.publish(
            replace(
                BUSY,
                incidents=(
                    replace(WAITING, status="with ben", needs_human=False, state="acknowledged"),
                    WORKING,
                ),
            )
        )
        await wait_until(lambda: "with ben" in text_of(app))


async def test_a_plan_that_cannot_be_made_says_so(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    desk.error = NotPossible("stripe answered nothing for 10 s: try again")
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        await wait_until(lambda: "stripe answered nothing" in text_of(app))
        assert isinstance(app.screen, FixModal)


async def test_a_hung_desk_delays_neither_keys_nor_quitting(make, text_of) -> None:
    desk = FakeDesk(BUSY)
    desk.hang.clear()
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        await pilot.press("escape", "enter")
        assert isinstance(app.screen, IncidentScreen)
        await pilot.press("escape", "down")
        assert app.screen.selected_row().id == "inc-3"
        started = time.monotonic()
        await pilot.press("q")
    assert time.monotonic() - started < 10
    assert threading.active_count() < 12


async def test_boards_that_pile_up_are_drawn_once(make, wait_until) -> None:
    desk = FakeDesk(HEALTHY)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)):
        drawn = []
        real = app.screen.show_board
        app.screen.show_board = lambda board: (drawn.append(board), real(board))
        boards = [replace(HEALTHY, at=NOW + timedelta(seconds=n)) for n in range(200)]
        threading.Thread(target=lambda: [app._board_made(board) for board in boards]).start()
        await wait_until(lambda: app.latest is boards[-1])
        assert len(drawn) < 100


async def test_start_runs_after_the_first_picture_and_its_error_ends_the_app(make, text_of) -> None:
    painted = []
    app = None

    def start() -> None:
        painted.append("STARTING" in text_of(app))
        raise UsageError("port 8787 is in use: choose another in [receiver]")

    app = make(None, start=start, operator="demo")
    async with app.run_test(size=(80, 24)):
        async with asyncio.timeout(5):
            while app.failure is None:
                await asyncio.sleep(0.01)
    assert painted == [True]
    assert "port 8787" in str(app.failure)
    assert app.return_code == 2


async def test_a_small_terminal_says_so_and_recovers(make, text_of, wait_until) -> None:
    app = make(BUSY)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(40, 10)
        await wait_until(lambda: isinstance(app.screen, TooSmall))
        await wait_until(lambda: "40x10" in text_of(app))
        await pilot.resize_terminal(140, 40)
        await wait_until(lambda: isinstance(app.screen, MainScreen))
        await wait_until(lambda: "money at risk" in text_of(app))


async def test_a_healthy_board_says_that_nothing_is_to_do(make, size, text_of) -> None:
    app = make(HEALTHY)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "No incident is open. Nothing to do." in text_of(app)
        await pilot.press("enter", "down", "f")
        assert isinstance(app.screen, MainScreen)


@pytest.mark.parametrize("theme", ["payops-light", "payops-contrast", "ansi-dark"])
async def test_other_themes_draw_too(make, text_of, theme) -> None:
    app = make(BUSY)
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = theme
        await pilot.pause()
        assert "TROUBLE" in text_of(app)
