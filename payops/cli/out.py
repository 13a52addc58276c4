"""Everything the command line prints: data on stdout, words for people on stderr."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click

from payops.text import safe_json, safe_line, safe_text

GAP = "  "
CELL = 600
"""The longest cell: a finding's sentence with its list of names is shorter."""
NARROWEST = 12


def document(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(safe_json(json.dumps(value, ensure_ascii=False)))


def line(text: str) -> None:
    """One line of data on stdout, made safe for a terminal; its indentation stays."""
    click.echo(_indent(text) + safe_line(text, limit=1000))


def block(text: str) -> None:
    """Prepared text on stdout, made safe for a terminal."""
    click.echo(safe_text(text, limit=1_000_000).rstrip("\n"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned by spaces: in a file one line for each row, on a terminal folded to its width.

    A first cell keeps its indentation. Nothing is cut short but what is longer than any sentence of ours.
    """
    lines = [tuple(head), *(tuple(_cell(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in lines) for column in range(len(head))]
    if sys.stdout.isatty():
        widths = _fitting(widths, shutil.get_terminal_size().columns - len(GAP) * (len(widths) - 1))
    for row in lines:
        folded = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
        for parts in itertools.zip_longest(*folded, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            click.echo(GAP.join(padded).rstrip())


def _cell(cell: str) -> str:
    text = safe_line(cell, limit=CELL + 1)
    return _indent(cell) + (text if len(text) <= CELL else f"{text[: CELL - 1]}…")


def _indent(text: str) -> str:
    return " " * (len(text) - len(text.lstrip(" ")))


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """The widths with the widest columns made narrower until they fit into `room`, none below `NARROWEST`."""
    found = list(widths)
    while sum(found) > room and max(found) > NARROWEST:
        found[found.index(max(found))] -= 1
    return found


def say(text: str) -> None:
    """A word for the person, on stderr."""
    click.echo(safe_text(text, limit=4000), err=True)


def error(text: str) -> None:
    """One clear line about what went wrong, on stderr."""
    click.echo(f"payops: {safe_line(text, limit=2000)}", err=True)


def interactive() -> bool:
    """Both ends are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
