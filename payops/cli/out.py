"""Everything the command line prints: data on stdout, words for people on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import click

from payops.text import safe_json, safe_line, safe_text


def document(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(safe_json(json.dumps(value, ensure_ascii=False)))


def line(text: str) -> None:
    """One line of data on stdout, made safe for a terminal."""
    click.echo(safe_line(text, limit=1000))


def block(text: str) -> None:
    """Prepared text on stdout, made safe for a terminal."""
    click.echo(safe_text(text, limit=1_000_000).rstrip("\n"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned by spaces; readable by eye and by awk."""
    lines = [tuple(head), *(tuple(safe_line(cell, limit=120) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in lines) for column in range(len(head))]
    for row in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """A word for the person, on stderr."""
    click.echo(safe_text(text, limit=4000), err=True)


def error(text: str) -> None:
    """One clear line about what went wrong, on stderr."""
    click.echo(f"payops: {safe_line(text, limit=2000)}", err=True)


def interactive() -> bool:
    """Both ends are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
