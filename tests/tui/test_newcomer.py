"""What a person sees who meets the screen for the first time: who is needed, what to press, why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_desk import BUSY, FIXED, NOW, OBSERVED, REFUSED, WAITING, WORKING, FakeDesk, detail_of
from textual.containers import VerticalScroll
from textual.widgets import TextArea

from payops.domain.money import Money
from payops.engine.board import CommandResult
from payops.tui.gate import advice, why_not
from payops.tui.pictures import below, detail
from payops.tui.pictures.card import backlog
from payops.tui.screens.escalate import PreviewModal
from payops.tui.screens.fix import FixModal
from payops.tui.screens.main import MainScreen
from payops.tui.words import Times, fewer

BLOCKED = replace(WORKING, needs_human=True, blocked="observing", status="observing: x is not armed")


@pytest.mark.parametrize(
    ("blocked", "words", "key"),
    [
        ("observing", "payops only observes here: f shows what it would do; arm it, or", "escalate"),
        ("stopped", "payops is stopped", "resume"),
        ("operator", "Level 1 waits for your decision", "fix"),
        ("over", "Level 1 is over", "escalate"),
    ],
)
def test_advice_never_says_payops_is_on_it_where_it_is_not(blocked: str, words: str, key: str) -> None:
    sentence, keys = advice(replace(BLOCKED, blocked=blocked))
    assert words in sentence
    assert keys[0] == key
    assert "payops is on it" in advice(WORKING)[0]


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_a_handoff_that_waits_offers_accept_and_return(state: str) -> None:
    row = replace(WAITING, state=state)
    assert advice(row)[1] == ("accept", "return")
    assert "y accept" in below.keys(row, 80).plain
    assert "not" not in why_not_accept(row)


def why_not_accept(row) -> str:
    from payops.domain.actions import BY_NAME

    return why_not(BY_NAME["accept"], BUSY, row)


def test_an_answered_handoff_is_not_offered_again() -> None:
    answered = replace(WAITING, state="acknowledged", waits_for="", held_by="ana (backend-coordinator)")
    assert "accept" not in advice(answered)[1]
    assert "no handoff of inc-2 waits" in why_not_accept(answered)


@pytest.mark.parametrize("blocked", ["observing", "stopped", "operator", "over"])
def test_no_key_of_the_advice_is_cut(blocked: str) -> None:
    shown = below.keys(replace(BLOCKED, blocked=blocked), 80)
    assert shown.cell_length <= 80


@pytest.mark.parametrize(
    ("view", "first", "why"),
    [(OBSERVED, "Would not act:", "is observing"), (REFUSED, "Refused:", "a person disabled")],
)
async def test_a_dry_run_that_would_not_act_says_so_first_and_again_when_confirmed(
    make, text_of, clock, wait_until, view, first, why
) -> None:
    desk = FakeDesk(BUSY)
    desk.plan_view = view
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        await wait_until(lambda: why in text_of(app))
        text = text_of(app)
        assert first in text
        assert "in this order" not in text.split(first)[0]
        assert "Cannot be done" not in text
        for key in ("y", "enter"):
            await pilot.press(key)
            await wait_until(lambda: "Cannot be done" in text_of(app))
        assert isinstance(app.screen, FixModal)
        assert desk.asked == []


async def test_only_edited_fields_survive_leaving_the_form(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await wait_until(lambda: "Prefilled" in text_of(app))
        await pilot.press(*"Mine ", "escape")
        desk.draft_value = replace(desk.draft_value, problem="newer problem", impact="newer impact")
        await pilot.press("e")
        await wait_until(lambda: "Mine Acceptance" in text_of(app))
        assert app.screen.query_one("#field-impact", TextArea).text == "newer impact"


async def test_the_preview_keeps_its_prompt_in_sight_and_scrolls(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    long = "\n".join(f"line {n} of it" for n in range(60))
    desk.draft_value = replace(desk.draft_value, attempted=long, request="The very last words?")
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await wait_until(lambda: "Prefilled" in text_of(app))
        await pilot.press("f2")
        await wait_until(lambda: isinstance(app.screen, PreviewModal))
        await wait_until(lambda: "send exactly this" in text_of(app))
        assert "The very last words?" not in text_of(app)
        await pilot.press("end")
        await wait_until(lambda: "The very last words?" in text_of(app))
        assert "send exactly this" in text_of(app)
        area = app.screen.query_one("#plan-scroll", VerticalScroll)
        bottom = area.scroll_y
        await pilot.press("pageup")
        await wait_until(lambda: area.scroll_y < bottom)
        await pilot.press("pagedown")
        await wait_until(lambda: area.scroll_y == bottom)
        await pilot.press("home")
        await wait_until(lambda: area.scroll_y == 0)


async def test_a_resolved_incident_shows_only_keys_that_do_something(make, text_of) -> None:
    app = make(BUSY)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert app.screen.selected_row() == FIXED
        bar = text_of(app).splitlines()[-1]
        assert "enter open" in bar and "n note" in bar and "x export" in bar
        assert "fix" not in bar and "escalate" not in bar and "ack" not in bar


async def test_refusals_replace_each_other_and_are_not_cut(make, text_of, wait_until) -> None:
    app = make(BUSY)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("end")
        for key in "fae":
            await pilot.press(key)
        await pilot.pause()
        assert len(app._notifications) == 1
        app.say(f"Fix: {'a long reason ' * 8}to the end", "warning")
        await wait_until(lambda: "to the end" in text_of(app))


async def test_an_answer_of_the_engine_wraps(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    desk.answer = CommandResult(False, f"{'a long reason ' * 8}to the end")
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        await wait_until(lambda: "to the end" in text_of(app))
        assert isinstance(app.screen, MainScreen)


def test_a_look_that_changed_nothing_is_neither_a_proof_nor_a_failure() -> None:
    whole = detail_of(WORKING)
    looked = replace(whole.attempts[0], effect="read", outcome="succeeded", verified=False)
    sections = detail.left(replace(whole, attempts=(looked,)), None, "", Times(NOW.tzinfo), NOW)
    text = "\n".join(
        line.plain for section in sections if section.title == "Attempts" for line in section.lines
    )
    assert "○ looked, changed nothing" in text
    assert "✖" not in text and "✔" not in text


def test_what_the_provider_sent_is_unknown_while_its_history_is_read() -> None:
    card = replace(BUSY.accounts[0], state="backfilling")
    assert "missing unknown" in backlog(card).plain
    assert "37 missing" in backlog(BUSY.accounts[0]).plain


AMOUNTS = (Money(47_554, "USD"), Money(1_234_050, "EUR"), Money(900, "JPY"))


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (60, "475.54 USD + 12,340.50 EUR + 900 JPY"),
        (30, "475.54 USD + 12,340.50 EUR +1"),
        (16, "475.54 USD +2"),
    ],
)
def test_fewer_amounts_rather_than_a_cut_number(width: int, text: str) -> None:
    assert fewer(AMOUNTS, width) == text
    assert fewer((), width) == ""


def test_an_amount_too_long_for_its_cell_loses_its_minor_units_first() -> None:
    assert fewer((Money(123_456_789_012, "EUR"),), 17) == "1,234,567,890 EUR"
    assert fewer((Money(123_456_789_012, "EUR"), Money(1, "USD")), 16) == "1,235 M EUR +1"


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_facts_of_an_incident_never_end_inside_a_number(width: int) -> None:
    row = replace(WAITING, money=AMOUNTS, status="waits for somebody with a very long role name " * 3)
    line = below.selected(BUSY, row, Times(NOW.tzinfo), width)[1]
    assert line.cell_length <= width
    assert "at risk" in line.plain


async def test_a_long_obstacle_never_hides_the_way_out(make, text_of, wait_until) -> None:
    desk = FakeDesk(BUSY)
    steps = tuple(f"POST /v1/events/evt_{n}/retry" for n in range(40))
    plan = replace(OBSERVED.plan, steps=steps)
    desk.plan_view = replace(OBSERVED, plan=plan, why_not="why it may not act " * 30)
    app = make(desk=desk)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f")
        await wait_until(lambda: "Would not act" in text_of(app))
        await pilot.press("y")
        await wait_until(lambda: "Cannot be done" in text_of(app))
        assert "esc close, nothing is done" in text_of(app)
