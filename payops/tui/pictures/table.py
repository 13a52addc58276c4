"""The incident table as lines: columns chosen for the width, open ones worst first, then the resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.content import Content

from payops.engine.board import Board, IncidentRow

from .. import ink
from ..words import Times, fewer, plural, short_status, status

MAX_ROWS = 500
WIDE = 105
GAP = " "
STATE_GLYPHS: dict[str, str] = {"open": "●", "acknowledged": "◐", "resolved": "✔"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `incident` None is text the cursor skips."""

    content: Content
    incident: IncidentRow | None = None


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: int
    text: Callable[[IncidentRow], str]
    right: bool = False


def columns(board: Board, times: Times, width: int) -> tuple[Column, ...]:
    """What fits: state, account and money give way below `WIDE`; title and status share the rest."""
    rows = (*board.incidents[:MAX_ROWS], *board.recent)
    opened = max((len(times.minute(row.opened_at, board.at)) for row in rows), default=5)
    fixed = [
        Column("", 1, lambda row: STATE_GLYPHS.get(row.state, "?")),
        Column("sev", 4, lambda row: row.severity),
        Column("level", 5, lambda row: str(row.level)),
    ]
    tail = [Column("opened", max(6, opened), lambda row: times.minute(row.opened_at, board.at), right=True)]
    wide = width >= WIDE
    if wide:
        account = min(20, max((len(ink.line(row.account)) for row in rows), default=8))
        fixed += [
            Column("state", 13, lambda row: row.state),
            Column("account", max(7, account), lambda row: row.account),
        ]
        cells = 26 if width >= 130 else 16
        tail.insert(0, Column("money at risk", cells, lambda row: fewer(row.money, cells), right=True))
    room = width - 2 - sum(column.width + len(GAP) for column in (*fixed, *tail)) - len(GAP)
    # The phrase that says how it stands is the one that must not be cut; the full title is below the table.
    told = min(46, room // 2) if wide else min(32, room * 56 // 100)

    return (
        *fixed,
        Column(_counts(board), room - told, lambda row: row.title),
        Column(
            "status, next",
            told,
            lambda row: (
                ("! " if row.needs_human else "")
                + (status if told >= 46 else short_status)(row, times, board.at)
            ),
        ),
        *tail,
    )


def _counts(board: Board) -> str:
    if not board.incidents:
        return "no open incident"
    waiting = sum(row.needs_human for row in board.incidents)
    return f"{len(board.incidents)} open" + (
        f", {plural(waiting, 'needs', 'need')} a person" if waiting else ""
    )


def header(board: Board | None, times: Times, width: int) -> Content:
    """The column titles; the title column counts what is open."""
    if board is None:
        return ink.own("")
    return ink.join(
        (
            ink.own("  "),
            ink.join((_cell(column, column.title, "dim") for column in columns(board, times, width)), GAP),
        )
    )


def lines(board: Board | None, times: Times, width: int) -> list[Line]:
    """Every line of the table."""
    if board is None:
        return [Line(ink.own("  … waiting for the first picture", "dim"))]
    shape = columns(board, times, width)
    drawn = [Line(_row(row, shape), row) for row in board.incidents[:MAX_ROWS]]
    if len(board.incidents) > MAX_ROWS:
        drawn.append(
            Line(
                ink.own(
                    f"  showing {MAX_ROWS} of {len(board.incidents):,}, worst first: `payops incidents list` has all",
                    "dim",
                )
            )
        )
    if not drawn:
        drawn.append(Line(_nothing(board)))
    if board.recent:
        drawn.append(Line(_rule(f"resolved in 24 h: {len(board.recent)}", width)))
        drawn += [Line(_row(row, shape), row) for row in board.recent[:MAX_ROWS]]
    return drawn


def _nothing(board: Board) -> Content:
    if any(card.state in ("loading", "backfilling") for card in board.accounts):
        return ink.own("  … no incident so far; the history is still being read", "dim")
    if board.tone == "ok":
        return ink.own("  ✔ No incident is open. Nothing to do.", "ok")
    return ink.own("  No incident is open.", "dim")


def _rule(text: str, width: int) -> Content:
    return ink.own(f"  ── {text} " + "─" * max(0, width - len(text) - 7), "dim")


def _row(row: IncidentRow, shape: tuple[Column, ...]) -> Content:
    return ink.join(
        (
            ink.own("  "),
            ink.join((_cell(column, column.text(row), _style(row, column)) for column in shape), GAP),
        )
    )


def _style(row: IncidentRow, column: Column) -> ink.Style:
    if row.state == "resolved":
        return "ok" if column.title == "" else "dim"
    if column.title in ("", "sev"):
        return "bad" if row.severity in ("sev1", "sev2") else "watch"
    if column.title == "status, next" and row.needs_human:
        return "bad"
    return ""


def _cell(column: Column, text: str, style: ink.Style) -> Content:
    return ink.number(text, column.width, style) if column.right else ink.cell(text, column.width, style)


def cursor_line(drawn: list[Line], incident_id: str | None, old: int) -> int | None:
    """Where the cursor goes: to its incident wherever that is now, else to the nearest row; None without rows."""
    rows = [y for y, line in enumerate(drawn) if line.incident is not None]
    if not rows:
        return None
    for y in rows:
        incident = drawn[y].incident
        if incident is not None and incident.id == incident_id:
            return y
    return min(rows, key=lambda y: (abs(y - old), y))
