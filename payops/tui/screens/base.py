"""What every screen shares: the inks, and for the working screens the keys of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.containers import ScrollableContainer
from textual.screen import ModalScreen, Screen

from payops.clock import monotonic_s
from payops.domain.actions import BY_NAME
from payops.engine.board import Board, IncidentRow

from .. import ink
from ..gate import why_not
from ..keymap import action_bindings, own_bindings

if TYPE_CHECKING:
    from ..app import PayopsApp

GRACE_S = 0.5
"""A confirmation ignores keys for this long: a key pressed for something else must not confirm it."""


def scroll(area: ScrollableContainer, key: str) -> bool:
    """Scroll a modal's text when `key` is one of those that do; whether it was."""
    if key in ("home", "end"):
        (area.scroll_home if key == "home" else area.scroll_end)(animate=False)
        return True
    page = max(1, area.size.height - 1)
    by = {"up": -1, "down": 1, "pageup": -page, "pagedown": page}.get(key)
    if by is None:
        return False
    area.scroll_relative(y=by, animate=False)
    return True


class Inked(Screen[None]):
    """Declares the styles `ink` may name."""

    COMPONENT_CLASSES = set(ink.STYLES)

    @property
    def payops(self) -> PayopsApp:
        return cast("PayopsApp", self.app)


class WorkScreen(Inked):
    """A screen from which actions are asked for."""

    BINDINGS = [*own_bindings(), *action_bindings()]

    def show_board(self, board: Board | None) -> None:
        """Take a new picture."""
        raise NotImplementedError

    def selected_row(self) -> IncidentRow | None:
        """The incident that keys act on."""
        raise NotImplementedError

    def action_ask(self, name: str) -> None:
        """Ask for an action of the registry, or say why it cannot be asked for."""
        action, row = BY_NAME[name], self.selected_row()
        reason = why_not(action, self.payops.latest, row)
        if reason:
            self.payops.say(reason, "warning")
        elif self.payops.must_prove(action):
            from .unlock import UnlockModal

            self.payops.push_screen(UnlockModal(lambda: self.action_ask(name)))
        else:
            self.payops.begin(action, row)

    def possible(self, name: str) -> bool:
        """Whether the key of `name` would do something now."""
        if name not in BY_NAME:
            return name != "open" or self.selected_row() is not None
        return not why_not(BY_NAME[name], self.payops.latest, self.selected_row())

    def action_open(self) -> None:
        """Nothing to open by default."""

    def action_pause(self) -> None:
        self.payops.toggle_pause()

    def action_help(self) -> None:
        self.payops.show_help()

    def action_leave(self) -> None:
        self.payops.exit()

    def on_screen_resume(self) -> None:
        """Boards that came while something lay on top were kept, not drawn."""
        self.show_board(self.payops.shown)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self.show_board, self.payops.shown)


class Modal(ModalScreen[None]):
    """A box over the screen that takes every key; esc closes it and does nothing."""

    COMPONENT_CLASSES = set(ink.STYLES)

    def __init__(self) -> None:
        super().__init__()
        self._open_since = monotonic_s()

    @property
    def payops(self) -> PayopsApp:
        return cast("PayopsApp", self.app)

    def start_grace(self) -> None:
        self._open_since = self.payops.monotonic()

    def in_grace(self) -> bool:
        """Too soon after something to decide on appeared."""
        return self.payops.monotonic() - self._open_since < GRACE_S

    def on_mount(self) -> None:
        self.start_grace()
