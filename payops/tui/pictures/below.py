"""Under the table: the selected incident and what to press, then what comes next, and the protocol so far."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from payops.domain.money import Money
from payops.engine.board import Board, IncidentRow

from .. import ink
from ..gate import advice
from ..keymap import shown_keys
from ..words import Times, fewer, status


def selected(board: Board | None, row: IncidentRow | None, times: Times, width: int) -> list[Content]:
    """Three lines on the incident under the cursor: what, how it stands, which keys."""
    if board is None or row is None:
        hint = ink.join((ink.own(" "), ink.own("?", "key"), ink.own(" shows every key and sign", "dim")))
        return [ink.own(""), ink.own(""), hint]
    what = ink.join(
        (ink.own(" "), ink.said(row.id, "strong"), ink.own("  "), ink.said(row.title, "strong", limit=300))
    )
    facts = []
    if row.next_action and row.next_at and row.state != "resolved":
        facts.append(f"{times.minute(row.next_at, board.at)}: {ink.line(row.next_action)}")
    if row.owner:
        facts.append(f"owner {ink.line(row.owner, limit=24)}")
    facts.append(f"opened {times.moment(row.opened_at, board.at)}")

    how = facts_line(ink.line(status(row, times, board.at)), row.money, facts, width)
    return [
        ink.fit(line, width) for line in (what, how, looking(row) if board.view_only else keys(row, width))
    ]


def facts_line(
    how: str, at_risk: Sequence[Money], facts: Sequence[str], width: int, style: ink.Style = ""
) -> Content:
    """How it stands, then the money, then as many facts as fit: a number is shown whole or not at all."""
    between = "  ·  "
    most = width // 4 if width >= 110 else 26
    shown = [f"{fewer(at_risk, most)} at risk"] if at_risk else []
    room = width - 2 - sum(cell_len(fact) + len(between) for fact in shown)
    parts = [ink.fit(ink.said(how, style, limit=300), room)]
    room -= parts[0].cell_length
    for fact in facts:
        cells = cell_len(ink.line(fact)) + len(between)
        if cells > room:
            break
        shown.append(fact)
        room -= cells
    return ink.join((ink.own(" "), ink.join((*parts, *(ink.said(fact) for fact in shown)), between)))


def looking(row: IncidentRow) -> Content:
    """The same where nothing can be asked for."""
    return (
        ink.own(" A person is needed, and this screen is view-only.", "bad")
        if row.needs_human
        else ink.own(" View-only.")
    )


def keys(row: IncidentRow, width: int, more: tuple[str, ...] = ("open",)) -> Content:
    """What to press, as a sentence; keys that do not fit stay in the key bar."""
    sentence, names = advice(row)
    table = shown_keys()
    parts = [ink.own(f" {sentence}", "bad" if row.needs_human else "")]
    for name in (*names, *more):
        key, title = table[name]
        if sum(part.cell_length for part in parts) + len(key) + len(title) + 3 > width:
            break
        parts += [ink.own("  "), ink.own(key, "key"), ink.own(f" {title.lower()}")]
    return ink.join(parts)


def upcoming(board: Board | None, times: Times, width: int, height: int) -> list[Content]:
    """The next scheduled work, one line each."""
    if board is None:
        return []
    if not board.next:
        return [ink.own(" next      nothing is scheduled", "dim")]
    drawn = []
    for index, item in enumerate(board.next[:height]):
        label = ink.own(f" {'next' if index == 0 else '':<9} ", "dim")
        what = f"{item.what}  {item.why}" if item.why and width >= 110 else item.what
        drawn.append(
            ink.fit(
                ink.join((label, ink.own(times.second(item.at)), ink.own("  "), ink.said(what, limit=300))),
                width,
            )
        )
    return drawn


def protocol(board: Board | None, width: int) -> list[Content]:
    """How far the four levels got, and where webhooks come in."""
    if board is None:
        return []
    levels = board.levels
    told = (
        "no incident so far"
        if not levels.incidents
        else f"of {levels.incidents}: {levels.fixed_at_level1} fixed at Level 1, {levels.self_healed} self-healed, {levels.escalated} escalated, {levels.unfinished} open"
    )
    receiver = ink.said(
        board.engine.receiver or "not running", "dim" if board.engine.receiver else "watch", limit=200
    )
    return [
        ink.fit(ink.join((ink.own(" protocol  ", "dim"), ink.own(told, "dim"))), width),
        ink.fit(ink.join((ink.own(" webhooks  ", "dim"), receiver)), width),
    ]
