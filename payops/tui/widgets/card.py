"""An account's card: a few lines that repaint one by one, and a sparkline that repaints when its minute closes."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content

from payops.engine.board import AccountCard, Board

from .. import ink
from ..pictures import card as picture
from ..words import Times
from .line import Line


class FullCard(Vertical):
    """Everything about one account, seven lines."""

    def compose(self) -> ComposeResult:
        yield Line(classes="title")
        with Horizontal(classes="rates-row"):
            yield Line(classes="rates")
            yield Line(classes="spark")
        for name in ("backlog", "feed", "reads"):
            yield Line(classes=name)

    def show(self, card: AccountCard, times: Times, board: Board, width: int) -> None:
        self._line("title", (ink.fit(picture.title(card, width), width),))
        self._line("rates", picture.rates(card))
        self._line("spark", picture.sparkline(card, width - picture.RATES_WIDTH - 1))
        self._line("backlog", (ink.fit(picture.backlog(card), width),))
        self._line("feed", (ink.fit(picture.feed(card, times, board.at, width), width),))
        self._line("reads", (ink.fit(picture.reads(card, width), width),))

    def _line(self, name: str, lines: Sequence[Content]) -> None:
        self.query_one(f".{name}", Line).show(ink.lines(lines))


class CompactCard(Line):
    """One of several accounts on a small screen, two lines."""

    def show_card(self, card: AccountCard, times: Times, board: Board, width: int) -> None:
        self.show(ink.lines(ink.fit(line, width) for line in picture.compact(card, times, board.at, width)))


class Cards(VerticalScroll, can_focus=False):
    """All accounts; compact when full cards would leave the table less than half of the screen."""

    FULL_HEIGHT = 7
    COLUMN_WIDTH = 100

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shape: tuple[str, ...] = ()

    def show(self, board: Board | None, times: Times, width: int, height: int) -> None:
        """Show every account of the board; widgets are only exchanged when accounts or the shape change."""
        accounts = board.accounts if board else ()
        compact = len(accounts) > 1 and len(accounts) * self.FULL_HEIGHT > height // 2
        shape = (str(compact), *(card.account for card in accounts))
        if shape != self._shape:
            self._shape = shape
            self.remove_children()
            self.mount_all(
                [CompactCard(classes="card") if compact else FullCard(classes="card") for _ in accounts]
            )
            # Children exist only after the mount; then this board, or a newer one, is shown.
            self.call_after_refresh(self._mounted, board, times, width)
            return
        self._fill(board, times, width)

    def _mounted(self, board: Board | None, times: Times, width: int) -> None:
        self._fill(board, times, width)
        # Textual computes what moved from a map that a repaint may already have renewed, and then forgets to
        # draw the lines below a freshly mounted widget; seen on a busy machine.
        self.screen.refresh()

    def _fill(self, board: Board | None, times: Times, width: int) -> None:
        if board is None:
            return
        for widget, card in zip(self.children, board.accounts, strict=False):
            if isinstance(widget, CompactCard):
                widget.show_card(card, times, board, width)
            elif isinstance(widget, FullCard) and widget.is_mounted:
                widget.show(card, times, board, width)
