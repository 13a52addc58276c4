"""Reloading the rules: what would open or close is shown first, and what was shown is what is asked for."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from payops.engine.board import ReloadView

from .. import ink
from ..messages import Failed, ReloadArrived
from ..widgets.line import Block
from .base import Modal, scroll


class ReloadModal(Modal):
    """Reads the files and their tests in a thread, shows the difference, and after a grace takes `y`."""

    def __init__(self) -> None:
        super().__init__()
        self._view: ReloadView | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Block(id="what")
            with VerticalScroll(id="plan-scroll", can_focus=False):
                yield Block(id="plan")
            yield Block(id="prompt")

    def on_mount(self) -> None:
        super().on_mount()
        desk = self.payops.desk
        self.query_one("#what", Block).show_lines([ink.own("Reload the rules", "strong")])
        self.payops.work.start("rules", lambda: ReloadArrived(desk.reload()), self)
        self._show("Reading the rule files and running the tests of what changed…")

    @on(ReloadArrived)
    def _arrived(self, message: ReloadArrived) -> None:
        self._view = view = message.view
        self.start_grace()
        if view.problems:
            lines = [ink.own("✖ The rules stay as they are:", "bad")]
            lines += [ink.said(problem, limit=400) for problem in view.problems]
        elif view.lines:
            lines = [ink.said(line, limit=400) for line in view.lines]
        else:
            lines = [ink.own("The files say what is in use already.")]
        self.query_one("#plan", Block).show_lines(lines)
        self._prompt()

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self._show(f"✖ {message.error}")

    def _show(self, note: str) -> None:
        self.query_one("#plan", Block).show_lines([ink.said(note, "dim", limit=400)])
        self._prompt()

    def _possible(self) -> bool:
        return self._view is not None and bool(self._view.lines) and not self._view.problems

    def _prompt(self) -> None:
        lines = []
        if self._possible():
            lines.append(ink.join((ink.own("y", "key"), ink.own(" use exactly these rules"))))
        lines.append(ink.join((ink.own("esc", "key"), ink.own(" close, nothing is changed"))))
        self.query_one("#prompt", Block).show_lines(lines)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss()
        elif scroll(self.query_one("#plan-scroll", VerticalScroll), event.key):
            return
        elif event.key == "y" and self._view is not None and self._possible() and not self.in_grace():
            self.dismiss()
            self.payops.submit("reload", None, {"hash": self._view.hash})
