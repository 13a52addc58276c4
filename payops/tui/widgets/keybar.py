"""The keys at the bottom: what cannot be done now is dim, what does not fit is on the help page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from .. import ink
from ..keymap import BAR, shown_keys
from .line import Line

ALWAYS = ("help", "quit")


class KeyBar(Line):
    """One line of keys; a click presses one."""

    def __init__(self, names: Sequence[str] = BAR, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = tuple(names)
        self._spans: list[tuple[int, int, str]] = []

    def show_keys(self, possible: Callable[[str], bool], width: int, *, only: bool = False) -> None:
        """`possible(name)` says whether an action can be asked for now; those that can have the first claim to room.

        `only` leaves the others out.
        """
        table = shown_keys()
        room = width - 1 - sum(self._cells(*table[name]) for name in ALWAYS)
        chosen: set[str] = set()
        for name in (*filter(possible, self._names), *(() if only else self._names)):
            cells = self._cells(*table[name])
            if name not in chosen and cells <= room:
                chosen.add(name)
                room -= cells
        parts, x = [ink.own(" ")], 1
        self._spans = []
        for name in (*(name for name in self._names if name in chosen), *ALWAYS):
            key, title = table[name]
            on = name in ALWAYS or possible(name)
            parts += [ink.own(key, "key" if on else "dim"), ink.own(f" {title}  ", "" if on else "dim")]
            self._spans.append((x, x + self._cells(key, title) - 2, key))
            x += self._cells(key, title)
        self.show(ink.join(parts))

    @staticmethod
    def _cells(key: str, title: str) -> int:
        return len(key) + len(title) + 3

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._spans:
            if start <= event.x < end:
                self.app.simulate_key("question_mark" if key == "?" else key)
                return
