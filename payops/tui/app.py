"""The application: boards come in from another thread, requests go out in threads, nothing here waits."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textual import events, on
from textual.app import App, SystemCommand
from textual.content import Content
from textual.screen import Screen

from payops.clock import Now, monotonic_s, utc_now
from payops.domain.actions import ACTIONS, Action
from payops.engine.board import PROVED_FOR, Board, CommandResult, IncidentRow

from . import ink
from .messages import Answered, BoardArrived, Exported, Failed, Started, StartFailed
from .pictures.header import View, is_silent
from .screens.base import WorkScreen
from .screens.main import MainScreen
from .terminal import MIN_HEIGHT, MIN_WIDTH, alive, require_terminal
from .themes import DEFAULT, THEMES
from .words import Times
from .work import Work, post

if TYPE_CHECKING:
    from payops.engine.desk import Desk

WATCH_S = 5.0
"""How often the terminal and the age of the board are looked at."""
LOCK_AFTER_S = 900.0
"""Without a key for so long, acting asks who is there; looking goes on, and so does the engine."""
DIRECT: frozenset[str] = frozenset({"ack", "accept"})
"""Actions that need neither words nor a preview."""


class PayopsApp(App[None]):
    """The screen over a desk.

    `start` runs in a thread once the first picture is painted; if it raises, the application ends with return code 2
    and the error is in `failure`. Closing the desk is the caller's. `zone` None means the machine's own.
    """

    TITLE = "payops"
    CSS_PATH = "payops.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]

    def __init__(
        self,
        desk: Desk,
        *,
        start: Callable[[], None] | None = None,
        operator: str | None = None,
        now: Now = utc_now,
        monotonic: Callable[[], float] = monotonic_s,
        zone: tzinfo | None = None,
        export_to: Path | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        for theme in THEMES:
            self.register_theme(theme)
        # Here, before the style sheet is read: a change on mount would read it twice.
        self.theme = DEFAULT
        self.desk = desk
        self.operator = operator
        self.now = now
        self.monotonic = monotonic
        self.times = Times(zone)
        self.work = Work()
        self.latest: Board | None = None
        """The newest board."""
        self.shown: Board | None = None
        """The board on the screen: the newest, or the one it was paused at."""
        self.paused = False
        self.progress = (
            "reading the store"
            if start is None
            else "starting simulator and engine"
            if operator == "demo"
            else "starting the engine"
        )
        self.last_result: Content | None = None
        self.kept_drafts: dict[str, dict[str, str]] = {}
        self.failure: Exception | None = None
        self._start = start
        self._export_to = export_to
        self.locked = False
        """Nobody pressed a key for `LOCK_AFTER_S`."""
        self._touched = monotonic()
        self._proved: float | None = None
        self._silent = False
        self._small = False
        self._slot_lock = threading.Lock()
        self._slot_full = False
        self._slot: Board | None = None

    def get_default_screen(self) -> Screen[None]:
        return MainScreen()

    def run(self, *, headless: bool = False, **options: Any) -> Any:
        """Run until quit; `UsageError` where no screen can be drawn."""
        if not headless:
            require_terminal()
        return super().run(headless=headless, **options)

    def on_mount(self) -> None:
        self._on_terminal_loss()
        self._take(self.desk.board())
        self.desk.subscribe(self._board_made)
        self.call_after_refresh(self._begin)
        self.set_interval(WATCH_S, self._watch)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self._lock_when_idle()
            self._touched = self.monotonic()
        await super().on_event(event)

    def _lock_when_idle(self) -> None:
        """The clock is looked at before each key, too: the first one after a long pause must not act."""
        acting = self.latest is not None and not self.latest.view_only
        if acting and not self.locked and self.monotonic() - self._touched >= LOCK_AFTER_S:
            self.locked = True
            self._redraw()

    def unlocked(self) -> None:
        """The operator has proved to be there."""
        self.locked = False
        self._proved = self.monotonic()
        self._redraw()

    def must_prove(self, action: Action) -> bool:
        """Whether who sits there must say who they are first. Stopping everything never waits for that."""
        if not action.roles or action.name == "stop":
            return False
        pinned = self.latest is not None and self.latest.operator_pin
        fresh = self._proved is not None and self.monotonic() - self._proved < PROVED_FOR.total_seconds()
        return self.locked or (action.name == "approve" and pinned and not fresh)

    def on_unmount(self) -> None:
        self.desk.unsubscribe(self._board_made)

    # --- starting and ending

    def _begin(self) -> None:
        start = self._start
        if start is None:
            return

        def call() -> Started | StartFailed:
            try:
                start()
            except Exception as error:
                return StartFailed(error)
            return Started()

        self.work.start("start", call, self)

    @on(Started)
    def _started(self) -> None:
        self.progress = "waiting for the first tick"
        self._redraw()

    @on(StartFailed)
    def _start_failed(self, message: StartFailed) -> None:
        self.failure = message.error
        self.exit(return_code=2)

    def _on_terminal_loss(self) -> None:
        """A lost terminal ends the screen, also where the signal was inherited as ignored."""
        if self.is_headless:
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.exit)

    def _watch(self) -> None:
        # With SIGHUP ignored, Textual's input thread spins on the end of file for ever.
        if not self.is_headless and not alive():
            self.exit()
            return
        self._lock_when_idle()
        silent = is_silent(self.latest, self.now())
        if silent != self._silent:
            self._silent = silent
            self._redraw()

    # --- boards in

    def _board_made(self, board: Board) -> None:
        """From the engine's thread: keep the newest, wake the loop once."""
        with self._slot_lock:
            self._slot = board
            if self._slot_full:
                return
            self._slot_full = True
        post(self, BoardArrived(board))

    @on(BoardArrived)
    def _board_arrived(self, message: BoardArrived) -> None:
        with self._slot_lock:
            board, self._slot_full = self._slot, False
        self._take(board or message.board)

    def _take(self, board: Board | None) -> None:
        if board is None:
            return
        self.latest = board
        self.operator = board.operator
        self._silent = is_silent(board, self.now())
        if not self.paused:
            self.shown = board
            self._redraw()

    def _redraw(self) -> None:
        """Draw the working screen on top; one below a modal is drawn when it is back on top."""
        if self._screen_stack and isinstance(self.screen, WorkScreen):
            self.screen.show_board(self.shown)

    def view(self) -> View:
        return View(self.times, paused=self.paused, silent=self._silent, locked=self.locked)

    def toggle_pause(self) -> None:
        if self.latest is None:
            self.say("Pause: there is no picture to freeze yet", "warning")
            return
        self.paused = not self.paused
        if not self.paused:
            self.shown = self.latest
        self._redraw()

    # --- screens

    def open_incident(self, row: IncidentRow) -> None:
        from .screens.incident import IncidentScreen

        self.push_screen(IncidentScreen(row))

    def show_help(self) -> None:
        from .screens.help import HelpModal

        self.push_screen(HelpModal())

    def on_resize(self, event: events.Resize) -> None:
        small = event.size.width < MIN_WIDTH or event.size.height < MIN_HEIGHT
        if small == self._small:
            return
        self._small = small
        if small:
            from .screens.small import TooSmall

            self.push_screen(TooSmall())
        else:
            self.pop_screen()

    # --- requests out

    def begin(self, action: Action, row: IncidentRow | None) -> None:
        """Open what `action` needs first, or ask for it right away."""
        if action.name == "fix" and row is not None:
            from .screens.fix import FixModal

            self.push_screen(FixModal(row))
        elif action.name == "approve" and row is not None and row.approval is not None:
            from .screens.approve import ApproveModal

            self.push_screen(ApproveModal(row, row.approval))
        elif action.name == "escalate" and row is not None:
            from .screens.escalate import EscalateScreen

            self.push_screen(EscalateScreen(row))
        elif action.name == "reload":
            from .screens.reload import ReloadModal

            self.push_screen(ReloadModal())
        elif action.name == "export" and row is not None:
            self.export(row.id, "md")
        elif action.name in DIRECT and row is not None:
            self.submit(action.name, row.id, {})
        else:
            self._form(action, row)

    def _form(self, action: Action, row: IncidentRow | None) -> None:
        from .screens.form import FormModal

        accounts = self.latest.accounts if self.latest else ()
        prefilled = (
            {"account": accounts[0].account} if action.scope == "account" and len(accounts) == 1 else {}
        )
        self.push_screen(FormModal(action, row if action.scope == "incident" else None, prefilled))

    def submit(self, action: str, incident_id: str | None, fields: Mapping[str, str]) -> None:
        """Ask the engine; its answer comes as `Answered`."""
        target = incident_id or fields.get("account", "")
        asked = dict(fields)
        desk = self.desk
        key = f"{action} {target}".strip()
        if self.work.start(
            key, lambda: Answered(action, target, desk.submit(action, incident_id, asked)), self
        ):
            self._result("…", "dim", f"{key}: asked, waiting for the engine")
        else:
            self.say(f"{key}: asked already, the answer is not there yet", "warning")

    def export(self, incident_id: str, format_: str) -> None:
        """Write the report; its path comes as `Exported`."""
        directory = self._export_to or Path.cwd()
        desk = self.desk
        self.work.start(
            f"export {incident_id}", lambda: Exported(desk.export(incident_id, format_, directory)), self
        )

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        result: CommandResult = message.result
        what = f"{message.action} {message.target}".strip()
        said = ink.line(result.message, limit=400).removeprefix(f"{message.target}: ")
        self._result("✔" if result.ok else "✖", "ok" if result.ok else "bad", f"{what}: {said}")

    @on(Exported)
    def _exported(self, message: Exported) -> None:
        self._result("✔", "ok", f"written: {message.path}")

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self._result("✖", "bad", f"{message.what}: {message.error}")

    def _result(self, glyph: str, style: ink.Style, text: str) -> None:
        """Show the newest answer above the keys until the next one."""
        self.last_result = ink.join(
            (
                ink.own(f" {glyph} ", style),
                ink.own(f"{self.times.second(self.now())}  ", "dim"),
                ink.said(text, limit=400),
            )
        )
        self._redraw()
        if not isinstance(self.screen, WorkScreen):
            self.say(text, "information" if style in ("ok", "dim") else "error")

    def say(self, text: str, severity: Literal["information", "warning", "error"]) -> None:
        """A short notice in the corner; it takes the place of the one before."""
        self.clear_notifications()
        self.notify(ink.line(text, limit=300), severity=severity, markup=False, timeout=6)

    # --- palette

    def action_command_palette(self) -> None:
        """Only over a working screen: a modal takes every key until it is answered."""
        if isinstance(self.screen, WorkScreen):
            super().action_command_palette()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield SystemCommand(
            "screen: theme", "Dark, light, high contrast, and Textual's own", self.action_change_theme
        )
        yield SystemCommand("screen: quit", "Leave the screen", self.action_quit)
        if not isinstance(screen, WorkScreen):
            return
        yield SystemCommand("screen: help", "Every key", self.show_help)
        yield SystemCommand("screen: pause", "Freeze the picture, or show the present", self.toggle_pause)
        row = screen.selected_row()
        about = f" ({row.id})" if row else ""
        for action in ACTIONS:
            title = f"{action.name}: {action.title}{about if action.scope == 'incident' else ''}"
            yield SystemCommand(title, action.help, lambda name=action.name: screen.action_ask(name))
        if row is not None:
            incident_id = row.id
            yield SystemCommand(
                f"export: as JSON{about}",
                "Write the incident document",
                lambda: self.export(incident_id, "json"),
            )
