"""A virtual table: only visible lines are drawn, and only changed ones are drawn again.

`DataTable` renders the whole screen anew for one changed cell and measures every cell of every new row.
"""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import RenderOptions

from payops.engine.board import IncidentRow

from .. import ink
from ..pictures.table import Line, cursor_line

CURSOR_MARK = "›"


class IncidentTable(ScrollView, can_focus=True):
    """Incidents with a cursor that stays on its incident wherever that moves."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"table--cursor"}
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "ends(True)", "First", show=False),
        Binding("end", "ends(False)", "Last", show=False),
    ]

    class Moved(Message):
        """The cursor is on another incident, or that incident looks different now."""

        def __init__(self, incident: IncidentRow | None) -> None:
            super().__init__()
            self.incident = incident

    class Opened(Message):
        """A click on the line under the cursor."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._cursor: int | None = None
        self._chosen = False
        """A person put the cursor where it is; else it may leave what is closed for what is open."""

    @property
    def incident(self) -> IncidentRow | None:
        """The incident under the cursor."""
        return None if self._cursor is None else self._lines[self._cursor].incident

    def show(self, lines: list[Line]) -> None:
        """Take new lines; the incident under the cursor keeps its place on the screen."""
        old, old_cursor, before = self._lines, self._cursor, self.incident
        stays = before if self._chosen else _or_the_open(before, lines)
        cursor = cursor_line(lines, stays.id if stays else None, old_cursor or 0)
        self._lines, self._cursor = lines, cursor
        if len(lines) != len(old):
            self.virtual_size = Size(self.size.width, len(lines))
        if cursor is not None and old_cursor is not None and cursor != old_cursor:
            self.scroll_to(y=self.scroll_offset.y + cursor - old_cursor, animate=False)
            self.refresh()
        else:
            self._refresh_changed(old, lines)
        if cursor != old_cursor:
            self._refresh_line(old_cursor)
            self._refresh_line(cursor)
        if self.incident != before:
            self.post_message(self.Moved(self.incident))

    def _refresh_changed(self, old: list[Line], new: list[Line]) -> None:
        for y in range(max(len(old), len(new))):
            if y >= len(old) or y >= len(new) or not old[y].content.is_same(new[y].content):
                self.refresh_line(y)

    def _refresh_line(self, y: int | None) -> None:
        if y is not None:
            self.refresh_line(y)

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        content = self._lines[y].content
        style = self.visual_style
        if y == self._cursor:
            # Not `partial`: a partial style loses an opaque background.
            style = self.get_visual_style("table--cursor")
            content = ink.join((ink.own(f"{CURSOR_MARK} ", "key"), content[2:]))
        strips = ink.padded(content, width).render_strips(width, 1, style, RenderOptions(self._get_style, {}))
        return strips[0] if strips else Strip.blank(width, self.rich_style)

    def action_move(self, by: int) -> None:
        """To the next line with an incident."""
        if self._cursor is None:
            return
        y = self._cursor + by
        while 0 <= y < len(self._lines):
            if self._lines[y].incident is not None:
                self._put(y)
                return
            y += by

    def action_page(self, by: int) -> None:
        if self._cursor is not None:
            self._put_near(self._cursor + by * max(1, self.size.height - 1))

    def action_ends(self, first: bool) -> None:
        self._put_near(0 if first else len(self._lines) - 1)

    def _put_near(self, y: int) -> None:
        near = cursor_line(self._lines, None, min(max(0, y), max(0, len(self._lines) - 1)))
        if near is not None:
            self._put(near)

    def _put(self, y: int) -> None:
        self._chosen = True
        if y == self._cursor:
            return
        self._refresh_line(self._cursor)
        self._cursor = y
        self._refresh_line(y)
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if y < top:
            self.scroll_to(y=y, animate=False)
        elif y >= top + height:
            self.scroll_to(y=y - height + 1, animate=False)
        self.post_message(self.Moved(self.incident))

    def on_click(self, event: events.Click) -> None:
        y = event.y + self.scroll_offset.y
        if not 0 <= y < len(self._lines) or self._lines[y].incident is None:
            return
        if y == self._cursor:
            self.post_message(self.Opened())
        else:
            self._put(y)

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(event.size.width, len(self._lines))


def _or_the_open(incident: IncidentRow | None, lines: list[Line]) -> IncidentRow | None:
    """The incident; once it is closed, the first of all when that is open."""
    first = next((line.incident for line in lines if line.incident is not None), None)
    closed = incident is not None and incident.state == "resolved"
    return first if closed and first is not None and first.state != "resolved" else incident
