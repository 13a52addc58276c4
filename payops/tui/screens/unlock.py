"""Who is at the keyboard? Asked before an approval, and after a quarter of an hour without a key."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Input

from .. import ink
from ..messages import Unlocked
from ..widgets.line import Block, Line
from .base import Modal


class UnlockModal(Modal):
    """Asks for the operator's PIN, or their name where they have none; `then` goes on when it was right."""

    BINDINGS = [Binding("escape", "close", "Close", priority=True)]

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self._then = then

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Block(id="what")
            yield Line(id="label-given", classes="label")
            field = Input(
                id="field-given", password=True, compact=True, select_on_focus=False, max_length=200
            )
            field.cursor_blink = False
            yield field
            yield Block(id="problem")
            yield Block(id="prompt")

    def on_mount(self) -> None:
        super().on_mount()
        pinned = self._pinned()
        why = (
            "Nobody pressed a key for 15 min; the engine went on."
            if self.payops.locked
            else "Money may move: it must be you."
        )
        self.query_one("#what", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own("Is it you, ", "strong"),
                        ink.said(self.payops.operator or "?", "strong"),
                        ink.own("?", "strong"),
                    )
                ),
                ink.own(why, "dim"),
            ]
        )
        self.query_one("#label-given", Line).show(ink.own("your PIN" if pinned else "your name"))
        self.query_one("#prompt", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own("enter", "key"),
                        ink.own(" unlock   "),
                        ink.own("esc", "key"),
                        ink.own(" close, nothing is done"),
                    )
                )
            ]
        )
        self.query_one("#field-given").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        given, desk = event.value, self.payops.desk
        event.input.value = ""
        self.payops.work.start("unlock", lambda: Unlocked(desk.unlock(given)), self)

    def on_unlocked(self, message: Unlocked) -> None:
        message.stop()
        if not message.result.ok:
            self.query_one("#problem", Block).show_lines(
                [ink.join((ink.own("✖ ", "bad"), ink.said(message.result.message, "bad")))]
            )
            return
        self.payops.unlocked()
        self.dismiss()
        self._then()

    def action_close(self) -> None:
        self.dismiss()

    def _pinned(self) -> bool:
        return self.payops.latest is not None and self.payops.latest.operator_pin
