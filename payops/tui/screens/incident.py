"""One incident whole: why, what was tried with proof, who has it, what happened, what the runbook says."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll

from payops.engine.board import Board, IncidentDetail, IncidentRow, PlanView

from .. import ink
from ..messages import DetailArrived, Failed, PlanArrived
from ..pictures import below, detail, header
from ..pictures.detail import Section
from ..widgets.keybar import KeyBar
from ..widgets.line import Block, Line
from .base import WorkScreen

WIDE = 110
KEYS = (
    "fix",
    "approve",
    "ack",
    "escalate",
    "accept",
    "return",
    "note",
    "resolve",
    "export",
    "assign",
    "hold",
    "skip",
    "stop",
    "resume",
)


class IncidentScreen(WorkScreen):
    """The incident `row`; read again whenever its line on the board changes."""

    BINDINGS = [
        Binding("escape,backspace", "back", "Back", id="screen.back"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]

    def __init__(self, row: IncidentRow) -> None:
        super().__init__()
        self._row = row
        self._detail: IncidentDetail | None = None
        self._plan: PlanView | None = None
        self._note = "reading…"
        self._plan_note = "asking for the plan of the next fix…"

    def compose(self) -> ComposeResult:
        yield Line(id="status")
        yield Block(id="alerts")
        yield Line(id="head")
        yield Line(id="advice")
        with VerticalScroll(id="body"), Horizontal(id="columns"):
            with Vertical(id="left"):
                for _ in range(detail.LEFT_SECTIONS):
                    yield Block(classes="section")
            with Vertical(id="right"):
                for _ in range(detail.RIGHT_SECTIONS):
                    yield Block(classes="section")
        yield Block(id="result")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        self.query_one("#body").focus()
        self.show_board(self.payops.shown)
        self._read()
        if self._row.state != "resolved":
            self._read_plan()

    def selected_row(self) -> IncidentRow:
        return self._row

    def show_board(self, board: Board | None) -> None:
        if not self.is_mounted:
            return
        app, width = self.payops, self.size.width
        newest = (
            next((row for row in (*board.incidents, *board.recent) if row.id == self._row.id), None)
            if board
            else None
        )
        changed = newest is not None and newest != self._row
        if newest is not None and changed:
            self._row = newest
        with app.batch_update():
            self.query_one("#status", Line).show(header.status(board, app.view(), app.operator, width))
            self.query_one("#alerts", Block).show_lines(header.alerts(board, app.view(), width))
            near = board.at if board else self._row.opened_at
            self.query_one("#head", Line).show(ink.lines(detail.head(self._row, app.times, near, width)))
            advice = (
                below.looking(self._row) if board and board.view_only else below.keys(self._row, width, ())
            )
            self.query_one("#advice", Line).show(ink.fit(advice, width))
            self.query_one("#result", Block).show_lines(
                [ink.fit(app.last_result, 3 * width - 3)] if app.last_result else []
            )
            self.query_one(KeyBar).show_keys(self.possible, width, only=self._row.state == "resolved")
            self._show_body()
        if changed:
            self._read()

    def _read(self) -> None:
        desk, incident_id = self.payops.desk, self._row.id
        self.payops.work.start(
            f"incident {incident_id}", lambda: DetailArrived(desk.incident(incident_id)), self
        )

    def _read_plan(self) -> None:
        """Once per visit: a dry run reads from the provider, and polling is a guest there."""
        desk, incident_id = self.payops.desk, self._row.id
        self.payops.work.start(f"plan {incident_id}", lambda: PlanArrived(desk.plan(incident_id)), self)

    @on(DetailArrived)
    def _detail_arrived(self, message: DetailArrived) -> None:
        self._detail = message.detail
        self._row = message.detail.row
        self.show_board(self.payops.shown)

    @on(PlanArrived)
    def _plan_arrived(self, message: PlanArrived) -> None:
        self._plan = message.view
        self._show_body()

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        if message.what.startswith("plan"):
            self._plan_note = f"no plan: {message.error}"
        else:
            self._note = f"cannot be read: {message.error}"
        self._show_body()

    def _show_body(self) -> None:
        left, right = self.query_one("#left", Vertical), self.query_one("#right", Vertical)
        if self._detail is None:
            self._fill(left, [Section("", (ink.said(self._note, "dim", limit=400),))])
            return
        times, near = self.payops.times, (self.payops.shown.at if self.payops.shown else self._row.opened_at)
        self._fill(left, detail.left(self._detail, self._plan, self._plan_note, times, near))
        self._fill(right, detail.right(self._detail, times, near))

    def _fill(self, column: Vertical, sections: Sequence[Section]) -> None:
        """The blocks are there from the start, so that an update never loses the place one reads at."""
        blocks = list(column.query_children(Block))
        for block, section in zip(blocks, sections, strict=False):
            title = [ink.own(section.title, "accent")] if section.title else []
            block.show_lines([*title, *section.lines])
        for block in blocks[len(sections) :]:
            block.show_lines([])

    def action_back(self) -> None:
        self.dismiss()

    def action_down(self) -> None:
        self.query_one("#body", VerticalScroll).scroll_down(animate=False)

    def action_up(self) -> None:
        self.query_one("#body", VerticalScroll).scroll_up(animate=False)
