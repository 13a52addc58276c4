"""The fix: its dry run is shown first, and what was shown is what is asked for."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll

from payops.engine.board import IncidentRow, PlanView

from .. import ink
from ..messages import Failed, PlanArrived
from ..pictures import plan as picture
from ..widgets.line import Block
from ..words import money, plural
from .base import Modal, scroll


class FixModal(Modal):
    """Reads the plan, shows it, and after a grace takes `y`, or the incident's id where one key is too little."""

    asks_for: ClassVar[str] = "fix"
    heading: ClassVar[str] = "Dry run of the fix for "

    def __init__(self, row: IncidentRow) -> None:
        super().__init__()
        self._row = row
        self._view: PlanView | None = None
        self._typed = ""
        self._asked = False
        """It was asked for although it cannot act."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield Block(id="what")
            with VerticalScroll(id="plan-scroll", can_focus=False):
                yield Block(id="plan")
            yield Block(id="prompt")

    def on_mount(self) -> None:
        super().on_mount()
        row = self._row
        self.query_one("#what", Block).show_lines(
            [
                ink.join(
                    (
                        ink.own(self.heading),
                        ink.said(row.id, "strong"),
                        ink.own("  "),
                        ink.said(row.title),
                    )
                )
            ]
        )
        self.show_plan()

    def show_plan(self) -> None:
        """Ask for the plan; it comes as `PlanArrived`."""
        row, desk = self._row, self.payops.desk
        asked = self.payops.work.start(f"plan {row.id}", lambda: PlanArrived(desk.plan(row.id)), self)
        note = (
            "Asking what would be done; nothing is changed by that…"
            if asked
            else "An earlier question for this plan is still unanswered; close and try again."
        )
        self.query_one("#plan", Block).show_lines([ink.own(note, "dim")])
        self._prompt()

    @on(PlanArrived)
    def _plan_arrived(self, message: PlanArrived) -> None:
        self._view = message.view
        self.start_grace()
        self.query_one("#plan", Block).show_lines(picture.lines(message.view))
        self._prompt()

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self.query_one("#plan", Block).show_lines(
            [ink.join((ink.own("✖ No plan: ", "bad"), ink.told(message.error)))]
        )

    def _confirmable(self) -> bool:
        return self._view is not None and self._view.would_act and self._view.plan is not None

    def _obstacle(self) -> str:
        """Why there is nothing to confirm."""
        view = self._view
        if view is None:
            return "there is no plan yet"
        return view.why_not or (view.refusal.reason if view.refusal else "there is no plan")

    def _prompt(self) -> None:
        lines = []
        view = self._view
        if view is not None and view.would_act and view.plan is not None:
            if picture.asks_for_word(view.plan):
                worth = f", {money(view.plan.money)}" if view.plan.money else ""
                lines.append(
                    ink.join(
                        (
                            ink.own(f"This touches {plural(view.plan.targets, 'target')}{worth}. Type "),
                            ink.said(self._row.id, "key"),
                            ink.own(" and press "),
                            ink.own("enter", "key"),
                            ink.own(" to do it: "),
                            ink.said(self._typed, "strong"),
                            ink.own("_"),
                        )
                    )
                )
            else:
                lines.append(ink.join((ink.own("y", "key"), ink.own(" do exactly this"))))
        elif self._asked:
            lines.append(
                ink.join((ink.own("✖ Cannot be done: ", "bad"), ink.said(self._obstacle(), limit=150)))
            )
        lines.append(ink.join((ink.own("esc", "key"), ink.own(" close, nothing is done"))))
        self.query_one("#prompt", Block).show_lines(lines)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss()
        elif scroll(self.query_one("#plan-scroll", VerticalScroll), event.key):
            return
        elif self._confirmable():
            if not self.in_grace():
                self._confirm(event)
        elif event.key in ("y", "enter"):
            self._asked = True
            self._prompt()

    def _confirm(self, event: events.Key) -> None:
        view = self._view
        if view is None or view.plan is None:
            return
        if not picture.asks_for_word(view.plan):
            if event.key == "y":
                self._go(view)
            return
        if event.key == "enter":
            if self._typed == self._row.id:
                self._go(view)
                return
            self._typed = ""
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.character and event.is_printable and len(self._typed) < 40:
            self._typed += event.character
        self._prompt()

    def _go(self, view: PlanView) -> None:
        self.dismiss()
        self.payops.submit(self.asks_for, self._row.id, {"plan_hash": view.plan_hash})
