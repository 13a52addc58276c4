"""After a quarter of an hour without a key acting asks who is there; looking and the engine go on."""

from __future__ import annotations

from dataclasses import replace

from fake_desk import BUSY, FakeDesk
from textual.widgets import Input

from payops.tui.app import LOCK_AFTER_S, PayopsApp
from payops.tui.screens.unlock import UnlockModal


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def app_on(board, clock) -> tuple[PayopsApp, FakeDesk]:
    desk = FakeDesk(board)
    return PayopsApp(desk, operator="ana", monotonic=clock, now=lambda: board.at), desk


async def typed(pilot, text: str) -> None:
    await pilot.press(*text, "enter")
    await pilot.pause()
    for _ in range(50):
        await pilot.pause(0.01)
        if not isinstance(pilot.app.screen, UnlockModal) or pilot.app.screen.query_one(Input).value == "":
            break


async def test_the_first_key_after_the_pause_asks_who_is_there_and_then_goes_on():
    clock = Clock()
    app, desk = app_on(BUSY, clock)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        clock.at += LOCK_AFTER_S
        await pilot.press("n")
        await pilot.pause()
        assert app.locked
        assert isinstance(app.screen, UnlockModal)
        await typed(pilot, "wrong")
        assert isinstance(app.screen, UnlockModal)
        assert app.locked
        await typed(pilot, "4711")
        for _ in range(100):
            await pilot.pause(0.01)
            if not app.locked:
                break
        assert not app.locked
        assert not isinstance(app.screen, UnlockModal)
        assert [what for what, *_ in desk.asked] == ["unlock", "unlock"]


async def test_a_locked_screen_still_shows_and_still_stops():
    clock = Clock()
    app, _desk = app_on(BUSY, clock)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        clock.at += LOCK_AFTER_S
        await pilot.press("down")
        await pilot.pause()
        assert app.locked
        assert not isinstance(app.screen, UnlockModal)
        await pilot.press("S")
        await pilot.pause()
        assert not isinstance(app.screen, UnlockModal)


async def test_an_operator_with_a_pin_enters_it_before_an_approval_and_nobody_else():
    from payops.domain.actions import BY_NAME

    clock = Clock()
    app, _ = app_on(replace(BUSY, operator_pin=True), clock)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        assert app.must_prove(BY_NAME["approve"])
        assert not app.must_prove(BY_NAME["note"])
        app.unlocked()
        assert not app.must_prove(BY_NAME["approve"])
        clock.at += 301
        assert app.must_prove(BY_NAME["approve"])
    plain, _ = app_on(BUSY, clock)
    async with plain.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        assert not plain.must_prove(BY_NAME["approve"])
