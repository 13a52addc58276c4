"""What a terminal shows that is too small for a true picture."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding

from .. import ink
from ..terminal import MIN_HEIGHT, MIN_WIDTH
from ..widgets.line import Block
from .base import Inked


class TooSmall(Inked):
    """One sentence; collecting goes on, and the picture is back as soon as there is room."""

    BINDINGS = [Binding("q", "app.quit", "Quit")]

    def compose(self) -> ComposeResult:
        yield Block(id="small")

    def on_mount(self) -> None:
        self._say(self.app.size.width, self.app.size.height)

    def on_resize(self, event: events.Resize) -> None:
        self._say(event.size.width, event.size.height)

    def _say(self, width: int, height: int) -> None:
        self.query_one(Block).show_lines(
            [
                ink.own(
                    f"payops needs {MIN_WIDTH}x{MIN_HEIGHT}, this is {width}x{height}: make the terminal larger. It goes on working. q quits."
                )
            ]
        )
