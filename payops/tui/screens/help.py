"""The help page, drawn from the action registry and the key table."""

from __future__ import annotations

import textwrap

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from payops.domain.actions import ACTIONS

from .. import ink
from ..keymap import ELSEWHERE, OWN
from ..widgets.line import Block
from .base import Modal

SIGNS: tuple[tuple[str, str], ...] = (
    ("● ◐ ✔", "open, somebody has it, resolved"),
    ("!", "a person is needed"),
    ("sev1 … sev4", "worst to least"),
    ("level 1 … 4", "self-recovery, peer, strategic, your decision"),
    ("81.4 % of 1,204  79.1–83.5", "share, how many first attempts, 95 % interval"),
    ("▼ expected 94.9", "the whole interval lies below what is usual"),
)


def page(width: int) -> list[Content]:
    """Every key with what it does, wrapped under its own column."""
    lines = [ink.own("What is asked of payops", "accent")]
    for action in ACTIONS:
        lines += _row(action.key or "ctrl+p", action.title, action.help, width)
    lines += [ink.own(""), ink.own("The screen", "accent")]
    for key in OWN:
        lines += _row(key.shown, key.title, key.help, width)
    for shown, text in ELSEWHERE:
        lines += _row(shown, "", text, width)
    lines += [ink.own(""), ink.own("Signs", "accent")]
    lines += [ink.join((ink.own(f"  {sign:<28}"), ink.own(text, "dim"))) for sign, text in SIGNS]
    return lines


def _row(key: str, title: str, text: str, width: int) -> list[Content]:
    indent = 28
    first, *rest = textwrap.wrap(text, max(20, width - indent))
    start = (
        ink.join((ink.own(f"  {key:<9}", "key"), ink.own(f"{title:<17}")))
        if title
        else ink.own(f"  {key:<26}", "key")
    )
    return [ink.join((start, ink.own(first, "dim"))), *(ink.own(" " * indent + more, "dim") for more in rest)]


class HelpModal(Modal):
    """Any key but the scrolling ones closes it."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box tall", can_focus=False):
            yield Block(id="plan")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#plan", Block).show_lines(
            [
                *page(min(110, self.app.size.width) - 6),
                ink.own(""),
                ink.join(
                    (
                        ink.own("esc", "key"),
                        ink.own(" close   "),
                        ink.own("up down", "key"),
                        ink.own(" scroll"),
                    )
                ),
            ]
        )

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        steps = {"up": -1, "down": 1, "k": -1, "j": 1, "pageup": -10, "pagedown": 10, "space": 10}
        if event.key in steps:
            self.query_one(VerticalScroll).scroll_relative(y=steps[event.key], animate=False)
        elif event.key in ("escape", "q", "question_mark", "f1", "enter"):
            self.dismiss()
