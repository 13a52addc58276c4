"""The dashboard: what is wrong, worst first, how the accounts do, and what comes next."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from payops.engine.board import Board, IncidentRow

from .. import ink
from ..keymap import BAR
from ..pictures import below, header, table
from ..widgets.card import Cards
from ..widgets.keybar import KeyBar
from ..widgets.line import Block, Line
from ..widgets.table import IncidentTable
from .base import WorkScreen

TALL = 32
WIDE = 110


class MainScreen(WorkScreen):
    """Home."""

    def compose(self) -> ComposeResult:
        yield Block(id="headline")
        yield Line(id="status")
        yield Block(id="alerts")
        yield Cards(id="cards")
        yield Line(id="columns")
        yield IncidentTable(id="incidents")
        yield Line(id="selected")
        with Horizontal(id="below"):
            yield Line(id="next")
            yield Line(id="protocol")
        yield Block(id="result")
        yield KeyBar(BAR, id="keys")

    def on_mount(self) -> None:
        self.query_one(IncidentTable).focus()

    def selected_row(self) -> IncidentRow | None:
        return self.query_one(IncidentTable).incident

    def show_board(self, board: Board | None) -> None:
        if not self.is_mounted:
            return
        app, width, height = self.payops, self.size.width, self.size.height
        view, times = app.view(), app.times
        with app.batch_update():
            headline = self.query_one("#headline", Block)
            headline.set_classes(header.tone(board))
            headline.show_lines([header.headline(board, app.progress)])
            self.query_one("#status", Line).show(header.status(board, view, app.operator, width))
            self.query_one("#alerts", Block).show_lines(header.alerts(board, view, width))
            self.query_one(Cards).show(board, times, width, height)
            # One cell on the right is the scroll bar's, present or not: rows must not jump when it appears.
            self.query_one("#columns", Line).show(table.header(board, times, width - 1))
            self.query_one(IncidentTable).show(table.lines(board, times, width - 1))
            self.query_one("#result", Block).show_lines(
                [ink.fit(app.last_result, 3 * width - 3)] if app.last_result else []
            )
            self._show_selected()
            left = width * 45 // 100 if width >= WIDE else width
            right = width - left if width >= WIDE else width
            coming, told = self._rows_below()
            self.query_one("#next", Line).show(ink.lines(below.upcoming(board, times, left, coming)))
            self.query_one("#protocol", Line).show(ink.lines(below.protocol(board, right)[-told:]))

    def _rows_below(self) -> tuple[int, int]:
        """Lines for the next work and for the protocol; the style sheet's heights are the same."""
        if self.size.height >= TALL:
            return (6, 2) if self.size.width >= WIDE else (4, 2)
        return (2, 2) if self.size.width >= WIDE else (1, 1)

    def _show_selected(self) -> None:
        app, row = self.payops, self.selected_row()
        self.query_one("#selected", Line).show(
            ink.lines(below.selected(app.shown, row, app.times, self.size.width))
        )
        self.query_one(KeyBar).show_keys(
            self.possible, self.size.width, only=row is not None and row.state == "resolved"
        )

    @on(IncidentTable.Moved)
    def _moved(self) -> None:
        self._show_selected()

    @on(IncidentTable.Opened)
    def _opened(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        row = self.selected_row()
        if row is None:
            self.payops.say("Open: no incident is selected", "warning")
        else:
            self.payops.open_incident(row)
