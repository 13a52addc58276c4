"""Text from providers, webhooks and people stays text, on every screen."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from fake_desk import BUSY, CARD, FIXED, NOW, WAITING, FakeDesk, detail_of

import payops.tui
from payops.domain.incidents import TimelineEntry, Why
from payops.domain.plans import Plan
from payops.engine.board import CommandResult, HandoffDraft, NextItem, PlanView
from payops.tui import ink
from payops.tui.pictures import below, card, detail, header, plan, table
from payops.tui.pictures.header import View
from payops.tui.words import Times

HOSTILE = {
    "clipboard": "Acme\x1b]52;c;Y3VybCBldmlsfHNo\x1b\\ Ltd",
    "title": "\x1b]0;owned\x07shop",
    "colours": "\x1b[31;5mred\x1b[0m \x9b31mred",
    "cursor": "\x1b[2J\x1b[H\x1b[?1049l",
    "nul": "a\x00b\x07c\x08d\x7fe\rf",
    "markup": "[bold red]x[/] [/foo] [/] [[",
    "click": "[@click=app.quit]pay_1[/]",
    "link": "[link=file:///etc/passwd]here[/link]",
    "json": "{'a': [true, false], 'b': ['x[0]']}",
    "bidi": "user\u202egnp.exe\u2066\u2069\u200b",
    "wide": "支払い" * 30 + "é" * 40 + "👩‍👩‍👧",
    "combining": "a" + "\u0301" * 500,
    "surrogate": "x\ud800y",
    "lines": "one\ntwo\r\nthree\ttab",
    "style": ".bad $error [$error]",
    "huge": "A" * 100_000,
    "huge markup": "[b]" * 30_000,
}
FORBIDDEN = ("\x1b", "\x00", "\x07", "\x08", "\x7f", "\x9b", "\x9d", "\r", "\u202e", "\u2066", "\u200b")


def hostile_desk(bad: str) -> FakeDesk:
    row = replace(
        WAITING, id="inc-2", title=bad, account=bad, owner=bad, status=bad, next_action=bad, state="open"
    )
    board = replace(
        BUSY,
        headline=bad,
        operator=bad,
        loading=bad,
        engine=replace(BUSY.engine, holder=bad, mine=False, receiver=bad, audit_ok=False, late_s=70),
        accounts=(
            replace(CARD, account=bad, provider=bad, armed=(bad,), budget=bad, sees=bad, topology=bad),
            replace(CARD, account="b", problem=bad, state="failed", mode_proven=bad),
        ),
        incidents=(row,),
        recent=(replace(FIXED, title=bad, status=bad, ended_as=bad),),
        next=(NextItem(NOW, bad, bad),),
    )
    desk = FakeDesk(board)
    known = detail_of(row)
    attempt = replace(
        detail_of(FIXED).attempts[0], remedy=bad, by=bad, detail=bad, request_ids=(bad,), verified=False
    )
    desk.details["inc-2"] = replace(
        known,
        incident=replace(known.incident, why=(Why(bad, bad),), l1_reason=bad, next_action=bad),
        timeline=(TimelineEntry(NOW - timedelta(minutes=1), bad, bad, bad),),
        attempts=(attempt,),
        handoffs=tuple(
            replace(h, to=bad, problem=bad, request=bad, returned_by=bad, returned_at=NOW, question=bad)
            for h in known.handoffs
        ),
        runbook=bad,
        evidence=((bad, bad),),
    )
    desk.plan_view = PlanView(Plan(bad, bad, "external", (bad, bad), 1, undo=bad), None, False, bad, bad)
    desk.draft_value = HandoffDraft(3, bad, bad, bad, bad, bad, bad)
    desk.answer = CommandResult(False, bad)
    return desk


ON_SCREEN = {
    "terminal": (HOSTILE["bidi"] + HOSTILE["clipboard"] + HOSTILE["cursor"] + HOSTILE["wide"], (80, 24)),
    "markup": (HOSTILE["click"] + HOSTILE["markup"] + HOSTILE["link"] + HOSTILE["json"], (140, 40)),
    "huge": (HOSTILE["huge markup"], (80, 24)),
}


@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_cleaned_in_every_picture(bad) -> None:
    desk = hostile_desk(bad)
    board, found = desk.board(), desk.details["inc-2"]
    assert board is not None
    row, times = board.incidents[0], Times(UTC)
    drawn = [
        header.headline(board, bad),
        header.status(board, View(times), bad, 140),
        table.header(board, times, 139),
    ]
    drawn += header.alerts(board, View(times, True, True), 80)
    drawn += [line.content for width in (79, 139) for line in table.lines(board, times, width)]
    for account in board.accounts:
        drawn += [card.title(account, 80), card.feed(account, times, NOW, 140), card.reads(account, 140)]
        drawn += card.compact(account, times, NOW, 80)
    drawn += [
        *below.selected(board, row, times, 80),
        *below.upcoming(board, times, 80, 6),
        *below.protocol(board, 80),
    ]
    drawn += plan.lines(desk.plan_view)
    for section in (*detail.left(found, desk.plan_view, bad, times, NOW), *detail.right(found, times, NOW)):
        drawn += section.lines
    for content in drawn:
        assert not any(mark in content.plain for mark in FORBIDDEN), repr(content.plain)
        assert {span.style for span in content.spans} <= {f".{style}" for style in ink.STYLES}
        assert len(content.plain) < 20_000


@pytest.mark.parametrize(("bad", "size"), ON_SCREEN.values(), ids=ON_SCREEN.keys())
async def test_hostile_text_stays_inert_on_every_screen(make, text_of, wait_until, bad, size) -> None:
    desk = hostile_desk(bad)
    app = make(desk=desk)

    def inert() -> None:
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                assert not any(mark in segment.text for mark in FORBIDDEN), repr(segment.text)
                meta = segment.style.meta if segment.style else {}
                assert not any(key.startswith("@click") for key in meta), meta
                assert not (segment.style and segment.style.link)

    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        inert()
        await pilot.press("a")
        await wait_until(
            lambda: (
                desk.asked
                and app.last_result is not None
                and "ack inc-2" in app.last_result.plain
                and "asked" not in app.last_result.plain
            )
        )
        inert()
        for keys in (("enter",), ("f",), ("e",), ("e", "f2"), ("n",), ("r",)):
            await pilot.press(*keys)
            await pilot.pause(0.02)
            inert()
            while len(app.screen_stack) > 1:
                await pilot.press("escape")


SOURCES = sorted(Path(payops.tui.__file__).parent.rglob("*.py"))
MARKUP_ON = {
    "Static", "Label", "Button", "Checkbox", "RadioButton", "Collapsible", "Select", "SelectionList", "OptionList",
    "Tab", "DataTable", "Tree", "RichLog", "notify", "Markdown",
}  # fmt: skip
NEVER = {"from_markup", "from_text", "escape", "render_markup", "render_str", "styled_markup", "suspend"}
NEVER_SET = {"border_title", "border_subtitle", "tooltip", "sub_title"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_only_sinks_without_markup_are_used(source: Path) -> None:
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            where = f"{source.name}:{node.lineno} {name}"
            assert name not in NEVER, where
            if name in MARKUP_ON:
                off = any(
                    k.arg == "markup" and isinstance(k.value, ast.Constant) and k.value.value is False
                    for k in node.keywords
                )
                assert off, f"{where} needs markup=False"
            if name in ("Content", "styled"):
                assert source.name == "ink.py", f"{where}: only ink makes Content"
            if name in ("Text", "Panel", "Table"):
                raise AssertionError(f"{where}: draw through ink")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                assert not (isinstance(target, ast.Attribute) and target.attr in NEVER_SET), (
                    f"{source.name}:{node.lineno}"
                )


def test_super_init_of_every_line_switches_markup_off() -> None:
    text = (Path(payops.tui.__file__).parent / "widgets" / "line.py").read_text("utf-8")
    assert 'super().__init__(ink.own(""), markup=False' in text
