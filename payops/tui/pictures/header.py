"""The top of the screen: the headline, the status line, and what must not be overlooked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from payops.engine.board import AccountCard, Board, EngineState

from .. import ink
from ..words import Times, age

TONES: dict[str, tuple[str, str, ink.Style]] = {
    "ok": ("✔", "OK", "ok"),
    "watch": ("▲", "WATCH", "watch"),
    "bad": ("✖", "TROUBLE", "bad"),
    "unknown": ("?", "UNKNOWN", "unknown"),
}
SILENT_AFTER_S = 90
"""A board older than this is called old even if nobody says so."""


@dataclass(frozen=True, slots=True)
class View:
    """How the board is being looked at."""

    times: Times
    paused: bool = False
    silent: bool = False
    """No new board for longer than `SILENT_AFTER_S`."""
    locked: bool = False
    """Acting asks first who is at the keyboard."""


def headline(board: Board | None, starting: str) -> Content:
    """What is wrong in one sentence; glyph and word say how bad."""
    if board is None:
        return ink.own(f"… STARTING  {ink.line(starting)}", "strong")
    glyph, word, _ = TONES[board.tone]
    return ink.join((ink.own(f"{glyph} {word}  ", "strong"), ink.said(board.headline, "strong", limit=400)))


def tone(board: Board | None) -> str:
    """The tone as the name of a CSS class."""
    return f"-{board.tone}" if board else "-unknown"


def status(board: Board | None, view: View, operator: str | None, width: int) -> Content:
    """Mode, arming, who acts, who ticks, and how old all this is; the last parts give way first."""
    if board is None:
        who = (
            ink.join((ink.own("operator "), ink.said(operator))) if operator else ink.own("no operator named")
        )
        return ink.join((ink.own(" "), who))
    parts = [_mode(board), _arming(board), _operator(board), _engine(board.engine)]

    at = ink.own(f"as of {view.times.zoned(board.at)} ")
    left = ink.join((ink.own(" "), ink.join((part for part in parts if part), "  │  ")))
    return ink.ends(left, at, width)


def _mode(board: Board) -> Content:
    modes = sorted({card.mode for card in board.accounts})
    if not modes:
        return ink.own("no account")
    proven = all(card.mode_proven == card.mode for card in board.accounts)
    mixed = any(mismatch(card) for card in board.accounts)
    words = "+".join(mode.upper() for mode in modes)
    if mixed:
        return ink.join((ink.own("✖ ", "bad"), ink.said(f"{words} MISMATCH", "bad")))
    return ink.said(f"{words} {'proven' if proven else 'not proven yet'}", "strong" if proven else "watch")


def _arming(board: Board) -> Content:
    if board.engine.stopped:
        return ink.own("■ STOPPED", "bad")
    return ink.own("armed", "strong") if board.engine.armed else ink.own("observing", "strong")


def _operator(board: Board) -> Content:
    if board.view_only:
        return ink.own("view-only", "watch")
    return ink.said(board.operator or "no operator", limit=20)


def _engine(engine: EngineState) -> Content:
    if engine.holder is None:
        return ink.own("✖ no engine", "bad")
    where = "engine here" if engine.mine else f"engine {ink.line(engine.holder, limit=20)}"
    return ink.own(f"✖ engine late {age(engine.late_s)}", "bad") if engine.late_s else ink.own(where)


def mismatch(card: AccountCard) -> bool:
    """The key's proven mode is not the configured one."""
    return card.mode_proven is not None and card.mode_proven != card.mode


def alerts(board: Board | None, view: View, width: int) -> list[Content]:
    """Lines that appear only when there is something to say, loudest first."""
    if board is None:
        return []
    found: list[Content] = []
    times = view.times

    def add(style: ink.Style, glyph: str, text: str) -> None:
        found.append(
            ink.fit(ink.join((ink.own(f" {glyph} ", style), ink.said(text, style, limit=300))), width)
        )

    if view.paused:
        add(
            "watch",
            "‖",
            f"PAUSED at {times.zoned(board.at)}: this is the past. p shows the present.",
        )
    if view.silent:
        add(
            "bad",
            "✖",
            f"No news since {times.zoned(board.at)}: the engine may have died; what is shown is old.",
        )
    if view.locked:
        add("watch", "○", "Locked: nobody pressed a key for 15 min. Any action asks first who you are.")
    for card in board.accounts:
        if mismatch(card):
            add(
                "bad",
                "✖",
                f"{card.account}: configured {card.mode.upper()}, key proved {str(card.mode_proven).upper()}; nothing it reads is counted.",
            )
    engine = board.engine
    if engine.stopped and engine.stopped not in board.headline:
        add("bad", "■", f"STOPPED by {engine.stopped}. No remedy acts; R resumes.")
    if engine.holder is None and board.tone != "bad":
        add("bad", "✖", "No engine is running: nothing is polled, nothing is fixed.")
    if engine.late_s:
        add(
            "bad",
            "✖",
            f"The engine is {age(engine.late_s)} late; its last tick was at {times.moment(engine.last_tick_at, board.at)}.",
        )
    if not engine.audit_ok:
        add("bad", "✖", "The audit log cannot be written: payops writes nothing until it can.")
    if board.view_only:
        add("watch", "○", f"View-only: {board.view_only}")
    if board.loading and not any(card.state in ("loading", "backfilling") for card in board.accounts):
        add("dim", "…", board.loading)
    return found


def is_silent(board: Board | None, now: datetime) -> bool:
    """Nothing new has come for too long."""
    return board is not None and (now - board.at).total_seconds() > SILENT_AFTER_S
