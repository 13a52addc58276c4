"""The border between values and the terminal: the only place that makes `Content`.

Every string is cleaned by `payops.text` here and is never read as markup. Styles are names of the component classes
that `screens.base` declares (`bad`, `ok`, `dim`, …), so a theme decides how they look and text can never name one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from payops.text import safe_line, safe_text

Style = Literal["", "ok", "watch", "bad", "unknown", "dim", "strong", "key", "accent"]
STYLES: tuple[Style, ...] = ("ok", "watch", "bad", "unknown", "dim", "strong", "key", "accent")


def own(text: str, style: Style = "") -> Content:
    """Words of the program itself; spaces and newlines stay."""
    return _content(safe_text(text, limit=10_000), style)


def said(value: object, style: Style = "", *, limit: int = 200) -> Content:
    """A foreign value on one line, at most `limit` characters."""
    return _content(line(value, limit=limit), style)


def told(value: object, style: Style = "", *, limit: int = 2000) -> Content:
    """A foreign text of several lines, at most `limit` characters."""
    return _content(safe_text(_head(value, limit), limit=limit), style)


def cell(value: object, width: int, style: Style = "") -> Content:
    """A foreign value in exactly `width` cells, from the left, cut with `…`."""
    return _content(_fit(line(value, limit=max(1, width) * 2), width), style)


def number(value: object, width: int, style: Style = "") -> Content:
    """A value in exactly `width` cells, aligned right."""
    text = line(value)
    space = width - cell_len(text)
    return _content(" " * space + text if space >= 0 else _fit(text, width), style)


def line(value: object, *, limit: int = 200) -> str:
    """A foreign value as one clean line of plain text, cut with `…`."""
    text = safe_line(_head(value, limit), limit=limit + 1)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def join(parts: Iterable[Content], between: str = "") -> Content:
    """The parts in one line, with the program's own `between`."""
    return _content(between, "").join(parts) if between else Content("").join(parts)


def lines(parts: Iterable[Content]) -> Content:
    """The parts one below the other."""
    return Content("\n").join(parts)


def fit(content: Content, width: int) -> Content:
    """Content in at most `width` cells, cut with `…`."""
    return content if content.cell_length <= width else content.truncate(max(0, width), ellipsis=True)


def padded(content: Content, width: int) -> Content:
    """Content in exactly `width` cells."""
    cut = fit(content, width)
    return cut.pad_right(max(0, width - cut.cell_length))


def ends(left: Content, right: Content, width: int) -> Content:
    """`left` and `right` at the two ends of a line; the left one gives way."""
    room = width - right.cell_length
    if room < 8:
        return padded(left, width)
    return join((padded(fit(left, room - 1), room), right))


def _head(value: object, limit: int) -> str:
    """As much of a value as can be seen: cleaning 100 kB for every line of a picture would be felt."""
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= (most := limit * 4 + 8192) else text[:most]


def _fit(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(0, width - 1)) + "…" if width > 0 else ""


def _content(text: str, style: Style) -> Content:
    if not style:
        return Content(text)
    return Content.styled(text, f".{style}")
