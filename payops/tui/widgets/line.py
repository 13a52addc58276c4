"""Text that repaints only when it changed."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from .. import ink


class Line(Static):
    """A fixed number of lines: a change never moves anything else."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(ink.own(""), markup=False, id=id, classes=classes)
        self._shown = ink.own("")

    def show(self, content: Content) -> None:
        """Show `content` unless it is there already."""
        if not self._shown.is_same(content):
            self._shown = content
            self.update(content, layout=False)


class Block(Line):
    """As many lines as there are; the layout follows, and no line at all takes no room."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.display = False

    def show_lines(self, lines: Sequence[Content]) -> None:
        content = ink.lines(lines)
        self.display = bool(lines)
        if not self._shown.is_same(content):
            self._shown = content
            self.update(content, layout=True)
            # An update between the first layout and the mount event would keep the old height.
            self.clear_cached_dimensions()
